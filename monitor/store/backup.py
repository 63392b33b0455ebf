"""One portable copy of the whole database, and the way back.

What comes in: a database of either sort that daemons work with meanwhile. What goes out: a private
SQLite file of the same schema that holds one state of the world; and from such a file the rows of
an empty database of either sort. It does not care what the rows mean, but for two things: in a copy
all mail is held, and nothing in it belongs to a daemon any more.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import JSON, Column, Table, Text, cast, delete, func, select, text, update
from sqlalchemy.exc import DatabaseError

from monitor.model import Instant
from monitor.store.actions import audit_breaks_at, write_audit
from monitor.store.at_once import insert_rows, update_rows
from monitor.store.engine import (
    Connection,
    Engine,
    NotADatabase,
    open_engine,
    reading,
    take_turn,
    writing,
)
from monitor.store.identity import hold_mail, identify, standing, word_on_mail
from monitor.store.schema import is_current, migrate
from monitor.store.tables import intake, loop_turn, message, metadata, node

RESTORED: Final = "restored"
"""Why mail is held in a copy."""

AT_ONCE: Final = 500
"""Rows that are held in memory at a time; a mail with its chart is 80 KB."""

OF_DAEMONS: Final = (node, loop_turn)
"""Who works with a database is no part of what it knows."""

Rows: TypeAlias = list[tuple[Any, ...]]


class CannotCopy(Exception):
    """No copy was made, or none restored; nothing was changed. The message says why."""


class Account(NamedTuple):
    """What a copy holds."""

    identity: str
    last_number: int
    """Up to which number everything that was made known is in it."""
    rows: dict[str, int]
    """Table → rows."""
    audit_breaks_at: int | None
    """The first row of the audit log that does not follow from those before; None: it is whole."""


# -- out --------------------------------------------------------------------------------------


def make_copy(engine: Engine, file: Path, *, actor: str, now: Instant) -> Account:
    """Copy a database into a new file, which its owner alone can read.

    Under the file's own name there is a whole copy or nothing. Raises CannotCopy.
    """
    if not is_current(engine):
        raise CannotCopy(
            "the database is not at this program's schema: make the copy with the version of the"
            " program that worked with it, or type `monitor migrate` first"
        )
    if file.exists():
        raise CannotCopy(f"{file} is there already: a copy overwrites nothing")
    if not file.parent.is_dir():
        raise CannotCopy(f"{file.parent} is no folder")
    _log(engine, "consultation", "backup", actor=actor, now=now)
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        unfinished.touch(mode=0o600, exist_ok=False)
        if engine.dialect.name == "sqlite":
            _copy_pages(engine, unfinished)
        else:
            _copy_rows(engine, unfinished)
        account = _settled(unfinished, actor=actor, now=now)
        _finish(unfinished, file)
    except (OSError, sqlite3.Error) as error:
        raise CannotCopy(f"no copy was made: {error}") from error
    finally:
        for part in (unfinished, *_beside(unfinished)):
            with suppress(OSError):
                part.unlink()
    return account


def _log(engine: Engine, operation: str, what: str, *, actor: str, now: Instant) -> None:
    """Whoever copies a database has all of it before them."""
    with writing(engine) as connection:
        identify(connection)
        write_audit(
            connection,
            operation=operation,
            actor=actor,
            subject="the whole database",
            now=now,
            detail={"by": what},
        )


def _copy_pages(engine: Engine, file: Path) -> None:
    """SQLite's own copying, in one step: readers of a WAL hold up no writer.

    In several steps it would begin anew with every write of another process, and never end.
    """
    with closing(engine.raw_connection()) as source, closing(sqlite3.connect(file)) as target:
        driver: Any = source.driver_connection
        driver.backup(target, pages=-1)


def _copy_rows(engine: Engine, file: Path) -> None:
    """Row by row, in one transaction that sees one state of the world."""
    with _opened(file) as copy:
        migrate(copy)
        with reading(engine) as source, writing(copy) as target:
            for table in metadata.sorted_tables:
                _carry(source, target, table)


def _settled(file: Path, *, actor: str, now: Instant) -> Account:
    """Make a copy safe, whoever puts it to use and however; it becomes one file."""
    with _opened(file) as copy:
        with writing(copy) as connection:
            if connection.scalar(text("PRAGMA quick_check(1)")) != "ok":
                raise CannotCopy(f"{file.name} is damaged")
            _make_safe(connection, actor=actor, now=now)
            account = _account(connection)
        with closing(copy.raw_connection()) as raw:
            driver: Any = raw.driver_connection
            driver.execute("PRAGMA journal_mode = DELETE")
    return account


def _make_safe(connection: Connection, *, actor: str, now: Instant) -> None:
    """Hold all mail, and take back what daemons held: they do not work with this copy."""
    for table in OF_DAEMONS:
        connection.execute(delete(table))
    for leased in (message, intake):
        of_somebody = (leased.c.lease_token != "") | leased.c.lease_until.is_not(None)
        connection.execute(
            update(leased).where(of_somebody).values(lease_token="", lease_until=None)
        )
    if word_on_mail(connection).reason_code != RESTORED:
        hold_mail(connection, reason_code=RESTORED, actor=actor, now=now)


def _finish(unfinished: Path, file: Path) -> None:
    """Give a whole copy its name, when the disk has all of it."""
    _flush(unfinished)
    try:
        os.link(unfinished, file)
    except FileExistsError:
        raise CannotCopy(f"{file} is there already: a copy overwrites nothing") from None
    except OSError:  # a file system without hard links
        unfinished.rename(file)
    _flush(file.parent)


def _flush(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


# -- back -------------------------------------------------------------------------------------


def restore_copy(file: Path, engine: Engine, *, scratch: Path, actor: str, now: Instant) -> Account:
    """Fill an empty database from a copy; all of it or nothing.

    The copy may be of an older schema; it is not changed. `scratch`: a private folder with room for
    it. Raises CannotCopy where the database is not empty or the file is no whole copy, and
    SchemaNotCurrent where the copy is newer than this program.
    """
    if any(part.exists() for part in _beside(file)):
        raise CannotCopy(f"{file} is a database in use, and no copy: use `monitor backup`")
    migrate(engine)
    with (
        _working_copy(file, scratch, actor=actor, now=now) as copy,
        reading(copy) as source,
        writing(engine) as target,
    ):
        take_turn(target, "restore")
        _must_be_empty(target)
        for table in metadata.sorted_tables:
            _carry(source, target, table)
        _number_on(target)
        account = _account(target)
    _log(engine, "alteration", "restore", actor=actor, now=now)
    return account


@contextmanager
def _working_copy(file: Path, scratch: Path, *, actor: str, now: Instant) -> Iterator[Engine]:
    """A copy of the copy, at today's schema."""
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".restoring-") as folder:
        path = Path(folder) / "copy.db"
        try:
            path.touch(mode=0o600)
            shutil.copyfile(file, path)
            with _opened(path) as copy:
                if not _is_ours(copy):
                    raise CannotCopy(f"{file} is no copy of a monitor's database")
                migrate(copy)
            _settled(path, actor=actor, now=now)
        except OSError as error:
            raise CannotCopy(f"{file} cannot be read: {error.strerror}") from error
        except DatabaseError as error:
            raise CannotCopy(f"{file} is no whole copy: {error.orig}") from error
        except NotADatabase as error:
            raise CannotCopy(f"{file} is no whole copy: it is no database") from error
        with _opened(path) as copy:
            yield copy


