"""Stored history, read for trying other rules on it.

What comes in: spans of case ids and a period. What goes out: the cases that have an event in it,
and their events by column. It reads, and never writes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, exists, func, or_, select

from monitor.model import Instant
from monitor.store.rows import EVENT_COLUMNS, in_parts
from monitor.store.sets import among
from monitor.store.tables import InstantType, as_number, case_, event


def first_and_last_case(connection: Connection) -> tuple[int, int]:
    """The least and the greatest id of a case; (1, 0) where there is none."""
    first, last = connection.execute(select(func.min(case_.c.id), func.max(case_.c.id))).one()
    return (1, 0) if first is None else (first, last)


def cases_in_period(
    connection: Connection, begin: int, end: int, *, since: Instant, until: Instant
) -> list[int]:
    """Cases from id `begin` on and before `end` with an event from `since` on, before `until`."""
    in_span = and_(case_.c.id >= begin, case_.c.id < end)
    asked = select(case_.c.id).where(in_span, _has_event(since, until)).order_by(case_.c.id)
    return [case_id for (case_id,) in plain_rows(connection, asked)]


def of_these_in_period(
    connection: Connection, case_ids: Collection[int], *, since: Instant, until: Instant
) -> set[int]:
    """Those of some cases with an event from `since` on and before `until`."""
    found: set[int] = set()
    for ids in in_parts(case_ids):
        asked = select(case_.c.id).where(case_.c.id.in_(ids), _has_event(since, until))
        found.update(connection.scalars(asked))
    return found


def events_by_column(
    connection: Connection, case_ids: Collection[int], *, asked: Collection[str]
) -> dict[str, Sequence[Any]]:
    """The events of some cases, a sequence for each column, those of a case together.

    By ascending case id, which is the column `case_id`. `asked`: which texts are wanted, fields of
    an event or attributes that the vocabulary declares.
    """
    fields = [name for name in asked if name in EVENT_COLUMNS]
    declared = [name for name in asked if name not in fields]
    names = [*_TIMES, *_WORDS, *(name for name in fields if name not in _WORDS)]
    names += ["attributes"] if declared else []
    wanted = (
        select(event.c.case_id, *(plain(connection, event.c[name]) for name in names))
        .where(among(connection, event.c.case_id, case_ids), event.c.undone == 0)
        .order_by(event.c.case_id)
    )
    names = ["case_id", *names]
    rows = plain_rows(connection, wanted)
    columns: dict[str, Sequence[Any]] = dict.fromkeys(names, ())
    if rows:
        columns.update(zip(names, zip(*rows, strict=True), strict=True))
    for name in declared:
        columns[name] = _attribute(columns["attributes"], name)
    return columns


_TIMES: Final = ("occurred_from", "occurred_to", "received_at", "recorded_at")
_WORDS: Final = ("kind", "partner", "organisation", "child")


def plain_rows(connection: Connection, asked: Select[Any]) -> list[tuple[Any, ...]]:
    """Rows as the driver has them, which must need no conversion: a third of the time of others."""
    cursor = connection.execute(asked).cursor
    return [] if cursor is None else list(cursor.fetchall())


def plain(connection: Connection, column: Column[Any]) -> ColumnElement[Any]:
    """A column as the driver can give it to us at once: an instant as a whole number."""
    is_zoned = connection.dialect.name == "postgresql" and isinstance(column.type, InstantType)
    return as_number(column) if is_zoned else column


def _attribute(texts: Sequence[str], name: str) -> list[str]:
    """What each of some attributes, as they are stored, says of one; most are like another."""
    said = {text: str(json.loads(text).get(name, "")) for text in set(texts) if name in text}
    return [said.get(text, "") for text in texts] if said else [""] * len(texts)


def to_be_weighed(connection: Connection, case_ids: Collection[int]) -> set[int]:
    """Those of some cases in which an event is told more than once, or takes back or links."""
    here = and_(among(connection, event.c.case_id, case_ids), event.c.undone == 0)
    again = (
        select(event.c.case_id)
        .where(here)
        .group_by(event.c.case_id, event.c.feed, event.c.identity)
        .having(func.count() > 1)
    )
    speaks_of_others = or_(event.c.retracts != b"", event.c.links != "")
    others = select(event.c.case_id).where(here, speaks_of_others)
    return set(connection.scalars(again)).union(connection.scalars(others))


def _has_event(since: Instant, until: Instant) -> ColumnElement[bool]:
    return exists(
        select(event.c.id).where(
            event.c.case_id == case_.c.id,
            event.c.undone == 0,
            event.c.occurred_from >= since,
            event.c.occurred_from < until,
        )
    )
