"""Files in: what waits in the drop folders is read, stored and assessed, batch by batch.

What comes in: an installation and now. What goes out: stored events, clocks and an account of every
row. A batch is one transaction: its events, the clocks they lead to and how far the file is read
are kept together or not at all, so that a file is taken up again where it was left. One node reads
a file, under a lease that each batch renews; a node that is held back stores and folds nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from monitor.assess.assess import assess_cases
from monitor.cycle.nodes import not_deciding
from monitor.cycle.rostering import take_in_rosters
from monitor.faults import FaultsFound
from monitor.ingest.batches import Batch, bad_share, batches, share_of_bad_rows
from monitor.ingest.files import (
    FileChanged,
    RowReader,
    file_digest,
    move_to_done,
    open_rows,
    purge_done,
    waiting_files,
)
from monitor.ingest.mapping import Mapper, compile_mapper
from monitor.ingest.timetable import reached, trusted_until
from monitor.logs import get_logger
from monitor.model import DAY, SECOND, Instant
from monitor.store import actions, cases, clocks, intakes, rulebooks
from monitor.store.engine import Connection, OperationalError, in_transaction, reading, writing

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.ingest.feeds import Feed

log = get_logger("intake")

_CANNOT_BE_TAKEN_IN: Final = "it could not be taken in"
_REFUSED_BEFORE: Final = "it was set aside whole before, and its mapping is the same"

_Row: TypeAlias = Mapping[Any, Any]

Progress = Callable[[int, int], None]
"""Told after each batch: bytes read, bytes in all."""


ELSEWHERE: Final = "taken by another node"
GONE: Final = "gone"
PASSED_OVER: Final = frozenset({ELSEWHERE, GONE})
"""What became of a file that is another node's to take in: nothing to be told."""

SKIPPED_AT_ONCE: Final = 100_000
"""Rows passed over between two renewals of a lease, where a file is taken up again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of one file."""

    feed: str
    file: str
    state: str
    """`done`, `known already`, `set aside`, `left` where it changed while it was read, or one of
    PASSED_OVER."""
    why: str = ""
    rows: int = 0
    events_new: int = 0
    events_known: int = 0
    events_amended: int = 0
    events_conflicting: int = 0
    rows_set_aside: int = 0
    rows_without_event: int = 0


def take_in_waiting(monitor: Monitor, *, now: Instant) -> list[Taken]:
    """Take in every file that waits in any feed's drop folder, and empty what is kept too long.

    Files that another node has in hand are passed over, and not among the answers.
    """
    taken = []
    take_in_rosters(monitor, now=now)
    for feed in monitor.feeds.values():
        try:
            waiting = _waiting(monitor, feed)
        except FaultsFound as found:
            log.warning("drop_folder_missing", feed=feed.name, why=str(found))
            continue
        here = [_take_in_or_pass_over(monitor, feed, path, now=now) for path in waiting]
        _hear_the_rest(monitor, feed, waiting, here, now=now)
        taken += here
    keep_seconds = monitor.settings.intake.keep_done_days * (DAY // SECOND)
    purge_done(_done(monitor), older_than_seconds=keep_seconds, now=now)
    return [each for each in taken if each.state not in PASSED_OVER]


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
        why = f"{_CANNOT_BE_TAKEN_IN} ({type(error).__name__}); the log says where"
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
        digest = _digest(path)
        taken = _take_in(
            monitor,
            feed,
            path,
            digest,
            now=now,
            progress=progress,
            # By hand it is another's than the daemon's of this name, which may start meanwhile.
            node=f"{monitor.node}, by hand" if keep else monitor.node,
        )
        if taken.state in PASSED_OVER:
            _passed_over[path] = _Known(_look_of(path), digest)
            return taken
        if not keep and taken.state != "left":
            folder = monitor.settings.path("var/set-aside") if taken.why else _done(monitor)
            _put_away(path, folder, digest)
    except FileNotFoundError:
        return Taken(feed=feed.name, file=path.name, state=GONE)
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


class _Known(NamedTuple):
    look: tuple[int, ...]
    digest: bytes


_passed_over: dict[Path, _Known] = {}
"""Files that another node has in hand: a large one is not read anew at every turn to know it."""


def _digest(path: Path) -> bytes:
    known = _passed_over.pop(path, None)
    if known is not None and known.look == _look_of(path):
        return known.digest
    return file_digest(path)


def _look_of(path: Path) -> tuple[int, ...]:
    status = path.lstat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _put_away(path: Path, folder: Path, digest: bytes) -> None:
    """Move a file that is taken in, unless another node that knows it too was first."""
    try:
        move_to_done(path, folder, digest)
    except FileChanged:
        if path.exists():
            raise


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
    node: str,
) -> Taken:
    mapper = compile_mapper(feed, child_secret=monitor.child_secret)
    intake = in_transaction(
        monitor.engine,
        lambda connection: _open(monitor, connection, feed, path, digest, now=now, node=node),
    )
    if intake.state == intakes.TAKEN:
        return _elsewhere(feed, path, intake.held_by)
    if intake.state != "reading":
        why = _REFUSED_BEFORE if intake.state == "set aside" else ""
        return Taken(feed=feed.name, file=path.name, state="known already", why=why)
    try:
        return _judge_and_read(monitor, feed, path, mapper, intake, now=now, progress=progress)
    except intakes.LeaseLost:
        return _lost(monitor, feed, path, intake)
    except BaseException:
        if not _let_go(monitor, intake):
            return _lost(monitor, feed, path, intake)
        raise


