"""When a feed counts as heard, and up to which instant.

What comes in: a file that was read to its end, or is known already. What goes out: what is kept of
its feed, and the clocks that waited for it woken. It does not care what the file said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.faults import FaultsFound
from monitor.ingest.files import waiting_files
from monitor.ingest.timetable import reached, trusted_until
from monitor.model import Instant
from monitor.store import clocks, intakes
from monitor.store.engine import Connection, reading, writing

if TYPE_CHECKING:
    from monitor.cycle.intake.taken import Taken
    from monitor.cycle.parts import Monitor
    from monitor.ingest.feeds import Feed


def hear(monitor: Monitor, connection: Connection, feed: Feed, path: Path, *, now: Instant) -> None:
    """A file of a feed was read to its end, or known already: the feed is alive.

    While another of its files waits, what it has to say is not known yet: a replay in several files
    would otherwise let clocks be told as overdue whose stops are in the next.
    """
    try:
        waiting = waiting_of(monitor, feed)
    except FaultsFound:  # a file from elsewhere, taken in by hand, needs no drop folder
        waiting = []
    if all(other == path for other in waiting):
        _hear_all(monitor, connection, feed, [path.name], now=now)


def hear_the_rest(
    monitor: Monitor, feed: Feed, tried: Sequence[Path], taken: Sequence[Taken], *, now: Instant
) -> None:
    """Of several files, the last need not be the one that could be read to its end.

    A file that cannot be taken in at all keeps the others' feed from being heard no longer than
    until it was tried. What was read before the process ended, while others waited, counts too.
    """
    read = [each.file for each in taken if each.is_read]
    stuck = {path for path, each in zip(tried, taken, strict=True) if each.is_stuck}
    if not stuck.issuperset(waiting_of(monitor, feed)):
        return
    with reading(monitor.engine) as connection:
        unheard = intakes.read_and_not_heard(connection, feed.name)
    if unheard or (len(tried) > 1 and read):
        with writing(monitor.engine) as connection:
            _hear_all(monitor, connection, feed, [*unheard, *read], now=now)


def hear_the_quiet(monitor: Monitor, feeds: Collection[Feed], *, now: Instant) -> None:
    """Of feeds without a waiting file: what was read and not heard, since its process ended."""
    if not feeds:
        return
    with reading(monitor.engine) as connection:
        unheard = intakes.feeds_not_heard(connection)
    for feed in feeds:
        if feed.name in unheard:
            hear_the_rest(monitor, feed, [], [], now=now)


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


def waiting_of(monitor: Monitor, feed: Feed) -> list[Path]:
    """The files that wait in a feed's drop folder. Raises FaultsFound where there is no folder."""
    return waiting_files(monitor.settings.path(feed.folder), feed.patterns)
