"""What the watch on the watch reads, and what it found.

What comes in: instants and bounds. What goes out: rows that should not be as they are, and the
faults that were opened, told and ended. Every question is answered by an index, or bounded: a
million clocks must not make the watch slow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Subquery,
    and_,
    func,
    literal,
    or_,
    select,
    text,
    update,
)

from monitor.model import Instant, KeptClock, WatchFault
from monitor.store.actions import canonical
from monitor.store.at_once import insert_rows
from monitor.store.engine import take_turn
from monitor.store.rows import KEPT_CLOCK_COLUMNS, in_parts, kept_clock_of
from monitor.store.tables import (
    action,
    alert,
    audit,
    case_,
    clock,
    intake,
    message,
    watch_fault,
)

COUNTED: Final = 1000
"""More than so many are not counted: what matters then is that there are many."""

_NEWEST_INTAKES: Final = 2000

_IS_QUEUED = text("state = 'queued'")
_IS_DEAD = text("state = 'dead'")
_IS_UNTOLD = text("recipient = ''")
"""Word for word what the partial indexes say, so that both databases see that they answer."""


class Queue(NamedTuple):
    """Work that waits too long."""

    number: int
    """At most COUNTED + 1."""
    oldest_at: Instant
    head: str
    """What stands first, and how it stands: work that goes on changes it."""


# -- clocks and cases -------------------------------------------------------------------------


def late_clocks(connection: Connection, *, before: Instant) -> Queue | None:
    """Clocks whose next action came before an instant and was not taken."""
    asked = (
        select(clock.c.next_action_at, clock.c.id, clock.c.revision)
        .where(clock.c.next_action_at < before)
        .order_by(clock.c.next_action_at, clock.c.id)
    )
    return _queue(connection, asked)


def unassessed_cases(connection: Connection) -> Queue | None:
    """Cases with a cause to be folded that no fold has answered; nothing says since when."""
    asked = select(literal(0), case_.c.id, case_.c.dirty)
    return _queue(connection, asked.where(case_.c.dirty != case_.c.assessed).order_by(case_.c.id))


def _queue(connection: Connection, asked: Select[int, int, int]) -> Queue | None:
    """(instant, id, state) of what waits, the longest waiting first."""
    first = connection.execute(asked.limit(1)).one_or_none()
    if first is None:
        return None
    count = connection.scalar(select(func.count()).select_from(_some(asked))) or 1
    return Queue(count, first[0], f"{first[1]}/{first[2]}")


def _some(asked: Select[int, int, int]) -> Subquery:
    return asked.order_by(None).limit(COUNTED + 1).subquery()


class Slice(NamedTuple):
    """A part of all clocks."""

    clocks: list[KeptClock]
    """Those in it that are open and for which no next action is set."""
    upto: int
    """The greatest id that it covers; 0 where it reached the last clock."""


def open_clocks_without_action(
    connection: Connection, *, rules: Collection[str], after: int, span: int, limit: int
) -> Slice:
    """Open clocks of some rules for which nothing is set to happen, among the next `span` ids.

    Those of a case that waits to be assessed are left out.
    """
    asked = (
        _without_action(rules)
        .where(clock.c.id > after, clock.c.id <= after + span)
        .order_by(clock.c.id)
        .limit(limit)
    )
    found = [kept_clock_of(row) for row in connection.execute(asked)]
    last = connection.scalar(select(func.max(clock.c.id))) or 0
    upto = found[-1].id if len(found) == limit else after + span
    return Slice(found, upto if upto < last else 0)


def still_without_action(
    connection: Connection, ids: Collection[int], *, rules: Collection[str]
) -> list[KeptClock]:
    """Those of some clocks that are still open with nothing set to happen."""
    return [
        kept_clock_of(row)
        for part in in_parts(ids)
        for row in connection.execute(_without_action(rules).where(clock.c.id.in_(part)))
    ]


def cases_of(connection: Connection, clock_ids: Iterable[int]) -> set[int]:
    """The cases that some clocks belong to."""
    return {
        case_id
        for part in in_parts(set(clock_ids))
        for case_id in connection.scalars(select(clock.c.case_id).where(clock.c.id.in_(part)))
    }


def _without_action(rules: Collection[str]) -> Select[Any]:
    ended = (clock.c.exempt_at, clock.c.void_at, clock.c.superseded_at, clock.c.regraded_at)
    return (
        select(*KEPT_CLOCK_COLUMNS)
        .join(case_, case_.c.id == clock.c.case_id)
        .where(
            clock.c.next_action_at.is_(None),
            clock.c.rule.in_(sorted(rules)),
            *(column.is_(None) for column in ended),
            or_(clock.c.stopped_at.is_(None), clock.c.confirm_by.is_not(None)),
            case_.c.dirty == case_.c.assessed,
        )
    )


# -- mail -------------------------------------------------------------------------------------


class Unsent(NamedTuple):
    """Mails that should have gone out."""

    number: int
    oldest_at: Instant
    head: str
    outcome: str
    """What was said of the longest waiting one when it was last tried; empty where it was not."""


def unclaimed_mails(connection: Connection, *, before: Instant) -> Unsent | None:
    """Mails whose time came before an instant, that nobody took in hand."""
    asked = _queued(message.c.next_attempt_at).where(
        message.c.next_attempt_at < before, message.c.lease_until.is_(None)
    )
    return _unsent(connection, asked.order_by(message.c.next_attempt_at, message.c.id))


def mails_without_outcome(connection: Connection, *, before: Instant) -> Unsent | None:
    """Mails taken in hand again and again since an instant, of which no outcome was recorded."""
    asked = _queued(message.c.next_attempt_at).where(
        message.c.next_attempt_at < before, message.c.lease_until.is_not(None)
    )
    # By the column of the index: by id, all mails there ever were would be walked through.
    return _unsent(connection, asked.order_by(message.c.next_attempt_at, message.c.id))


def mails_not_taken(connection: Connection, *, before: Instant) -> Unsent | None:
    """Mails made before an instant that were tried since, and that no mail server took."""
    tried = or_(message.c.attempts > 0, message.c.outcome != "")
    asked = _queued(message.c.created_at).where(message.c.created_at < before, tried)
    return _unsent(connection, asked.order_by(message.c.created_at, message.c.id))


def dead_mails(connection: Connection, *, since: Instant) -> Unsent | None:
    """Mails made since an instant that will not be tried again."""
    columns = (message.c.created_at, message.c.id, message.c.attempts, message.c.outcome)
    asked = select(*columns).where(_IS_DEAD, message.c.created_at >= since)
    return _unsent(connection, asked.order_by(message.c.created_at))


def _queued(at: ColumnElement[int]) -> Select[int, int, int, str]:
    return select(at, message.c.id, message.c.attempts, message.c.outcome).where(_IS_QUEUED)


def _unsent(connection: Connection, asked: Select[int, int, int, str]) -> Unsent | None:
    first = connection.execute(asked.limit(1)).one_or_none()
    if first is None:
        return None
    some = asked.order_by(None).limit(COUNTED + 1).subquery()
    count = connection.scalar(select(func.count()).select_from(some)) or 1
    return Unsent(count, first[0], str(first[1]), first[3])


def held_since(connection: Connection) -> Instant | None:
    """Since when all mail is held; None where it is not."""
    newest = (
        select(action.c.kind, action.c.from_at)
        .where(action.c.kind.in_(("hold mail", "release mail")))
        .order_by(action.c.number.desc())
        .limit(1)
    )
    row = connection.execute(newest).one_or_none()
    return row.from_at if row is not None and row.kind == "hold mail" else None


# -- people and files -------------------------------------------------------------------------


def alerts_without_reader(connection: Connection, *, since: Instant) -> int:
    """How many alerts decided since an instant, of clocks still open, found nobody; bounded."""
    ended = (clock.c.stopped_at, clock.c.exempt_at, clock.c.void_at, clock.c.superseded_at)
    asked = (
        select(alert.c.id)
        .join(clock, clock.c.id == alert.c.clock_id)
        .where(_IS_UNTOLD, alert.c.decided_at >= since, *(column.is_(None) for column in ended))
        .limit(COUNTED + 1)
    )
    return connection.scalar(select(func.count()).select_from(asked.subquery())) or 0


def files_being_read(connection: Connection) -> list[tuple[int, str, int]]:
    """(number, feed, rows read) of each of the newest files that is not read to its end."""
    newest = (connection.scalar(select(func.max(intake.c.id))) or 0) - _NEWEST_INTAKES
    asked = select(intake.c.id, intake.c.feed, intake.c.rows_read).where(
        intake.c.id > newest, intake.c.state == "reading"
    )
    return [(id_, feed, rows) for id_, feed, rows in connection.execute(asked)]


# -- the seal ---------------------------------------------------------------------------------


class Seal(NamedTuple):
    """How far the audit log was seen to follow from itself."""

    place: int = 0
    digest: bytes = b""


NOT_SEEN: Final = Seal()


class Broken(NamedTuple):
    """A sealed row of the audit log that does not follow from those before."""

    row: int
    before: Seal


def check_seal(connection: Connection, seen: Seal, *, limit: int) -> Seal | Broken:
    """Go on from where the chain was seen to hold; the last place reached, or where it breaks."""
    asked = select(audit).where(audit.c.sealed > seen.place).order_by(audit.c.sealed).limit(limit)
    for row in connection.execute(asked).mappings():
        digest = hashlib.sha256(seen.digest + canonical(row)).digest()
        if row["sealed"] != seen.place + 1 or row["chain"] != digest:
            return Broken(row["id"], seen)
        seen = Seal(row["sealed"], digest)
    return seen


# -- faults -----------------------------------------------------------------------------------


_FAULT: Final = tuple(watch_fault.c[name] for name in WatchFault._fields)


def open_faults(connection: Connection, *, to_write: bool = False) -> list[WatchFault]:
    """The faults that stand, oldest first. `to_write`: no other node looks until the commit."""
    if to_write:
        take_turn(connection, "watch")
    asked = select(*_FAULT).where(text("ended_at IS NULL")).order_by(watch_fault.c.id)
    return [WatchFault(*row) for row in connection.execute(asked)]


def last_told_at(connection: Connection) -> Instant | None:
    """When the operator was last told of anything."""
    at: Instant | None = connection.scalar(select(func.max(watch_fault.c.told_at)))
    return at


def ended_faults(connection: Connection, *, since: Instant) -> list[WatchFault]:
    """The faults of which the operator was told and that ended since an instant."""
    ended = and_(watch_fault.c.ended_at >= since, watch_fault.c.told_at.is_not(None))
    asked = select(*_FAULT).where(ended).order_by(watch_fault.c.id)
    return [WatchFault(*row) for row in connection.execute(asked)]


def open_fault(
    connection: Connection, what: str, detail: str, *, told_at: Instant | None, now: Instant
) -> bool:
    """A fault begins; False where it stands already."""
    row = (what, detail, now, told_at)
    return insert_rows(connection, watch_fault, ("what", "detail", "since", "told_at"), [row]) == 1


def describe(connection: Connection, fault_id: int, detail: str) -> None:
    """A fault goes on, and there is more to say of it."""
    connection.execute(
        update(watch_fault).where(watch_fault.c.id == fault_id).values(detail=detail)
    )


def end_faults(connection: Connection, ids: Collection[int], *, now: Instant) -> None:
    """Faults are gone."""
    ended = update(watch_fault).where(watch_fault.c.ended_at.is_(None))
    for part in in_parts(ids):
        connection.execute(ended.where(watch_fault.c.id.in_(part)).values(ended_at=now))


def mark_told(connection: Connection, ids: Iterable[int], *, now: Instant) -> None:
    """The operator was told of these."""
    for part in in_parts(list(ids)):
        told = update(watch_fault).where(watch_fault.c.id.in_(part))
        connection.execute(told.values(told_at=now))