def _open(
    monitor: Monitor,
    connection: Connection,
    feed: Feed,
    path: Path,
    digest: bytes,
    *,
    now: Instant,
    node: str,
) -> intakes.Intake:
    intake = intakes.open_intake(
        connection,
        feed_name=feed.name,
        file_name=path.name,
        file_digest=digest,
        mapping_digest=feed.mapping_digest,
        now=now,
        node=node,
    )
    if intake.state == "done":
        _hear(monitor, connection, feed, path, now=now)
    return intake


def _elsewhere(feed: Feed, path: Path, held_by: str) -> Taken:
    return Taken(feed=feed.name, file=path.name, state=ELSEWHERE, why=f"{held_by} reads it")


def _let_go(monitor: Monitor, intake: intakes.Intake) -> bool:
    """Let another read on at once, where this one cannot; False where another does already.

    With the database out of reach the lease ends by itself.
    """
    try:
        with writing(monitor.engine) as connection:
            intakes.release_lease(connection, intake.id, intake.lease_token)
    except intakes.LeaseLost:
        return False
    except OperationalError:
        log.warning("lease_not_released", intake=intake.id)
    return True


def _lost(monitor: Monitor, feed: Feed, path: Path, intake: intakes.Intake) -> Taken:
    """A file was taken over while it was read, or undone: then nobody wants it again."""
    with reading(monitor.engine) as connection:
        found = intakes.intake_by_id(connection, intake.id)
    assert found is not None
    log.info("file_lost", feed=feed.name, state=found["state"])
    if found["state"] == "undone":
        why = "it was undone while it was read"
        return Taken(feed=feed.name, file=path.name, state="set aside", why=why)
    return _elsewhere(feed, path, found["lease_token"].rpartition("/")[0] or "another node")


def _judge_and_read(
    monitor: Monitor,
    feed: Feed,
    path: Path,
    mapper: Mapper,
    intake: intakes.Intake,
    *,
    now: Instant,
    progress: Progress | None,
) -> Taken:
    try:
        if not intake.rows_read and (why := _unbelievable(monitor, feed, path, mapper, now=now)):
            return _set_aside_whole(monitor, feed, path, intake, why, now=now)
        return _read_on(monitor, feed, path, mapper, intake, now=now, progress=progress)
    except FaultsFound as found:
        return _set_aside_whole(monitor, feed, path, intake, str(found), now=now)


def _unbelievable(monitor: Monitor, feed: Feed, path: Path, mapper: Mapper, *, now: Instant) -> str:
    share = share_of_bad_rows(path, feed, mapper, received_at=now)
    return _too_many_bad(monitor, share)


def _too_many_bad(monitor: Monitor, share: float) -> str:
    if share <= monitor.settings.intake.bad_share:
        return ""
    return f"{share:.0%} of its rows cannot be read: the extract or the mapping has changed"


