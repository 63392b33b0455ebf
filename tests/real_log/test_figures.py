"""The figures of a real log against its counted truth: counts, percentiles and what is open.

The truth counts elapsed time as its log writes it: the small one in instants, the whole one by the
clock on the wall. Ours are instants; where the two differ, lengths are put on that clock first.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from monitor.model import DAY, Duration, Instant
from monitor.report.cohort import RECORDED_LATE_AFTER
from monitor.report.figures import Figures, figures
from monitor.report.plain import SEPARATOR, Group, plain_duties
from monitor.report.row import ClockRow
from monitor.store import figures as stored
from monitor.store.engine import open_engine, reading
from monitor.worktime.instants import parse_instant
from tests.real_log.test_real_log import (  # noqa: F401 - fixtures
    LAST_INSTANT,
    ROME,
    Log,
    log,
    log_in_hours,
    truth,
)

LAST: Instant = parse_instant(LAST_INSTANT)
LONG_AFTER: Instant = LAST + 400 * DAY
"""Everything is due by then, as the truth counts every case whenever it is due."""
_EPOCH = dt.datetime(1970, 1, 1)  # on the wall, where there is no zone


def _counted(folder: Path, as_of: Instant) -> Figures:
    """As a digest counts: what was simply done by the column, the rest one by one."""
    period: dict[str, Any] = {"since": 0, "until": LONG_AFTER, "as_of": as_of}
    engine = open_engine(f"sqlite:///{folder / 'var/monitor.db'}")
    with reading(engine) as connection:
        plain = stored.plain_rows(
            connection,
            **period,
            where={},
            recorded_late_after=RECORDED_LATE_AFTER,
            group=Group._fields,
            separator=SEPARATOR,
        )
        rest = stored.clock_rows(connection, ClockRow._fields, **period, where={}, with_plain=False)
        found = figures(map(ClockRow._make, rest), **period, plain=plain_duties(plain))
    engine.dispose()
    return found


def _completed(folder: Path, as_written: Callable[[Instant], Duration]) -> Figures:
    """Those that were stopped alone, on the clock of the truth."""
    period: dict[str, Any] = {"since": 0, "until": LONG_AFTER, "as_of": LONG_AFTER}
    engine = open_engine(f"sqlite:///{folder / 'var/monitor.db'}")
    with reading(engine) as connection:
        rows = (
            row._replace(
                started_at=as_written(row.started_at), stopped_at=as_written(row.stopped_at)
            )
            for row in map(
                ClockRow._make, stored.clock_rows(connection, ClockRow._fields, **period, where={})
            )
            if row.stopped_at is not None
        )
        found = figures(rows, **period)
    engine.dispose()
    return found


def _on_the_wall(instant: Instant) -> Instant:
    """The time in Rome, as if it had no zone."""
    at = dt.datetime.fromtimestamp(instant // 1_000_000, dt.UTC).astimezone(ROME)
    return (at.replace(tzinfo=None) - _EPOCH) // dt.timedelta(microseconds=1)


class Case(NamedTuple):
    """One case of the truth, in instants."""

    started: Instant
    stopped: Instant | None
    due: Instant


def _cases(folder: Path, *, by_calendar: bool) -> dict[str, list[Case]]:
    days = {rule["id"]: round(rule["limit_seconds"] / 86_400) for rule in truth(folder)}
    found: defaultdict[str, list[Case]] = defaultdict(list)
    for row in _rows(folder):
        limit = dt.timedelta(days=days[row["rule"]])
        start = dt.datetime.fromisoformat(row["start"])
        due = _instant(start + limit if by_calendar else _zoned(start) + limit)
        stopped = _instant(dt.datetime.fromisoformat(row["stop"])) if row["stop"] else None
        found[row["rule"]].append(Case(_instant(start), stopped, due))
    return found


def _rows(folder: Path) -> Iterator[dict[str, str]]:
    with gzip.open(folder / "truth_cases.csv.gz", "rt") as lines:
        yield from csv.DictReader(lines)


def _zoned(at: dt.datetime) -> dt.datetime:
    return (at if at.tzinfo else at.replace(tzinfo=ROME)).astimezone(dt.UTC)


def _instant(at: dt.datetime) -> Instant:
    return round(_zoned(at).timestamp()) * 1_000_000


def _percentile(lengths: list[Duration], percent: int) -> Duration:
    """The nearest rank: so many per cent of the sorted values, rounded up, counted from one."""
    return sorted(lengths)[-(-len(lengths) * percent // 100) - 1]


def _compare_with_truth(folder: Path, log_folder: Path, completed: Figures) -> None:
    """Counts of every case, and percentiles of those that were completed."""
    counted = _counted(log_folder, LONG_AFTER).rules
    for rule in truth(folder):
        found, alone = counted[rule["id"].lower()], completed.rules[rule["id"].lower()]
        told = (rule["met"], rule["late"], rule["never"])
        assert (found.met, found.late, found.open_late) == told, rule["id"]
        span = alone.span
        assert alone.of == span.number == rule["met"] + rule["late"]
        if span.number >= 20:
            parts = (span.median, span.ninetieth, span.ninety_fifth)
            seconds = tuple(part and part // 1_000_000 for part in parts)
            assert seconds == (rule["p50_s"], rule["p90_s"], rule["p95_s"]), rule["id"]
        if span.longest is not None:
            assert span.longest // 1_000_000 == rule["max_s"], rule["id"]


def _compare_with_what_was_open(
    log_folder: Path, cases: dict[str, list[Case]], *, until: Instant = LAST
) -> None:
    """At the log's last instant, what is open and late is in every percentile at its age."""
    counted = _counted(log_folder, until).rules
    for rule, told in cases.items():
        due = [case for case in told if case.due < until]
        found, closed = counted[rule.lower()], [case for case in due if case.stopped is not None]
        ended = [case.stopped - case.started for case in closed if case.stopped is not None]
        ages = [until - case.started for case in due if case.stopped is None]
        late = sum(case.stopped is not None and case.stopped > case.due for case in closed)
        assert (found.met, found.late, found.open_late) == (len(closed) - late, late, len(ages))
        assert found.span.number == len(due)
        if len(due) >= 20:
            lengths = ended + ages
            assert found.span.median == _percentile(lengths, 50), rule
            assert found.span.ninetieth == _percentile(lengths, 90), rule
            assert found.span.ninety_fifth == _percentile(lengths, 95), rule
            assert found.span.longest == max(lengths), rule
            assert found.span.longest_is_open == (max(ages, default=-1) == max(lengths)), rule


@pytest.mark.timeout(120)
def test_the_figures_of_a_hundred_traces_are_their_truth(
    log_in_hours: Log,  # noqa: F811 - a fixture
    real_logs: Path,
) -> None:
    """In instants, as the small log is written."""
    folder = real_logs / "road_traffic_100"
    log_in_hours.monitor("ingest", str(folder / "events.csv.gz"), "--feed", "fines")
    completed = _completed(log_in_hours.folder, lambda instant: instant)
    _compare_with_truth(folder, log_in_hours.folder, completed)
    _compare_with_what_was_open(log_in_hours.folder, _cases(folder, by_calendar=False))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_figures_of_the_whole_log_are_its_truth(
    log: Log,  # noqa: F811 - a fixture
    real_logs: Path,
) -> None:
    """By the clock on the wall in Rome, on which its 715 thousand lengths were counted."""
    folder = real_logs / "road_traffic_full"
    log.monitor("ingest", str(folder / "events.csv.gz"), "--feed", "fines")
    completed = _completed(log.folder, _on_the_wall)
    _compare_with_truth(folder, log.folder, completed)
    _compare_with_what_was_open(log.folder, _cases(folder, by_calendar=True))
