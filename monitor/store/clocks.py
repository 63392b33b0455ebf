"""Clocks as they are stored.

What comes in: case ids, changes, instants. What goes out: kept clocks, and the instant of the next
thing that can happen. It does not care how a clock came to be.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, update

from monitor.model import Clock, Instant, KeptClock
from monitor.store.rows import (
    CLOCK_FIELDS,
    CLOCK_KEY_COLUMNS,
    clock_values,
    insert_rows,
    kept_clock_of,
)
from monitor.store.tables import case_, clock

_INSERTED = (
    *CLOCK_KEY_COLUMNS,
    *CLOCK_FIELDS,
    "case_id",
    "episode",
    "steps_done",
    "inherits",
    "next_action_at",
)


def clocks_of(connection: Connection, case_ids: Collection[int]) -> list[KeptClock]:
    """All clocks of some cases, superseded ones among them."""
    asked = select(clock).where(clock.c.case_id.in_(sorted(case_ids)))
    return [kept_clock_of(row) for row in connection.execute(asked)]


def clocks_by_id(connection: Connection, ids: Collection[int]) -> list[KeptClock]:
    """Clocks by their ids."""
    asked = select(clock).where(clock.c.id.in_(sorted(ids)))
    return [kept_clock_of(row) for row in connection.execute(asked)]


def insert_clocks(
    connection: Connection,
    new: Iterable[tuple[int, Clock, Sequence[int], int, int, Instant | None]],
) -> None:
    """Store clocks: (case id, clock, inherited clock ids, steps done, episode, next action)."""
    rows = [
        (
            *clock_values(told),
            case_id,
            episode,
            steps_done,
            json.dumps(list(inherits)) if inherits else None,
            next_action_at,
        )
        for case_id, told, inherits, steps_done, episode, next_action_at in new
    ]
    insert_rows(connection, clock, _INSERTED, rows)


def update_clock(connection: Connection, kept: KeptClock) -> bool:
    """Write a clock if nobody has since it was read; True where it was written."""
    values = {name: getattr(kept.clock, name) for name in CLOCK_FIELDS}
    done = connection.execute(
        update(clock)
        .where(clock.c.id == kept.id, clock.c.revision == kept.revision)
        .values(
            **values,
            episode=kept.episode,
            steps_done=kept.steps_done,
            revision=kept.revision + 1,
            next_action_at=kept.next_action_at,
            waits_for=kept.waits_for,
            due_before=kept.due_before,
        )
    )
    return done.rowcount == 1


def due_clocks(connection: Connection, *, now: Instant, limit: int) -> list[KeptClock]:
    """Clocks to which something can happen by now, the longest waiting first.

    On PostgreSQL a clock that another node is deciding is passed over.
    """
    asked = (
        select(clock)
        .where(clock.c.next_action_at <= now)
        .order_by(clock.c.next_action_at, clock.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [kept_clock_of(row) for row in connection.execute(asked)]


def next_action_at(connection: Connection) -> Instant | None:
    """The next instant at which anything can happen by itself."""
    asked = select(clock.c.next_action_at).where(clock.c.next_action_at.is_not(None))
    return connection.scalar(asked.order_by(clock.c.next_action_at).limit(1))


def wake_waiting_for(connection: Connection, feed: str, *, now: Instant) -> None:
    """A feed was heard again: clocks that wait for it are looked at now."""
    connection.execute(
        update(clock).where(clock.c.waits_for == feed).values(next_action_at=now, waits_for="")
    )


def open_clocks(connection: Connection) -> Iterator[KeptClock]:
    """Clocks that no fact has ended, streamed."""
    ended = (clock.c.stopped_at, clock.c.exempt_at, clock.c.void_at, clock.c.superseded_at)
    asked = select(clock).where(*(column.is_(None) for column in ended))
    for row in connection.execute(asked.execution_options(yield_per=2000)):
        yield kept_clock_of(row)


def all_clocks(
    connection: Connection, *, references: Collection[str] = ()
) -> Iterator[tuple[str, KeptClock]]:
    """(reference, clock) of every clock in order of case, streamed; or of some references."""
    asked: Any = select(case_.c.reference, clock).join(case_, case_.c.id == clock.c.case_id)
    if references:
        asked = asked.where(case_.c.reference.in_(sorted(references)))
    rows = connection.execution_options(yield_per=2000).execute(
        asked.order_by(clock.c.case_id, clock.c.id)
    )
    for row in rows:
        yield row[0], kept_clock_of(row)


def count_clocks(connection: Connection) -> RowMapping:
    """How many clocks are stored, and how many of them no fact has ended."""
    ended = func.coalesce(
        clock.c.stopped_at, clock.c.exempt_at, clock.c.void_at, clock.c.superseded_at
    )
    asked = select(func.count().label("stored"), (func.count() - func.count(ended)).label("open"))
    return connection.execute(asked.select_from(clock)).mappings().one()
