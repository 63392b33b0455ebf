"""The same group-bys on the same clocks by DuckDB, from Parquet.

    python digest.py DATABASE SINCE UNTIL AS_OF FOLDER REPEATS

Takes the clocks out of the SQLite file into Parquet, which is not timed, and then counts: duties by
rule, by partner and in all; how long they took, at the median, the 90th percentile and the longest;
cases; and the open ones by risk and age. Of what is exempt, void or superseded nothing, nor of
feeds in doubt. Prints the seconds on the wall of each time over, and some of the figures.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb
import pandas as pd

COLUMNS = (
    "case_id, rule, partner, risk, started_at, due_at, stopped_at, exempt_at, void_at,"
    " superseded_at, breached_at, stop_recorded_at, restricted"
)
_DAY = 86_400_000_000

_COHORT = """
SELECT *, stopped_at IS NOT NULL AS is_closed,
  coalesce(stopped_at, {as_of}) - started_at AS took,
  CASE WHEN stopped_at IS NULL THEN 'open late'
       WHEN breached_at IS NULL THEN 'met' ELSE 'late' END AS says
FROM clock
WHERE due_at >= {since} AND due_at < least({until}, {as_of}) AND NOT restricted
  AND exempt_at IS NULL AND void_at IS NULL AND superseded_at IS NULL
"""
_MEASURES = """
count(*) FILTER (says = 'met') AS met, count(*) FILTER (says = 'late') AS late,
count(*) FILTER (says = 'open late') AS open_late, count(stop_recorded_at) AS recorded,
count(*) FILTER (stop_recorded_at - stopped_at > {day}) AS recorded_late,
quantile_disc(took, 0.5) AS median, quantile_disc(took, 0.9) AS ninetieth, max(took) AS longest
"""
_OPEN = """
SELECT risk, least(({as_of} - started_at) // {day}, 14) AS days, count(*), count(DISTINCT case_id)
FROM clock WHERE stopped_at IS NULL AND exempt_at IS NULL AND void_at IS NULL
  AND superseded_at IS NULL AND started_at <= {as_of} AND NOT restricted
GROUP BY ALL
"""


def main(database: str, since: str, until: str, as_of: str, folder: str, repeats: str) -> Any:
    period = {"since": int(since), "until": int(until), "as_of": int(as_of), "day": _DAY}
    exported(database, Path(folder))
    duck = duckdb.connect()
    duck.execute(f"CREATE VIEW clock AS SELECT * FROM read_parquet('{folder}/part-*.parquet')")
    cohort, measures = _COHORT.format(**period), _MEASURES.format(**period)
    asked = [
        f"SELECT count(DISTINCT case_id), {measures} FROM ({cohort})",
        f"SELECT rule, {measures} FROM ({cohort}) GROUP BY rule",
        f"SELECT partner, {measures} FROM ({cohort}) GROUP BY partner",
        _OPEN.format(**period),
    ]
    seconds = []
    for _ in range(int(repeats)):
        began = perf_counter()
        told = [duck.execute(each).fetchall() for each in asked]
        seconds.append(perf_counter() - began)
    names = ("cases", "met", "late", "open_late", "recorded", "recorded_late")
    names += ("median", "ninetieth", "longest")
    return {"seconds": seconds, "total": dict(zip(names, told[0][0], strict=True))}


def exported(database: str, folder: Path) -> None:
    """The clocks as Parquet, a million a file."""
    connection = sqlite3.connect(database)
    duck = duckdb.connect()
    parts = pd.read_sql(f"SELECT {COLUMNS} FROM clock", connection, chunksize=1_000_000)
    for number, part in enumerate(parts):
        for name in part.columns:
            if name.endswith("_at"):
                part[name] = part[name].astype("Int64")
        duck.register("part", part)
        duck.execute(f"COPY part TO '{folder}/part-{number:03}.parquet' (FORMAT parquet)")
        duck.unregister("part")


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
