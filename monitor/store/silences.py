"""Silences of feeds: kept as facts, and who was told of which.

What comes in: instants at which a feed fell silent or was heard again, and who is told. What goes
out: what is silent now, and who knows it. It does not care who ought to be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select, update

from monitor.model import Instant
from monitor.store.at_once import insert_rows
from monitor.store.engine import take_turn
from monitor.store.tables import clock, feed, feed_gap, intake, silence_told


class Gap(NamedTuple):
    """A silence that goes on."""

    feed: str
    silent_from: Instant


class Knows(NamedTuple):
    """Somebody who was told of a silence."""

    feed: str
    address: str
    role: str
    since: Instant
    told_at: Instant


class Hanging(NamedTuple):
    """How many open clocks of a rule there are in a district."""

    rule: str
    district: str
    clocks: int
    gravest: int
    """How many of them are of the risk that was asked for."""


def take_silences_turn(connection: Connection) -> None:
    """Let one node at a time look for silences, until its transaction ends."""
    take_turn(connection, "silences")


# -- facts ------------------------------------------------------------------------------------


def open_gaps(connection: Connection) -> list[Gap]:
    """Silences that go on, the oldest of each feed; by name."""
    oldest = func.min(feed_gap.c.silent_from)
    asked = select(feed_gap.c.feed, oldest).where(feed_gap.c.silent_to.is_(None))
    rows = connection.execute(asked.group_by(feed_gap.c.feed).order_by(feed_gap.c.feed))
    return [Gap(*row) for row in rows]


def gap_ended_at(connection: Connection, feed_name: str, *, silent_from: Instant) -> Instant | None:
    """When a silence ended; None while it goes on."""
    asked = select(feed_gap.c.silent_to).where(
        feed_gap.c.feed == feed_name, feed_gap.c.silent_from == silent_from
    )
    at: Instant | None = connection.scalar(asked)
    return at


def newest_ends(connection: Connection) -> dict[str, Instant]:
    """Feed → when its newest silence that is over ended."""
    asked = select(feed_gap.c.feed, func.max(feed_gap.c.silent_to).label("ended"))
    ended = asked.where(feed_gap.c.silent_to.is_not(None)).group_by(feed_gap.c.feed)
    return {row.feed: row.ended for row in connection.execute(ended)}


def close_gaps(connection: Connection, feed_name: str, *, now: Instant) -> int:
    """No silence of a feed goes on; returns how many did."""
    asked = update(feed_gap).where(feed_gap.c.feed == feed_name, feed_gap.c.silent_to.is_(None))
    return connection.execute(asked.values(silent_to=now)).rowcount


def trust_until(connection: Connection, feed_name: str, until: Instant | None) -> None:
    """Until when a feed's silence means that nothing happened, by the timetable of today."""
    asked = update(feed).where(feed.c.name == feed_name)
    connection.execute(asked.values(trusted_until=until))


def first_heard(connection: Connection) -> dict[str, Instant | None]:
    """Feed → when its first file was read to its end; None where none was."""
    first = select(intake.c.finished_at).where(
        intake.c.feed == feed.c.name, intake.c.state == "done"
    )
    at = first.order_by(intake.c.id).limit(1).scalar_subquery()
    return {name: heard_at for name, heard_at in connection.execute(select(feed.c.name, at))}  # noqa: C416 - rows are no pairs to dict()


# -- who was told -----------------------------------------------------------------------------


def who_knows(connection: Connection) -> list[Knows]:
    """Everybody who was told of a silence and not yet that it is over; in order of telling."""
    asked = select(*(silence_told.c[name] for name in Knows._fields))
    rows = connection.execute(
        asked.where(silence_told.c.ended_at.is_(None)).order_by(silence_told.c.id)
    )
    return [Knows(*row) for row in rows]


def last_told_at(connection: Connection, address: str) -> Instant | None:
    """When an address was last told anything of any silence."""
    newest = select(func.max(silence_told.c.told_at), func.max(silence_told.c.ended_at))
    told = connection.execute(newest.where(silence_told.c.address == address)).one()
    return max((at for at in told if at is not None), default=None)


def keep_told(connection: Connection, knows: Sequence[Knows]) -> None:
    """Somebody was told of silences, for the first time or again."""
    insert_rows(connection, silence_told, Knows._fields, knows)
    for each in knows:
        told = update(silence_told).where(_is_row_of(each))
        connection.execute(told.values(told_at=each.told_at, role=each.role))


def end_told(connection: Connection, knows: Sequence[Knows], *, now: Instant) -> None:
    """Nothing more is to be told of these silences to those who knew of them."""
    for each in knows:
        connection.execute(update(silence_told).where(_is_row_of(each)).values(ended_at=now))


def _is_row_of(knows: Knows) -> ColumnElement[bool]:
    return (
        (silence_told.c.feed == knows.feed)
        & (silence_told.c.address == knows.address)
        & (silence_told.c.since == knows.since)
    )


# -- what hangs on a feed ---------------------------------------------------------------------


def open_clocks_by_rule(connection: Connection, *, by: Instant, gravest_risk: str) -> list[Hanging]:
    """Open clocks that fall due by an instant or did before, by rule and district.

    Restricted ones are in no count.
    """
    ended = (clock.c.stopped_at, clock.c.exempt_at, clock.c.void_at, clock.c.superseded_at)
    gravest = func.count().filter(clock.c.risk == gravest_risk)
    asked = (
        select(clock.c.rule, clock.c.district, func.count(), gravest)
        .where(clock.c.due_at <= by, *(column.is_(None) for column in ended))
        .where(clock.c.restricted.is_(False))
        .group_by(clock.c.rule, clock.c.district)
    )
    return [Hanging(*row) for row in connection.execute(asked)]
