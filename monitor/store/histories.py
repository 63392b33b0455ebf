"""Stored history, read for trying other rules on it.

What comes in: spans of case ids and a period. What goes out: the cases that have an event in it. It
reads, and never writes.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select

from monitor.model import Instant
from monitor.store.rows import in_parts
from monitor.store.tables import case_, event


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
    return list(connection.scalars(asked))


def of_these_in_period(
    connection: Connection, case_ids: Collection[int], *, since: Instant, until: Instant
) -> set[int]:
    """Those of some cases with an event from `since` on and before `until`."""
    found: set[int] = set()
    for ids in in_parts(case_ids):
        asked = select(case_.c.id).where(case_.c.id.in_(ids), _has_event(since, until))
        found.update(connection.scalars(asked))
    return found


def _has_event(since: Instant, until: Instant) -> ColumnElement[bool]:
    return exists(
        select(event.c.id).where(
            event.c.case_id == case_.c.id,
            event.c.undone == 0,
            event.c.occurred_from >= since,
            event.c.occurred_from < until,
        )
    )
