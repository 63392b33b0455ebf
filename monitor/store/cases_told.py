"""What the store knows of a reference that somebody names: set aside, or never received.

What comes in: references. What goes out: rows set aside that declare them. It does not care why
they are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Text, cast, or_, select

from monitor.model import Instant
from monitor.store.tables import intake, quarantine

_AT_ONCE = 50


class RowAside(NamedTuple):
    """One field of one row that was set aside."""

    reference: str
    """The reference by which it was asked for."""
    feed: str
    file_name: str
    line: int
    field: str
    reason: str
    state: str
    """`open`, or `mended`: its event was stored after all."""
    first_seen_at: Instant
    last_seen_at: Instant


def rows_set_aside(connection: Connection, references: Collection[str]) -> list[RowAside]:
    """Rows set aside in which any declared field is one of some references, oldest first."""
    wanted = sorted(references)
    found: list[RowAside] = []
    for first in range(0, len(wanted), _AT_ONCE):
        found += _some(connection, wanted[first : first + _AT_ONCE])
    return sorted(found, key=lambda row: (row.reference, row.first_seen_at, row.feed, row.line))


def _some(connection: Connection, references: Collection[str]) -> list[RowAside]:
    declared = cast(quarantine.c.declared, Text)
    asked = (
        select(
            quarantine.c.feed,
            intake.c.file_name,
            quarantine.c.line,
            quarantine.c.field,
            quarantine.c.reason,
            quarantine.c.state,
            quarantine.c.first_seen_at,
            quarantine.c.last_seen_at,
            quarantine.c.declared,
        )
        .join(intake, intake.c.id == quarantine.c.intake_id)
        .where(or_(*(declared.contains(_written(each), autoescape=True) for each in references)))
        .order_by(quarantine.c.id)
    )
    return [
        RowAside(reference, *row[:-1])
        for row in connection.execute(asked)
        for reference in references
        if _declares(row[-1], reference)
    ]


def _written(reference: str) -> str:
    """How JSON text holds a reference, without its quotes."""
    return json.dumps(reference, ensure_ascii=False)[1:-1]


def _declares(declared: Mapping[str, Any], reference: str) -> bool:
    return any(isinstance(told, str) and told.strip() == reference for told in declared.values())
