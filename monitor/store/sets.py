"""Rows and conditions by the set: one statement whose text is the same however many there are.

What comes in: values of one column, or rows. What goes out: a condition, or what a statement wrote.
A mark for each value, for which a statement is made anew and which the driver must find, costs more
than what is asked: a set goes as one value. PostgreSQL gets rows so too, for each would be a round
trip of its own; SQLite is asked in our own process and takes them one by one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    Text,
    any_,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Boolean, Integer, TypeEngine

from monitor.store.at_once import insert_rows, update_rows
from monitor.store.tables import InstantType

T = TypeVar("T", int, str)

Row = tuple[Any, ...]


def among(
    connection: Connection, column: Column[Any], values: Collection[T]
) -> ColumnElement[bool]:
    """Whether a column has one of some values."""
    if connection.dialect.name != "postgresql":
        given = func.json_each(json.dumps(sorted(values), ensure_ascii=False)).table_valued("value")
        return column.in_(select(given.c.value))
    written = "{" + ",".join(map(_in_array, sorted(values))) + "}"
    element = Text() if isinstance(column.type, Text) else BigInteger()
    return column == any_(cast(literal(written, Text()), ARRAY(element)))


def _in_array(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def insert_set(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]
) -> int:
    """Write rows in their order; returns how many were new.

    Rows whose key is there already are passed over.
    """
    if not rows or connection.dialect.name != "postgresql":
        return insert_rows(connection, table, columns, rows)
    return connection.exec_driver_sql(_insert(table, tuple(columns)), (_told(rows),)).rowcount


def update_set(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    guards: Sequence[str],
    rows: Sequence[Row],
) -> int:
    """Write `columns` of those rows that still have what `guards` must have; returns how many.

    Each row's values: first those of `columns`, then those of `guards`; no two are of one row.
    """
    if not rows or connection.dialect.name != "postgresql":
        return update_rows(connection, table, columns, guards, rows)
    statement = _update(table, tuple(columns), tuple(guards))
    return connection.exec_driver_sql(statement, (_told(rows),)).rowcount


def _told(rows: Sequence[Row]) -> str:
    return json.dumps(rows, ensure_ascii=False)


@lru_cache
def _insert(table: Table, columns: tuple[str, ...]) -> str:
    # The names are those of our own tables, never of an input.
    named = ", ".join(f'"{name}"' for name in columns)
    return (
        f'INSERT INTO "{table.name}" ({named}) SELECT {_values(table, columns)}'  # noqa: S608
        f" FROM {_ROWS} ORDER BY place ON CONFLICT DO NOTHING"
    )


@lru_cache
def _update(table: Table, columns: tuple[str, ...], guards: tuple[str, ...]) -> str:
    named = (*(f"set_{name}" for name in columns), *(f"has_{name}" for name in guards))
    assigned = ", ".join(f'"{name}" = told.set_{name}' for name in columns)
    guarded = " AND ".join(f'"{table.name}"."{name}" = told.has_{name}' for name in guards)
    values = _values(table, (*columns, *guards))
    return (
        f'UPDATE "{table.name}" SET {assigned}'  # noqa: S608 - as above
        f" FROM (SELECT {values} FROM {_ROWS}) AS told ({', '.join(named)}) WHERE {guarded}"
    )


_ROWS: Final = "jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS given (value, place)"


def _values(table: Table, columns: Sequence[str]) -> str:
    return ", ".join(
        _read(table.c[name].type).format(value=f"(given.value ->> {place})")
        for place, name in enumerate(columns)
    )


def _read(type_: TypeEngine[Any]) -> str:
    """How PostgreSQL reads a value of one of our types from text."""
    if isinstance(type_, InstantType):
        # Whole seconds and what is left of them: in one number a float would not be exact for ever.
        return (
            "to_timestamp({value}::bigint / 1000000)"
            " + mod({value}::bigint, 1000000) * interval '1 microsecond'"
        )
    if isinstance(type_, Boolean):
        return "{value}::boolean"
    if isinstance(type_, Integer | BigInteger):
        return "{value}::bigint"
    assert isinstance(type_, Text), type_
    return "{value}"
