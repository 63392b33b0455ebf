"""Rows 1 to 3: taking in a log, into SQLite and PostgreSQL, and on top of what is stored already.

Row 1 is the whole command beside a plain pandas script, and beside bare inserts of the very rows
that it wrote, in transactions of the same size. Row 3 is the same beside COPY. Row 2 times 20,000
new events of new cases, whose references lie scattered among those stored.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.fines import EVENTS_A_CASE, Fines, install_fines, write_log
from benchmarks.measure import Bench, Comparison, Sample, in_turn, timed
from benchmarks.postgres import durable_server
from benchmarks.stored import REFERENCES_APART, fill
from monitor.cycle.intake import assess_dirty
from monitor.cycle.intake.waiting import take_in_file
from monitor.settings import read_settings
from monitor.store.engine import open_engine
from monitor.store.schema import migrate
from monitor.wiring import ready
from tests.postgres import PostgresServer

_AS_SCRIPTED = (
    "r1:Create Fine:Send Fine:90",
    "r2:Insert Fine Notification:Insert Date Appeal to Prefecture:60",
    "r3:Insert Fine Notification:Payment:60",
    "r4:Insert Fine Notification:Add penalty:60",
    "r5:Insert Date Appeal to Prefecture:Send Appeal to Prefecture:60",
    "r7:Create Fine:Send Fine,Payment:90",
)
"""The rules of `fines.RULES` for the script of the peers."""

_TABLES = ("case_", "event", "clock")
_numbers = count(1)


def measure(bench: Bench) -> list[Comparison]:
    told: list[Comparison] = []
    if bench.rows & {1, 3}:
        log = _log(bench)
        told += _into_sqlite(bench, log) if 1 in bench.rows else []
        told += _into_postgresql(bench, log) if 3 in bench.rows else []
    if 2 in bench.rows:
        told.append(_on_top(bench))
    return told


def _log(bench: Bench) -> Path:
    """The real log; for smoke a little one of its shape."""
    if bench.log is not None and not bench.is_smoke:
        return bench.log / "events.csv.gz"
    path = bench.folder / "events.csv"
    write_log(path, (f"A{number}" for number in range(200)))
    return path


# -- row 1: SQLite ----------------------------------------------------------------------------


def _into_sqlite(bench: Bench, log: Path) -> list[Comparison]:
    finished = _taken_in(bench, log)
    rows = _rows_of(finished)
    scripts: list[dict[str, Any]] = []
    raws: list[dict[str, float]] = []

    def script() -> float:
        database = bench.folder / f"script-{next(_numbers)}.db"
        took = timed(
            lambda: scripts.append(
                bench.peers.run("pandas_intake.py", log, database, *_AS_SCRIPTED)
            )
        )
        database.unlink()
        return took

    def raw() -> float:
        raws.append(_insert_raw(bench.folder / f"raw-{next(_numbers)}.db", rows))
        return sum(raws[-1].values())

    work: dict[str, Callable[[], float]] = {
        "whole": lambda: _seconds(bench, log),
        "events": lambda: _seconds(bench, log, is_without_clocks=True),
        "raw": raw,
    }
    if bench.peers.is_ready:
        work["script"] = script
    times = in_turn(bench.repeats, work)
    is_agreed = not scripts or scripts[0]["clocks_stored"] == _clocks_in(rows)
    # Of a little log the clocks are less than the time by which starting a program wavers.
    parts = ("whole", "events") if bench.is_smoke else ("whole", "events", "clocks")
    return [_compared(bench, part, times, scripts, raws, is_agreed=is_agreed) for part in parts]


def _compared(
    bench: Bench,
    part: str,
    times: dict[str, list[float]],
    scripts: list[dict[str, Any]],
    raws: list[dict[str, float]],
    *,
    is_agreed: bool,
) -> Comparison:
    """The whole, or its events or clocks apart; ours are the whole less a run without clocks."""
    apart = {"events": ("imports", "read", "events"), "clocks": ("clocks",)}
    clocks = [all_ - events for all_, events in zip(times["whole"], times["events"], strict=True)]
    ours = Sample("monitor ingest", "s", tuple({**times, "clocks": clocks}[part]))
    if part == "whole":
        script = times.get("script", [])
        raw = [sum(one.values()) for one in raws]
    else:
        script = [sum(one[name] for name in apart[part]) for one in scripts]
        raw = [one[part] for one in raws]
    others = [Sample("pandas script", "s", tuple(script))] if script else []
    others.append(Sample("raw inserts", "s", tuple(raw)))
    ratio = ours.median / others[0].median if script else None
    is_judged = part == "whole" and ratio is not None and not bench.is_smoke
    note = "" if script else "the peers' environment is missing: nothing from pandas"
    if not is_agreed:
        note = "the script found another number of clocks"
    return Comparison(
        row=1,
        work={
            "whole": "take in the log, SQLite",
            "events": "… its events alone",
            "clocks": "… its clocks alone",
        }[part],
        ours=ours,
        others=tuple(others),
        ratio=ratio,
        ratio_says="times the script",
        target="≤1.5" if part == "whole" else "",
        is_met=ratio <= 1.5 if is_judged and ratio is not None else None,
        note=note,
    )


def _seconds(bench: Bench, log: Path, *, is_without_clocks: bool = False) -> float:
    """The whole command on a fresh installation."""
    fines = _fresh(bench, is_without_clocks=is_without_clocks)
    took = fines.monitor("ingest", str(log), "--feed", "fines")
    for file in fines.file.parent.glob("monitor.db*"):
        file.unlink()
    return took


def _fresh(bench: Bench, *, is_without_clocks: bool = False, database: str = "") -> Fines:
    folder = bench.folder / f"fines-{next(_numbers)}"
    if not is_without_clocks:
        return install_fines(folder, database=database)
    fines = install_fines(folder, rules=("r1",), database=database)
    # A rulebook holds at least one rule; one of a time to come makes no clock.
    rule = folder / "rules" / "r1.yaml"
    written = rule.read_text("utf-8")
    assert "from: 2000-01-01" in written
    rule.write_text(written.replace("from: 2000-01-01", "from: 2099-01-01"), "utf-8")
    return fines


def _taken_in(bench: Bench, log: Path, *, database: str = "") -> Fines:
    fines = _fresh(bench, database=database)
    fines.monitor("ingest", str(log), "--feed", "fines")
    return fines


Rows = dict[str, tuple[str, list[list[tuple[Any, ...]]]]]
"""Table → its insert, and its rows by the transaction that writes them."""


def _rows_of(fines: Fines) -> Rows:
    """What the monitor stored: a case with its first event, a clock with its case's last."""
    connection = sqlite3.connect(fines.file)
    case_in, clock_in = (
        dict(connection.execute(f"SELECT case_id, {which}(batch_id) FROM event GROUP BY case_id"))
        for which in ("min", "max")
    )
    rows = {
        "case_": _grouped(connection, "case_", "id", case_in),
        "event": _grouped(connection, "event", "batch_id", None),
        "clock": _grouped(connection, "clock", "case_id", clock_in),
    }
    connection.close()
    return rows


