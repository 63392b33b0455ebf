"""Row 11: the obvious design, one APScheduler job for each deadline, beside clocks in a store.

To add them, the scheduler is told one deadline after the other, and commits each. Ours are what a
log says that is taken in, validated and assessed. A deadline that has come is, for the scheduler, a
function run; for us, an alert decided and enqueued.
"""

from __future__ import annotations

import pickle
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from apscheduler.events import EVENT_JOB_REMOVED
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from benchmarks import force
from benchmarks.fines import install_fines, write_log
from benchmarks.measure import Bench, Comparison, Sample, timed
from monitor.cycle.parts import Monitor
from monitor.cycle.sweep import sweep
from monitor.model import MINUTE, Instant

_CLOCKS_A_CASE = 4.2
"""How many clocks the six rules make of a made-up case, or a little fewer."""

_told, _removed = Event(), Event()


def measure(bench: Bench) -> list[Comparison]:
    deadlines = 500 if bench.is_smoke else 100_000
    ours = _ours(bench, deadlines)
    theirs = _theirs(bench, deadlines)
    note = (
        "the scheduler was timed for its first and its last few thousand, the others were written"
        " into its table at once"
    )
    return [
        _shown(f"add {deadlines:,} deadlines", ours["add"], theirs["add"], note),
        _shown("… their size on disk", ours["size"], theirs["size"], "ours holds the events too"),
        _shown("… one of them has come", ours["one"], theirs["one"], ""),
    ]


def _shown(work: str, ours: Sample, theirs: Sample, note: str) -> Comparison:
    return Comparison(
        row=11,
        work=work,
        ours=ours,
        others=(theirs,),
        ratio=ours.median / theirs.median,
        ratio_says="times APScheduler",
        target="",
        is_met=None,
        note=note,
    )


# -- ours -------------------------------------------------------------------------------------


def _ours(bench: Bench, deadlines: int) -> dict[str, Sample]:
    adds, sizes = [], []
    for number in range(bench.repeats):
        fines = install_fines(bench.folder / f"fines-{number}")
        log = bench.folder / f"events-{number}.csv"
        write_log(log, (f"A{each}" for each in range(round(deadlines / _CLOCKS_A_CASE))))
        took = fines.monitor("ingest", str(log), "--feed", "fines")
        with sqlite3.connect(fines.file) as connection:
            (clocks,) = connection.execute("SELECT count(*) FROM clock").fetchone()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert clocks >= deadlines, clocks
        adds.append(took * deadlines / clocks)
        sizes.append(fines.file.stat().st_size / 1e6 * deadlines / clocks)
    return {
        "add": Sample("monitor ingest", "s", tuple(adds)),
        "size": Sample("SQLite", "MB", tuple(sizes)),
        "one": Sample("sweep", "s", _one_sweep(bench, deadlines)),
    }


def _one_sweep(bench: Bench, deadlines: int) -> tuple[float, ...]:
    """Seconds in which one clock newly late among so many is decided, its alerts enqueued."""
    now = time.time_ns() // 1000
    monitor = force.installed(bench.folder / "force", now=now)
    moments = [now + (1 + number) * 5 * MINUTE for number in range(bench.repeats + 1)]
    force.fill(monitor, quiet=deadlines - len(moments), late_at=moments, now=now)
    took = [_timed_sweep(monitor, now=moment) for moment in moments]
    monitor.engine.dispose()
    return tuple(took[1:])  # the first does some things for the first time


def _timed_sweep(monitor: Monitor, *, now: Instant) -> float:
    force.hear(monitor, now=now)
    began = time.perf_counter()
    swept = sweep(monitor, now=now)
    took = time.perf_counter() - began
    assert swept.clocks == 1, swept
    return took


# -- theirs -----------------------------------------------------------------------------------


def _theirs(bench: Bench, deadlines: int) -> dict[str, Sample]:
    file = bench.folder / "jobs.db"
    timed_ones = deadlines // 50
    with _scheduler(file) as scheduler:
        first = _add(scheduler, 0, timed_ones)
        _fill(file, timed_ones, deadlines - timed_ones)
        last = _add(scheduler, deadlines - timed_ones, deadlines)
        ones = tuple(_one_run(scheduler) for _ in range(bench.repeats))
    size = file.stat().st_size / 1e6
    with sqlite3.connect(file) as connection:
        (jobs,) = connection.execute("SELECT count(*) FROM apscheduler_jobs").fetchone()
    assert jobs == deadlines, jobs
    each = [took / timed_ones for took in (first, last)]
    return {
        "add": Sample("APScheduler", "s", tuple(deadlines * took for took in each)),
        "size": Sample("its job store", "MB", (size,)),
        "one": Sample("APScheduler", "s", ones),
    }


@contextmanager
def _scheduler(file: Path) -> Iterator[BackgroundScheduler]:
    store = SQLAlchemyJobStore(url=f"sqlite:///{file}")
    scheduler = BackgroundScheduler(jobstores={"default": store}, timezone=UTC)
    scheduler.add_listener(lambda _: _removed.set(), EVENT_JOB_REMOVED)
    scheduler.start()
    try:
        yield scheduler
    finally:
        scheduler.shutdown()


def tell(number: int) -> None:
    """What a job does: the scheduler finds it by its name, and it says that it was run."""
    del number
    _told.set()


def _add(scheduler: BackgroundScheduler, first: int, end: int) -> float:
    def all_of_them() -> None:
        for number in range(first, end):
            scheduler.add_job(
                tell, "date", run_date=_due(number), args=[number], id=f"clock-{number}"
            )

    return timed(all_of_them)


def _due(number: int) -> datetime:
    """In years, so that none comes by itself."""
    return datetime(2190, 1, 1, tzinfo=UTC) + timedelta(seconds=number)


def _fill(file: Path, first: int, end: int) -> None:
    """The rows that the scheduler would write, made of its own last one."""
    with sqlite3.connect(file) as connection:
        (pickled,) = connection.execute(
            "SELECT job_state FROM apscheduler_jobs ORDER BY next_run_time DESC"
        ).fetchone()
        state: dict[str, Any] = pickle.loads(pickled)
        connection.executemany(
            "INSERT INTO apscheduler_jobs (id, next_run_time, job_state) VALUES (?, ?, ?)",
            (_row(state, number) for number in range(first, end)),
        )


def _row(state: dict[str, Any], number: int) -> tuple[str, float, bytes]:
    due, name = _due(number), f"clock-{number}"
    state |= {"id": name, "args": (number,), "next_run_time": due}
    return name, due.timestamp(), pickle.dumps(state, pickle.HIGHEST_PROTOCOL)


def _one_run(scheduler: BackgroundScheduler) -> float:
    """Seconds from adding a deadline that has come until its function was run."""
    _told.clear()
    _removed.clear()

    def once() -> None:
        scheduler.add_job(tell, "date", run_date=datetime.now(UTC), args=[-1], id="now")
        if not _told.wait(timeout=60):
            raise RuntimeError("the scheduler did not run the job within a minute")

    took = timed(once)
    _removed.wait(timeout=60)
    return took
