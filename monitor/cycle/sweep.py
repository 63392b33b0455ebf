"""The sweep: clocks to which something can happen by now are decided, and what they owe is queued.

What comes in: an installation and now. What goes out: alerts, each stored with the decision that
led to it in one transaction. Its cost is that of the clocks that are due, never of the backlog.
A node that is held back decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from monitor.cycle.asked import actions_of
from monitor.cycle.nodes import not_deciding
from monitor.cycle.rostering import with_duty
from monitor.escalate.decide import Circumstances, Decision, FeedHeard, decide, unsaid
from monitor.escalate.telling import FORGET_UNSAID_AFTER
from monitor.logs import get_logger
from monitor.model import Instant, KeptClock, SaidAlert
from monitor.store import alerts, cases, clocks, intakes, mailbox, silences
from monitor.store.engine import Connection, in_transaction, reading

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

log = get_logger("sweep")

CLOCKS_AT_ONCE = 500
"""Decided by one transaction: few enough to hold the database for a moment only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep came to."""

    clocks: int
    alerts: int
    held_back: str = ""
    """Why this node may not decide; empty where it may."""


def sweep(monitor: Monitor, *, now: Instant) -> Swept:
    """Decide every clock whose next action has come, unless this node is held back."""
    decided = queued = 0
    while True:
        some = in_transaction(monitor.engine, lambda c: _sweep_some(monitor, c, now=now))
        for decision in some.decisions:
            kept, told = decision.clock, len(decision.alerts)
            log.info("clock_decided", clock=kept.id, why=decision.why, told=told)
        decided, queued = decided + some.due, queued + some.alerts
        if not some.due:
            return Swept(clocks=decided, alerts=queued, held_back=some.held_back)


class _Some(NamedTuple):
    """What one transaction came to; with no clock due there is no more to do."""

    due: int = 0
    alerts: int = 0
    decisions: Sequence[Decision] = ()
    held_back: str = ""


def _sweep_some(monitor: Monitor, connection: Connection, *, now: Instant) -> _Some:
    """The locks, in this order: what governs, what was heard, clocks, mails, alerts."""
    if held_back := not_deciding(monitor, connection):
        return _Some(held_back=held_back)
    upcoming = clocks.next_action_at(connection)
    if upcoming is None or upcoming > now:
        alerts.forget_unsaid(connection, before=now - FORGET_UNSAID_AFTER)
        return _Some()
    intakes.hold_feeds(connection)
    due = clocks.due_clocks(connection, now=now, limit=CLOCKS_AT_ONCE)
    if not due:
        return _Some()  # others decide them at this moment
    return _decide_all(connection, due, _circumstances(monitor, connection, now=now))


def next_sweep_at(monitor: Monitor) -> Instant | None:
    """When the next thing can happen by itself."""
    with reading(monitor.engine) as connection:
        return clocks.next_action_at(connection)


def _circumstances(monitor: Monitor, connection: Connection, *, now: Instant) -> Circumstances:
    back_at, first_at = silences.newest_ends(connection), silences.first_heard(connection)
    feeds = {
        row["name"]: FeedHeard(
            row["heard_through"],
            row["lag"],
            row["trusted_until"],
            first_at[row["name"]],
            back_at.get(row["name"]),
        )
        for row in intakes.list_feeds(connection)
    }
    roster = with_duty(monitor.roster, connection)
    roster = replace(roster, unreachable=mailbox.flagged_addresses(connection))
    return Circumstances(rulebook=monitor.rulebook, roster=roster, feeds=feeds, now=now)


def _decide_all(
    connection: Connection, due: list[KeptClock], circumstances: Circumstances
) -> _Some:
    """Read, decide, write. What nobody was told yet is cancelled before it is decided who was."""
    now = circumstances.now
    circumstances = replace(circumstances, asked=actions_of(connection, due))
    succeeded = _with_successors(connection, due)
    said = _said_about(connection, due)
    needless = [
        alert
        for kept in due
        if kept.id in said and kept.id not in succeeded
        for alert in unsaid(kept, said[kept.id], now=now)
    ]
    if needless:
        alerts.cancel_unattempted(connection, needless)
        said = _said_about(connection, due)
    decisions = [
        decide(
            kept,
            said.get(kept.id, []),
            has_successor=kept.id in succeeded,
            circumstances=circumstances,
        )
        for kept in due
    ]
    clocks.write_decided(connection, [decision.clock for decision in decisions])
    told = [alert for decision in decisions for alert in decision.alerts]
    return _Some(due=len(due), alerts=alerts.insert_alerts(connection, told), decisions=decisions)


def _said_about(connection: Connection, due: Iterable[KeptClock]) -> dict[int, list[SaidAlert]]:
    """Clock → what was said about it and about those whose place it took, oldest first.

    A clock of which nothing was said is not in it.
    """
    due = list(due)
    ids = {kept.id for kept in due} | {earlier for kept in due for earlier in kept.inherits}
    by_clock: dict[int, list[SaidAlert]] = {}
    for told in alerts.said_about(connection, ids):
        by_clock.setdefault(told.alert.clock_id, []).append(told)
    told_of = {kept.id: (*kept.inherits, kept.id) for kept in due}
    return {
        id_: sorted(
            (told for about in named for told in by_clock.get(about, ())), key=lambda told: told.id
        )
        for id_, named in told_of.items()
        if any(about in by_clock for about in named)
    }


def _with_successors(connection: Connection, due: Iterable[KeptClock]) -> set[int]:
    """Those clocks whose place another took over, with what was said."""
    gone = {kept.case_id for kept in due if kept.clock.superseded_at is not None}
    if not gone:
        return set()
    linked = cases.linked_case_ids(connection, gone)
    return {earlier for kept in clocks.clocks_of(connection, linked) for earlier in kept.inherits}
