"""Files in: what waits in the drop folders is read, stored and assessed, batch by batch.

What comes in: an installation and now. What goes out: stored events, clocks and an account of every
row. A batch is one transaction: its events, the clocks they lead to and how far the file is read
are kept together or not at all, so that a file is taken up again where it was left.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.assess.assess import assess_cases
from monitor.faults import FaultsFound
from monitor.ingest.batches import Batch, bad_share, batches, share_of_bad_rows
from monitor.ingest.files import (
    FileChanged,
    file_digest,
    move_to_done,
    open_rows,
    purge_done,
    waiting_files,
)
from monitor.ingest.mapping import Mapper, compile_mapper
from monitor.ingest.timetable import trusted_until
from monitor.logs import get_logger
from monitor.model import DAY, SECOND, Instant
from monitor.store import actions, cases, clocks, intakes
from monitor.store.engine import Connection, OperationalError, reading, writing

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.cycle.parts import Monitor
    from monitor.ingest.feeds import Feed

log = get_logger("intake")

Progress = Callable[[int, int], None]
"""Told after each batch: bytes read, bytes in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of one file."""

    feed: str
    file: str
    state: str
    """`done`, `known already`, `set aside`, or `left` where it changed while it was read."""
    why: str = ""
    rows: int = 0
    events_new: int = 0
    events_known: int = 0
    events_amended: int = 0
    events_conflicting: int = 0
    rows_set_aside: int = 0
    rows_without_event: int = 0


def take_in_waiting(monitor: Monitor, *, now: Instant) -> list[Taken]:
    """Take in every file that waits in any feed's drop folder, and empty what is kept too long."""
    taken = []
    for feed in monitor.feeds.values():
        try:
            waiting = waiting_files(monitor.settings.path(feed.folder), feed.patterns)
        except FaultsFound as found:
            log.warning("drop_folder_missing", feed=feed.name, why=str(found))
            continue
        taken += [_take_in_or_pass_over(monitor, feed, path, now=now) for path in waiting]
    keep_seconds = monitor.settings.intake.keep_done_days * (DAY // SECOND)
    purge_done(_done(monitor), older_than_seconds=keep_seconds, now=now)
    return taken


def _take_in_or_pass_over(monitor: Monitor, feed: Feed, path: Path, *, now: Instant) -> Taken:
    """One file that cannot be taken in for a reason nobody foresaw keeps no other from it.

    It stays where it is and turns its feed red; a fault of the database stops the whole turn.
    """
    try:
        return take_in_file(monitor, feed, path, now=now)
    except OperationalError:
        raise
    except Exception as error:
        log.exception("file_not_taken_in", feed=feed.name)
        why = f"it could not be taken in ({type(error).__name__}); the log says where"
        with writing(monitor.engine) as connection:
            intakes.set_red(connection, feed.name, f"{path.name}: {why}")
        return Taken(feed=feed.name, file=path.name, state="left", why=why)


def take_in_file(
    monitor: Monitor,
    feed: Feed,
    path: Path,
    *,
    now: Instant,
    progress: Progress | None = None,
    keep: bool = False,
) -> Taken:
    """Take in one file. The same file again changes nothing, but its feed counts as heard.

    `keep`: leave the file where it is instead of moving it to the private folder.
    """
    try:
        digest = file_digest(path)
        taken = _take_in(monitor, feed, path, digest, now=now, progress=progress)
        if not keep and taken.state != "left":
            folder = monitor.settings.path("var/set-aside") if taken.why else _done(monitor)
            move_to_done(path, folder, digest)
    except FileChanged as changed:
        log.warning("file_changed", feed=feed.name, why=str(changed))
        return Taken(feed=feed.name, file=path.name, state="left", why=str(changed))
    log.info(
        "file_taken_in",
        feed=taken.feed,
        state=taken.state,
        rows=taken.rows,
        new=taken.events_new,
        known=taken.events_known,
        set_aside=taken.rows_set_aside,
    )
    return taken


def _done(monitor: Monitor) -> Path:
    return monitor.settings.path(monitor.settings.paths.done)


def _take_in(
    monitor: Monitor,
    feed: Feed,
    path: Path,
    digest: bytes,
    *,
    now: Instant,
    progress: Progress | None,
) -> Taken:
    mapper = compile_mapper(feed, child_secret=monitor.child_secret)
    with writing(monitor.engine) as connection:
        intake = intakes.open_intake(
            connection,
            feed_name=feed.name,
            file_name=path.name,
            file_digest=digest,
            mapping_digest=feed.mapping_digest,
            now=now,
        )
        if intake.state != "reading":
            _hear(connection, feed, now=now)
            return Taken(feed=feed.name, file=path.name, state="known already")
    try:
        if not intake.rows_read and (why := _unbelievable(monitor, feed, path, mapper, now=now)):
            return _set_aside_whole(monitor, feed, path, intake.id, why, now=now)
        return _read_on(monitor, feed, path, mapper, intake, now=now, progress=progress)
    except FaultsFound as found:
        return _set_aside_whole(monitor, feed, path, intake.id, str(found), now=now)


def _unbelievable(monitor: Monitor, feed: Feed, path: Path, mapper: Mapper, *, now: Instant) -> str:
    share = share_of_bad_rows(path, feed, mapper, received_at=now)
    return _too_many_bad(monitor, share)


def _too_many_bad(monitor: Monitor, share: float) -> str:
    if share <= monitor.settings.intake.bad_share:
        return ""
    return f"{share:.0%} of its rows cannot be read: the extract or the mapping has changed"


def _set_aside_whole(
    monitor: Monitor, feed: Feed, path: Path, intake_id: int, why: str, *, now: Instant
) -> Taken:
    with writing(monitor.engine) as connection:
        intakes.finish_intake(
            connection,
            intake_id,
            state="set aside",
            dropped_columns={},
            vanished=0,
            now=now,
            why=why,
        )
        intakes.set_red(connection, feed.name, f"{path.name}: {why}")
    log.error("file_set_aside", feed=feed.name, why=why)
    return Taken(feed=feed.name, file=path.name, state="set aside", why=why)


def _read_on(
    monitor: Monitor,
    feed: Feed,
    path: Path,
    mapper: Mapper,
    intake: intakes.Intake,
    *,
    now: Instant,
    progress: Progress | None,
) -> Taken:
    """Store the rest of a file, from where it was left."""
    seen: set[str] = set()
    with _rare_collections(), open_rows(path, feed) as reader:
        reader.skip_rows(intake.rows_read)
        rows = monitor.settings.intake.batch_rows
        for batch in batches(reader, mapper, received_at=now, rows=rows):
            _store_batch(monitor, feed, intake.id, batch, now=now)
            if feed.mode == "snapshot":
                seen |= {event.reference for event, _ in batch.told}
            if progress:
                progress(reader.bytes_read, reader.size)
            if monitor.stopping.is_set():
                return Taken(feed=feed.name, file=path.name, state="left", why="asked to stop")
        dropped = reader.dropped
    if why := _unbelievable_after_all(monitor, intake.id):
        undo_intake(monitor, intake.id, actor="system:intake", now=now)
        return _set_aside_whole(monitor, feed, path, intake.id, why, now=now)
    with writing(monitor.engine) as connection:
        intakes.finish_intake(
            connection,
            intake.id,
            state="done",
            dropped_columns=dropped,
            vanished=_vanished(connection, feed, seen, resumed=bool(intake.rows_read)),
            now=now,
        )
        _hear(connection, feed, now=now)
        counts = intakes.intake_by_id(connection, intake.id)
        actions.write_audit(
            connection,
            operation="collection",
            actor="system:intake",
            subject=f"intake {intake.id}",
            now=now,
            detail={"feed": feed.name, "events": counts["events_new"] if counts else 0},
        )
    assert counts is not None
    return Taken(
        feed=feed.name,
        file=path.name,
        state="done",
        rows=counts["rows_read"],
        events_new=counts["events_new"],
        events_known=counts["events_known"],
        events_amended=counts["events_amended"],
        events_conflicting=counts["events_conflicting"],
        rows_set_aside=counts["rows_set_aside"],
        rows_without_event=counts["rows_without_event"],
    )


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for circles of garbage more rarely while rows become tuples by the hundred thousand.

    None of them is in a circle, and looking for some took a tenth of the time of a large file.
    """
    before = gc.get_threshold()
    gc.set_threshold(200_000, 50, 1_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _unbelievable_after_all(monitor: Monitor, intake_id: int) -> str:
    """A long file is judged by its beginning first; here by the whole of it."""
    with reading(monitor.engine) as connection:
        counts = intakes.intake_by_id(connection, intake_id)
    assert counts is not None
    share = bad_share(counts["rows_set_aside"], of=counts["rows_read"])
    return _too_many_bad(monitor, share)


def _vanished(connection: Connection, feed: Feed, seen: set[str], *, resumed: bool) -> int:
    """How many references a snapshot no longer names: reported, never inferred from.

    After an interruption the first part was not seen by this pass, and nothing is said.
    """
    if feed.mode != "snapshot" or resumed:
        return 0
    return len(intakes.known_references(connection, feed.name) - seen)


def _hear(connection: Connection, feed: Feed, *, now: Instant) -> None:
    """A file of a feed was read to its end, or known already: the feed is alive."""
    intakes.heard(connection, feed.name, now=now, trusted_until=trusted_until(feed, now))
    clocks.wake_waiting_for(connection, feed.name, now=now)


def _store_batch(
    monitor: Monitor, feed: Feed, intake_id: int, batch: Batch, *, now: Instant
) -> None:
    """One transaction: cases locked, events in, clocks folded, the account brought up to date."""
    with writing(monitor.engine) as connection:
        batch_id = intakes.open_batch(connection, intake_id, received_at=now)
        appended = _append(connection, feed, batch, batch_id, now=now)
        _keep_rejected(connection, feed, intake_id, batch, now=now)
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
    told = [cases.Told(event, line) for event, line in batch.told]
    if batch.cleared:
        told += _cleared(connection, feed, batch, now=now)
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
    return [cases.Told(event, 0) for event in gone]


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


# -- what a person asks for -------------------------------------------------------------------


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
        _store_batch(monitor, feed, row["intake_id"], batch, now=now)
        with writing(monitor.engine) as connection:
            intakes.mark_mended(connection, [row["id"]])
        mended += 1
    return mended, len(rows) - mended


def undo_intake(monitor: Monitor, intake_id: int, *, actor: str, now: Instant) -> int:
    """Make unknown again what one intake brought; returns how many cases that changes."""
    with writing(monitor.engine) as connection:
        intakes.lock_cases_of(connection, intake_id)
        number = actions.record_action(
            connection, kind="undo intake", target=str(intake_id), actor=actor, now=now
        )
        touched = intakes.undo_intake(connection, intake_id, number=number)
        cases.mark_dirty(connection, touched)
    assess_dirty(monitor, now=now)
    return len(touched)


def assess_dirty(monitor: Monitor, *, now: Instant, at_once: int = 500) -> int:
    """Fold every case that has a cause to be; returns how many."""
    folded = 0
    while True:
        with writing(monitor.engine) as connection:
            waiting = cases.dirty_case_ids(connection, limit=at_once)
            if not waiting:
                return folded
            assess_cases(
                connection,
                waiting,
                monitor.rulebook,
                tolerances=intakes.tolerances(connection),
                now=now,
            )
        folded += len(waiting)
