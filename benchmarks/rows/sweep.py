"""Rows 4 and 5: a sweep with a thousand clocks newly late, and sweeps with nothing due.

What comes in: a scratch folder. What goes out: the seconds of a sweep beside those of one statement
that does the bare minimum on the same tables, and of sweeps over ever more clocks that are not due.
"""

from __future__ import annotations

import shutil
import statistics
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
from sqlalchemy import make_url

from benchmarks.force import analyse, fill, grow, hear, installed
from benchmarks.measure import Bench, Comparison, Sample, in_turn, timed
from benchmarks.postgres import durable_server
from monitor.cycle.sweep import sweep
from monitor.model import SECOND, Duration, Instant
from monitor.store.engine import open_engine
from monitor.worktime.instants import from_datetime, to_datetime

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.cycle.parts import Monitor

NOW: Final = from_datetime(datetime(2026, 11, 24, 11, tzinfo=UTC))
"""A working day at eleven: everybody is on duty, so that nothing waits for duty hours."""

APART: Final[Duration] = 10 * SECOND
"""From one instant with newly late clocks to the next."""

LEAST: Final = """
WITH due AS (
    SELECT id FROM clock WHERE next_action_at <= %(now)s
    ORDER BY next_action_at, id FOR UPDATE SKIP LOCKED
), decided AS (
    UPDATE clock SET steps_done = steps_done + 1, revision = revision + 1,
        next_action_at = due_at + interval '4 hours'
    FROM due WHERE clock.id = due.id
    RETURNING clock.id, clock.episode, clock.steps_done, clock.due_at
)
INSERT INTO alert (clock_id, episode, rung, repeat, recipient, kind, role, asked_role, reason,
    rung_at, decided_at, state)
SELECT id, episode, 'rung ' || (steps_done - 1), 0,
    'east.duty-inspector@eastshire.police.example', 'overdue', 'duty_inspector', 'duty_inspector',
    'overdue', due_at, %(now)s, 'pending'
FROM decided ON CONFLICT DO NOTHING
"""
"""Every clock whose time has come is told to one and the same address; nothing is asked of what was
said, who took it, who is on duty, which feeds were heard, or when its ladder goes on."""


def measure(bench: Bench) -> list[Comparison]:
    """The sweep's two rows."""
    told = []
    with ExitStack() as open_:
        server = open_.enter_context(durable_server())
        empty = open_.enter_context(server.database())
        on_postgresql = installed(bench.folder / "postgresql", now=NOW, url=empty)
        on_postgresql.engine.dispose()
        database = make_url(empty).database or ""
        stores = _Stores(on_postgresql, lambda: open_.enter_context(server.database(database)))
        if 4 in bench.rows:
            told.append(_newly_late(bench, stores))
        if 5 in bench.rows:
            told.append(_nothing_due(bench, "PostgreSQL", stores))
    if 5 in bench.rows:
        on_sqlite = installed(bench.folder / "sqlite", now=NOW)
        on_sqlite.engine.dispose()
        told.append(_nothing_due(bench, "SQLite", _Stores(on_sqlite, _copies(on_sqlite))))
    return told


@dataclass(frozen=True)
class _Stores:
    """Copies of an installation that has no case yet."""

    empty: Monitor
    copy: Callable[[], str]
    """The URL of a copy of its database."""

    def new(self) -> tuple[Monitor, str]:
        url = self.copy()
        return replace(self.empty, engine=open_engine(url)), url


def _copies(monitor: Monitor) -> Callable[[], str]:
    of, numbers = Path(monitor.settings.database_url().removeprefix("sqlite:///")), count(1)

    def copy() -> str:
        to = of.with_name(f"copy-{next(numbers)}.db")
        shutil.copyfile(of, to)
        return f"sqlite:///{to}"

    return copy


# -- newly late -------------------------------------------------------------------------------


@dataclass
class _Rounds:
    """Instants at each of which as many clocks are newly late, one after the other."""

    number: int = 0

    def at(self, number: int) -> Instant:
        return NOW + number * APART

    def next(self) -> Instant:
        self.number += 1
        return self.at(self.number)


