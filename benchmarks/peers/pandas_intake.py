"""The plain way to take in a log with pandas: no checks, no amendments, no versions, no resuming.

    python pandas_intake.py EVENTS.csv DATABASE RULE:START:STOP,STOP:DAYS …

Reads three columns, stores the events durably, then for each rule finds a case's earliest start
and the first stop at or after it, and stores the clocks. Prints the seconds of each part.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time

BEGAN = time.perf_counter()

import pandas as pd  # noqa: E402 - what it takes to be imported is part of what is measured


def main(log: str, database: str, rules: list[str]) -> dict[str, float]:
    imported = time.perf_counter()
    events = pd.read_csv(log, usecols=["case_id", "event", "timestamp"])
    events["timestamp"] = pd.to_datetime(events["timestamp"], utc=True, format="ISO8601")
    was_read = time.perf_counter()
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    events.to_sql("event", connection, index=False)
    connection.execute("CREATE INDEX event_case ON event (case_id)")
    stored = time.perf_counter()
    clocks = sum(
        clocks_of(events, rule).to_sql("clock", connection, index=False, if_exists="append")
        for rule in rules
    )
    connection.execute("CREATE INDEX clock_case ON clock (case_id)")
    connection.commit()
    done = time.perf_counter()
    return {
        "imports": imported - BEGAN,
        "read": was_read - imported,
        "events": stored - was_read,
        "clocks": done - stored,
        "events_stored": len(events),
        "clocks_stored": clocks,
    }


def clocks_of(events: pd.DataFrame, rule: str) -> pd.DataFrame:
    name, start, stops, days = rule.split(":")
    starts = events[events["event"] == start].groupby("case_id")["timestamp"].min()
    clocks = starts.rename("started_at").reset_index()
    clocks["due_at"] = clocks["started_at"] + pd.Timedelta(days=int(days))
    stopping = events[events["event"].isin(stops.split(","))][["case_id", "timestamp"]]
    pairs = clocks.merge(stopping, on="case_id")
    pairs = pairs[pairs["timestamp"] >= pairs["started_at"]]
    stopped = pairs.groupby("case_id")["timestamp"].min().rename("stopped_at")
    clocks = clocks.merge(stopped, on="case_id", how="left")
    clocks["rule"] = name
    return clocks


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], sys.argv[3:])))
