"""When something can happen to a clock by itself: the steps of its ladder, in order of time.

What comes in: a clock and the version of the rule that governs it. What goes out: every step with
its instant. It does not care who is told at a step, nor what was said already.

The places in an agenda are fixed by the ladder alone, so that a count of decided steps keeps its
meaning when the clock's times move; a step that no longer has an instant keeps its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Final, NamedTuple

from monitor.clocks.verdicts import is_closed
from monitor.model import DAY, AlertKind, Clock, Instant
from monitor.rulebook.book import Duty
from monitor.rulebook.language import HOLDER, Alerts, Ladder, Rung
from monitor.worktime.calendar import PastHorizon
from monitor.worktime.limits import shift

FIRST_LATE: Final = 1
"""Equality is in time: a clock is overdue from one microsecond after due (law 6)."""


class Step(NamedTuple):
    """One step of an agenda."""

    at: Instant | None
    """None: this step does not happen on this clock."""
    rung: str
    """Its stable name: `cannot route`, `rung 1`, `rung 2`…, `repeat`."""
    repeat: int
    role: str
    kind: AlertKind


def agenda(clock: Clock, duty: Duty) -> list[Step]:
    """All steps of a clock's ladder in the order they are taken; empty where it tells nobody."""
    ladder = duty.ladder
    if ladder is None or duty.rule.alerts is not Alerts.ON or clock.due_at is None:
        return []
    duty = duty.at(clock.key.organisation)
    steps = [_cannot_route(clock), *_rungs(clock, duty, ladder)]
    if _is_history(clock, duty, ladder):
        return steps
    return [*steps, *_repeats(steps[-1], duty, ladder)]


@lru_cache(maxsize=512)
def agenda_again(clock: Clock, duty: Duty) -> tuple[Step, ...]:
    """The agenda of a clock about which one asks several times, as a decision does."""
    return tuple(agenda(clock, duty))


def next_step_at(clock: Clock, steps: Sequence[Step], steps_done: int) -> Instant | None:
    """When the next step falls that was not decided; None where nothing will happen by itself."""
    if is_closed(clock) or clock.regraded_at is not None:
        return None
    ahead = (step.at for step in steps[steps_done:] if step.at is not None)
    at = next(ahead, None)
    return None if at is None else after_hold(clock, at)


def after_hold(clock: Clock, at: Instant) -> Instant:
    """An instant, moved to the end of a deferral that covers it."""
    if clock.held_from is None or clock.held_until is None:
        return at
    return clock.held_until if clock.held_from <= at < clock.held_until else at


def _cannot_route(clock: Clock) -> Step:
    at = clock.known_at if clock.cannot_route else None
    return Step(at, "cannot route", 0, HOLDER, AlertKind.CANNOT_ROUTE)


def _rungs(clock: Clock, duty: Duty, ladder: Ladder) -> list[Step]:
    steps: list[Step] = []
    latest: Instant | None = None
    for number, rung in enumerate(ladder.rungs, start=1):
        at = _rung_at(clock, duty, rung)
        if at is not None and latest is not None:
            at = max(at, latest)
        latest = latest if at is None else at
        kind = AlertKind.WARNING if rung.is_warning else AlertKind.OVERDUE
        steps.append(Step(at, f"rung {number}", 0, rung.tell, kind))
    return steps


def _rung_at(clock: Clock, duty: Duty, rung: Rung) -> Instant | None:
    """When a rung falls; None where it does not.

    A clock that was overdue before it could be known begins with its first overdue rung when it is
    learnt of, and the delays above run from then: the ladder asks people to act, and nobody could
    have acted before. A clock whose claim was not confirmed begins when the claim lapses.
    """
    assert clock.due_at is not None
    lapsed_at = clock.known_at if clock.confirm_by is None else clock.confirm_by + FIRST_LATE
    learnt_at = max(clock.known_at, lapsed_at)
    is_late_news = learnt_at > clock.due_at
    try:
        if rung.is_warning:
            assert rung.at.limit is not None
            at = shift(clock.due_at, -rung.at.limit, duty.calendar)
            return None if is_late_news else at
        first, late = (learnt_at, 0) if is_late_news else (clock.due_at, FIRST_LATE)
        if rung.at.limit is None:
            return first + late
        return shift(first, rung.at.limit, duty.calendar) + late
    except PastHorizon:
        return None


def _is_history(clock: Clock, duty: Duty, ladder: Ladder) -> bool:
    """Whether the whole ladder would have been over before anybody could know of the clock.

    Each of its roles is then told once; reminders of years ago would be a flood of their own. The
    digest lists what is open longest.
    """
    last = ladder.rungs[-1].at.limit
    if ladder.repeat is None or clock.due_at is None or clock.known_at <= clock.due_at:
        return False
    try:
        ends = clock.due_at if last is None else shift(clock.due_at, last, duty.calendar)
    except PastHorizon:
        return False
    return clock.known_at > ends + ladder.repeat.for_days * DAY


def _repeats(last: Step, duty: Duty, ladder: Ladder) -> list[Step]:
    if ladder.repeat is None or last.at is None:
        return []
    steps: list[Step] = []
    every, role, calendar = ladder.repeat.every, ladder.repeat.tell, duty.calendar
    at, until = last.at, last.at + ladder.repeat.for_days * DAY
    for number in count(1):
        try:
            at = shift(at, every, calendar)
        except PastHorizon:
            break
        if at > until:
            break
        steps.append(Step(at, "repeat", number, role, AlertKind.OVERDUE))
    return steps