def _grouped(
    connection: sqlite3.Connection, table: str, key: str, batch_of: dict[int, int] | None
) -> tuple[str, list[list[tuple[Any, ...]]]]:
    found = connection.execute(f"SELECT * FROM {table} ORDER BY id")
    names = [column[0] for column in found.description]
    at = names.index(key)
    groups: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in found:
        groups[batch_of[row[at]] if batch_of else row[at]].append(row)
    marks = ", ".join("?" * len(names))
    insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
    return insert, [groups[number] for number in sorted(groups)]


def _clocks_in(rows: Rows) -> int:
    return sum(map(len, rows["clock"][1]))


def _insert_raw(file: Path, rows: Rows) -> dict[str, float]:
    """Seconds for cases with events, and for clocks, in the monitor's own kind of database."""
    engine = open_engine(f"sqlite:///{file}")
    migrate(engine)
    borrowed = engine.raw_connection()
    connection = borrowed.driver_connection
    assert isinstance(connection, sqlite3.Connection)
    connection.execute("PRAGMA foreign_keys = OFF")  # the batches and the intake are not there

    def events() -> None:
        (case_insert, cases), (event_insert, events) = rows["case_"], rows["event"]
        for number, batch in enumerate(events):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(case_insert, cases[number] if number < len(cases) else ())
            connection.executemany(event_insert, batch)
            connection.execute("COMMIT")

    def clocks() -> None:
        insert, batches = rows["clock"]
        for batch in batches:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(insert, batch)
            connection.execute("COMMIT")

    took = {"events": timed(events), "clocks": timed(clocks)}
    borrowed.close()
    engine.dispose()
    file.unlink()
    return took


# -- row 3: PostgreSQL ------------------------------------------------------------------------


