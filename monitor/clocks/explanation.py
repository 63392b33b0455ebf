"""Why a clock says what it says: every fact that was looked at, and what came of it.

What comes in: a clock, the facts of its case and its rule. What goes out: statements in words. It
explains the fold and never decides anew: it asks the same questions of the same facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from monitor.clocks.timeline import Timeline
from monitor.model import Clock, Duration, Event, Instant
from monitor.rulebook.book import Duty


class Considered(NamedTuple):
    """A fact that a rule looked at."""

    kind: str
    at: Instant
    feed: str
    counts: bool
    why: str


def considered(
    clock: Clock, timeline: Timeline, duty: Duty, *, tolerance: Duration = 0
) -> list[Considered]:
    """Every fact that could have started or ended a clock, and whether it did, in order of time."""
    found = [
        *_starts(clock, _versions(timeline), duty),
        *_endings(clock, _versions(timeline), duty, tolerance),
        *_set_aside(timeline, duty),
    ]
    return sorted(found, key=lambda one: (one.at, one.kind, one.feed))


def because(clock: Clock) -> Iterator[str]:
    """What else bears on a clock, in sentences."""
    if clock.raised_after is not None:
        yield "It starts where a regrade brought the case under this rule, not at first contact."
    if clock.due_unknown:
        yield f"When it is due cannot be computed: {clock.due_unknown}."
    if clock.superseded_at is not None:
        yield "The case left this rule before it was due: another clock took its place, or none."
    if clock.regraded_at is not None:
        yield "The case left this rule after it was overdue: it is measured on and no longer told."
    if clock.held_until is not None:
        yield "A deferral holds telling; it does not hold the measurement."
    if clock.confirm_by is not None:
        yield "The stop is a verbal claim that was written down after due: it has to be confirmed."
    if clock.cannot_route:
        yield "Whom to tell is not on the record: it cannot be routed."
    late = clock.stop_recorded_at
    if late is not None and clock.stopped_at is not None and late > clock.stopped_at:
        yield f"It was recorded {_hours(late - clock.stopped_at)} after it happened."


def _versions(timeline: Timeline) -> Iterator[Event]:
    return (version for fact in timeline.facts for version in fact.versions)


def _starts(clock: Clock, events: Iterable[Event], duty: Duty) -> Iterator[Considered]:
    first = True
    for event in events:
        if not duty.starts(event):
            continue
        fits = event.child in ("", clock.key.child) or not clock.key.child
        if not fits:
            yield _said(event, event.occurred_from, counts=False, why="it is about another child")
        elif first:
            first = False
            yield _said(event, event.occurred_from, counts=True, why="the clock starts here")
        else:
            why = "a start, but not the earliest"
            yield _said(event, event.occurred_from, counts=False, why=why)


def _endings(
    clock: Clock, events: Iterable[Event], duty: Duty, tolerance: Duration
) -> Iterator[Considered]:
    ended_at = _ended_at(clock)
    for event in events:
        how = _how(event, duty)
        if not how:
            continue
        counts, why = _ending(clock, event, ended_at, tolerance)
        yield _said(event, event.occurred_to, counts=counts, why=f"{how} {why}")


def _how(event: Event, duty: Duty) -> str:
    if duty.stops(event):
        return "a stop;"
    if duty.exempts(event):
        return "a decision that exempts;"
    return "a withdrawal;" if duty.voids(event) else ""


def _ended_at(clock: Clock) -> Instant | None:
    ends = (clock.stopped_at, clock.exempt_at, clock.void_at)
    return next((at for at in ends if at is not None), None)


def _ending(
    clock: Clock, event: Event, ended_at: Instant | None, tolerance: Duration
) -> tuple[bool, str]:
    if clock.key.child and event.child not in ("", clock.key.child):
        return False, "it is about another child"
    if clock.key.organisation and event.organisation not in ("", clock.key.organisation):
        return False, "it is about another organisation"
    if event.occurred_to < clock.started_at - tolerance:
        return False, "it lies before the start and does not count"
    if ended_at is None:
        return False, "it names no child or organisation and could mean several"
    if max(event.occurred_to, clock.started_at) == ended_at:
        return True, "the clock ends here"
    return False, "the clock had ended by then" if event.occurred_to > ended_at else "not counted"


def _set_aside(timeline: Timeline, duty: Duty) -> Iterator[Considered]:
    for event, why in timeline.set_aside:
        if duty.starts(event) or duty.stops(event) or duty.exempts(event) or duty.voids(event):
            yield _said(event, event.occurred_from, counts=False, why=str(why))


def _said(event: Event, at: Instant, *, counts: bool, why: str) -> Considered:
    return Considered(event.kind, at, event.feed, counts, why)


def _hours(duration: Duration) -> str:
    hours, minutes = divmod(duration // 60_000_000, 60)
    return f"{hours} h {minutes:02}"