def _set_aside_whole(
    monitor: Monitor,
    feed: Feed,
    path: Path,
    intake: intakes.Intake,
    why: str,
    *,
    now: Instant,
    after_all: bool = False,
) -> Taken:
    """`after_all`: what was stored of it is undone, and nobody can begin it anew in between."""

    def set_aside(connection: Connection) -> None:
        if after_all:
            intakes.renew_lease(connection, intake.id, intake.lease_token)
            _undo(connection, intake.id, actor="system:intake", now=now)
        intakes.finish_intake(
            connection,
            intake.id,
            state="set aside",
            dropped_columns={},
            vanished=0,
            now=now,
            why=why,
            lease_token="" if after_all else intake.lease_token,
        )
        intakes.set_red(connection, feed.name, f"{path.name}: {why}")

    in_transaction(monitor.engine, set_aside)
    if after_all:
        assess_dirty(monitor, now=now)
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
        _skip(monitor, reader, intake)
        rows = monitor.settings.intake.batch_rows
        for batch in batches(reader, mapper, received_at=now, rows=rows):
            _store_batch(monitor, feed, intake, batch, now=now)
            if feed.mode == "snapshot":
                seen |= {event.reference for event, _ in batch.told}
            if progress:
                progress(reader.bytes_read, reader.size)
            if monitor.stopping.is_set():
                _let_go(monitor, intake)
                return Taken(feed=feed.name, file=path.name, state="left", why="asked to stop")
        dropped = reader.dropped
    if why := _unbelievable_after_all(monitor, intake.id):
        return _set_aside_whole(monitor, feed, path, intake, why, now=now, after_all=True)

    def finish(connection: Connection) -> _Row:
        intakes.finish_intake(
            connection,
            intake.id,
            state="done",
            dropped_columns=dropped,
            vanished=_vanished(connection, feed, seen, resumed=bool(intake.rows_read)),
            now=now,
            lease_token=intake.lease_token,
        )
        _hear(monitor, connection, feed, path, now=now)
        counts = intakes.intake_by_id(connection, intake.id)
        assert counts is not None
        actions.write_audit(
            connection,
            operation="collection",
            actor="system:intake",
            subject=f"intake {intake.id}",
            now=now,
            detail={"feed": feed.name, "events": counts["events_new"]},
        )
        return counts

    counts = in_transaction(monitor.engine, finish)
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


def _skip(monitor: Monitor, reader: RowReader, intake: intakes.Intake) -> None:
    """Pass over what is stored already; of a long file that takes longer than a lease."""
    for upto in count(SKIPPED_AT_ONCE, SKIPPED_AT_ONCE):
        reader.skip_rows(min(upto, intake.rows_read))
        if upto >= intake.rows_read:
            return
        with writing(monitor.engine) as connection:
            intakes.renew_lease(connection, intake.id, intake.lease_token)


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


def _hear(
    monitor: Monitor, connection: Connection, feed: Feed, path: Path, *, now: Instant
) -> None:
    """A file of a feed was read to its end, or known already: the feed is alive.

    While another of its files waits, what it has to say is not known yet: a replay in several files
    would otherwise let clocks be told as overdue whose stops are in the next.
    """
    try:
        waiting = _waiting(monitor, feed)
    except FaultsFound:  # a file from elsewhere, taken in by hand, needs no drop folder
        waiting = []
    if all(other == path for other in waiting):
        _hear_all(monitor, connection, feed, [path.name], now=now)


def _hear_the_rest(
    monitor: Monitor, feed: Feed, tried: Sequence[Path], taken: Sequence[Taken], *, now: Instant
) -> None:
    """Of several files, the last need not be the one that could be read to its end.

    A file that cannot be taken in at all keeps the others' feed from being heard no longer than
    until it was tried. What was read before the process ended, while others waited, counts too.
    """
    read = [
        each.file
        for each in taken
        if each.state in ("done", "known already") and each.why != _REFUSED_BEFORE
    ]
    stuck = {
        path
        for path, each in zip(tried, taken, strict=True)
        if each.why.startswith(_CANNOT_BE_TAKEN_IN)
    }
    if not stuck.issuperset(_waiting(monitor, feed)):
        return
    with reading(monitor.engine) as connection:
        unheard = intakes.read_and_not_heard(connection, feed.name)
    if unheard or (len(tried) > 1 and read):
        with writing(monitor.engine) as connection:
            _hear_all(monitor, connection, feed, [*unheard, *read], now=now)


