"""What a person asks for after files were taken in: rows read again, an intake undone.

What comes in: an installation and now. What goes out: mended rows and cases brought up to date.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from monitor.cycle.intake.dirty import assess_dirty
from monitor.cycle.intake.storing import store_batch
from monitor.cycle.nodes import not_deciding
from monitor.ingest.batches import Batch
from monitor.ingest.mapping import compile_mapper
from monitor.store import actions, cases, intakes
from monitor.store.engine import Connection, in_transaction, reading

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.ingest.feeds import Feed
    from monitor.model import Instant

_Row: TypeAlias = Mapping[Any, Any]


def retry_quarantine(monitor: Monitor, *, now: Instant) -> tuple[int, int]:
    """Read every row set aside again, under today's mapping; returns (mended, still aside)."""
    with reading(monitor.engine) as connection:
        rows = intakes.list_quarantine(connection, limit=100_000)
    mended = 0
    mappers = {
        name: compile_mapper(feed, child_secret=monitor.child_secret)
        for name, feed in monitor.feeds.items()
    }
    for row in rows:
        feed, mapper = monitor.feeds.get(row["feed"]), mappers.get(row["feed"])
        if feed is None or mapper is None or not row["declared"]:
            continue
        mapped = mapper.map_again(row["declared"], row["line"], now)
        if mapped.rejected:
            continue
        batch = Batch(told=[(event, row["line"]) for event in mapped.events])
        mended += _mend(monitor, feed, row, batch, now=now)
    return mended, len(rows) - mended


def _mend(monitor: Monitor, feed: Feed, row: _Row, batch: Batch, *, now: Instant) -> bool:
    """Store what a row tells now; False where another has done so meanwhile."""

    def mend(connection: Connection) -> bool:
        held_back = not_deciding(monitor, connection)
        intake_id = row["intake_id"]
        if not intakes.take_row(connection, row["id"], intake_id=intake_id, feed_name=feed.name):
            return False
        store_batch(connection, monitor, feed, intake_id, batch, now=now, held_back=bool(held_back))
        intakes.mark_mended(connection, [row["id"]])
        return True

    return in_transaction(monitor.engine, mend)


def undo_intake(monitor: Monitor, intake_id: int, *, actor: str, now: Instant) -> int:
    """Make unknown again what one intake brought; returns how many cases that changes.

    Whoever reads the file at this moment stops, and puts it aside.
    """
    touched = in_transaction(
        monitor.engine, lambda connection: take_out(connection, intake_id, actor=actor, now=now)
    )
    assess_dirty(monitor, now=now)
    return len(touched)


def take_out(connection: Connection, intake_id: int, *, actor: str, now: Instant) -> frozenset[int]:
    """What one intake brought is unknown from here on; the cases that this changes."""
    intakes.lock_cases_of(connection, intake_id)
    number = actions.record_action(
        connection, kind="undo intake", target=str(intake_id), actor=actor, now=now
    )
    touched = intakes.undo_intake(connection, intake_id, number=number)
    cases.mark_dirty(connection, touched)
    return touched
