"""Whether anything was put into a drop folder since the last look, without looking into it.

What comes in: an installation. What goes out: its drop folders, and their state, which differs when
a file was given its final name there. To ask costs a system call for each folder, so that a daemon
can ask several times a second; what it misses is found when the folders are next read.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from monitor.cycle.parts import Monitor


def drop_folders(monitor: Monitor) -> tuple[str, ...]:
    """Where files and mails are dropped."""
    return tuple(map(str, _folders(monitor)))


def state_of(folders: Iterable[str]) -> tuple[int, ...]:
    """When each folder was last changed, by its own file system; 0 where it is not there."""
    return tuple(map(_changed_at, folders))


def _folders(monitor: Monitor) -> Iterator[Path]:
    settings = monitor.settings
    for feed in monitor.feeds.values():
        yield settings.path(feed.folder)
    if settings.people.roster_folder:
        yield settings.path(settings.people.roster_folder)
    if settings.mailbox.folder:
        yield settings.path(settings.mailbox.folder) / "new"


def _changed_at(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - asked for ever: a Path costs more than the call
    except OSError:
        return 0
