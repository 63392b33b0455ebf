"""The connection to the database: how it is opened, and what a transaction is.

What comes in: a database address. What goes out: an engine whose transactions read and write one
state of the world. It does not care what is stored.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from monitor.model import Instant

BUSY_SECONDS = 30
"""How long a writer waits for another before it gives up."""


class WrongOwner(Exception):
    """The database file belongs to another user: what is written now could not be read later."""


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql://…`. Raises WrongOwner for another's file."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return create_engine(address, pool_pre_ping=True, pool_size=8)
    if address.database and address.database != ":memory:":
        _make_private(Path(address.database))
    engine = create_engine(
        address,
        poolclass=QueuePool,
        pool_size=8,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private(path: Path) -> None:
    """A new file is readable by its owner alone; another user's file is refused."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        return
    owner = path.stat().st_uid
    if owner != os.geteuid():
        msg = (
            f"{path} belongs to user number {owner}, and you are {os.geteuid()}."
            f" Run the command as its owner: sudo -u '#{owner}' monitor …"
        )
        raise WrongOwner(msg)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(0o600)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Durable, concurrent, with foreign keys. The driver is told to leave transactions to us."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = -65536")
    cursor.execute("PRAGMA wal_autocheckpoint = 8000")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the lock at once where a transaction writes.

    One that reads first and writes later would otherwise lose updates, or fail when another wrote
    in between.
    """
    mode = "DEFERRED" if connection.get_execution_options().get("read_only") else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {mode}")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes: all of it is kept, or none."""
    with engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that only reads, and sees one state of the world throughout."""
    with engine.connect().execution_options(read_only=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        yield connection


def take_turn(connection: Connection, what: str) -> None:
    """Wait until nobody else does what only one may do at a time, and keep it until the commit.

    On SQLite a transaction that writes is alone anyhow.
    """
    if connection.dialect.name == "postgresql":
        key = zlib.crc32(what.encode())
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def database_now(connection: Connection) -> Instant:
    """The database's own time, by which leases run."""
    if connection.dialect.name == "postgresql":
        asked = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    else:
        asked = "SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
    return int(connection.execute(text(asked)).scalar_one())


__all__ = [
    "Connection",
    "Engine",
    "OperationalError",
    "WrongOwner",
    "database_now",
    "open_engine",
    "reading",
    "take_turn",
    "writing",
]
