"""Restatements: clocks that have ended, measured anew on purpose, and what that changes.

What comes in: an installation, rules, who asks and why. What goes out: for each clock what it said
and says, written with an action for each case, or only looked at. Whoever was told something that
turns out false is told so by the next sweep, as always; nobody is told of anything else.

Some cases at a time are restated, in one transaction with their records: killed in between, the
next run finds what is left, for what was restated does not differ any more.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.assess.assess import assess_cases
from monitor.clocks.verdicts import verdict
from monitor.cycle.nodes import not_deciding
from monitor.cycle.people import checked_reason, checked_role
from monitor.escalate.orders import ActionKind, about_case
from monitor.model import ClockKey, Instant, KeptClock
from monitor.store import actions, cases, clocks, intakes
from monitor.store.engine import Connection, in_transaction

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

CASES_AT_ONCE: Final = 200
"""Looked at by one transaction: few enough to hold the database for a moment only."""


class Restated(NamedTuple):
    """One clock that says something else now."""

    reference: str
    clock: ClockKey
    due_before: Instant | None
    due_after: Instant | None
    before: str
    after: str
    """Verdicts."""
    restricted: bool


class HeldBack(Exception):
    """This node may not decide at present; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """Who restates, and why."""

    actor: str
    role: str
    reason_code: str


def restate(
    monitor: Monitor, rules: Collection[str], purpose: Purpose | None, *, now: Instant
) -> Iterator[Restated]:
    """Each clock of some rules that has ended and that today's rules measure otherwise.

    With a purpose it is written; without, only looked at. Raises Refused for a
    reason or role that is not known, and HeldBack.
    """
    if purpose is not None:
        purpose = Purpose(
            actor=purpose.actor,
            role=checked_role(monitor, purpose.role),
            reason_code=checked_reason(monitor, ActionKind.RESTATE, purpose.reason_code),
        )
    after = 0
    while True:
        next_ones = partial(_restate_some, monitor, rules, purpose, after, now)
        some = in_transaction(monitor.engine, next_ones)
        yield from some.restated
        if some.last is None:
            return
        after = some.last


class _Some(NamedTuple):
    restated: list[Restated]
    last: int | None


def _restate_some(
    monitor: Monitor,
    rules: Collection[str],
    purpose: Purpose | None,
    after: int,
    now: Instant,
    connection: Connection,
) -> _Some:
    if why := not_deciding(monitor, connection):
        raise HeldBack(why)
    ids = clocks.cases_with_ended(connection, rules, after=after, limit=CASES_AT_ONCE)
    if not ids:
        return _Some([], None)
    with connection.begin_nested() as attempt:
        restated = _measured_anew(monitor, connection, ids, rules, now=now)
        if purpose is None:
            attempt.rollback()
    if purpose is not None:
        _record(connection, restated, purpose, now=now)
    return _Some(restated, ids[-1])


def _measured_anew(
    monitor: Monitor,
    connection: Connection,
    ids: Collection[int],
    rules: Collection[str],
    *,
    now: Instant,
) -> list[Restated]:
    linked = cases.linked_case_ids(connection, ids)
    before = {each.id: each for each in clocks.clocks_of(connection, linked)}
    assess_cases(
        connection,
        sorted(ids),
        monitor.rulebook,
        tolerances=intakes.tolerances(connection),
        now=now,
        restated=frozenset(rules),
    )
    references = cases.references_of(connection, linked)
    return [
        _restated(references[each.case_id], before[each.id], each, now=now)
        for each in clocks.clocks_of(connection, linked)
        if each.id in before
        and each.clock.key.rule in rules
        and _says(before[each.id], now) != _says(each, now)
    ]


def _says(kept: KeptClock, now: Instant) -> tuple[Instant | None, str]:
    return kept.clock.due_at, verdict(kept.clock, now=now).value


def _restated(reference: str, old: KeptClock, new: KeptClock, *, now: Instant) -> Restated:
    (due_before, before), (due_after, after) = _says(old, now), _says(new, now)
    return Restated(
        reference=reference,
        clock=new.clock.key,
        due_before=due_before,
        due_after=due_after,
        before=before,
        after=after,
        restricted=new.clock.restricted,
    )


def _record(
    connection: Connection, restated: Collection[Restated], purpose: Purpose, *, now: Instant
) -> None:
    """One action a case, with what each of its clocks said before and says now."""
    by_case: dict[str, list[Restated]] = {}
    for each in restated:
        by_case.setdefault(each.reference, []).append(each)
    for reference, changed in by_case.items():
        actions.record_action(
            connection,
            kind=ActionKind.RESTATE,
            target=about_case(reference),
            actor=purpose.actor,
            now=now,
            on_behalf_of=purpose.role,
            reason_code=purpose.reason_code,
            detail=json.dumps([_kept(each) for each in changed]),
        )


def _kept(restated: Restated) -> dict[str, object]:
    return {
        "rule": restated.clock.rule,
        "child": restated.clock.child,
        "organisation": restated.clock.organisation,
        "due_before": restated.due_before,
        "due_after": restated.due_after,
        "before": restated.before,
        "after": restated.after,
    }
