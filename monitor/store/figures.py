"""What figures are made of: clocks of a period, what was said in it, how well feeds were heard.

What comes in: a period, an instant, and which columns must hold which value. What goes out: rows
and counts. Restricted cases never leave the database here.
It does not care how clocks are judged or counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Text,
    and_,
    case,
    cast,
    distinct,
    func,
    or_,
    select,
)

from monitor.model import SECOND, AlertKind, Duration, Instant
from monitor.store.tables import alert, case_, clock, feed, intake, message, quarantine

_ROWS_AT_A_TIME = 2000
_ENDS = (clock.c.stopped_at, clock.c.exempt_at, clock.c.void_at, clock.c.superseded_at)
_PLAIN = (
    clock.c.exempt_at,
    clock.c.void_at,
    clock.c.superseded_at,
    clock.c.confirm_by,
    clock.c.regraded_at,
)
"""A clock that was stopped and has none of these was met or late, and no more is to be said."""
_MANY_OF_ALL = 8


def clock_rows(
    connection: Connection,
    fields: Sequence[str],
    *,
    since: Instant,
    until: Instant,
    as_of: Instant,
    where: Mapping[str, str],
    with_plain: bool = True,
) -> Iterator[Sequence[Any]]:
    """The named columns of every clock due from `since` to before `until`, or open at `as_of`.

    Streamed, each clock once, in no particular order. `where`: column → value it must have.
    `with_plain` False leaves out those of which `plain_rows` tells.
    """
    columns = [clock.c[name] for name in fields]
    due = and_(clock.c.due_at >= since, clock.c.due_at < until)
    if _is_much_of_all(connection, since, until):
        questions: tuple[ColumnElement[bool], ...] = (or_(due, _open_at(as_of)),)
    else:
        # Two and not one: the first is answered by the index on due alone.
        not_due = or_(clock.c.due_at.is_(None), clock.c.due_at < since, clock.c.due_at >= until)
        questions = (due, and_(not_due, _open_at(as_of)))
    narrowed = told_of(where) if with_plain else [_not_plain(as_of), *told_of(where)]
    for asked in questions:
        statement = select(*columns).where(asked, *narrowed)
        yield from connection.execute(statement.execution_options(yield_per=_ROWS_AT_A_TIME))


def plain_rows(
    connection: Connection,
    *,
    since: Instant,
    until: Instant,
    as_of: Instant,
    recorded_late_after: Duration,
    where: Mapping[str, str],
    group: Sequence[str],
    separator: str,
) -> Iterator[Sequence[tuple[str, int, int]]]:
    """Clocks due from `since` to before the earlier of `until` and `as_of` that stopped by then.

    By the thousand: what they are counted under, case, and how long from start to stop. The first
    is one text: marks and the columns of `group`, parted by `separator`. The marks add up: 1 for
    late, 2 where it says when the stop was recorded, 4 where that was more than
    `recorded_late_after` later, and 8 for each version of the rule. None that was ever exempt,
    void, superseded, regraded or a claim to be confirmed: of those `clock_rows` tells.
    """
    recorded = clock.c.stop_recorded_at
    is_recorded_late = _lasting(connection, clock.c.stopped_at, recorded) > recorded_late_after
    said: ColumnElement[str] = cast(
        clock.c.rule_version * 8
        + case((clock.c.breached_at.is_(None), 0), else_=1)
        + case((recorded.is_(None), 0), (is_recorded_late, 6), else_=2),
        Text,
    )
    for name in group:
        said = said.concat(separator).concat(clock.c[name])
    asked = select(
        said,
        clock.c.case_id,
        _lasting(connection, clock.c.started_at, clock.c.stopped_at),
    ).where(_due_within(connection, since, min(until, as_of)), *is_plain(as_of), *told_of(where))
    yield from _as_the_driver_gives_them(connection, asked)


def _as_the_driver_gives_them(
    connection: Connection, asked: Select[Any]
) -> Iterator[Sequence[Any]]:
    """Rows by the thousand, as tuples where they come so: a row object costs as much as its row.

    PostgreSQL's driver would hold all that were found, so there they are streamed.
    """
    if connection.dialect.name == "sqlite":
        cursor = connection.execute(asked).cursor
        while rows := cursor.fetchmany(_ROWS_AT_A_TIME):
            yield rows
    else:
        streamed = asked.execution_options(yield_per=_ROWS_AT_A_TIME)
        yield from connection.execute(streamed).partitions()


def _due_within(connection: Connection, since: Instant, until: Instant) -> ColumnElement[bool]:
    """Due in a period; by the index where it holds a small part of all, else row after row.

    Reading all is four times as fast as finding all. PostgreSQL knows by itself which is better.
    """
    if not _is_much_of_all(connection, since, until):
        return and_(clock.c.due_at >= since, clock.c.due_at < until)
    # A sum is in no index.
    return and_(clock.c.due_at + 0 >= since, clock.c.due_at + 0 < until)


def _is_much_of_all(connection: Connection, since: Instant, until: Instant) -> bool:
    if connection.dialect.name != "sqlite":
        return False
    first, last = (
        connection.scalar(select(end(clock.c.due_at))) or 0 for end in (func.min, func.max)
    )
    return (min(until, last) - max(since, first)) * _MANY_OF_ALL >= last - first


def is_plain(as_of: Instant) -> list[ColumnElement[bool]]:
    """Which clocks were stopped by an instant, and no more is to be said of them."""
    return [
        clock.c.started_at <= as_of,
        clock.c.stopped_at <= as_of,
        *(fact.is_(None) for fact in _PLAIN),
    ]


def _not_plain(as_of: Instant) -> ColumnElement[bool]:
    """The opposite, in which what is not known is not left out."""
    return or_(
        clock.c.started_at > as_of,
        clock.c.stopped_at.is_(None),
        clock.c.stopped_at > as_of,
        *(fact.is_not(None) for fact in _PLAIN),
    )


def _lasting(
    connection: Connection, start: ColumnElement[int], end: ColumnElement[int]
) -> ColumnElement[int]:
    """Microseconds from one instant to another."""
    if connection.dialect.name == "sqlite":
        return end - start
    return cast(func.extract("epoch", end - start) * SECOND, BigInteger)


def _open_at(instant: Instant) -> ColumnElement[bool]:
    """No fact has ended it, or one that lies ahead, or a claim that was not confirmed in time."""
    not_ended = (or_(end.is_(None), end > instant) for end in _ENDS)
    return and_(clock.c.started_at <= instant, or_(and_(*not_ended), clock.c.confirm_by < instant))


def told_of(where: Mapping[str, str]) -> list[ColumnElement[bool]]:
    """Which clocks figures may speak of: those of the scope, and never a restricted one."""
    return [clock.c.restricted.is_(False), *(clock.c[name] == text for name, text in where.items())]


def is_told_of(connection: Connection, where: Mapping[str, str]) -> bool:
    """Whether there is any clock of a scope that figures may speak of."""
    asked = select(clock.c.id).where(*told_of(where)).limit(1)
    return connection.scalar(asked) is not None


def places(connection: Connection, kind: str, *, limit: int = 20) -> list[str]:
    """The districts, or the units, of which some clock tells."""
    column = clock.c[kind]
    asked = select(column).where(column != "", *told_of({})).distinct().order_by(column)
    return list(connection.scalars(asked.limit(limit)))


def references(connection: Connection, case_ids: Collection[int]) -> dict[int, str]:
    """Case id → reference."""
    asked = select(case_.c.id, case_.c.reference).where(case_.c.id.in_(sorted(case_ids)))
    return {row.id: row.reference for row in connection.execute(asked)}


def alert_counts(
    connection: Connection, *, since: Instant, until: Instant, where: Mapping[str, str]
) -> dict[str, int]:
    """What was decided to be said from `since` to before `until` about clocks of a scope.

    `told` alerts in `mails` that were sent; `waiting` ones that are still to go; `undelivered` ones
    that were given up; `cancelled` ones put right before anybody was told; `withdrawals` decided;
    `nobody`, alerts that found nobody to be told to.
    """
    is_withdrawal = alert.c.kind == AlertKind.WITHDRAWAL.value
    said = and_(~is_withdrawal, alert.c.recipient != "")
    is_live = and_(said, alert.c.state != "cancelled")
    is_sent = and_(is_live, message.c.state == "sent")
    is_given_up = and_(is_live, message.c.state.in_(("dead", "cancelled")))
    is_waiting = and_(is_live, or_(message.c.id.is_(None), message.c.state == "queued"))
    asked = (
        select(
            func.count().filter(is_sent).label("told"),
            func.count(distinct(message.c.id)).filter(is_sent).label("mails"),
            func.count().filter(is_waiting).label("waiting"),
            func.count().filter(is_given_up).label("undelivered"),
            func.count().filter(said, alert.c.state == "cancelled").label("cancelled"),
            func.count().filter(is_withdrawal).label("withdrawals"),
            func.count().filter(alert.c.recipient == "").label("nobody"),
        )
        .select_from(alert)
        .join(clock, clock.c.id == alert.c.clock_id)
        .outerjoin(message, message.c.id == alert.c.message_id)
        .where(alert.c.decided_at >= since, alert.c.decided_at < until, *told_of(where))
    )
    return dict(connection.execute(asked).mappings().one())


class SentAlert(NamedTuple):
    """An alert that was told, and what names the clock that it is of."""

    clock_id: int
    inherits: Sequence[int]
    case_id: int
    rule: str
    sent_at: Instant


def sent_alerts(
    connection: Connection, *, since: Instant, until: Instant, where: Mapping[str, str]
) -> Iterator[SentAlert]:
    """The alerts decided from `since` to before `until` whose mails were sent; no withdrawals."""
    asked = (
        select(clock.c.id, clock.c.inherits, clock.c.case_id, clock.c.rule, message.c.sent_at)
        .select_from(alert)
        .join(clock, clock.c.id == alert.c.clock_id)
        .join(message, message.c.id == alert.c.message_id)
        .where(
            alert.c.decided_at >= since,
            alert.c.decided_at < until,
            alert.c.kind != AlertKind.WITHDRAWAL.value,
            alert.c.state != "cancelled",
            message.c.state == "sent",
            *told_of(where),
        )
    )
    for id_, inherits, case_id, rule, sent_at in connection.execute(asked):
        yield SentAlert(id_, inherits or (), case_id, rule, sent_at)


def taken_in(connection: Connection, *, since: Instant, until: Instant) -> dict[str, int]:
    """What came in from `since` to before `until`, of every feed.

    New `events`; those `conflicting`; `files_set_aside` whole; rows first `set_aside`, and how many
    of these are `unmended`.
    """
    asked = select(
        func.coalesce(func.sum(intake.c.events_new), 0).label("events"),
        func.coalesce(func.sum(intake.c.events_conflicting), 0).label("conflicting"),
        func.count().filter(intake.c.state == "set aside").label("files_set_aside"),
    ).where(intake.c.started_at >= since, intake.c.started_at < until, intake.c.state != "undone")
    row_digest = distinct(quarantine.c.row_digest)
    rows = select(
        func.count(row_digest).label("set_aside"),
        func.count(row_digest).filter(quarantine.c.state == "open").label("unmended"),
    ).where(quarantine.c.first_seen_at >= since, quarantine.c.first_seen_at < until)
    found = {
        **connection.execute(asked).mappings().one(),
        **connection.execute(rows).mappings().one(),
    }
    return {name: int(number) for name, number in found.items()}


def feeds_heard(connection: Connection) -> Sequence[RowMapping]:
    """Every feed by name: `feed`, `first_heard_at`, `last_heard_at`, `has_timetable`."""
    first = (
        select(intake.c.feed, func.min(intake.c.started_at).label("first_heard_at"))
        .where(intake.c.state != "undone")
        .group_by(intake.c.feed)
        .subquery()
    )
    asked = (
        select(
            feed.c.name.label("feed"),
            first.c.first_heard_at,
            feed.c.heard_through.label("last_heard_at"),
            feed.c.trusted_until.is_not(None).label("has_timetable"),
        )
        .outerjoin(first, first.c.feed == feed.c.name)
        .order_by(feed.c.name)
    )
    return connection.execute(asked).mappings().all()


def trusted_until(connection: Connection) -> dict[str, Instant]:
    """Feed → until when its silence means that nothing happened; feeds without a timetable not."""
    asked = select(feed.c.name, feed.c.trusted_until).where(feed.c.trusted_until.is_not(None))
    return {row.name: row.trusted_until for row in connection.execute(asked)}
