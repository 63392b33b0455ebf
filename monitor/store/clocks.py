"""Clocks as they are stored.

What comes in: case ids, changes, instants. What goes out: kept clocks, and the instant of the next
thing that can happen. It does not care how a clock came to be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from sqlalchemy import (
    Connection,
    RowMapping,
    func,
    select,
    text,
    update,
)

from monitor.model import Clock, Instant, KeptClock
from monitor.store.at_once import insert_columns, update_rows
from monitor.store.rows import (
    CLOCK_FIELDS,
    CLOCK_KEY_COLUMNS,
    KEPT_CLOCK_COLUMNS,
    clock_columns,
    clock_values,
    in_parts,
    inherits_text,
    kept_clock_of,
)
from monitor.store.sets import among, update_set
from monitor.store.tables import InstantType, as_number, case_, clock

_UPDATED = (
    *CLOCK_FIELDS,
    "episode",
    "steps_done",
    "inherits",
    "next_action_at",
    "waits_for",
    "revision",
)

_DECIDED = ("episode", "steps_done", "next_action_at", "waits_for", "revision")

_DUE = tuple(
    as_number(column) if isinstance(column.type, InstantType) else column
    for column in KEPT_CLOCK_COLUMNS
)

_IS_WAITING = text("waits_for <> ''")
"""Word for word what the partial index says, so that both databases see that it answers."""


class LostUpdate(Exception):
    """Clocks were written by another since they were read; this transaction must not be kept."""


def clocks_of(
    connection: Connection, case_ids: Collection[int], *, to_write: bool = False
) -> list[KeptClock]:
    """All clocks of some cases, superseded ones among them.

    `to_write`: locked until this transaction ends, in ascending order of ids, so that no sweep
    decides on them meanwhile.
    """
    asked = select(*KEPT_CLOCK_COLUMNS).order_by(clock.c.id)
    if to_write:
        asked = asked.with_for_update()
    return [
        kept_clock_of(row)
        for ids in in_parts(case_ids)
        for row in connection.execute(asked.where(among(connection, clock.c.case_id, ids)))
    ]


def clocks_by_id(connection: Connection, ids: Collection[int]) -> list[KeptClock]:
    """Clocks by their ids."""
    asked = select(*KEPT_CLOCK_COLUMNS).order_by(clock.c.id)
    return [
        kept_clock_of(row)
        for part in in_parts(ids)
        for row in connection.execute(asked.where(clock.c.id.in_(part)))
    ]


def insert_clocks(
    connection: Connection,
    new: Iterable[tuple[int, Clock, Sequence[int], int, int, Instant | None]],
) -> None:
    """Store clocks: (case id, clock, inherited clock ids, steps done, episode, next action)."""
    told = list(new)
    if not told:
        return
    case_ids, clocks, inherits, steps_done, episodes, next_action_at = zip(*told, strict=True)
    columns = clock_columns(clocks)
    columns |= {"case_id": case_ids, "episode": episodes, "steps_done": steps_done}
    columns |= {"inherits": list(map(inherits_text, inherits)), "next_action_at": next_action_at}
    insert_columns(connection, clock, columns)


def update_clocks(connection: Connection, kept: Sequence[KeptClock]) -> None:
    """Write clocks that were read to be written; raises LostUpdate where another wrote one."""
    _must_be_all(_update(connection, kept), kept)


def write_decided(connection: Connection, kept: Sequence[KeptClock]) -> None:
    """Write how far telling has come of clocks, which their events alone do not say.

    Raises LostUpdate where another wrote one since it was read.
    """
    rows = [
        (
            each.episode,
            each.steps_done,
            each.next_action_at,
            each.waits_for,
            each.revision + 1,
            each.id,
            each.revision,
        )
        for each in kept
    ]
    _must_be_all(update_set(connection, clock, _DECIDED, ("id", "revision"), rows), kept)


def _must_be_all(written: int, kept: Sequence[KeptClock]) -> None:
    if written != len(kept):
        msg = f"{len(kept) - written} of {len(kept)} clocks were written by another meanwhile"
        raise LostUpdate(msg)


def _update(connection: Connection, kept: Iterable[KeptClock]) -> int:
    rows = [
        (
            *clock_values(each.clock)[len(CLOCK_KEY_COLUMNS) :],
            each.episode,
            each.steps_done,
            inherits_text(each.inherits),
            each.next_action_at,
            each.waits_for,
            each.revision + 1,
            each.id,
            each.revision,
        )
        for each in kept
    ]
    return update_rows(connection, clock, _UPDATED, ("id", "revision"), rows)


def due_clocks(connection: Connection, *, now: Instant, limit: int) -> list[KeptClock]:
    """Clocks to which something can happen by now, the longest waiting first.

    On PostgreSQL a clock that another node is deciding is passed over.
    """
    asked = (
        select(*(_DUE if connection.dialect.name == "postgresql" else KEPT_CLOCK_COLUMNS))
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
    waiting = select(clock.c.id).where(clock.c.waits_for == feed, _IS_WAITING)
    asked = waiting.order_by(clock.c.id).with_for_update()
    for ids in in_parts(list(connection.scalars(asked))):
        woken = update(clock).where(clock.c.id.in_(ids))
        connection.execute(
            woken.values(next_action_at=now, waits_for="", revision=clock.c.revision + 1)
        )


def lock_clocks(connection: Connection, ids: Collection[int]) -> list[KeptClock]:
    """Clocks by their ids, locked until this transaction ends: no sweep decides on them before."""
    asked = select(*KEPT_CLOCK_COLUMNS).order_by(clock.c.id).with_for_update()
    return [
        kept_clock_of(row)
        for part in in_parts(ids)
        for row in connection.execute(asked.where(clock.c.id.in_(part)))
    ]


def look_again(connection: Connection, ids: Collection[int], *, now: Instant) -> None:
    """Somebody did something about clocks that are locked: the sweep is to look at them now."""
    for part in in_parts(ids):
        woken = update(clock).where(clock.c.id.in_(part))
        connection.execute(
            woken.values(next_action_at=now, waits_for="", revision=clock.c.revision + 1)
        )


def wake_resting(connection: Connection, until: Instant, *, now: Instant) -> int:
    """A rest that would have lasted until an instant ended before; returns how many look again."""
    resting = select(clock.c.id).where(clock.c.next_action_at == until).order_by(clock.c.id)
    ids = list(connection.scalars(resting.with_for_update()))
    look_again(connection, ids, now=now)
    return len(ids)


def open_clocks(connection: Connection) -> Iterator[KeptClock]:
    """Clocks that no fact has ended, streamed."""
    ended = (clock.c.stopped_at, clock.c.exempt_at, clock.c.void_at, clock.c.superseded_at)
    asked = select(*KEPT_CLOCK_COLUMNS).where(*(column.is_(None) for column in ended))
    for row in connection.execute(asked.execution_options(yield_per=2000)):
        yield kept_clock_of(row)


def cases_with_ended(
    connection: Connection, rules: Collection[str], *, after: int, limit: int
) -> list[int]:
    """The next cases, by id, with a clock of some rules that has ended and not given way."""
    ended = func.coalesce(clock.c.stopped_at, clock.c.exempt_at, clock.c.void_at).is_not(None)
    asked = (
        select(clock.c.case_id)
        .where(clock.c.case_id > after, clock.c.rule.in_(sorted(rules)))
        .where(ended, clock.c.superseded_at.is_(None))
        .distinct()
        .order_by(clock.c.case_id)
        .limit(limit)
    )
    return list(connection.scalars(asked))


def all_clocks(
    connection: Connection, *, references: Collection[str] = ()
) -> Iterator[tuple[str, KeptClock]]:
    """(reference, clock) of every clock in order of case, streamed; or of some references."""
    asked = (
        select(*KEPT_CLOCK_COLUMNS, case_.c.reference)
        .join(case_, case_.c.id == clock.c.case_id)
        .order_by(clock.c.case_id, clock.c.id)
        .execution_options(yield_per=2000)
    )
    for part in in_parts(references):
        of_part = asked.where(case_.c.reference.in_(part)) if part else asked
        for row in connection.execute(of_part):
            yield row[-1], kept_clock_of(row[:-1])


def count_clocks(connection: Connection) -> RowMapping:
    """How many clocks are stored, and how many of them no fact has ended."""
    ended = func.coalesce(
        clock.c.stopped_at, clock.c.exempt_at, clock.c.void_at, clock.c.superseded_at
    )
    asked = select(func.count().label("stored"), (func.count() - func.count(ended)).label("open"))
    return connection.execute(asked.select_from(clock)).mappings().one()
