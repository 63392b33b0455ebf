"""What was decided to be told.

What comes in: alerts, and what became of them. What goes out: what was said about a clock, and what
waits to be told to whom. It does not care how a mail is written or sent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, case, func, select, update

from monitor.model import Alert, AlertKind, Instant, SaidAlert
from monitor.store.sets import among, insert_set
from monitor.store.tables import alert, clock, message

_COLUMNS = Alert._fields

_SAID = (
    alert.c.id,
    alert.c.state,
    message.c.attempts,
    message.c.sent_at,
    *(alert.c[name] for name in _COLUMNS),
)
_KINDS = {str(kind): kind for kind in AlertKind}
_KIND_AT = _COLUMNS.index("kind")

IN_THE_NEXT_MAIL = AlertKind.STOPPED_LATE
"""What goes with the next mail of alerts to its reader, or digest, and makes no mail by itself."""

ALERTS, WITHDRAWAL = "alerts", "withdrawal"
"""Kinds of mail that carry alerts: what is to be done, and what is taken back."""

_KIND_OF_MAIL = case((alert.c.kind == AlertKind.WITHDRAWAL, WITHDRAWAL), else_=ALERTS)


def insert_alerts(connection: Connection, alerts: Sequence[Alert]) -> int:
    """Store alerts, each once under its key; returns how many were new."""
    rows = [(*told, "pending" if told.recipient else "cancelled") for told in alerts]
    return insert_set(connection, alert, (*_COLUMNS, "state"), rows)


def said_about(connection: Connection, clock_ids: Collection[int]) -> list[SaidAlert]:
    """Everything ever decided about some clocks, oldest first."""
    asked = (
        select(*_SAID)
        .outerjoin(message, message.c.id == alert.c.message_id)
        .where(among(connection, alert.c.clock_id, clock_ids))
        .order_by(alert.c.id)
    )
    return [_said_of(row) for row in connection.execute(asked)]


def _said_of(row: Sequence[Any]) -> SaidAlert:
    id_, state, attempts, sent_at, *told = row
    told[_KIND_AT] = _KINDS[told[_KIND_AT]]
    return SaidAlert(id_, Alert._make(told), state, bool(attempts), sent_at)


def cancel_unattempted(connection: Connection, alert_ids: Collection[int]) -> int:
    """Cancel alerts that no attempted mail carries; returns how many.

    Their mails are locked first: one that is being sent at this moment counts as attempted. Mails
    before alerts, as whoever puts an alert into a mail does, so that neither waits for the other.
    """
    if not (ids := sorted(alert_ids)):
        return 0
    while True:
        carrying = _carrying(connection, ids, to_write=False)
        attempt = connection.begin_nested()
        attempted = _lock_attempted(connection, carrying)
        if _carrying(connection, ids, to_write=True) == carrying:
            break
        attempt.rollback()  # one was put into a mail meanwhile
    asked = update(alert).where(
        alert.c.id.in_(ids),
        alert.c.state != "cancelled",
        alert.c.message_id.is_(None) | alert.c.message_id.not_in(attempted),
    )
    cancelled = connection.execute(asked.values(state="cancelled")).rowcount
    attempt.commit()
    return cancelled


def _carrying(connection: Connection, ids: Sequence[int], *, to_write: bool) -> set[int]:
    """The mails that alerts are in."""
    asked = select(alert.c.message_id).where(alert.c.id.in_(ids)).order_by(alert.c.id)
    rows = connection.scalars(asked.with_for_update() if to_write else asked)
    return {message_id for message_id in rows if message_id is not None}


def _lock_attempted(connection: Connection, message_ids: Collection[int]) -> list[int]:
    asked = select(message.c.id, message.c.attempts).where(message.c.id.in_(sorted(message_ids)))
    locked = connection.execute(asked.order_by(message.c.id).with_for_update())
    return [message_id for message_id, attempts in locked if attempts]


def waiting_recipients(connection: Connection) -> list[tuple[str, str, str]]:
    """(address, role, kind of mail) of everybody for whom an alert waits that is in no mail yet.

    What goes with the next mail is no reason to make one.
    """
    asked = (
        select(alert.c.recipient, func.min(alert.c.role), _KIND_OF_MAIL)
        .where(alert.c.state == "pending", alert.c.kind != IN_THE_NEXT_MAIL)
        .group_by(alert.c.recipient, _KIND_OF_MAIL)
        .order_by(func.min(alert.c.id))
    )
    return [(address, role, kind) for address, role, kind in connection.execute(asked)]


def put_in_message(connection: Connection, address: str, kind: str, message_id: int) -> int:
    """Let a mail carry everything of its kind that waits for an address; returns how many."""
    asked = update(alert).where(
        alert.c.recipient == address,
        alert.c.state == "pending",
        _KIND_OF_MAIL == kind,  # noqa: SIM300 - the column stands first, it is no constant
    )
    return connection.execute(asked.values(state="in message", message_id=message_id)).rowcount


def waiting_for_next_mail(connection: Connection, address: str) -> list[tuple[int, Alert]]:
    """(id, alert) of what goes with the next mail to an address, oldest first."""
    asked = select(alert).where(
        alert.c.recipient == address,
        alert.c.state == "pending",
        alert.c.kind == IN_THE_NEXT_MAIL,
    )
    return [
        (row["id"], Alert(*(row[name] for name in _COLUMNS))._replace(kind=AlertKind(row["kind"])))
        for row in connection.execute(asked.order_by(alert.c.id)).mappings()
    ]


def let_carry(connection: Connection, message_id: int, alert_ids: Collection[int]) -> None:
    """Let a mail carry some alerts that wait."""
    asked = update(alert).where(alert.c.id.in_(sorted(alert_ids)), alert.c.state == "pending")
    connection.execute(asked.values(state="in message", message_id=message_id))


def wait_for_another(connection: Connection, alert_ids: Collection[int]) -> None:
    """The mail that was to carry some alerts is not sent: they wait for the next one."""
    asked = update(alert).where(alert.c.id.in_(sorted(alert_ids)), alert.c.state == "in message")
    connection.execute(asked.values(state="pending", message_id=None))


def forget_unsaid(connection: Connection, *, before: Instant) -> int:
    """Drop what found no mail to go with for long; returns how many."""
    asked = update(alert).where(
        alert.c.state == "pending",
        alert.c.kind == IN_THE_NEXT_MAIL,
        alert.c.decided_at < before,
    )
    return connection.execute(asked.values(state="cancelled")).rowcount


def case_of_clock(connection: Connection, clock_id: int) -> int:
    """The case that a clock belongs to."""
    asked = select(clock.c.case_id).where(clock.c.id == clock_id)
    return int(connection.execute(asked).scalar_one())


def alerts_in_message(connection: Connection, message_id: int) -> list[tuple[int, Alert]]:
    """(id, alert) of what a mail carries and what was not cancelled, oldest first."""
    asked = select(alert).where(alert.c.message_id == message_id, alert.c.state == "in message")
    return [
        (row["id"], Alert(*(row[name] for name in _COLUMNS))._replace(kind=AlertKind(row["kind"])))
        for row in connection.execute(asked.order_by(alert.c.id)).mappings()
    ]


def count_untold(connection: Connection) -> int:
    """How many alerts found nobody to be told to."""
    asked = select(func.count()).select_from(alert).where(alert.c.recipient == "")
    return connection.scalar(asked) or 0
