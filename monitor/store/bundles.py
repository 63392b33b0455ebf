"""What waits to be told to whom, how pressing it is, and which mail is to carry it.

What comes in: bounds by which something is pressing or can wait. What goes out: one row for each
address and kind of mail, and mails whose bytes are not settled. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, false, func, or_, select, update

from monitor.model import AlertKind, Duration, Instant
from monitor.store.alerts import ALERTS, IN_THE_NEXT_MAIL, WITHDRAWAL
from monitor.store.tables import activation, alert, case_, clock, message

_KIND: Final = case((alert.c.kind == AlertKind.WITHDRAWAL, WITHDRAWAL), else_=ALERTS)


class Pressing(NamedTuple):
    """By what an alert is told from others."""

    gravest_risk: str
    """The first alert that such a case is overdue waits least."""
    late_news: Collection[str]
    """Words in a reason that say it is told late."""
    backlog_after: Duration
    """What was overdue for longer when it was told late can wait for the rest of its kind."""


class Waits(NamedTuple):
    """What waits for one address to go in one kind of mail."""

    address: str
    role: str
    kind: str
    is_grave: bool
    """Whether it is to be told first that a case of the gravest risk is overdue."""
    is_fresh: bool
    """Whether anything in it is no backlog."""
    since: Instant
    """When the oldest of it was decided."""


class Unwritten(NamedTuple):
    """A mail that waits and whose bytes are not settled; locked."""

    id: int
    created_at: Instant
    planned_at: Instant


def waiting(connection: Connection, pressing: Pressing, *, now: Instant) -> list[Waits]:
    """Everybody for whom an alert waits that is in no mail yet, the longest waiting first.

    What goes with the next mail is no reason to make one.
    """
    backlog = _is_backlog(pressing, now=now)
    grave = and_(
        alert.c.kind == AlertKind.OVERDUE,
        alert.c.repeat == 0,
        clock.c.risk == pressing.gravest_risk,
        ~backlog,
    )
    asked = (
        select(
            alert.c.recipient,
            func.min(alert.c.role),
            _KIND,
            func.max(case((grave, 1), else_=0)),
            func.max(case((backlog, 0), else_=1)),
            func.min(alert.c.decided_at),
        )
        .join(clock, clock.c.id == alert.c.clock_id)
        .where(alert.c.state == "pending", alert.c.kind != IN_THE_NEXT_MAIL)
        .group_by(alert.c.recipient, _KIND)
        .order_by(func.min(alert.c.id))
    )
    return [
        Waits(address, role, kind, bool(is_grave), bool(is_fresh), since)
        for address, role, kind, is_grave, is_fresh, since in connection.execute(asked)
    ]


def more_may_come(connection: Connection, *, now: Instant) -> bool:
    """Whether clocks are due and undecided, or cases have a cause to be folded that none answered.

    Neither is so for longer than a moment, except where very much comes at once.
    """
    undecided = select(clock.c.id).where(clock.c.next_action_at <= now)
    unfolded = select(case_.c.id).where(case_.c.dirty != case_.c.assessed)
    unspread = select(activation.c.id).where(activation.c.dirty_from.is_not(None))
    return any(
        connection.scalar(asked.limit(1)) is not None for asked in (undecided, unfolded, unspread)
    )


def carries_backlog_alone(
    connection: Connection, message_id: int, pressing: Pressing, *, now: Instant
) -> bool:
    """Whether everything that a mail carries so far is backlog."""
    fresh = (
        select(alert.c.id)
        .join(clock, clock.c.id == alert.c.clock_id)
        .where(alert.c.message_id == message_id, alert.c.state == "in message")
        .where(~_is_backlog(pressing, now=now))
    )
    return connection.scalar(fresh.limit(1)) is None


def _is_backlog(pressing: Pressing, *, now: Instant) -> ColumnElement[bool]:
    late = or_(*(alert.c.reason.contains(said, autoescape=True) for said in pressing.late_news))
    due_long_ago = func.coalesce(clock.c.due_at < now - pressing.backlog_after, false())
    return and_(alert.c.kind == AlertKind.OVERDUE, late, due_long_ago)


def unwritten(connection: Connection, address: str, kind: str) -> Unwritten | None:
    """A mail of a kind to an address that waits and whose bytes are not settled; locked."""
    asked = (
        select(message.c.id, message.c.created_at, message.c.next_attempt_at)
        .where(
            message.c.address == address,
            message.c.kind == kind,
            message.c.state == "queued",
            message.c.content.is_(None),
        )
        .order_by(message.c.id)
        .limit(1)
        .with_for_update()
    )
    row = connection.execute(asked).one_or_none()
    return None if row is None else Unwritten(*row)


def last_written_at(connection: Connection, address: str, kind: str) -> Instant | None:
    """When the newest mail of a kind to an address was written."""
    asked = select(func.max(message.c.frozen_at)).where(
        message.c.address == address, message.c.kind == kind, message.c.state != "cancelled"
    )
    at: Instant | None = connection.scalar(asked)
    return at


def put_in_message(
    connection: Connection, address: str, kind: str, message_id: int, *, at_most: int
) -> int:
    """Let a mail carry what waits for an address, oldest first, as far as it may; returns how many.

    What finds no room goes on waiting.
    """
    carried = select(func.count()).where(alert.c.message_id == message_id)
    room = at_most - (connection.scalar(carried.where(alert.c.state == "in message")) or 0)
    waits = select(alert.c.id).where(
        alert.c.recipient == address,
        alert.c.state == "pending",
        _KIND == kind,  # noqa: SIM300 - the column stands first, it is no constant
    )
    some = waits.order_by(alert.c.id).limit(max(0, room)).subquery()
    asked = update(alert).where(alert.c.id.in_(select(some.c.id)))
    return connection.execute(asked.values(state="in message", message_id=message_id)).rowcount


def plan(connection: Connection, message_id: int, *, at: Instant) -> None:
    """Let a mail that is not written go at another time."""
    asked = update(message).where(message.c.id == message_id, message.c.content.is_(None))
    connection.execute(asked.values(next_attempt_at=at))


def next_step_of_cases(
    connection: Connection, address: str, *, after: Instant, until: Instant
) -> Instant | None:
    """When something happens next in any case of which an address is to be told."""
    told_of = (
        select(clock.c.case_id)
        .join(alert, alert.c.clock_id == clock.c.id)
        .where(alert.c.state == "pending", alert.c.recipient == address)
    )
    asked = select(func.min(clock.c.next_action_at)).where(
        clock.c.case_id.in_(told_of), clock.c.next_action_at > after
    )
    at: Instant | None = connection.scalar(asked.where(clock.c.next_action_at <= until))
    return at
