"""The connection to the database: how it is opened, and what a transaction is.

What comes in: a database address. What goes out: an engine whose transactions read and write one
state of the world. It does not care what is stored.
"""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, RowMapping, create_engine, event, make_url, text
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import QueuePool

from monitor.logs import get_logger
from monitor.model import Instant
from monitor.store.at_once import copy_rows
from monitor.store.places import NetworkFile, must_be_local, stays_in_place

log = get_logger("store")

T = TypeVar("T")

BUSY_SECONDS = 30
"""How long a writer waits for another before it gives up."""

ATTEMPTS: Final = 6
"""How often a transaction is tried that has to give way to others."""

STANDS_STILL_SECONDS: Final = 30
"""How long a transaction that writes may ask for nothing: its machine is suspended, or gone."""

_STOOD_STILL: Final = "25P03"
_GAVE_WAY: Final = frozenset({"40001", "40P01", _STOOD_STILL})
"""SQLSTATE of a failure to serialise, of a deadlock, and of having stood still for too long.

Another was served first, that is all.
"""

_READS: Final[dict[str, Any]] = {"read_only": True}
_READS_ON_POSTGRESQL: Final = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

_NOW: Final = {
    "sqlite": text("SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"),
    "postgresql": text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"),
}
"""By dialect."""

_SQLITE: Final = b"SQLite format 3\0"
"""How a database file begins; a new one is empty."""


class WrongOwner(Exception):
    """The database file belongs to another user: what is written now could not be read later."""


class NotADatabase(Exception):
    """The file is there and is something else."""


class DatabaseGone(Exception):
    """The database's file is not there."""


def open_engine(url: str, *, must_exist: bool = False) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql://…`.

    Raises WrongOwner for another's file, NetworkFile for one on a network file system, NotADatabase
    for one that is something else; and, where it `must_exist`, DatabaseGone for one that is not
    there, which otherwise is made.
    """
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        engine = create_engine(address, pool_pre_ping=True, pool_size=8)
        event.listen(engine, "connect", _prepare_postgresql)
        event.listen(engine, "do_execute", copy_rows)
        return engine
    file = Path(address.database) if address.database not in {None, "", ":memory:"} else None
    if file is not None:
        must_be_local(file)
        if must_exist and not file.exists():
            raise DatabaseGone(_gone(file))
        _make_private(file)
        _must_be_sqlite(file)
    engine = create_engine(
        address,
        poolclass=QueuePool,
        pool_size=8,
        pool_use_lifo=True,  # the one that has the pages and the statements at hand
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    if file is not None:
        _watch_its_place(engine, file)
    return engine


def _watch_its_place(engine: Engine, file: Path) -> None:
    """Every transaction is of the file that was opened first, and none makes a new one."""
    look = stays_in_place(file)
    event.listen(engine, "do_connect", lambda *_: look())
    event.listen(engine, "checkout", lambda *_: look())


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


def _must_be_sqlite(path: Path) -> None:
    """SQLite itself says so only when it is asked for something."""
    with path.open("rb") as file:
        begins = file.read(len(_SQLITE))
    if begins and begins != _SQLITE:
        msg = f"{path} is not an SQLite database: put the right file there, or restore a copy"
        raise NotADatabase(msg)


def _gone(path: Path) -> str:
    return (
        f"there is no database at {path}: put it back, or restore a copy;"
        " `monitor migrate` makes a new one, in which nothing is known"
    )


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


def _prepare_postgresql(connection: Any, _record: object) -> None:
    """Nobody waits for long on the locks of one who stands still.

    The server takes back the transaction of a suspended machine; when that goes on, it learns so.
    """
    connection.autocommit = True
    connection.execute(f"SET idle_in_transaction_session_timeout = '{STANDS_STILL_SECONDS}s'")
    connection.autocommit = False


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


def in_transaction(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Do some work in one transaction that writes; again where it had to give way to another.

    The database ends a deadlock by choosing a victim, and takes back what stood still; nothing of
    it is kept then, it is only late. Any other fault is raised at once, and this one too when it
    does not pass. `work` may be called several times: it changes nothing but the database.
    """
    for attempt in count(1):
        try:
            with writing(engine) as connection:
                return work(connection)
        except DBAPIError as error:
            if attempt == ATTEMPTS or not gave_way(error):
                raise
            log.info("transaction_gave_way", attempt=attempt)
            time.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311 - parts two, hides nothing
    raise AssertionError


def gave_way(error: DBAPIError) -> bool:
    """Whether the database took a transaction back only because another was in its way."""
    return _state(error) in _GAVE_WAY


def _state(error: BaseException) -> object:
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def is_unusable(error: BaseException) -> bool:
    """Whether the database itself cannot be used: out of reach, locked, full, gone, or no database.

    Anything else that goes wrong is the program's fault.
    """
    broken = (
        *(OperationalError, InterfaceError, NoConnection, sqlite3.OperationalError),
        *(NotADatabase, DatabaseGone),
    )
    is_broken = isinstance(error, broken) or type(error) is DatabaseError
    return is_broken or _state(error) == _STOOD_STILL


def why_unusable(error: BaseException) -> str:
    """What a database said when it could not be used, in one line."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


def take_stock(engine: Engine, *tables: str) -> None:
    """Let PostgreSQL know what some tables hold, where they grew manyfold within a minute.

    It looks by itself once a minute; until then it would read whole tables for what an index holds
    a handful of. Tables of another owner it passes over.
    """
    if engine.dialect.name == "postgresql":
        with writing(engine) as connection:
            connection.execute(text(f"ANALYZE {', '.join(tables)}"))


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that only reads, and sees one state of the world throughout.

    It is in nobody's way, so it may think for as long as it likes.
    """
    is_postgresql = engine.dialect.name == "postgresql"
    options = _READS | (_READS_ON_POSTGRESQL if is_postgresql else {})
    with engine.connect().execution_options(**options) as connection, connection.begin():
        if is_postgresql:
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield connection


def take_turn(connection: Connection, what: str) -> None:
    """Wait until nobody else does what only one may do at a time, and keep it until the commit.

    On SQLite a transaction that writes is alone anyhow.
    """
    _lock_by_name(connection, "pg_advisory_xact_lock", what)


def share_turn(connection: Connection, what: str) -> None:
    """Let nobody take a turn until the commit; any number may share it.

    Whoever takes the turn is served in order: those who share it cannot keep it out for ever.
    """
    _lock_by_name(connection, "pg_advisory_xact_lock_shared", what)


def _lock_by_name(connection: Connection, function: str, what: str) -> None:
    if connection.dialect.name == "postgresql":
        key = zlib.crc32(what.encode())
        connection.execute(text(f"SELECT {function}(:key)"), {"key": key})


def database_now(connection: Connection) -> Instant:
    """The database's own time, by which leases run."""
    return int(connection.execute(_NOW[connection.dialect.name]).scalar_one())


__all__ = [
    "Connection",
    "DatabaseGone",
    "Engine",
    "NetworkFile",
    "NotADatabase",
    "OperationalError",
    "RowMapping",
    "WrongOwner",
    "database_now",
    "gave_way",
    "in_transaction",
    "is_unusable",
    "open_engine",
    "reading",
    "share_turn",
    "take_stock",
    "take_turn",
    "why_unusable",
    "writing",
]
