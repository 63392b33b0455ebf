"""What is to be written so that the stored clocks of a case are those that it should have.

What comes in: stored clocks, folded clocks and the rulebook. What goes out: clocks to insert and
clocks to update, each with the instant of its next step. Pure: it reads and writes nothing.
It does not decide what is told: a clock about which something was said and that has changed is put
before the sweep at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from monitor.clocks.agenda import agenda, next_step_at
from monitor.clocks.verdicts import is_closed
from monitor.model import Clock, ClockKey, Instant, KeptClock
from monitor.rulebook.book import Rulebook


class NewClock(NamedTuple):
    """A clock that is not stored yet."""

    case_id: int
    clock: Clock
    inherits: tuple[int, ...]
    steps_done: int
    episode: int
    next_action_at: Instant | None


class Changes(NamedTuple):
    """What is to be written."""

    new: list[NewClock]
    updated: list[KeptClock]


def reconcile(
    kept: Iterable[KeptClock],
    folded: Mapping[int, Iterable[Clock]],
    rulebook: Rulebook,
    *,
    now: Instant,
) -> Changes:
    """Changes that make the kept clocks of some linked cases into the folded ones.

    `folded`: case → the clocks that it should have; a kept clock that is not among them gives way,
    and what was said about it passes on to the clocks that take its place.
    """
    standing = {(clock.case_id, clock.clock.key): clock for clock in kept}
    wanted = {
        (case_id, clock.key): clock for case_id, clocks in folded.items() for clock in clocks
    }
    gone = [old for place, old in standing.items() if place not in wanted]
    changes = Changes([], [])
    for (case_id, key), clock in wanted.items():
        old = standing.get((case_id, key))
        if old is None:
            changes.new.append(_new(case_id, clock, _predecessors(key, gone), rulebook))
        elif changed := _changed(old, clock, rulebook, now=now):
            changes.updated.append(changed)
    for old in gone:
        if old.clock.superseded_at is None:
            changes.updated.append(_given_way(old, now=now))
    return changes


def retimed(old: KeptClock, rulebook: Rulebook) -> KeptClock | None:
    """A clock whose ladder may have changed, to be looked at earlier; None where it need not be.

    Never later: an instant may stand for something that the sweep still has to take back, and the
    sweep puts a needless one right by itself.
    """
    at = _next_action_at(old.clock, old.steps_done, rulebook)
    if at is None or (old.next_action_at is not None and old.next_action_at <= at):
        return None
    return replace(old, next_action_at=at, waits_for="")


def _predecessors(key: ClockKey, gone: Iterable[KeptClock]) -> list[KeptClock]:
    """Clocks that gave way to this one: the same duty, for an unknown child or organisation, or
    under a reference that was since linked."""
    return [old for old in gone if _could_become(old.clock.key, key)]


def _could_become(old: ClockKey, new: ClockKey) -> bool:
    return (
        old.rule == new.rule
        and old.child in ("", new.child)
        and old.organisation in ("", new.organisation)
        and old.start == new.start
    )


def _new(
    case_id: int, clock: Clock, predecessors: list[KeptClock], rulebook: Rulebook
) -> NewClock:
    if not predecessors:
        return NewClock(case_id, clock, (), 0, 1, _next_action_at(clock, 0, rulebook))
    steps_done = max(old.steps_done for old in predecessors)
    return NewClock(
        case_id=case_id,
        clock=clock,
        inherits=_inherited((), predecessors),
        steps_done=steps_done,
        episode=max(old.episode for old in predecessors),
        next_action_at=_next_action_at(clock, steps_done, rulebook),
    )


def _changed(
    old: KeptClock, clock: Clock, rulebook: Rulebook, *, now: Instant
) -> KeptClock | None:
    if clock == old.clock:
        return retimed(old, rulebook)
    at = now if old.steps_done else _next_action_at(clock, 0, rulebook)
    return replace(old, clock=clock, next_action_at=at, waits_for="")


def _given_way(old: KeptClock, *, now: Instant) -> KeptClock:
    """A clock in whose place another stands, or none: the sweep takes back what was said of it."""
    clock = replace(old.clock, superseded_at=now)
    return replace(old, clock=clock, next_action_at=now if old.steps_done else None, waits_for="")


def _inherited(already: Iterable[int], predecessors: Iterable[KeptClock]) -> tuple[int, ...]:
    """Ids of all clocks in whose place one stands, however far back."""
    earlier = {id_ for old in predecessors for id_ in (old.id, *old.inherits)}
    return tuple(sorted(earlier.union(already)))


def _next_action_at(clock: Clock, steps_done: int, rulebook: Rulebook) -> Instant | None:
    if is_closed(clock):
        return None
    duty = rulebook.duty(clock.key.rule, clock.rule_version)
    return next_step_at(clock, agenda(clock, duty), steps_done)
