"""Whether anything was put into a drop folder since the last look, without looking into it.

What comes in: an installation. What goes out: the state of its drop folders, which differs when a
file was given its final name there. To ask costs a system call for each folder, so that a daemon
can ask several times a second; what it misses is found when the folders are next read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.cycle.parts import Monitor


def drop_folders_state(monitor: Monitor) -> tuple[int, ...]:
    """When each drop folder was last changed, by its own file system; 0 where it is not there."""
    return tuple(_changed_at(folder) for folder in _folders(monitor))


def _folders(monitor: Monitor) -> Iterator[Path]:
    settings = monitor.settings
    for feed in monitor.feeds.values():
        yield settings.path(feed.folder)
    if settings.people.roster_folder:
        yield settings.path(settings.people.roster_folder)
    if settings.mailbox.folder:
        yield settings.path(settings.mailbox.folder) / "new"


def _changed_at(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
