"""How values of the model become rows, and rows values.

What comes in: values of the model. What goes out: rows in the order of a table's columns, and back.
It does not care how rows are written (`at_once`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

from monitor.model import Clock, ClockKey, Event, KeptClock
from monitor.store.tables import clock

T = TypeVar("T", int, str, bytes)

MOST_VALUES = 10_000
"""Values in one condition: SQLite takes 32,766 in a statement, PostgreSQL 65,535."""

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

CLOCK_FIELDS = Clock._fields[1:]

KEPT_FIELDS = tuple(name for name in KeptClock.__slots__ if name not in ("clock", "inherits"))

KEPT_CLOCK_COLUMNS = tuple(
    clock.c[name] for name in (*CLOCK_KEY_COLUMNS, *CLOCK_FIELDS, *KEPT_FIELDS, "inherits")
)
"""What `kept_clock_of` reads, in its order."""

_KEY_ENDS = len(CLOCK_KEY_COLUMNS)
_CLOCK_ENDS = _KEY_ENDS + len(CLOCK_FIELDS)

_FIELDS_OF_AN_EVENT = tuple(name for name in EVENT_COLUMNS if name != "reference")


def event_columns(
    events: Sequence[Event],
    *,
    case_ids: Sequence[int],
    batch_ids: Sequence[int],
    lines: Sequence[int],
) -> dict[str, Sequence[Any]]:
    """Events by column of their table; the reference of each is that of its case."""
    if not events:
        return {"case_id": ()}
    fields = dict(zip(Event._fields, zip(*events, strict=True), strict=True))
    return {
        "case_id": case_ids,
        "batch_id": batch_ids,
        "line": lines,
        **{name: fields[name] for name in _FIELDS_OF_AN_EVENT},
        "attributes": list(map(_attributes_text, fields["attributes"])),
        "named": list(map(is_named, events)),
    }


def is_named(told: Event) -> bool:
    """Whether its source has a name for an event; otherwise its content is its identity."""
    return told.content not in told.identity


def event_of(row: Sequence[Any]) -> Event:
    """An event from a row in the order of EVENT_COLUMNS and `attributes`."""
    text = row[-1]
    attributes = tuple(sorted(json.loads(text).items())) if text else ()
    return Event._make((*row[:-1], attributes))


def _attributes_text(attributes: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(dict(attributes), ensure_ascii=False) if attributes else ""


def clock_values(told: Clock) -> tuple[Any, ...]:
    """A clock's values in the order of CLOCK_KEY_COLUMNS and CLOCK_FIELDS."""
    return (*told.key, *told[1:])


def clock_columns(clocks: Sequence[Clock]) -> dict[str, Sequence[Any]]:
    """Clocks by column of their table."""
    keys, *fields = zip(*clocks, strict=True)
    by_key = zip(CLOCK_KEY_COLUMNS, zip(*keys, strict=True), strict=True)
    return dict(by_key) | dict(zip(CLOCK_FIELDS, fields, strict=True))


def kept_clock_of(row: Sequence[Any]) -> KeptClock:
    """A clock from a row in the order of KEPT_CLOCK_COLUMNS."""
    key = ClockKey._make(row[:_KEY_ENDS])
    told = Clock._make((key, *row[_KEY_ENDS:_CLOCK_ENDS]))
    kept = dict(zip(KEPT_FIELDS, row[_CLOCK_ENDS:-1], strict=True))
    return KeptClock(clock=told, inherits=tuple(row[-1] or ()), **kept)


def inherits_text(inherits: Sequence[int]) -> str | None:
    """Ids of clocks as the column `inherits` holds them."""
    return json.dumps(list(inherits)) if inherits else None


def in_parts(values: Collection[T]) -> Iterator[list[T]]:
    """Values in order, in parts that one condition can hold; of none, one empty part."""
    ordered = sorted(values)
    for first in range(0, max(len(ordered), 1), MOST_VALUES):
        yield ordered[first : first + MOST_VALUES]
