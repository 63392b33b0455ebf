"""A store of any size, filled in a minute: what the monitor made of a thousand cases, repeated.

What comes in: a fresh installation for the road traffic log. What goes out: the same one, holding
so many cases with their events and clocks, each with a reference and digests of its own.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b

from benchmarks.fines import Fines, write_log

REFERENCES_APART = 100
"""Between two stored references there is room for new ones."""

_DIGEST_SIZE = 16
_PATTERN = 250
"""Cases that the monitor itself takes in."""

_AT_ONCE = 40
"""How often those are repeated in one statement."""


def fill(fines: Fines, *, cases: int) -> None:
    """Take in some cases, and repeat their rows until so many are stored."""
    log = fines.folder / "pattern.csv"
    write_log(log, (reference(number) for number in range(_PATTERN)))
    fines.monitor("ingest", str(log), "--feed", "fines")
    connection = sqlite3.connect(fines.file, isolation_level=None)
    connection.create_function("a_digest", 1, _digest, deterministic=True)
    connection.create_function("a_reference", 1, reference, deterministic=True)
    connection.executescript("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA cache_size = -262144")
    times = -(-cases // _PATTERN)
    for first in range(1, times, _AT_ONCE):
        _repeat(connection, first, min(first + _AT_ONCE, times))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def reference(number: int) -> str:
    """The reference of a stored case, in the order of its id."""
    return f"N{number * REFERENCES_APART:09}"


def _digest(number: int) -> bytes:
    return blake2b(number.to_bytes(8, "big"), digest_size=_DIGEST_SIZE).digest()


def _repeat(connection: sqlite3.Connection, first: int, end: int) -> None:
    """Rows of the pattern once more for each number, the case ids moved on by so many patterns."""
    numbers = (
        "WITH RECURSIVE time (n) AS"
        f" (SELECT {first} UNION ALL SELECT n + 1 FROM time WHERE n + 1 < {end})"
    )
    moved = f"{_PATTERN} * n"
    connection.execute("BEGIN")
    _copy(
        connection,
        numbers,
        "case_",
        "id",
        {"id": f"id + {moved}", "reference": f"a_reference(id - 1 + {moved})"},
    )
    # The id numbers every stored event, so its digest gives each copy a content of its own.
    events = connection.execute("SELECT max(id) FROM event WHERE case_id <= ?", (_PATTERN,))
    own = f"a_digest(id + {events.fetchone()[0]} * n)"
    _copy(
        connection,
        numbers,
        "event",
        "case_id",
        {
            "id": None,
            "case_id": f"case_id + {moved}",
            "content": own,
            "identity": f"CAST(substr(identity, 1, length(identity) - {_DIGEST_SIZE}) || {own}"
            " AS BLOB)",
        },
    )
    _copy(connection, numbers, "clock", "case_id", {"id": None, "case_id": f"case_id + {moved}"})
    connection.execute("COMMIT")


def _copy(
    connection: sqlite3.Connection,
    numbers: str,
    table: str,
    case: str,
    changed: dict[str, str | None],
) -> None:
    """Copy a table's pattern; `changed`: column → what it becomes, None where it is numbered."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    taken = [name for name in columns if changed.get(name, "") is not None]
    values = ", ".join(changed.get(name) or f'"{name}"' for name in taken)
    names = ", ".join(f'"{name}"' for name in taken)
    connection.execute(
        f"INSERT INTO {table} ({names}) {numbers}"
        f" SELECT {values} FROM time CROSS JOIN {table} WHERE {case} <= {_PATTERN}"
        f" ORDER BY n, {table}.id"
    )