def _into_postgresql(bench: Bench, log: Path) -> list[Comparison]:
    with durable_server() as server:
        with server.database() as url:
            _taken_in(bench, log, database=url)
            copies = {table: _copied(url, table) for table in _TABLES}
        times = in_turn(
            bench.repeats,
            {
                "monitor ingest": lambda: _seconds_on(server, bench, log),
                "COPY": lambda: _copy_into(server, copies),
            },
        )
    ours, copy = (Sample(name, "s", tuple(values)) for name, values in times.items())
    ratio = ours.median / copy.median
    return [
        Comparison(
            row=3,
            work="take in the log, PostgreSQL",
            ours=ours,
            others=(copy,),
            ratio=ratio,
            ratio_says="times COPY",
            target="≤5",
            is_met=None if bench.is_smoke else ratio <= 5,
            note="COPY is given the finished rows in the server's own binary form",
        )
    ]


def _seconds_on(server: PostgresServer, bench: Bench, log: Path) -> float:
    with server.database() as url:
        return _fresh(bench, database=url).monitor("ingest", str(log), "--feed", "fines")


def _copied(url: str, table: str) -> tuple[bytes, ...]:
    told = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(table))
    with psycopg.connect(url) as connection, connection.cursor().copy(told) as copy:
        return tuple(bytes(block) for block in copy)


def _copy_into(server: PostgresServer, copies: dict[str, tuple[bytes, ...]]) -> float:
    """Seconds for the same rows with their indexes and constraints, but for foreign keys."""
    with server.database() as url:
        engine = open_engine(url)
        migrate(engine)
        engine.dispose()
        with psycopg.connect(url, autocommit=True) as connection:
            # Batches and intakes are not copied, so what refers to them is not checked.
            connection.execute("SET session_replication_role = replica")
            return timed(lambda: _copy_all(connection, copies))


def _copy_all(connection: psycopg.Connection[Any], copies: dict[str, tuple[bytes, ...]]) -> None:
    told = sql.SQL("COPY {} FROM STDIN (FORMAT binary)")
    for table, blocks in copies.items():
        with connection.cursor().copy(told.format(sql.Identifier(table))) as copy:
            for block in blocks:
                copy.write(block)


# -- row 2: on top of what is stored ----------------------------------------------------------


def _on_top(bench: Bench) -> Comparison:
    sizes = (0, 1_000) if bench.is_smoke else (0, 50_000, 500_000, 5_000_000)
    events = 400 if bench.is_smoke else 20_000
    filled = {size: _holding(bench, size) for size in sizes if size}
    _an_event(bench, _holding(bench, 0), events)  # so that nothing is done for the first time
    times = in_turn(
        bench.repeats,
        {
            _held(size): lambda size=size: _an_event(  # type: ignore[misc]
                bench, filled.get(size) or _holding(bench, 0), events
            )
            for size in sizes
        },
    )
    samples = [Sample(name, "s", tuple(values)) for name, values in times.items()]
    empty, *others, ours = samples
    ratio = ours.median / empty.median
    return Comparison(
        row=2,
        work=f"an event among {events:,} new ones, {ours.name}",
        ours=ours,
        others=(empty, *others),
        ratio=ratio,
        ratio_says="times itself empty",
        target="≤1.5",
        is_met=None if bench.is_smoke else ratio <= 1.5,
        note="new cases, whose references lie scattered among those stored; clocks included",
    )


def _held(size: int) -> str:
    return f"{size:,} stored" if size else "empty"


def _holding(bench: Bench, events: int) -> Fines:
    """An installation that holds so many events with their clocks."""
    folder = bench.folder / f"holding-{next(_numbers)}"
    fines = install_fines(folder)
    if events:
        fill(fines, cases=events // EVENTS_A_CASE)
    return fines


def _an_event(bench: Bench, fines: Fines, events: int) -> float:
    """Seconds for each of so many new events, from the file to assessed clocks."""
    file = bench.folder / f"new-{next(_numbers)}.csv"
    rows = write_log(file, _new_references(events // EVENTS_A_CASE), seed=next(_numbers))
    settings = read_settings(fines.folder / "config" / "monitor.toml")
    monitor = ready(settings, now=_now(), actor="benchmark", activate=True)
    os.sync()  # what was written before is not to be waited for now

    def take_in() -> None:
        taken = take_in_file(monitor, monitor.feeds["fines"], file, now=_now(), keep=True)
        assert taken.events_new == rows, taken
        assess_dirty(monitor, now=_now())

    took = timed(take_in)
    monitor.engine.dispose()
    return took / rows


def _new_references(cases: int) -> Iterator[str]:
    """Scattered over all references of the largest store, and never one that is stored."""
    apart = next(_numbers) % REFERENCES_APART
    scattered = (index * 104_729 % 1_250_000 for index in range(cases))
    return (f"N{number * REFERENCES_APART + apart:09}" for number in scattered)


def _now() -> int:
    return time.time_ns() // 1000