def _newly_late(bench: Bench, stores: _Stores) -> Comparison:
    late, backlog = (20, 1_000) if bench.is_smoke else (1_000, 100_000)
    repeats, rounds = max(bench.repeats, 1), _Rounds()
    # One more for each: the first shows a database what it will be asked.
    needed = [rounds.at(number) for number in range(1, 2 * (repeats + 1) + 1)]
    monitor, url = stores.new()
    late_at = [at for at in needed for _ in range(late)]
    fill(monitor, quiet=backlog - late, late_at=late_at, now=NOW)
    hear(monitor, now=needed[-1] + APART)
    analyse(monitor)
    with psycopg.connect(url) as connection:
        work = {
            "sweep": lambda: _swept(monitor, rounds.next(), expected=late),
            "one statement": lambda: _least(connection, rounds.next(), expected=late),
        }
        in_turn(1, work)
        seconds = in_turn(repeats, work)
    monitor.engine.dispose()
    ours = Sample("sweep", "s", tuple(seconds["sweep"]))
    least = Sample("one statement", "s", tuple(seconds["one statement"]))
    ratio = ours.median / least.median
    return Comparison(
        row=4,
        work=f"sweep, PostgreSQL: {late:,} newly late of {backlog:,} open",
        ours=ours,
        others=(least,),
        ratio=ratio,
        ratio_says="times one statement",
        target="at most 3 times, 0.3 s",
        is_met=None if bench.is_smoke else ratio <= 3 and ours.median <= 0.3,
        note="decided one by one, with reason and recipient; the statement tells one address",
    )


def _swept(monitor: Monitor, now: Instant, *, expected: int) -> float:
    def one_sweep() -> None:
        swept = sweep(monitor, now=now)
        assert (swept.clocks, swept.alerts >= expected) == (expected, True), swept

    return timed(one_sweep)


def _least(connection: psycopg.Connection, now: Instant, *, expected: int) -> float:
    def one_statement() -> None:
        told = connection.execute(LEAST, {"now": to_datetime(now)}).rowcount
        connection.commit()
        assert told == expected, told

    return timed(one_statement)


# -- nothing due ------------------------------------------------------------------------------


def _nothing_due(bench: Bench, database: str, stores: _Stores) -> Comparison:
    sizes = (100, 400) if bench.is_smoke else (10_000, 100_000, 1_000_000)
    monitors = [_with_clocks(stores, size, least=sizes[0]) for size in sizes]
    work = {str(size): _quiet_turns(each) for size, each in zip(sizes, monitors, strict=True)}
    in_turn(1, work)
    seconds = in_turn(max(bench.repeats, 1), work)
    samples = [Sample(f"{size:,} clocks", "s", tuple(seconds[str(size)])) for size in sizes]
    for monitor in monitors:
        monitor.engine.dispose()
    ratio = samples[-1].median / samples[0].median
    return Comparison(
        row=5,
        work=f"sweep, {database}: nothing due among {sizes[-1]:,} open",
        ours=samples[-1],
        others=tuple(samples[:-1]),
        ratio=ratio,
        ratio_says=f"times itself at {sizes[0]:,}",
        target="at most 1.5 times, 5 ms",
        is_met=None if bench.is_smoke else ratio <= 1.5 and samples[-1].median <= 0.005,
    )


def _with_clocks(stores: _Stores, size: int, *, least: int) -> Monitor:
    monitor, _ = stores.new()
    fill(monitor, quiet=least, now=NOW)
    grow(monitor, by=size // least - 1)
    hear(monitor, now=NOW)
    analyse(monitor)
    return monitor


def _quiet_turns(monitor: Monitor) -> Callable[[], float]:
    """The median of several sweeps: one alone is over in a few milliseconds."""
    return lambda: statistics.median(timed(lambda: _quiet_turn(monitor)) for _ in range(25))


def _quiet_turn(monitor: Monitor) -> None:
    swept = sweep(monitor, now=NOW)
    assert swept.clocks == 0, swept
