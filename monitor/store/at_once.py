"""Rows by the thousand, written at once.

What comes in: rows as tuples, in the order of a table's columns that is named beside them. What
goes out: how many were written. It does not care about transactions, nor what the rows mean.

The driver is asked directly because a row then costs a tuple and not a dictionary: an intake writes
rows by the hundred thousand. What takes the time is a value handed over, and a statement begun. So
a column that is everywhere what its table gives it anyway is left out; SQLite takes many rows in
one statement; PostgreSQL takes them by COPY.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Table,
    Text,
)
from sqlalchemy.exc import IntegrityError

from monitor.model import Instant
from monitor.store.tables import InstantType, zoned

Rows = Sequence[tuple[Any, ...]]

TOGETHER: Final = 200
"""Rows in one statement of SQLite: with the most columns of any table still within what it takes.

Of fewer rows, each is a statement of its own.
"""

COPIED: Final = "monitor_copied_rows"
"""Execution option that holds the rows of a COPY, for `copy_rows` to send."""

_MILLENNIUM: Final[Instant] = 946_684_800_000_000
"""2000-01-01T00:00Z, from which PostgreSQL counts the microseconds of a `timestamptz`."""

_ANYTHING_ELSE: Final = object()


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Rows) -> int:
    """Write many rows; returns how many were new.

    Rows whose key is there already are passed over.
    """
    if len(rows) < TOGETHER:
        return _insert_each(connection, table, tuple(columns), rows)
    by_column = zip(columns, zip(*rows, strict=True), strict=True)
    return insert_columns(connection, table, dict(by_column))


def insert_columns(
    connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]
) -> int:
    """The same for rows that are at hand by column: the values of each, all as many."""
    told = {name: said for name, said in columns.items() if not _is_default(table, name, said)}
    number = len(next(iter(told.values())))
    if number >= TOGETHER and connection.dialect.name == "postgresql":
        return _copy(connection, table, told)
    names, rows = tuple(told), list(zip(*told.values(), strict=True))
    if number < TOGETHER:
        return _insert_each(connection, table, names, rows)
    return _insert_together(connection, table, names, rows)


def update_rows(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    guards: Sequence[str],
    rows: Rows,
) -> int:
    """Write `columns` of many rows in one statement of the driver; returns how many were written.

    Each row's values: first those of `columns`, then those that `guards` must have.
    """
    mark = _mark(connection)
    assigned = ", ".join(f'"{name}" = {mark}' for name in columns)
    guarded = " AND ".join(f'"{name}" = {mark}' for name in guards)
    # The names are those of our own tables, never of an input.
    statement = f'UPDATE "{table.name}" SET {assigned} WHERE {guarded}'  # noqa: S608
    return _execute_many(connection, statement, table, (*columns, *guards), rows)


def copy_rows(cursor: Any, statement: str, _parameters: object, context: Any) -> bool:
    """Send the rows of a COPY instead of executing it; True where the statement is one.

    For SQLAlchemy's event `do_execute`: what goes wrong then goes the way of every other statement.
    """
    copied = context.execution_options.get(COPIED) if context is not None else None
    if copied is None:
        return False
    types, rows = copied
    with cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
    return True


# -- a statement a row ------------------------------------------------------------------------


def _insert_each(connection: Connection, table: Table, columns: tuple[str, ...], rows: Rows) -> int:
    statement = _inserting(table, columns, 1, _mark(connection))
    return _execute_many(connection, statement, table, columns, rows)


def _execute_many(
    connection: Connection, statement: str, table: Table, columns: Sequence[str], rows: Rows
) -> int:
    if not rows:
        return 0
    if connection.dialect.name == "postgresql":
        # It must be told itself what SQLAlchemy would tell it.
        rows = _converted(rows, [zoned if _is_instant(table.c[name]) else None for name in columns])
    return connection.exec_driver_sql(statement, list(rows)).rowcount


def _converted(rows: Rows, converters: Sequence[Callable[[Any], Any] | None]) -> Rows:
    return [
        tuple(
            convert(value) if convert else value
            for convert, value in zip(converters, row, strict=True)
        )
        for row in rows
    ]


@lru_cache(maxsize=256)
def _inserting(table: Table, columns: tuple[str, ...], rows: int, mark: str) -> str:
    """The same text for the same columns, by which the driver knows a statement again."""
    named = ", ".join(f'"{name}"' for name in columns)
    one = f"({', '.join([mark] * len(columns))})"
    values = ", ".join([one] * rows)
    return f'INSERT INTO "{table.name}" ({named}) VALUES {values} ON CONFLICT DO NOTHING'  # noqa: S608 - as above


def _mark(connection: Connection) -> str:
    return "%s" if connection.dialect.name == "postgresql" else "?"


# -- many rows a statement --------------------------------------------------------------------


def _insert_together(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Rows
) -> int:
    whole = len(rows) - len(rows) % TOGETHER
    together = [
        tuple(chain.from_iterable(rows[first : first + TOGETHER]))
        for first in range(0, whole, TOGETHER)
    ]
    statement = _inserting(table, columns, TOGETHER, "?")
    written = connection.exec_driver_sql(statement, together).rowcount
    return written + _insert_each(connection, table, columns, rows[whole:])


def _is_default(table: Table, name: str, values: Sequence[Any]) -> bool:
    """Whether a column says throughout what the table would without it."""
    default = _default(table.c[name])
    return bool(values) and values[0] == default and values.count(default) == len(values)


@lru_cache(maxsize=512)
def _default(column: Column[Any]) -> object:
    """What a table gives a column that is not named; of a blob that is another thing than b""."""
    if column.server_default is None:
        return None if column.nullable else _ANYTHING_ELSE
    text = str(getattr(column.server_default, "arg", ""))
    if isinstance(column.type, Text):
        return text
    return {"0": 0, "1": 1, "false": False}.get(text, _ANYTHING_ELSE)


# -- by COPY ----------------------------------------------------------------------------------


def _copy(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]) -> int:
    """One COPY; a row at a time where a key is there already, which it does not pass over."""
    named = ", ".join(f'"{name}"' for name in columns)
    statement = f'COPY "{table.name}" ({named}) FROM STDIN (FORMAT BINARY)'
    asked = [table.c[name] for name in columns]
    sent = [
        list(map(_since_millennium, values)) if _is_instant(column) else values
        for column, values in zip(asked, columns.values(), strict=True)
    ]
    copied = [_binary_type(column) for column in asked], zip(*sent, strict=True)
    attempt = connection.begin_nested()
    try:
        connection.exec_driver_sql(statement, execution_options={COPIED: copied})
    except IntegrityError:
        attempt.rollback()
        rows = list(zip(*columns.values(), strict=True))
        return _insert_each(connection, table, tuple(columns), rows)
    attempt.commit()
    return len(next(iter(columns.values())))


def _since_millennium(instant: Instant | None) -> int | None:
    return None if instant is None else instant - _MILLENNIUM


def _binary_type(column: Column[Any]) -> str:
    """As what a value is sent: an instant as the integer that a `timestamptz` is inside."""
    kind = column.type
    if isinstance(kind, InstantType):
        return "int8"
    for known, name in _BINARY_TYPES:
        if isinstance(kind, known):
            return name
    message = f"{column} is of a type that is not copied yet"
    raise TypeError(message)


_BINARY_TYPES: Final = (
    (BigInteger, "int8"),
    (Integer, "int4"),
    (Boolean, "bool"),
    (LargeBinary, "bytea"),
    (Text, "text"),
    (JSON, "text"),
)


def _is_instant(column: Column[Any]) -> bool:
    return isinstance(column.type, InstantType)
