"""Everything that is stored of clocks, events, alerts and messages, row after row.

What comes in: a span of time, or none. What goes out: rows in the order in which they were stored,
streamed: neither the database's driver nor anything here holds more than a part. It does not care
what becomes of them.

Nothing of a restricted case is among them, and no address, no mail and no account.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from monitor.model import Instant, KeptClock
from monitor.store.clocks import clocks_by_id
from monitor.store.known import ever_linked
from monitor.store.rows import KEPT_CLOCK_COLUMNS, kept_clock_of
from monitor.store.tables import action, alert, case_, clock, event, message

AT_A_TIME: Final = 2000
"""Rows that are fetched together."""

EVENT_FIELDS: Final = (
    *("feed", "revision", "kind", "occurred_from", "occurred_to", "recorded_at", "received_at"),
    *("partner", "organisation", "child", "category", "risk", "district", "unit"),
    *("decision", "reason_code", "review_at", "undone", "attributes"),
)
"""What is told of an event beside its reference; no digest of a source's own identifier."""

ALERT_FIELDS: Final = (
    *("kind", "rung", "repeat", "episode", "role", "asked_role", "reason"),
    *("rung_at", "decided_at", "state"),
)

MESSAGE_FIELDS: Final = ("id", "kind", "role", "state", "created_at", "sent_at", "attempts")


class Span(NamedTuple):
    """From an instant to before another; None: no bound on that side."""

    since: Instant | None = None
    until: Instant | None = None

    def of(self, column: ColumnElement[int]) -> list[ColumnElement[bool]]:
        """That a column lies in it. What has no instant lies in no span that has a bound."""
        after = [] if self.since is None else [column >= self.since]
        return after if self.until is None else [*after, column < self.until]


ALWAYS: Final = Span()


# -- clocks -----------------------------------------------------------------------------------


def export_clocks(
    connection: Connection, due: Span = ALWAYS, *, started_by: Instant
) -> Iterator[tuple[str, KeptClock]]:
    """(reference, clock) of every clock that had started by an instant and is due in a span."""
    asked = (
        select(*KEPT_CLOCK_COLUMNS, case_.c.reference)
        .join(case_, case_.c.id == clock.c.case_id)
        .where(*_clocks_meant(due, started_by))
        .order_by(clock.c.id)
    )
    for row in _streamed(connection, asked):
        yield row[-1], kept_clock_of(row[:-1])


def _clocks_meant(due: Span, started_by: Instant) -> list[ColumnElement[bool]]:
    is_told_of = clock.c.restricted.is_(False)
    return [is_told_of, clock.c.started_at <= started_by, *due.of(clock.c.due_at)]


# -- events -----------------------------------------------------------------------------------


def export_events(
    connection: Connection, received: Span = ALWAYS, *, restricted_attribute: str = ""
) -> Iterator[Sequence[Any]]:
    """Every version of every event that was received in a span: reference, and EVENT_FIELDS.

    `restricted_attribute`: what marks a case as restricted when it says `yes`; one that any event,
    however it ended, ever marked so is left out with all that are linked to it.
    """
    hidden = restricted_cases(connection, restricted_attribute)
    asked = (
        select(event.c.case_id, case_.c.reference, *(event.c[name] for name in EVENT_FIELDS))
        .join(case_, case_.c.id == event.c.case_id)
        .where(*received.of(event.c.received_at))
        .order_by(event.c.id)
    )
    return (row[1:] for row in _streamed(connection, asked) if row[0] not in hidden)


def restricted_cases(connection: Connection, attribute: str) -> frozenset[int]:
    """Cases that are restricted or ever were, and all that were ever linked to one."""
    by_clock = select(clock.c.case_id).where(clock.c.restricted.is_(True)).distinct()
    marked = set(connection.scalars(by_clock))
    if attribute:
        said = select(event.c.case_id).where(event.c.attributes.like(f'%"{attribute}": "yes"%'))
        marked |= set(connection.scalars(said.distinct()))
    return ever_linked(connection, marked) if marked else frozenset()


# -- alerts -----------------------------------------------------------------------------------


class Taken(NamedTuple):
    """Somebody took a clock on."""

    at: Instant
    role: str
    """As the action keeps it; empty where none was named."""


class ExportedAlert(NamedTuple):
    """One alert, the clock that it is about, and the first take after it."""

    reference: str
    clock: KeptClock
    fields: dict[str, Any]
    """ALERT_FIELDS by name."""
    has_recipient: bool
    message: int | None
    message_state: str
    sent_at: Instant | None
    taken: Taken | None
    withdrawn_at: Instant | None
    """When it was decided to take it back."""


