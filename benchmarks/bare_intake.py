"""What a careful person would write in an evening: the floor that an intake is measured against.

    python benchmarks/bare_intake.py EVENTS.csv.gz

Reads the road traffic log, names each event by its content, stores it durably in batches of
20,000, folds each case under five rules of calendar days and stores the clocks. No checks, no
quarantine, no amendments, no versions, no ladders, no resuming. Prints each part's seconds.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import sqlite3
import sys
import tempfile
import time
from datetime import datetime, timedelta
from itertools import groupby, islice
from pathlib import Path
from zoneinfo import ZoneInfo

ROME = ZoneInfo("Europe/Rome")
RULES = [
    ("r1", "Create Fine", {"Send Fine"}, 90),
    ("r2", "Insert Fine Notification", {"Insert Date Appeal to Prefecture"}, 60),
    ("r3", "Insert Fine Notification", {"Payment"}, 60),
    ("r4", "Insert Fine Notification", {"Add penalty"}, 60),
    ("r5", "Insert Date Appeal to Prefecture", {"Send Appeal to Prefecture"}, 60),
]
SCHEMA = """
CREATE TABLE event (id INTEGER PRIMARY KEY, reference TEXT, kind TEXT, at INTEGER,
                    digest BLOB UNIQUE);
CREATE INDEX event_reference ON event (reference);
CREATE TABLE clock (reference TEXT, rule TEXT, started INTEGER, due INTEGER, stopped INTEGER,
                    PRIMARY KEY (reference, rule));
"""


def main(log: Path, folder: Path) -> dict[str, float]:
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + SCHEMA)
    began = time.perf_counter()
    with gzip.open(log, "rt", newline="") as lines:
        rows = csv.DictReader(lines)
        while batch := list(islice(rows, 20_000)):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT OR IGNORE INTO event (reference, kind, at, digest) VALUES (?, ?, ?, ?)",
                map(event_of, batch),
            )
            connection.execute("COMMIT")
    stored = time.perf_counter()
    told = connection.execute("SELECT reference, kind, at FROM event ORDER BY reference, at")
    cases = groupby(told.fetchall(), key=lambda row: row[0])
    clocks = (clock for reference, events in cases for clock in clocks_of(reference, list(events)))
    while some := list(islice(clocks, 20_000)):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT OR REPLACE INTO clock VALUES (?, ?, ?, ?, ?)", some)
        connection.execute("COMMIT")
    done = time.perf_counter()
    return {"events": stored - began, "clocks": done - stored, "whole": done - began}


def event_of(row: dict[str, str]) -> tuple[str, str, int, bytes]:
    at = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=ROME)
    content = f"{row['case_id']}\x1f{row['event']}\x1f{row['timestamp']}"
    digest = hashlib.blake2b(content.encode(), digest_size=16).digest()
    return row["case_id"], row["event"], int(at.timestamp()) * 1_000_000, digest


def clocks_of(reference: str, events: list[tuple[str, str, int]]) -> list[tuple[object, ...]]:
    found = []
    for rule, start_kind, stop_kinds, days in RULES:
        started = next((at for _, kind, at in events if kind == start_kind), None)
        if started is None:
            continue
        local = datetime.fromtimestamp(started // 1_000_000, ROME).replace(tzinfo=None)
        due = int((local + timedelta(days=days)).replace(tzinfo=ROME).timestamp())
        stops = (at for _, kind, at in events if kind in stop_kinds and at >= started)
        found.append((reference, rule, started, due * 1_000_000, next(stops, None)))
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(main(Path(sys.argv[1]), Path(folder))))