def _hear_all(
    monitor: Monitor, connection: Connection, feed: Feed, files: Iterable[str], *, now: Instant
) -> None:
    """A feed is heard, up to the latest instant to which any of some files reaches."""
    said = [reached(feed, file, now=now) for file in files]
    before = intakes.heard_through(connection, feed.name)
    through = max((at for at in (*said, before) if at is not None), default=None)
    calendars = monitor.rulebook.calendars
    until = None if through is None else trusted_until(feed, through, calendars=calendars)
    intakes.heard(connection, feed.name, now=now, through=through, trusted_until=until)
    if None in said:
        why = (
            f"a file's name does not say to when it reaches, as file_time has it: {feed.file_time}"
        )
        intakes.set_red(connection, feed.name, why)
    clocks.wake_waiting_for(connection, feed.name, now=now)


def _waiting(monitor: Monitor, feed: Feed) -> list[Path]:
    return waiting_files(monitor.settings.path(feed.folder), feed.patterns)


def _store_batch(
    monitor: Monitor, feed: Feed, intake: intakes.Intake, batch: Batch, *, now: Instant
) -> None:
    """One transaction: cases locked, events in, clocks folded, the account brought up to date."""

    def store(connection: Connection) -> None:
        held_back = not_deciding(monitor, connection)
        intakes.renew_lease(connection, intake.id, intake.lease_token)
        _store(connection, monitor, feed, intake.id, batch, now=now, held_back=bool(held_back))

    in_transaction(monitor.engine, store)


def _store(
    connection: Connection,
    monitor: Monitor,
    feed: Feed,
    intake_id: int,
    batch: Batch,
    *,
    now: Instant,
    held_back: bool,
) -> None:
    """`held_back`: the cases are left for another node to fold."""
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
        mended += _mend(monitor, feed, row, batch, now=now)
    return mended, len(rows) - mended


def _mend(monitor: Monitor, feed: Feed, row: _Row, batch: Batch, *, now: Instant) -> bool:
    """Store what a row tells now; False where another has done so meanwhile."""

    def mend(connection: Connection) -> bool:
        held_back = not_deciding(monitor, connection)
        intake_id = row["intake_id"]
        if not intakes.take_row(connection, row["id"], intake_id=intake_id, feed_name=feed.name):
            return False
        _store(connection, monitor, feed, intake_id, batch, now=now, held_back=bool(held_back))
        intakes.mark_mended(connection, [row["id"]])
        return True

    return in_transaction(monitor.engine, mend)


def undo_intake(monitor: Monitor, intake_id: int, *, actor: str, now: Instant) -> int:
    """Make unknown again what one intake brought; returns how many cases that changes.

    Whoever reads the file at this moment stops, and puts it aside.
    """
    touched = in_transaction(
        monitor.engine, lambda connection: _undo(connection, intake_id, actor=actor, now=now)
    )
    assess_dirty(monitor, now=now)
    return len(touched)


def _undo(connection: Connection, intake_id: int, *, actor: str, now: Instant) -> frozenset[int]:
    intakes.lock_cases_of(connection, intake_id)
    number = actions.record_action(
        connection, kind="undo intake", target=str(intake_id), actor=actor, now=now
    )
    touched = intakes.undo_intake(connection, intake_id, number=number)
    cases.mark_dirty(connection, touched)
    return touched


def assess_dirty(monitor: Monitor, *, now: Instant, at_once: int = 500) -> int:
    """Fold every case that has a cause to be; returns how many.

    A node that is held back folds none; one that is asked to stop leaves the rest.
    """
    folded = 0
    while not monitor.stopping.is_set() and in_transaction(monitor.engine, rulebooks.spread):
        pass
    while not monitor.stopping.is_set():
        some = in_transaction(monitor.engine, lambda c: _assess_some(monitor, c, now, at_once))
        if some is None:
            break
        folded += some
    return folded


def _assess_some(
    monitor: Monitor, connection: Connection, now: Instant, at_once: int
) -> int | None:
    """How many were folded; None where none waits, or this node may not."""
    if not_deciding(monitor, connection):
        return None
    waiting = cases.dirty_case_ids(connection, limit=at_once)
    if not waiting:
        return None
    dirty = cases.lock_dirty(connection, waiting)
    assess_cases(
        connection, dirty, monitor.rulebook, tolerances=intakes.tolerances(connection), now=now
    )
    return len(dirty)
