"""Which files are taken in, and where each lies afterwards.

What comes in: an installation and now. What goes out: what became of every file that waited. It
does not care what is in them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from monitor.cycle.intake.hearing import hear_the_quiet, hear_the_rest, waiting_of
from monitor.cycle.intake.one_file import FileReading, Progress
from monitor.cycle.intake.taken import CANNOT_BE_TAKEN_IN, GONE, PASSED_OVER, Taken
from monitor.cycle.rostering import take_in_rosters
from monitor.faults import FaultsFound
from monitor.ingest.files import FileChanged, file_digest, move_to_done, purge_done
from monitor.logs import get_logger
from monitor.model import DAY, SECOND, Instant
from monitor.store import intakes
from monitor.store.engine import OperationalError, writing

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.ingest.feeds import Feed

log = get_logger("intake")


def take_in_waiting(monitor: Monitor, *, now: Instant) -> list[Taken]:
    """Take in every file that waits in any feed's drop folder.

    Files that another node has in hand are passed over, and not among the answers.
    """
    taken, quiet = [], []
    take_in_rosters(monitor, now=now)
    for feed in monitor.feeds.values():
        try:
            waiting = waiting_of(monitor, feed)
        except FaultsFound as found:
            log.warning("drop_folder_missing", feed=feed.name, why=str(found))
            continue
        if not waiting:
            quiet.append(feed)
            continue
        here = [_take_in_or_pass_over(monitor, feed, path, now=now) for path in waiting]
        hear_the_rest(monitor, feed, waiting, here, now=now)
        taken += here
    hear_the_quiet(monitor, quiet, now=now)
    return [each for each in taken if each.state not in PASSED_OVER]


def delete_done_files(monitor: Monitor, *, now: Instant) -> int:
    """Delete files that were taken in and have been kept for long enough; returns how many."""
    keep_seconds = monitor.settings.intake.keep_done_days * (DAY // SECOND)
    return len(purge_done(_done(monitor), older_than_seconds=keep_seconds, now=now))


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
        why = f"{CANNOT_BE_TAKEN_IN} ({type(error).__name__}); the log says where"
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
        # By hand it is another's than the daemon's of this name, which may start meanwhile.
        node = f"{monitor.node}, by hand" if keep else monitor.node
        taken = FileReading(monitor, feed, path, digest, now=now).take_in(node, progress=progress)
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
