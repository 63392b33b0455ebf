"""A batch becomes rows: its events, the clocks they lead to, and the account of every line.

What comes in: a transaction and a batch of mapped rows. What goes out: all of it written, or
nothing. It does not care where the batch came from, nor who holds the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.assess.assess import assess_cases
from monitor.store import cases, intakes

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.ingest.batches import Batch
    from monitor.ingest.feeds import Feed
    from monitor.model import Instant
    from monitor.store.engine import Connection


def store_batch(
    connection: Connection,
    monitor: Monitor,
    feed: Feed,
    intake_id: int,
    batch: Batch,
    *,
    now: Instant,
    held_back: bool,
) -> None:
    """Everything that one batch brings, in the transaction at hand.

    Cases locked, events in, clocks folded, the account brought up to date. `held_back`: the cases
    are left for another node to fold.
    """
    intakes.take_feed(connection, feed.name)
    batch_id = intakes.open_batch(connection, intake_id, received_at=now)
    appended = _append(connection, feed, batch, batch_id, now=now)
    _keep_rejected(connection, feed, intake_id, batch, now=now)
    if held_back:
        cases.mark_dirty(connection, appended.changed_cases)
    else:
        assess_cases(
            connection,
            appended.changed_cases,
            monitor.rulebook,
            tolerances=intakes.tolerances(connection),
            now=now,
            whole=appended.whole,
        )
    intakes.add_progress(
        connection,
        intake_id,
        rows_read=batch.rows,
        rows_without_event=batch.rows_without_event,
        rows_set_aside=len({rejected.line for rejected in batch.rejected}),
        events_new=appended.new,
        events_known=appended.known,
        events_amended=appended.amended,
        events_conflicting=appended.conflicting,
    )
    intakes.number_batch(connection, batch_id)


def _append(
    connection: Connection, feed: Feed, batch: Batch, batch_id: int, *, now: Instant
) -> cases.Appended:
    told = batch.told
    if batch.cleared:
        told = told + _cleared(connection, feed, batch, now=now)
    references = {fact.reference for fact, _ in told}
    references |= {fact.links for fact, _ in told if fact.links}
    locked = cases.lock_cases(connection, references)
    return cases.append_events(
        connection,
        told,
        cases=locked,
        batch_id=batch_id,
        is_snapshot=feed.mode == "snapshot" and "revision" not in feed.columns,
    )


def _cleared(connection: Connection, feed: Feed, batch: Batch, *, now: Instant) -> list[cases.Told]:
    """Facts that a snapshot no longer holds take back what an earlier one told."""
    identities = [identity for identity, _ in batch.cleared]
    gone = cases.cleared_events(
        connection,
        feed.name,
        identities,
        has_revisions="revision" in feed.columns,
        now=now,
    )
    return [(event, 0) for event in gone]


def _keep_rejected(
    connection: Connection, feed: Feed, intake_id: int, batch: Batch, *, now: Instant
) -> None:
    intakes.set_rows_aside(
        connection,
        [
            intakes.RowSetAside(
                line=rejected.line,
                field=rejected.field,
                reason=str(rejected.reason),
                expected=rejected.expected,
                declared=rejected.declared,
                digest=rejected.row_digest,
            )
            for rejected in batch.rejected
        ],
        feed_name=feed.name,
        intake_id=intake_id,
        now=now,
    )
