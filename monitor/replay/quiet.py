"""Until when nobody can have been told anything of a case, whatever was known of it then.

What comes in: a rulebook, and the events of one case. What goes out: an instant; what was received
before it can be folded at once, and need not be lived through receipt by receipt. It decides
nothing: where it cannot be sure it says so, and a replay that asks comes out as one that does not.

It can be sure only of a history that grows and never turns: no amendments, retractions, links or
corrected starts, no attribute with two values, and every child and organisation named with the
first receipt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from monitor.model import Event, Instant
from monitor.rulebook.book import Duty, Rulebook
from monitor.rulebook.language import Alerts
from monitor.rulebook.match import ReadAttribute
from monitor.worktime.calendar import PastHorizon
from monitor.worktime.limits import shift

NOT_SURE: Final[Instant] = -(1 << 62)
NEVER: Final[Instant] = 1 << 62


class Quiet:
    """What a rulebook may tell of, made ready to be asked of many cases."""

    def __init__(self, rulebook: Rulebook) -> None:
        duties = [duty for versions in rulebook.duties.values() for duty in versions]
        self._telling: dict[str, list[Duty]] = {}
        for duty in duties:
            if duty.rule.alerts is Alerts.ON and duty.ladder is not None:
                for kind in duty.starts.kinds:
                    self._telling.setdefault(kind, []).append(duty)
        asked = {name: read for duty in duties for name, read, _ in duty.applies}
        self._asked: list[ReadAttribute] = list(asked.values())
        self._turning = self._kinds_that_turn(rulebook, duties)

    def until(self, received: Sequence[Event]) -> Instant:
        """The first instant at which anybody may have been told; NOT_SURE, NEVER.

        `received`: every event of the case, in the order of receipt.
        """
        if not received or not self._only_grows(received) or not _is_named_at_once(received):
            return NOT_SURE
        return min(self._first_steps(received), default=NEVER)

    def _kinds_that_turn(self, rulebook: Rulebook, duties: Iterable[Duty]) -> frozenset[str]:
        """Kinds of events that can move a start, or who is owed: they are lived through."""
        owed = {kind for duty in duties if duty.owed_to for kind in duty.owed_to.kinds}
        correction = rulebook.vocabulary.start_correction
        return frozenset(owed | ({correction.kind} if correction else set()))

    def _only_grows(self, received: Sequence[Event]) -> bool:
        first_at, seen = received[0].received_at, set()
        for event in received:
            if event.retracts or event.links or (event.feed, event.identity) in seen:
                return False
            if event.received_at > first_at and event.kind in self._turning:
                return False
            seen.add((event.feed, event.identity))
        return all(len({read(event) for event in received} - {""}) < 2 for read in self._asked)  # noqa: PLR2004 - one value

    def _first_steps(self, received: Sequence[Event]) -> Iterator[Instant]:
        """For every start of a duty that may tell: no step of its ladder is earlier."""
        organisations = {event.organisation for event in received}
        for event in received:
            for duty in self._telling.get(event.kind, ()):
                if duty.starts(event) and _may_cover(duty, received):
                    for owed in {duty.at(organisation) for organisation in organisations}:
                        yield _first_step(owed, event)


def _is_named_at_once(received: Sequence[Event]) -> bool:
    """Whether no event after the first receipt names a child or organisation anew."""
    first_at = received[0].received_at
    naming = [event for event in received if event.child or event.organisation]
    at_first = [event for event in naming if event.received_at == first_at]
    children = {"", *(event.child for event in at_first)}
    named = {(event.partner, event.organisation, event.child) for event in at_first}
    for event in naming[len(at_first) :]:
        where = (event.partner, event.organisation)
        if event.child not in children:
            return False
        if event.organisation and named.isdisjoint({(*where, event.child), (*where, "")}):
            return False
    return True


def _may_cover(duty: Duty, received: Sequence[Event]) -> bool:
    return all(
        "" in values or any(read(event) in values for event in received)
        for _, read, values in duty.applies
    )


def _first_step(duty: Duty, start: Event) -> Instant:
    """The earliest warning of a clock that starts so; where there is none, when it is due."""
    assert duty.ladder is not None
    due, _ = duty.due(start.occurred_from, start)
    if due is None:
        return NEVER
    first = due
    for rung in duty.ladder.rungs:
        if rung.is_warning and rung.at.limit is not None:
            try:
                first = min(first, shift(due, -rung.at.limit, duty.calendar))
            except PastHorizon:
                continue
    return first
