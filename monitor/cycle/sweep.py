"""The sweep: clocks to which something can happen by now are decided, and what they owe is queued.

What comes in: an installation and now. What goes out: alerts, each stored with the decision that
led to it in one transaction. Its cost is that of the clocks that are due, never of the backlog.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.escalate.decide import Circumstances, FeedHeard, decide, unsaid
from monitor.logs import get_logger
from monitor.model import Instant, KeptClock, SaidAlert
from monitor.store import alerts, cases, clocks, intakes
from monitor.store.engine import Connection, reading, writing

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

log = get_logger("sweep")

CLOCKS_AT_ONCE = 200
"""Decided by one transaction: few enough to hold the database for a moment only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep came to."""

    clocks: int
    alerts: int


def sweep(monitor: Monitor, *, now: Instant) -> Swept:
    """Decide every clock whose next action has come."""
    decided = queued = 0
    while True:
        with writing(monitor.engine) as connection:
            due = clocks.due_clocks(connection, now=now, limit=CLOCKS_AT_ONCE)
            if not due:
                return Swept(clocks=decided, alerts=queued)
            circumstances = _circumstances(monitor, connection, now=now)
            queued += _decide_all(connection, due, circumstances)
            decided += len(due)


def next_sweep_at(monitor: Monitor) -> Instant | None:
    """When the next thing can happen by itself."""
    with reading(monitor.engine) as connection:
        return clocks.next_action_at(connection)


def _circumstances(monitor: Monitor, connection: Connection, *, now: Instant) -> Circumstances:
    feeds = {
        row["name"]: FeedHeard(row["last_heard_at"], row["lag"])
        for row in intakes.list_feeds(connection)
    }
    return Circumstances(rulebook=monitor.rulebook, roster=monitor.roster, feeds=feeds, now=now)


def _decide_all(connection: Connection, due: list[KeptClock], circumstances: Circumstances) -> int:
    """Read, decide, write. What nobody was told yet is cancelled before it is decided who was."""
    now = circumstances.now
    succeeded = _with_successors(connection, due)
    said = _said_about(connection, due)
    needless = [
        alert
        for kept in due
        if kept.id not in succeeded
        for alert in unsaid(kept, said.get(kept.id, []), now=now)
    ]
    if needless:
        alerts.cancel_unattempted(connection, needless)
        said = _said_about(connection, due)
    queued = 0
    for kept in due:
        decision = decide(
            kept,
            said.get(kept.id, []),
            has_successor=kept.id in succeeded,
            circumstances=circumstances,
        )
        if clocks.update_clock(connection, decision.clock):
            queued += alerts.insert_alerts(connection, decision.alerts)
            log.info("clock_decided", clock=kept.id, why=decision.why, told=len(decision.alerts))
    return queued


def _said_about(connection: Connection, due: Iterable[KeptClock]) -> dict[int, list[SaidAlert]]:
    """Clock → what was said about it and about those whose place it took, oldest first."""
    due = list(due)
    ids = {kept.id for kept in due} | {earlier for kept in due for earlier in kept.inherits}
    by_clock: dict[int, list[SaidAlert]] = {}
    for told in alerts.said_about(connection, ids):
        by_clock.setdefault(told.alert.clock_id, []).append(told)
    return {
        kept.id: sorted(
            (told for id_ in (*kept.inherits, kept.id) for told in by_clock.get(id_, ())),
            key=lambda told: told.id,
        )
        for kept in due
    }


def _with_successors(connection: Connection, due: Iterable[KeptClock]) -> set[int]:
    """Those clocks whose place another took over, with what was said."""
    gone = {kept.case_id for kept in due if kept.clock.superseded_at is not None}
    if not gone:
        return set()
    linked = cases.linked_case_ids(connection, gone)
    return {earlier for kept in clocks.clocks_of(connection, linked) for earlier in kept.inherits}
