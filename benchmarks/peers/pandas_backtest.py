"""Two limits tried on a history with pandas, as an analyst would: no checks, one meaning.

    python pandas_backtest.py MONITOR_DB REPEATS

Reads the events of the significant harm cases, and says of each case and partner whether it was
told within four hours and within eight (health: within twenty-four), by district. Prints JSON: the
seconds of reading and of computing, and how many clocks say what.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time

import pandas as pd

HOUR = 3_600_000_000
LIMITS = {"council": (4 * HOUR, 8 * HOUR), "health": (24 * HOUR, 24 * HOUR)}
ASKED = "SELECT case_id, kind, partner, category, district, occurred_from, occurred_to FROM event"


def main(path: str, repeats: int) -> None:
    runs = [_run(path) for _ in range(repeats)]
    told = {name: [run[name] for run in runs] for name in ("reading", "computing")}
    print(json.dumps(told | {"clocks": runs[-1]["clocks"]}))


def _run(path: str) -> dict[str, object]:
    began = time.perf_counter()
    with sqlite3.connect(path) as connection:
        events = pd.read_sql(ASKED, connection)
    read = time.perf_counter()
    clocks = _clocks(events)
    return {
        "reading": read - began,
        "computing": time.perf_counter() - read,
        "clocks": clocks,
    }


def _clocks(events: pd.DataFrame) -> dict[str, int]:
    until = int(events["occurred_to"].max()) + 40 * 24 * HOUR
    concerns = events[(events["kind"] == "contact") & (events["category"] == "physical_abuse")]
    starts = concerns.groupby("case_id").agg(
        started=("occurred_from", "min"), district=("district", "first")
    )
    sendings = events[events["kind"] == "partner_notified"]
    said: dict[str, int] = {}
    for partner, limits in LIMITS.items():
        sent = sendings.loc[sendings["partner"] == partner, ["case_id", "occurred_to"]]
        sent = sent.merge(starts["started"], left_on="case_id", right_index=True)
        sent = sent[sent["occurred_to"] >= sent["started"]]
        clocks = starts.join(sent.groupby("case_id")["occurred_to"].min().rename("stopped"))
        verdicts = [_verdicts(clocks, limit, until) for limit in limits]
        counts = clocks.groupby(["district", *verdicts]).size()
        for (_, before, after), number in counts.items():
            name = f"{partner} {before} {after}"
            said[name] = said.get(name, 0) + int(number)
    return said


def _verdicts(clocks: pd.DataFrame, limit: int, until: int) -> pd.Series:
    due = clocks["started"] + limit
    is_open = clocks["stopped"].isna()
    verdicts = pd.Series("met", index=clocks.index)
    verdicts[~is_open & (clocks["stopped"] > due)] = "late"
    verdicts[is_open & (due < until)] = "overdue"
    verdicts[is_open & (due >= until)] = "running"
    return verdicts


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