def export_alerts(
    connection: Connection, decided: Span = ALWAYS, *, known_by: Instant
) -> Iterator[ExportedAlert]:
    """Every alert that was decided in a span, in the order of deciding.

    `known_by`: takes and withdrawals after this instant are left out.
    """
    takes = _takes(connection, known_by)
    asked = (
        select(
            *KEPT_CLOCK_COLUMNS,
            case_.c.reference,
            *(alert.c[name].label(f"alert_{name}") for name in ALERT_FIELDS),
            alert.c.recipient != "",
            alert.c.message_id,
            message.c.state,
            message.c.sent_at,
            _withdrawn_at(known_by),
        )
        .select_from(alert)
        .join(clock, clock.c.id == alert.c.clock_id)
        .join(case_, case_.c.id == clock.c.case_id)
        .outerjoin(message, message.c.id == alert.c.message_id)
        .where(clock.c.restricted.is_(False), *decided.of(alert.c.decided_at))
        .order_by(alert.c.decided_at, alert.c.id)
    )
    for row in _streamed(connection, asked):
        yield _exported(row, takes)


_ENDS: Final = len(KEPT_CLOCK_COLUMNS)
_FIELDS_END: Final = _ENDS + 1 + len(ALERT_FIELDS)


def _exported(row: Row[Any], takes: dict[int, list[Taken]]) -> ExportedAlert:
    kept = kept_clock_of(row[:_ENDS])
    fields = dict(zip(ALERT_FIELDS, row[_ENDS + 1 : _FIELDS_END], strict=True))
    has_recipient, number, state, sent_at, withdrawn_at = row[_FIELDS_END:]
    after = (taken for taken in takes.get(kept.id, ()) if taken.at >= fields["decided_at"])
    return ExportedAlert(
        reference=row[_ENDS],
        clock=kept,
        fields=fields,
        has_recipient=bool(has_recipient),
        message=number,
        message_state=state or "",
        sent_at=sent_at,
        taken=min(after, default=None),
        withdrawn_at=withdrawn_at,
    )


def _withdrawn_at(known_by: Instant) -> ColumnElement[Instant | None]:
    """When it was decided to take an alert back that was told to the same address."""
    back = alert.alias("back")
    return (
        select(func.min(back.c.decided_at))
        .where(
            back.c.clock_id == alert.c.clock_id,
            back.c.episode == alert.c.episode,
            back.c.recipient == alert.c.recipient,
            back.c.kind == "withdrawal",
            back.c.decided_at >= alert.c.decided_at,
            back.c.decided_at < known_by,
            alert.c.kind == "overdue",
        )
        .scalar_subquery()
    )


def _takes(connection: Connection, known_by: Instant) -> dict[int, list[Taken]]:
    """Clock id → the times it was taken. People do these one at a time: they are few."""
    found: dict[int, list[Taken]] = {}
    asked = select(action.c.target, action.c.from_at, action.c.on_behalf_of).where(
        action.c.kind == "take", action.c.from_at < known_by
    )
    for target, at, role in connection.execute(asked):
        what, _, named = target.partition(" ")
        if what == "clock":
            found.setdefault(int(named), []).append(Taken(at, role))
    for heir in clocks_by_id(connection, list(found)):
        # Whoever takes a clock takes what was told of those whose place it took.
        for before in heir.inherits:
            found.setdefault(before, []).extend(found[heir.id])
    return found


# -- messages ---------------------------------------------------------------------------------


def export_messages(connection: Connection, created: Span = ALWAYS) -> Iterator[Sequence[Any]]:
    """Every message that was made in a span: MESSAGE_FIELDS, and what was said of its sending."""
    asked = select(*(message.c[name] for name in MESSAGE_FIELDS), message.c.outcome)
    asked = asked.where(*created.of(message.c.created_at)).order_by(message.c.id)
    return _streamed(connection, asked)


# -- how many ---------------------------------------------------------------------------------

_COUNTED: Final = {
    "events": (event, event.c.received_at),
    "alerts": (alert, alert.c.decided_at),
    "messages": (message, message.c.created_at),
}


def about_how_many(connection: Connection, what: str, span: Span, *, started_by: Instant) -> int:
    """So many rows are looked at; those of restricted cases may be among them."""
    if what == "clocks":
        asked = select(func.count()).select_from(clock).where(*_clocks_meant(span, started_by))
    else:
        table, column = _COUNTED[what]
        asked = select(func.count()).select_from(table).where(*span.of(column))
    return connection.scalar(asked) or 0


def _streamed(connection: Connection, asked: Select[Any]) -> Iterator[Row[Any]]:
    return iter(connection.execute(asked.execution_options(yield_per=AT_A_TIME)))
