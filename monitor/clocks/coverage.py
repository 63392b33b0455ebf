"""Whether, and from when, a rule covers a case, as its attributes change.

What comes in: the case's events, what a rule asks of its attributes, and a start. What goes out:
from when the clock runs, when that could be known, and when the case left the rule.
It does not care about stops or due times.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from monitor.model import Duration, Event, Instant
from monitor.rulebook.match import ReadAttribute

Asked = tuple[str, ReadAttribute, frozenset[str]]
"""Attribute, how to read it, and the values of which the case must have one."""


class Return(NamedTuple):
    """A case that left a rule came under it again."""

    left_at: Instant
    known_at: Instant
    """When the monitor could first know that it was back."""


class Coverage(NamedTuple):
    """The time in which a rule covers a case."""

    started_at: Instant
    known_at: Instant
    """When the monitor could first know that the rule covers the case since then."""
    left_at: Instant | None
    """When the case left the rule for good."""
    raised_after: Duration | None
    """How long after the start a regrade brought the case under the rule."""
    returns: tuple[Return, ...] = ()
    """Each return of a case that had left, in order of time."""

    def known_by(self, due: Instant | None) -> Instant:
        """When a clock could first be known that is due then.

        A case that left before due had no clock: it is learnt of again when it comes back.
        """
        again = [each.known_at for each in self.returns if due is None or each.left_at <= due]
        return max(self.known_at, *again) if again else self.known_at


def coverage(
    start: Instant,
    start_known_at: Instant,
    events: Sequence[Event],
    asked: Sequence[Asked],
    *,
    risks: Sequence[str],
) -> Coverage | None:
    """How a rule covers a case that started at `start`; None where it never does.

    What was not said at first is read back to the start: the concern was the same, only its name
    came later. A category that changes, or a risk that rises, is new knowledge: the clock starts
    then. A risk that falls is not: the clock of the slower rule runs from the start (law 5).
    """
    histories = [_History(events, read, values) for _, read, values in asked]
    changes = sorted({at for history in histories for at in history.turns if at > start})
    if not changes:  # as for nearly every case: nothing was said anew
        if not all(history.allows(start) for history in histories):
            return None
        known_at = max(start_known_at, *(history.known_at(start) for history in histories))
        return Coverage(start, known_at, None, None)
    moments = [start, *changes]
    covered = [all(history.allows(at) for history in histories) for at in moments]
    if True not in covered:
        return None
    first = covered.index(True)
    entered_at = moments[first]
    is_news = first > 0 and _is_news(moments[first - 1], entered_at, asked, histories, risks)
    started_at = entered_at if is_news else start
    known_at = max(start_known_at, *(history.known_at(entered_at) for history in histories))
    staying = _staying(moments, covered, asked, histories, risks)
    return Coverage(
        started_at=started_at,
        known_at=known_at,
        left_at=_left_for_good(moments, staying),
        raised_after=entered_at - start if is_news else None,
        returns=tuple(_returns(moments, staying, histories)),
    )


def value_at(events: Iterable[Event], read: ReadAttribute, at: Instant) -> str:
    """An attribute of a case at an instant: the latest said by then, else the first said after."""
    said = [(event.occurred_from, value) for event in events if (value := read(event))]
    if not said:
        return ""
    said.sort()
    before = bisect_right(said, (at, "\U0010ffff"))
    return said[before - 1][1] if before else said[0][1]


class _History:
    """What was said of one attribute, and when; contradictions of one instant are all kept."""

    def __init__(
        self, events: Iterable[Event], read: ReadAttribute, allowed: frozenset[str]
    ) -> None:
        self.allowed = allowed
        said: dict[Instant, list[tuple[str, Instant]]] = {}
        for event in events:
            if value := read(event):
                said.setdefault(event.occurred_from, []).append((value, event.received_at))
        self.changes = sorted(said)
        self._said = said
        self._values = {at: frozenset([value for value, _ in said[at]]) for at in self.changes}
        self.turns = [
            at for before, at in pairwise(self.changes) if self._values[before] != self._values[at]
        ]
        """When something else was said than before."""

    def allows(self, at: Instant) -> bool:
        """Whether any value that holds at an instant is one of those asked for."""
        return not self.allowed.isdisjoint(self.values(at))

    def values(self, at: Instant) -> frozenset[str]:
        """The values that hold at an instant; "not said" where there never is one."""
        if not self.changes:
            return frozenset({""})
        return self._values[self._governing(at)]

    def known_at(self, at: Instant) -> Instant:
        """When a value that allows the rule, and that held up to an instant, was first received."""
        known: list[Instant] = []
        for change in reversed(self.changes[: self._place(at) + 1]):
            allowing = [since for value, since in self._said[change] if value in self.allowed]
            if not allowing:
                break
            known += allowing
        return min(known, default=0)

    def _governing(self, at: Instant) -> Instant:
        return self.changes[self._place(at)]

    def _place(self, at: Instant) -> int:
        """Which change governs an instant; before all of them, the first."""
        return max(bisect_right(self.changes, at) - 1, 0)


def _is_news(
    before: Instant,
    entered_at: Instant,
    asked: Sequence[Asked],
    histories: Sequence[_History],
    risks: Sequence[str],
) -> bool:
    """Whether what brought the case under the rule was first known then."""
    for (name, _, _), history in zip(asked, histories, strict=True):
        if history.allows(before):
            continue
        if name == "category":
            return True
        if name == "risk" and _gravest(history, entered_at, risks) > _gravest(
            history, before, risks
        ):
            return True
    return False


def _gravest(history: _History, at: Instant, risks: Sequence[str]) -> int:
    return max(map(_rank(risks), history.values(at)))


def _rank(risks: Sequence[str]) -> Callable[[str], int]:
    return lambda value: risks.index(value) if value in risks else -1


def _staying(
    moments: Sequence[Instant],
    covered: Sequence[bool],
    asked: Sequence[Asked],
    histories: Sequence[_History],
    risks: Sequence[str],
) -> list[bool]:
    """Where the rule goes on covering a case that it covered before.

    A risk graver than the rule asks for does not end it: a faster clock starts beside it, and
    raising the grade must not buy time.
    """
    first = covered.index(True)

    def stays(at: Instant) -> bool:
        return all(
            history.allows(at)
            or (
                name == "risk"
                and _gravest(history, at, risks) > max(map(_rank(risks), values), default=-1)
            )
            for (name, _, values), history in zip(asked, histories, strict=True)
        )

    return [
        (place > first and stays(at)) or now
        for place, (at, now) in enumerate(zip(moments, covered, strict=True))
    ]


def _left_for_good(moments: Sequence[Instant], covered: Sequence[bool]) -> Instant | None:
    """The change after which the rule never covers the case again; coming back is not leaving."""
    if covered[-1]:
        return None
    last_covered = len(covered) - 1 - covered[::-1].index(True)
    return moments[last_covered + 1]


def _returns(
    moments: Sequence[Instant], covered: Sequence[bool], histories: Sequence[_History]
) -> Iterator[Return]:
    left_at: Instant | None = None
    for place in range(covered.index(True) + 1, len(moments)):
        if not covered[place]:
            left_at = moments[place] if left_at is None else left_at
        elif left_at is not None:
            yield Return(left_at, max(each.known_at(moments[place]) for each in histories))
            left_at = None
