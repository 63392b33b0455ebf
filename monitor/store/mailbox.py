"""Mails that came back, and addresses to which mail bounces.

What comes in: digests of mails, Message-IDs, addresses. What goes out: which of our own mails is
meant, which addresses are flagged, what became of what came back. Nothing of any text is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from monitor.model import Alert, AlertKind, Instant
from monitor.store.at_once import insert_rows
from monitor.store.engine import take_turn
from monitor.store.tables import address_flag, alert, mail_in, message

_ALERT = [alert.c[name] for name in Alert._fields]


class Ours(NamedTuple):
    """A mail of ours that was handed to the mail server."""

    id: int
    kind: str
    address: str
    role: str
    content: bytes
    """As it was sent."""


class Carried(NamedTuple):
    """An alert in a mail, and the number that the mail gave to its case."""

    line: int
    """0: the mail gave it none."""
    alert: Alert


# -- mails that came back ---------------------------------------------------------------------


def is_known(connection: Connection, digest: bytes) -> bool:
    """Whether a mail was read before."""
    asked = select(mail_in.c.id).where(mail_in.c.digest == digest)
    return connection.scalar(asked) is not None


def record_mail(
    connection: Connection,
    digest: bytes,
    *,
    kind: str,
    outcome: str,
    message_id: int | None,
    now: Instant,
) -> bool:
    """Keep what became of a mail; False where that is known already."""
    columns = ("digest", "kind", "message_id", "outcome", "read_at")
    return insert_rows(connection, mail_in, columns, [(digest, kind, message_id, outcome, now)]) > 0


def list_mails_in(connection: Connection, *, limit: int) -> Sequence[RowMapping]:
    """What came back, newest first, with the role that the mail it answers went to."""
    asked = (
        select(mail_in, func.coalesce(message.c.role, "").label("role"))
        .outerjoin(message, message.c.id == mail_in.c.message_id)
        .order_by(mail_in.c.id.desc())
        .limit(limit)
    )
    return connection.execute(asked).mappings().all()


def count_mails_in(connection: Connection, *, since: Instant) -> dict[tuple[str, str], int]:
    """(kind, outcome) → how many came back since an instant."""
    asked = (
        select(mail_in.c.kind, mail_in.c.outcome, func.count())
        .where(mail_in.c.read_at >= since)
        .group_by(mail_in.c.kind, mail_in.c.outcome)
    )
    return {(kind, outcome): count for kind, outcome, count in connection.execute(asked)}


# -- what they are about ----------------------------------------------------------------------


def our_mail(connection: Connection, message_ids: Sequence[str]) -> Ours | None:
    """The first of some Message-IDs that a mail of ours bears which was handed over."""
    asked = select(message).where(
        message.c.message_id.in_(list(message_ids)),
        message.c.attempts > 0,
        message.c.content.is_not(None),
    )
    found = {row["message_id"]: row for row in connection.execute(asked).mappings()}
    for name in message_ids:
        if row := found.get(name):
            return Ours(*(row[field] for field in Ours._fields))
    return None


def carried_by(connection: Connection, message_id: int) -> list[Carried]:
    """The alerts in a mail that were not cancelled, oldest first."""
    return _carried(connection, alert.c.message_id == message_id, alert.c.state == "in message")


def not_yet_sent_to(connection: Connection, address: str) -> list[Carried]:
    """Alerts for an address that wait, in a mail or in none."""
    waits = (alert.c.state == "pending") | (
        (alert.c.state == "in message") & (message.c.state == "queued")
    )
    return _carried(connection, alert.c.recipient == address, waits)


def _carried(connection: Connection, *conditions: object) -> list[Carried]:
    asked = (
        select(alert.c.line, *_ALERT)
        .outerjoin(message, message.c.id == alert.c.message_id)
        .where(*conditions)  # type: ignore[arg-type]
        .order_by(alert.c.id)
    )
    return [
        Carried(line, Alert(*told)._replace(kind=AlertKind(told[5])))
        for line, *told in connection.execute(asked)
    ]


# -- addresses to which mail bounces ----------------------------------------------------------


def flag_address(
    connection: Connection, address: str, *, status: str, message_id: int, now: Instant
) -> bool:
    """Mail to an address bounces from now on; False where that is known already."""
    take_turn(connection, "flag address")
    if address in flagged_addresses(connection, [address]):
        return False
    connection.execute(
        insert(address_flag).values(
            address=address, status=status, message_id=message_id, flagged_at=now
        )
    )
    return True


def clear_flag(connection: Connection, address: str, *, now: Instant) -> bool:
    """Mail to an address is taken to arrive again; False where it was not flagged."""
    asked = update(address_flag).where(
        func.lower(address_flag.c.address) == address.lower(), address_flag.c.cleared_at.is_(None)
    )
    return connection.execute(asked.values(cleared_at=now)).rowcount > 0


def flagged_addresses(
    connection: Connection, among: Collection[str] | None = None
) -> frozenset[str]:
    """Addresses to which mail bounces and that nobody has cleared."""
    asked = select(address_flag.c.address).where(address_flag.c.cleared_at.is_(None))
    if among is not None:
        asked = asked.where(address_flag.c.address.in_(sorted(among)))
    return frozenset(connection.scalars(asked))


def list_flags(connection: Connection) -> Sequence[RowMapping]:
    """Flagged addresses, the longest first, with the role that mail to them was for."""
    asked = (
        select(address_flag, func.coalesce(message.c.role, "").label("role"))
        .outerjoin(message, message.c.id == address_flag.c.message_id)
        .where(address_flag.c.cleared_at.is_(None))
        .order_by(address_flag.c.flagged_at, address_flag.c.id)
    )
    return connection.execute(asked).mappings().all()


# -- numbers in a mail ------------------------------------------------------------------------


def number_lines(connection: Connection, lines: dict[int, int]) -> None:
    """Keep under which number a mail tells of each alert; alert id → number."""
    for alert_id, line in lines.items():
        connection.execute(update(alert).where(alert.c.id == alert_id).values(line=line))
