"""Rows by the thousand: how values of the model become rows, and how rows are written at once.

What comes in: values of the model. What goes out: rows in the order of a table's columns, and back.
It does not care about transactions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table

from monitor.model import Clock, ClockKey, Event, KeptClock
from monitor.store.tables import InstantType, clock, event, zoned

EVENT_COLUMNS = (
    "feed",
    "identity",
    "revision",
    "content",
    "reference",
    "kind",
    "occurred_from",
    "occurred_to",
    "recorded_at",
    "received_at",
    "partner",
    "organisation",
    "child",
    "category",
    "risk",
    "district",
    "unit",
    "decision",
    "reason_code",
    "review_at",
    "retracts",
    "links",
)
"""Fields of an event in the order of the tuple; `attributes` follow as JSON."""

CLOCK_KEY_COLUMNS = ("rule", "child", "organisation", "start")

CLOCK_FIELDS = tuple(name for name in Clock.__slots__ if name != "key")

EventRow = tuple[Any, ...]

INSERTED_EVENT_COLUMNS = (
    "case_id",
    "batch_id",
    "line",
    *(name for name in EVENT_COLUMNS if name != "reference"),
    "attributes",
)
_REFERENCE_AT = EVENT_COLUMNS.index("reference")


def event_row(told: Event, *, case_id: int, batch_id: int, line: int) -> EventRow:
    """An event as a row in the order of INSERTED_EVENT_COLUMNS; its reference is the case's."""
    fields = told[:_REFERENCE_AT] + told[_REFERENCE_AT + 1 : -1]
    return (case_id, batch_id, line, *fields, _attributes_text(told.attributes))


def event_of(row: Sequence[Any]) -> Event:
    """An event from a row in the order of EVENT_COLUMNS and `attributes`."""
    text = row[-1]
    attributes = tuple(sorted(json.loads(text).items())) if text else ()
    return Event(*row[:-1], attributes)


def _attributes_text(attributes: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(dict(attributes), ensure_ascii=False) if attributes else ""


def clock_values(told: Clock) -> tuple[Any, ...]:
    """A clock's values in the order of CLOCK_KEY_COLUMNS and CLOCK_FIELDS."""
    return (*told.key, *(getattr(told, name) for name in CLOCK_FIELDS))


def kept_clock_of(row: Row[Any]) -> KeptClock:
    """A clock from a row that has every column of the table."""
    values = row._mapping
    told = Clock(
        key=ClockKey(*(values[name] for name in CLOCK_KEY_COLUMNS)),
        **{name: values[name] for name in CLOCK_FIELDS},
    )
    return KeptClock(
        id=values["id"],
        case_id=values["case_id"],
        clock=told,
        episode=values["episode"],
        steps_done=values["steps_done"],
        revision=values["revision"],
        inherits=tuple(values["inherits"] or ()),
        next_action_at=values["next_action_at"],
        waits_for=values["waits_for"],
        due_before=values["due_before"],
    )


def insert_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> int:
    """Write many rows in one statement of the driver; returns how many were new.

    Rows whose key is there already are passed over. The driver is asked directly because a row
    then costs a tuple and not a dictionary: an intake writes them by the hundred thousand.
    """
    if not rows:
        return 0
    named = ", ".join(f'"{name}"' for name in columns)
    if connection.dialect.name == "postgresql":
        rows = list(_with_zoned_instants(table, columns, rows))
    mark = "%s" if connection.dialect.name == "postgresql" else "?"
    marks = ", ".join([mark] * len(columns))
    statement = f"INSERT INTO {table.name} ({named}) VALUES ({marks}) ON CONFLICT DO NOTHING"
    return connection.exec_driver_sql(statement, list(rows)).rowcount


def _with_zoned_instants(
    table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> Iterable[tuple[Any, ...]]:
    instants = [isinstance(table.c[name].type, InstantType) for name in columns]
    converters: list[Callable[[Any], Any] | None] = [zoned if is_one else None for is_one in instants]
    for row in rows:
        yield tuple(
            convert(value) if convert else value
            for convert, value in zip(converters, row, strict=True)
        )


__all__ = [
    "CLOCK_FIELDS",
    "CLOCK_KEY_COLUMNS",
    "EVENT_COLUMNS",
    "INSERTED_EVENT_COLUMNS",
    "clock",
    "clock_values",
    "event",
    "event_of",
    "event_row",
    "insert_rows",
    "kept_clock_of",
]
