"""What figures of a period say otherwise than they did: duties whose answer changed, and how.

What comes in: what each duty of a cohort said as known then, and what each says as known now. What
goes out: how many changed from which answer to which, and that in words. It does not care why, nor
how either was known.

Only an answer that figures count apart is a change: in time, not in time, unknown, exempt, void. A
duty that was open and overdue and was closed late since ran its course: it is not in time in both.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from monitor import words
from monitor.model import Instant, Verdict


class Duty(NamedTuple):
    """One duty of a cohort, and what it says."""

    case: int
    """The same for all cases that were ever one."""
    of: int
    """The case that it was, or is, of."""
    rule: str
    child: str
    organisation: str
    start: str
    says: Verdict


class Change(NamedTuple):
    """So many duties said one thing then and say another now."""

    before: Verdict | None
    """None: it was in no figure of the period then."""
    after: Verdict | None
    """None: it is in none any more."""
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restated:
    """What a period's figures say otherwise than at an earlier time."""

    number_then: int
    """Up to which number everything was known then."""
    as_of_then: Instant
    changes: tuple[Change, ...]
    """In the order in which they are said; none where nothing changed."""

    @property
    def number(self) -> int:
        """How many duties changed."""
        return sum(change.number for change in self.changes)


_SAID: Final[Mapping[Verdict | None, str]] = MappingProxyType(
    {
        Verdict.OVERDUE: "overdue",
        Verdict.LATE: "late",
        Verdict.MET: "in time",
        Verdict.UNKNOWN: "unknown",
        Verdict.EXEMPT: "exempt",
        Verdict.VOID: "withdrawn in error",
    }
)
_ORDER: Final[tuple[Verdict | None, ...]] = (*_SAID, None)


def in_words(changes: Iterable[Change]) -> tuple[str, ...]:
    """Each change as a sentence: `2 duties were overdue and are in time as known now.`."""
    return tuple(map(_in_words, changes))


def _in_words(change: Change) -> str:
    were = words.count(change.number, "duty", "duties")
    was, is_ = ("was", "is") if change.number == 1 else ("were", "are")
    if change.before is None:
        return f"{were} {was} not in these figures and {is_} in them now: {_SAID[change.after]}."
    before = f"{were} {was} {_SAID[change.before]}"
    if change.after is None:
        return f"{before} and {is_} not in these figures any more."
    return f"{before} and {is_} {_SAID[change.after]} as known now."


def changes(before: Iterable[Duty], after: Iterable[Duty]) -> tuple[Change, ...]:
    """How duties changed: those whose answers figures count apart.

    A duty is held to itself: the same case, rule, child, organisation and start. What is then left
    over of a rule in cases that were ever one is held to each other where one may have become the
    other: another reference of a merged case, or a child or organisation that was not known.
    Whatever is still left came into the figures, or left them.
    """
    were, are = _by_case_and_rule(before), _by_case_and_rule(after)
    found: Counter[tuple[Verdict | None, Verdict | None]] = Counter()
    for place in {**were, **are}:
        for old, new in _held_together(were.get(place, []), are.get(place, [])):
            if _counted_as(old) is not _counted_as(new):
                found[old, new] += 1
    return tuple(
        Change(old, new, number)
        for (old, new), number in sorted(found.items(), key=lambda item: _place(*item[0]))
    )


def _place(old: Verdict | None, new: Verdict | None) -> tuple[int, int]:
    return _ORDER.index(old), _ORDER.index(new)


def _counted_as(says: Verdict | None) -> Verdict | None:
    return Verdict.LATE if says is Verdict.OVERDUE else says


def _by_case_and_rule(duties: Iterable[Duty]) -> dict[tuple[int, str], list[Duty]]:
    found: defaultdict[tuple[int, str], list[Duty]] = defaultdict(list)
    for duty in duties:
        found[duty.case, duty.rule].append(duty)
    return found


def _held_together(
    before: list[Duty], after: list[Duty]
) -> Iterable[tuple[Verdict | None, Verdict | None]]:
    left = sorted(after)
    for is_it in (_is_the_same, _is_its_twin, _may_be_it):
        unmatched = []
        for old in sorted(before):
            new = next((each for each in left if is_it(old, each)), None)
            if new is None:
                unmatched.append(old)
                continue
            left.remove(new)
            yield old.says, new.says
        before = unmatched
    yield from ((old.says, None) for old in before)
    yield from ((None, new.says) for new in left)


def _is_the_same(old: Duty, new: Duty) -> bool:
    return old[:6] == new[:6]


def _is_its_twin(old: Duty, new: Duty) -> bool:
    """The same under another reference of a case that was merged, or parted."""
    return old[2:6] == new[2:6]


def _may_be_it(old: Duty, new: Duty) -> bool:
    """The same duty, whose child or organisation became known, or unknown again."""
    return (
        old.start == new.start
        and (old.child == new.child or "" in (old.child, new.child))
        and (old.organisation == new.organisation or "" in (old.organisation, new.organisation))
    )
