"""Row 7: working time, one at a time with aware datetimes, and by the million.

England's bank holidays, nine to five, the same starts for all: adding hours, and the hours between
two times, over six hours, forty days and five years. Every answer of a peer is compared with ours,
and where one is wrong the note says how often. Processor time, one core.
"""

from __future__ import annotations

import json
import random
from datetime import date, datetime, timedelta
from itertools import cycle
from time import process_time
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.measure import ROOT, Bench, Comparison, Sample
from monitor.model import SECOND
from monitor.rulebook.files import read_documents
from monitor.worktime.bulk import BulkCalendar
from monitor.worktime.calendar import CalendarDefinition, compile_calendar
from monitor.worktime.civil import CivilCalendar
from monitor.worktime.instants import from_datetime, to_datetime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.worktime.calendar import Calendar

_LONDON: Final = ZoneInfo("Europe/London")
_OPENS, _CLOSES = 9 * 60, 17 * 60
_TASKS: Final = (
    {"name": "add 6 h", "kind": "add", "seconds": 6 * 3600},
    {"name": "add 40 d", "kind": "add", "seconds": 216 * 3600},
    {"name": "add 5 y", "kind": "add", "seconds": 10_000 * 3600},
    {"name": "between 6 h", "kind": "between", "seconds": 6 * 3600},
    {"name": "between 40 d", "kind": "between", "seconds": 40 * 86_400},
    {"name": "between 5 y", "kind": "between", "seconds": 1826 * 86_400},
)
"""To add: working time; 216 hours are 27 working days, 10,000 about five years of them."""

_SCALAR_AT_LEAST: Final = {"6 h": 1, "40 d": 4, "5 y": 4}
_ROWS_A_SECOND: Final = 10_000_000
_A_MOMENT_S: Final = 0.2


def measure(bench: Bench) -> list[Comparison]:
    calendar = _england()
    number, bulk_rows = (40, 2_000) if bench.is_smoke else (2_000, 1_000_000)
    chosen = random.Random(20270325)
    first, last = (_at(year) for year in (date(2020, 1, 2), date(2023, 6, 1)))
    instants = np.array([chosen.randrange(first, last) for _ in range(bulk_rows)], np.int64)
    starts = [to_datetime(int(instant), _LONDON) for instant in instants[:number]]
    peers = _peers(bench, instants, starts)
    ours = CivilCalendar(calendar)
    return [
        *(_one_by_one(bench, ours, task, starts, peers) for task in _TASKS),
        *(_by_the_million(bench, calendar, task, instants, peers) for task in _TASKS),
    ]


def _england() -> Calendar:
    written = read_documents(ROOT / "rules").holidays["england"]
    return compile_calendar(
        CalendarDefinition(
            name="england-9-17",
            version="1",
            zone=_LONDON.key,
            weekly=dict.fromkeys(range(5), ((_OPENS, _CLOSES),)),
            holidays=written.days,
            special={},
            covers_from=written.covers_from,
            covers_to=written.covers_to,
        )
    )


def _at(day: date) -> int:
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=_LONDON))


def _peers(bench: Bench, instants: np.ndarray, starts: list[datetime]) -> dict[str, Any]:
    if not bench.peers.is_ready:
        return {"scalar": {}, "bulk": {}}
    np.save(bench.folder / "instants.npy", instants)
    told = {
        "zone": _LONDON.key,
        "opens": _OPENS,
        "closes": _CLOSES,
        "closed": sorted(map(str, read_documents(ROOT / "rules").holidays["england"].days)),
        "starts": [start.isoformat() for start in starts],
        "tasks": _TASKS,
        "repeats": bench.repeats,
        "instants": str(bench.folder / "instants.npy"),
    }
    file = bench.folder / "tasks.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    return bench.peers.run("worktime.py", file)


# -- one at a time ----------------------------------------------------------------------------


