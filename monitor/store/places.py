"""Where an SQLite file may lie: on a disk of this machine, in its place.

What comes in: the file's path. What goes out: nothing, or why no database may be opened there. It
does not care what is in the file.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/self/mounts")

OF_OTHER_MACHINES: Final = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda"),
        *("ceph", "glusterfs", "lustre", "gpfs", "beegfs", "orangefs", "ocfs2", "gfs2"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.rclone", "fuse.s3fs", "davfs"),
    }
)
"""File systems that several machines write to. SQLite's write-ahead log shares memory between the
processes that use it, which no network carries: two machines would destroy the file."""


class NetworkFile(Exception):
    """The database file lies on a network file system."""


def must_be_local(file: Path, mounts: Path = MOUNTS) -> None:
    """Raises NetworkFile; says nothing where the machine does not tell what is mounted."""
    try:
        mounted = dict(_mounted(mounts.read_text(encoding="utf-8", errors="surrogateescape")))
    except OSError:
        return
    place = file.resolve()
    at = next((each for each in (place, *place.parents) if str(each) in mounted), None)
    kind = mounted.get(str(at), "")
    if kind in OF_OTHER_MACHINES:
        raise NetworkFile(
            f"{file} lies on a network file system ({kind}, mounted at {at}), where SQLite loses"
            " what it was given. Move it to a disk of this machine, or use PostgreSQL:"
            " database.url = postgresql://USER@HOST/NAME"
        )


def _mounted(text: str) -> Iterator[tuple[str, str]]:
    """Mount point and type, line by line; of two at one place the later is seen."""
    for line in text.splitlines():
        _, place, kind, *_ = line.split(" ")
        yield re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), place), kind


def stays_in_place(file: Path) -> Callable[[], None]:
    """A look that fails once another file lies at a path, or none.

    SQLite would go on with a file that was deleted, and all of it would be lost with the process;
    and a new connection would work with another file than those before it.
    """
    known = _identity(file)

    def look() -> None:
        if _identity(file) != known:
            raise sqlite3.OperationalError(
                f"{file} was taken away or replaced: put it back, or start anew"
            )

    return look


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - asked at every transaction
    except OSError:
        return None
    return status.st_dev, status.st_ino