def _is_ours(copy: Engine) -> bool:
    with reading(copy) as connection:
        asked = (
            "SELECT count(*) FROM sqlite_master WHERE name IN ('alembic_version', 'known_number')"
        )
        return bool(connection.scalar(text(asked)) == 2)  # noqa: PLR2004 - the two that are named


def _must_be_empty(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        if connection.execute(select(table).limit(1)).first() is not None:
            raise CannotCopy(
                f"the database is not empty (there are rows in {table.name}): a copy is restored"
                " into an empty one only"
            )


def _number_on(connection: Connection) -> None:
    """PostgreSQL numbers rows apart from their keys; SQLite goes on from the greatest."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        if "id" in table.c:
            greatest = select(func.max(table.c.id)).scalar_subquery()
            sequence = func.pg_get_serial_sequence(table.name, "id")
            connection.execute(
                select(func.setval(sequence, func.coalesce(greatest, 1), greatest.is_not(None)))
            )


# -- rows -------------------------------------------------------------------------------------


def _carry(source: Connection, target: Connection, table: Table) -> None:
    """All rows of a table, exactly as they are."""
    names = [column.name for column in table.c]
    pointer = next((names.index(each.name) for each in table.c if _is_pointer(each)), None)
    carried = written = 0
    pointing: Rows = []
    for rows in portable_rows(source, table):
        carried += len(rows)
        if pointer is not None:
            pointing += [(row[pointer], row[0]) for row in rows if row[pointer] is not None]
            written += insert_rows(target, table, names, [_unpointed(row, pointer) for row in rows])
        else:
            written += insert_rows(target, table, names, rows)
    if written != carried:
        raise CannotCopy(f"{table.name}: {carried} rows were read, and {written} could be written")
    if pointer is not None:
        update_rows(target, table, (names[pointer],), (names[0],), pointing)


def portable_rows(connection: Connection, table: Table) -> Iterator[Rows]:
    """The rows of a table in the order of its key, some at a time, alike from either database.

    Instants are integers, digests bytes, truth is a bool, and JSON is the text as it was written:
    read as a value, an absent one could not be told from its null.
    """
    columns = [cast(each, Text) if isinstance(each.type, JSON) else each for each in table.c]
    asked = select(*columns).order_by(*table.primary_key.columns)
    result = connection.execute(asked, execution_options={"yield_per": AT_ONCE})
    for part in result.partitions():
        yield [tuple(row) for row in part]


def _is_pointer(column: Column[Any]) -> bool:
    """Whether a column names another row of its own table, which may come later."""
    return any(key.column.table is column.table for key in column.foreign_keys)


def _unpointed(row: tuple[Any, ...], at: int) -> tuple[Any, ...]:
    return (*row[:at], None, *row[at + 1 :])


def _account(connection: Connection) -> Account:
    found = standing(connection)
    rows = {
        table.name: int(connection.scalar(select(func.count()).select_from(table)) or 0)
        for table in metadata.sorted_tables
    }
    return Account(found.identity, found.last_number, rows, audit_breaks_at(connection))


@contextmanager
def _opened(file: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{file}")
    try:
        yield engine
    finally:
        engine.dispose()


def _beside(file: Path) -> list[Path]:
    """What SQLite lays beside a file while it is in use."""
    return [file.with_name(file.name + ending) for ending in ("-wal", "-shm", "-journal")]