def _one_by_one(
    bench: Bench,
    ours: CivilCalendar,
    task: dict[str, Any],
    starts: list[datetime],
    peers: dict[str, Any],
) -> Comparison:
    ask: Callable[..., Any] = getattr(ours, task["kind"])
    lasting = timedelta(seconds=task["seconds"])
    calls = [(at, lasting if task["kind"] == "add" else at + lasting) for at in starts]
    taken = Sample("ours", "s", tuple(_seconds(ask, calls) for _ in range(bench.repeats)))
    theirs = {
        name: found[task["name"]]
        for name, found in peers["scalar"].items()
        if task["name"] in found
    }
    others = sorted(
        (Sample(name, "s", tuple(found["seconds"])) for name, found in theirs.items()),
        key=lambda sample: sample.median,
    )
    times = others[0].median / taken.median if others else None
    least = _SCALAR_AT_LEAST[task["name"].split(" ", 1)[1]]
    expected = [_microseconds(ask(*call)) for call in calls]
    return Comparison(
        row=7,
        work=f"working time, {task['name']}, datetimes",
        ours=taken,
        others=tuple(others),
        ratio=times,
        ratio_says=f"times as fast as {others[0].name}" if others else "",
        target=f"≥{least} times as fast",
        is_met=None if bench.is_smoke or times is None else times >= least,
        note="; ".join(_wrong(task, theirs, expected, ours.calendar)),
    )


def _seconds(ask: Callable[..., Any], calls: list[tuple[Any, Any]]) -> float:
    """Of one call, out of as many as fit in a moment."""
    told, began, number = cycle(calls), process_time(), 0
    while (taken := process_time() - began) < _A_MOMENT_S:
        for call in (next(told), next(told), next(told), next(told)):
            ask(*call)
        number += 4
    return taken / number


def _microseconds(answer: datetime | timedelta) -> int:
    if isinstance(answer, timedelta):
        return answer // timedelta(microseconds=1)
    return from_datetime(answer)


def _wrong(
    task: dict[str, Any], theirs: dict[str, Any], expected: list[int], calendar: Calendar
) -> Iterator[str]:
    """Where a peer differs. An end at a close is the next opening to some; no time is between."""
    for name, found in theirs.items():
        pairs = list(zip(found["answers"], expected, strict=False))
        off = [pair for pair in pairs if pair[0] != pair[1]]
        if task["kind"] == "add":
            same = [pair for pair in off if not calendar.between(*pair)]
            off = [pair for pair in off if pair not in same]
            if same:
                yield f"{task['name']}: {name} says when it opens again, not when it closes"
        if off:
            most = timedelta(microseconds=max(abs(each - ours) for each, ours in off))
            yield (
                f"{task['name']}: {name} is wrong in {len(off)} of {len(pairs)} answers, by up to"
                f" {most}"
            )


# -- by the million ---------------------------------------------------------------------------


def _by_the_million(
    bench: Bench,
    calendar: Calendar,
    task: dict[str, Any],
    instants: np.ndarray,
    peers: dict[str, Any],
) -> Comparison:
    many = BulkCalendar(calendar)
    ask: Callable[..., np.ndarray] = getattr(many, task["kind"])
    microseconds = task["seconds"] * SECOND
    second = microseconds if task["kind"] == "add" else instants + microseconds
    rates = []
    for _ in range(bench.repeats):
        began = process_time()
        ask(instants, second)
        rates.append(instants.size / (process_time() - began))
    ours = Sample("ours", "rows/s", tuple(rates))
    theirs = {
        name: found[task["name"]] for name, found in peers["bulk"].items() if task["name"] in found
    }
    others = sorted(
        (Sample(name, "rows/s", tuple(found["rates"])) for name, found in theirs.items()),
        key=lambda sample: -sample.median,
    )
    # A peer's answers are compared by their sum; it took the first so many of the same rows.
    wrong = [
        f"{task['name']}: {name} has other answers, in sum"
        for name, found in theirs.items()
        if found["sum"] != _sum(ask, instants, second, found["rows"])
    ]
    return Comparison(
        row=7,
        work=f"working time, {task['name']}, {instants.size:,} rows",
        ours=ours,
        others=tuple(others),
        ratio=ours.median / others[0].median if others else None,
        ratio_says=f"times as fast as {others[0].name}" if others else "",
        target="≥10 M rows/s",
        is_met=None if bench.is_smoke else ours.median >= _ROWS_A_SECOND,
        note="; ".join(wrong),
    )


def _sum(ask: Callable[..., np.ndarray], instants: np.ndarray, second: Any, rows: int) -> int:
    other = second if isinstance(second, int) else second[:rows]
    return int(ask(instants[:rows], other).sum() % 2**61)
