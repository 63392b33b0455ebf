"""What an evidence pack is made of beside figures: registers of rules, decisions, files, actions.

What comes in: a span of time. What goes out: rows of plain values in an order of their own. It does
not care how they are worded. Nothing here reads the audit log, and no account leaves.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, RowMapping, Text, cast, distinct, func, literal, select

from monitor.model import Event, Instant
from monitor.rulebook.book import Documents
from monitor.store.cases import events_of, linked_groups, references_of
from monitor.store.exports import restricted_cases
from monitor.store.rows import in_parts
from monitor.store.tables import action, activation, clock, event, intake, quarantine, rule_version

CASES_AT_A_TIME: Final = 500


# -- rules ------------------------------------------------------------------------------------


def accepted_at(connection: Connection) -> dict[tuple[str, int], Instant]:
    """(rule, version) → when it was accepted."""
    asked = select(rule_version.c.rule, rule_version.c.version, rule_version.c.accepted_at)
    return {(rule, version): at for rule, version, at in connection.execute(asked)}


class Activated(NamedTuple):
    """A rulebook that was made the active one."""

    at: Instant
    digest: str
    documents: Documents | None
    """None where this program cannot read what was written then."""


def activations(connection: Connection, *, until: Instant) -> list[Activated]:
    """Every rulebook that was made the active one before an instant, oldest first."""
    asked = select(activation.c.activated_at, activation.c.digest, activation.c.documents)
    asked = asked.where(activation.c.activated_at < until).order_by(activation.c.id)
    found = []
    for at, digest, text in connection.execute(asked):
        try:
            documents = Documents.from_json(text)
        except ValueError:
            documents = None
        found.append(Activated(at, digest, documents))
    return found


def measured_by(
    connection: Connection, *, since: Instant, until: Instant
) -> frozenset[tuple[str, int]]:
    """(rule, version) by which any clock due in a period is measured."""
    asked = select(clock.c.rule, clock.c.rule_version).where(
        clock.c.due_at >= since, clock.c.due_at < until
    )
    return frozenset((rule, version) for rule, version in connection.execute(asked.distinct()))


# -- decisions --------------------------------------------------------------------------------


class CaseEvents(NamedTuple):
    """Everything that was received of one case, which may bear several references."""

    reference: str
    """The first of them."""
    events: Sequence[Event]


def cases_with_decisions(
    connection: Connection, decisions: Collection[str], *, until: Instant, restricted_by: str
) -> Iterator[CaseEvents]:
    """Cases of which some of these decisions were ever told before an instant, in no order.

    `restricted_by`: the attribute that marks a case as restricted; such a case is left out.
    """
    asked = select(event.c.case_id).where(
        event.c.decision.in_(sorted(decisions)),
        event.c.occurred_from < until,
        event.c.undone == 0,
    )
    found = set(connection.scalars(asked.distinct()))
    meant = sorted(found - restricted_cases(connection, restricted_by)) if found else []
    for first in range(0, len(meant), CASES_AT_A_TIME):
        part = meant[first : first + CASES_AT_A_TIME]
        yield from _cases(connection, part, frozenset(meant[:first]))


def _cases(
    connection: Connection, case_ids: Sequence[int], told: frozenset[int]
) -> Iterator[CaseEvents]:
    linked = linked_groups(connection, case_ids)
    alone = set(case_ids).difference(*linked)
    groups = [group for group in (*linked, *({each} for each in alone)) if told.isdisjoint(group)]
    every = {case_id for group in groups for case_id in group}
    events, references = events_of(connection, every), references_of(connection, every)
    for group in groups:
        ordered = sorted(group, key=lambda case_id: references[case_id])
        all_events = [each for case_id in ordered for each in events.get(case_id, ())]
        yield CaseEvents(references[ordered[0]], all_events)


# -- files and rows ---------------------------------------------------------------------------


def files_taken_in(
    connection: Connection, *, since: Instant, until: Instant
) -> Sequence[RowMapping]:
    """Of every feed what came in from `since` to before `until`; files undone apart."""
    is_live = intake.c.state != "undone"

    def summed(name: str) -> Any:
        return func.coalesce(func.sum(intake.c[name]).filter(is_live), 0).label(name)

    sums = ("rows_read", "rows_set_aside", "events_new", "events_known", "events_amended")
    asked = select(
        intake.c.feed,
        func.count().filter(is_live).label("files"),
        *map(summed, sums),
        summed("events_conflicting"),
        func.count().filter(intake.c.state == "set aside").label("files_set_aside"),
        func.count().filter(intake.c.state == "undone").label("files_undone"),
    ).where(intake.c.started_at >= since, intake.c.started_at < until)
    asked = asked.group_by(intake.c.feed).order_by(intake.c.feed)
    return connection.execute(asked).mappings().all()


def events_received_after(connection: Connection, *, since: Instant, until: Instant) -> int:
    """How many events that happened from `since` to before `until` were received at it or later."""
    asked = select(func.count()).where(
        event.c.undone == 0,
        event.c.occurred_to >= since,
        event.c.occurred_to < until,
        event.c.received_at >= until,
    )
    return connection.scalar(asked) or 0


def columns_dropped(
    connection: Connection, *, since: Instant, until: Instant
) -> dict[str, tuple[int, int]]:
    """Feed → how many undeclared columns its files had at most, and how many cells were dropped."""
    asked = select(intake.c.feed, intake.c.dropped_columns).where(
        intake.c.started_at >= since, intake.c.started_at < until, intake.c.state != "undone"
    )
    found: dict[str, tuple[int, int]] = {}
    for feed, dropped in connection.execute(asked.execution_options(yield_per=500)):
        most, cells = found.get(feed, (0, 0))
        found[feed] = max(most, len(dropped)), cells + sum(dropped.values())
    return found


def files_refused(connection: Connection, *, since: Instant, until: Instant) -> Sequence[Any]:
    """Files set aside whole or undone: number, feed, state, when they came."""
    asked = select(intake.c.id, intake.c.feed, intake.c.state, intake.c.started_at)
    asked = asked.where(
        intake.c.state.in_(("set aside", "undone")),
        intake.c.started_at >= since,
        intake.c.started_at < until,
    )
    return connection.execute(asked.order_by(intake.c.id)).all()


def rows_set_aside(connection: Connection, *, since: Instant, until: Instant) -> Sequence[Any]:
    """(feed, field, reason, rows, of these open) first set aside in a period."""
    row_digest = distinct(quarantine.c.row_digest)
    asked = (
        select(
            quarantine.c.feed,
            quarantine.c.field,
            quarantine.c.reason,
            func.count(row_digest),
            func.count(row_digest).filter(quarantine.c.state == "open"),
        )
        .where(quarantine.c.first_seen_at >= since, quarantine.c.first_seen_at < until)
        .group_by(quarantine.c.feed, quarantine.c.field, quarantine.c.reason)
        .order_by(quarantine.c.feed, quarantine.c.field, quarantine.c.reason)
    )
    return connection.execute(asked).all()


# -- what people did --------------------------------------------------------------------------


class Acted(NamedTuple):
    """One thing that somebody did; by whose account is not told."""

    number: int
    kind: str
    target: str
    role: str
    reason_code: str
    from_at: Instant
    until_at: Instant | None
    ended_at: Instant | None
    detail: str


def actions_between(connection: Connection, *, since: Instant, until: Instant) -> Iterator[Acted]:
    """Everything that was done in a period, in the order of its numbers, streamed."""
    end = action.alias("end")
    ended_at = (
        select(func.min(end.c.from_at))
        .where(
            end.c.kind == "end",
            end.c.target == literal("action ") + cast(action.c.number, Text),
            end.c.from_at < until,
        )
        .scalar_subquery()
    )
    asked = (
        select(
            *(action.c[name] for name in ("number", "kind", "target", "on_behalf_of")),
            *(action.c[name] for name in ("reason_code", "from_at", "until_at")),
            ended_at,
            action.c.detail,
        )
        .where(action.c.from_at >= since, action.c.from_at < until)
        .order_by(action.c.number)
    )
    for row in connection.execute(asked.execution_options(yield_per=1000)):
        yield Acted._make(row)


def restatements(
    connection: Connection, *, since: Instant, until: Instant
) -> Iterator[tuple[str, str, str]]:
    """(rule, verdict before, verdict after) of every clock that was measured anew in a period."""
    asked = select(action.c.detail).where(
        action.c.kind == "restate", action.c.from_at >= since, action.c.from_at < until
    )
    for text in connection.scalars(asked.order_by(action.c.number)):
        for each in json.loads(text) if text else ():
            yield each["rule"], each["before"], each["after"]


def named_by_clock(
    connection: Connection, clock_ids: Collection[int]
) -> dict[int, tuple[str, str, bool]]:
    """Clock id → the reference of its case, its rule, and whether it is restricted."""
    asked = select(clock.c.id, clock.c.case_id, clock.c.rule, clock.c.restricted)
    rows = [
        row
        for ids in in_parts(clock_ids)
        for row in connection.execute(asked.where(clock.c.id.in_(ids)))
    ]
    references = references_of(connection, {row.case_id for row in rows})
    return {row.id: (references[row.case_id], row.rule, row.restricted) for row in rows}


def restricted_references(connection: Connection, attribute: str) -> frozenset[str]:
    """References of cases that are restricted, ever were, or were linked to one.

    `attribute`: what marks a case as restricted.
    """
    return frozenset(references_of(connection, restricted_cases(connection, attribute)).values())
