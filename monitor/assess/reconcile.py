"""What is to be written so that the stored clocks of cases are those that they should have.

What comes in: stored clocks, folded clocks and the rulebook. What goes out: clocks to insert and
clocks to update, each with the instant of its next step. Pure: it reads and writes nothing.
It does not decide what is told: a clock about which something was said and that has changed is put
before the sweep at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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
    folded: Mapping[int, Collection[Clock]],
    rulebook: Rulebook,
    *,
    groups: Iterable[Collection[int]],
    now: Instant,
    restated: Collection[str] = (),
) -> Changes:
    """Changes that make the kept clocks of some cases into the folded ones.

    `folded`: case → the clocks that it should have; a kept clock that is not among them gives way,
    and what was said about it passes on to the clocks that take its place, in the same case or in
    one of its group. `groups`: cases that link events, live or not, join. `restated`: rules whose
    clocks are measured anew though they have ended.
    """
    group_of = {case_id: min(group) for group in groups for case_id in group}
    standing: dict[int, dict[ClockKey, KeptClock]] = {}
    for old in kept:
        standing.setdefault(old.case_id, {})[old.clock.key] = old
    gone = _gone(standing, folded, group_of)
    changes = Changes([], [])
    for case_id, clocks in folded.items():
        here, left = standing.get(case_id), gone.get(group_of.get(case_id, case_id), ())
        if not here and not left:
            changes.new.extend(_first(case_id, clock, rulebook) for clock in clocks)
            continue
        here = here or {}
        for clock in clocks:
            before = here.get(clock.key)
            if before is None:
                before_it = _predecessors(clock.key, left)
                changes.new.append(_new(case_id, clock, before_it, rulebook, now=now))
            else:
                measured = clock if clock.key.rule in restated else as_measured(before.clock, clock)
                if changed := _changed(before, measured, left, rulebook, now=now):
                    changes.updated.append(changed)
    changes.updated.extend(
        _given_way(old, now=now)
        for left in gone.values()
        for old in left
        if old.clock.superseded_at is None
    )
    return changes


def _gone(
    standing: Mapping[int, Mapping[ClockKey, KeptClock]],
    folded: Mapping[int, Collection[Clock]],
    group_of: Mapping[int, int],
) -> dict[int, list[KeptClock]]:
    """Group → its clocks that nothing asks for any more."""
    gone: dict[int, list[KeptClock]] = {}
    for case_id, here in standing.items():
        wanted = {clock.key for clock in folded.get(case_id, ())}
        for key, old in here.items():
            if key not in wanted:
                gone.setdefault(group_of.get(case_id, case_id), []).append(old)
    return gone


MEASURE = (
    *("rule_version", "calendar_version", "due_at", "due_unknown"),
    *("due_soon_at", "due_before", "breached_at"),
)
"""The fields of a clock by which it was measured."""


def as_measured(old: Clock, clock: Clock) -> Clock:
    """A clock that has ended keeps the measure by which it ended.

    A calendar or a rule that is corrected later changes it only by a restatement on purpose; other
    facts change it like any other.
    """
    is_the_same = is_closed(old) and _course(old) == _course(clock)
    if not is_the_same or _ruled_by(old) == _ruled_by(clock):
        return clock
    return clock._replace(**{name: getattr(old, name) for name in MEASURE})


def _course(clock: Clock) -> tuple[object, ...]:
    """When it started, and what ended it."""
    return (
        *(clock.started_at, clock.stopped_at, clock.exempt_at),
        *(clock.void_at, clock.superseded_at),
    )


def _ruled_by(clock: Clock) -> tuple[int, str]:
    return clock.rule_version, clock.calendar_version


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
    """Clocks that give way to this one now.

    The same duty, for an unknown child or organisation, or under a reference that was since linked.
    One that gave way before did so to others: what was said of it is theirs.
    """
    return [
        old for old in gone if old.clock.superseded_at is None and _could_become(old.clock.key, key)
    ]


def _could_become(old: ClockKey, new: ClockKey) -> bool:
    return (
        old.rule == new.rule
        and old.child in ("", new.child)
        and old.organisation in ("", new.organisation)
        and old.start == new.start
    )


def _first(case_id: int, clock: Clock, rulebook: Rulebook) -> NewClock:
    """A clock in whose place none stood before."""
    return NewClock(case_id, clock, (), 0, 1, _next_action_at(clock, 0, rulebook))


def _new(
    case_id: int,
    clock: Clock,
    predecessors: list[KeptClock],
    rulebook: Rulebook,
    *,
    now: Instant,
) -> NewClock:
    """A clock that stands now; what was said in its place before is looked at at once."""
    if not predecessors:
        return _first(case_id, clock, rulebook)
    episode, steps_done = _furthest(predecessors)
    return NewClock(
        case_id=case_id,
        clock=clock,
        inherits=_inherited((), predecessors),
        steps_done=steps_done,
        episode=episode,
        next_action_at=(
            now if any(map(_was_told_of, predecessors)) else _next_action_at(clock, 0, rulebook)
        ),
    )


def _changed(
    old: KeptClock, clock: Clock, left: Iterable[KeptClock], rulebook: Rulebook, *, now: Instant
) -> KeptClock | None:
    old, merged = _with_merged(old, left)
    clock = _with_due_before(old.clock, clock)
    if clock == old.clock and not merged:
        return retimed(old, rulebook)
    if _stands_again(old, clock) and not merged:
        old = replace(old, episode=old.episode + 1, steps_done=0)
    at = now if _was_told_of(old) else _next_action_at(clock, 0, rulebook)
    return replace(old, clock=clock, next_action_at=at, waits_for="")


def _with_due_before(old: Clock, clock: Clock) -> Clock:
    """An open clock whose calendar was corrected keeps the due time that it had before.

    Of several corrections, the one before the first: what people were told to begin with.
    """
    is_the_same = (old.rule_version, old.started_at) == (clock.rule_version, clock.started_at)
    if clock.due_before is not None or not is_the_same:
        return clock
    was_due = old.due_at if old.due_before is None else old.due_before
    corrected = old.calendar_version != clock.calendar_version and not is_closed(old)
    if not corrected and old.due_before is None:
        return clock
    return clock if was_due == clock.due_at else clock._replace(due_before=was_due)


def _stands_again(old: KeptClock, clock: Clock) -> bool:
    """Whether a clock had given way and stands again: what was said of it may be taken back."""
    return old.clock.superseded_at is not None and clock.superseded_at is None


def _with_merged(old: KeptClock, left: Iterable[KeptClock]) -> tuple[KeptClock, bool]:
    """A clock with what was said of those that give way to it now, and whether there are any.

    A clock that had taken this one's place gives it back: its child is unknown again.
    """
    left = list(left)
    predecessors = _predecessors(old.clock.key, left)
    predecessors += [
        each
        for each in left
        if each.clock.superseded_at is None and old.id in each.inherits and each not in predecessors
    ]
    if not predecessors:
        return old, False
    episode, steps_done = _furthest([old, *predecessors])
    inherits = tuple(id_ for id_ in _inherited(old.inherits, predecessors) if id_ != old.id)
    return replace(old, inherits=inherits, steps_done=steps_done, episode=episode), True


def _furthest(told_of: Iterable[KeptClock]) -> tuple[int, int]:
    """(episode, steps) of the newest telling among clocks that become one.

    What an older telling had decided was taken back or is decided anew: rather twice than never.
    """
    return max((each.episode, each.steps_done) for each in told_of)


def _given_way(old: KeptClock, *, now: Instant) -> KeptClock:
    """A clock in whose place another stands, or none: the sweep takes back what was said of it."""
    clock = old.clock._replace(superseded_at=now)
    at = now if _was_told_of(old) else None
    return replace(old, clock=clock, next_action_at=at, waits_for="")


def _was_told_of(kept: KeptClock) -> bool:
    """Whether something may have been said of a clock, in this episode or one before."""
    return kept.steps_done > 0 or kept.episode > 1


def _inherited(already: Iterable[int], predecessors: Iterable[KeptClock]) -> tuple[int, ...]:
    """Ids of all clocks in whose place one stands, however far back."""
    earlier = {id_ for old in predecessors for id_ in (old.id, *old.inherits)}
    return tuple(sorted(earlier.union(already)))


def _next_action_at(clock: Clock, steps_done: int, rulebook: Rulebook) -> Instant | None:
    if is_closed(clock):
        return None
    duty = rulebook.duty(clock.key.rule, clock.rule_version)
    return next_step_at(clock, agenda(clock, duty), steps_done)
