"""Working time by others: workclock, businesstimedelta, numpy's busday with hours, pandas' offset.

    python worktime.py TASKS.json

The file holds the calendar (zone, opens, closes in minutes, dates that are closed), aware starts
and ends, and what is asked of them. Prints for each peer and task the seconds a call takes, several
times over, and its answers, so that whoever asked can check them. Processor time, not the wall's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from itertools import cycle
from pathlib import Path
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import businesstimedelta
import numpy as np
import pandas as pd
import pytz
import workclock

_WEEK = "1111100"
_AT_LEAST_S = 0.2


class Workclock:
    def __init__(self, told: dict[str, Any]) -> None:
        hours = workclock.WorkDay(told["opens"], told["closes"])
        self._schedule = workclock.Schedule(
            [hours, workclock.Holidays(told["closed"])], time_zone=told["zone"].key
        )
        self.add = self._schedule.add
        self.between = self._schedule.between

    def add_all(self, starts: np.ndarray, length: timedelta) -> np.ndarray:
        lengths = np.array(length, "timedelta64[us]")
        return self._schedule.add_many(starts, lengths).astype(np.int64)

    def between_all(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        return self._schedule.between_many(starts, ends).astype(np.int64)


class Businesstimedelta:
    def __init__(self, told: dict[str, Any]) -> None:
        zone = pytz.timezone(told["zone"].key)
        self._zone = told["zone"]
        # It looks for the next closed date for five years, and fails where there is none.
        closed = [*told["closed"], date(2010, 1, 1), date(2045, 1, 1)]
        self._rules = businesstimedelta.Rules(
            [
                businesstimedelta.WorkDayRule(
                    told["opens"], told["closes"], working_days=list(range(5)), tz=zone
                ),
                businesstimedelta.HolidayRule(closed, tz=zone),
            ]
        )

    def add(self, start: datetime, length: timedelta) -> datetime:
        wanted = businesstimedelta.BusinessTimeDelta(self._rules, timedelta=length)
        return (start + wanted).astimezone(self._zone)

    def between(self, start: datetime, end: datetime) -> timedelta:
        return self._rules.difference(start, end).timedelta


class Busday:
    """What people write around numpy: days by busday, the hours of the first and the last by hand.

    It takes what clocks show, which is right as long as no clock changes while the place is open.
    """

    def __init__(self, told: dict[str, Any]) -> None:
        self._days = np.busdaycalendar(_WEEK, holidays=np.array(told["closed"], "datetime64[D]"))
        self._opens = timedelta(hours=told["opens"].hour, minutes=told["opens"].minute)
        closes = timedelta(hours=told["closes"].hour, minutes=told["closes"].minute)
        self._length = closes - self._opens
        self._zone = told["zone"]

    def add(self, start: datetime, length: timedelta) -> datetime:
        day = np.datetime64(start.date())
        days, rest = divmod(self._of_day(start, day) + length, self._length)
        if not rest:
            days, rest = days - 1, self._length
        last = np.busday_offset(day, days, roll="forward", busdaycal=self._days).item()
        return datetime.combine(last, time.min, self._zone) + self._opens + rest

    def between(self, start: datetime, end: datetime) -> timedelta:
        first, last = np.datetime64(start.date()), np.datetime64(end.date())
        days = int(np.busday_count(first, last, busdaycal=self._days))
        return days * self._length + self._of_day(end, last) - self._of_day(start, first)

    def _of_day(self, moment: datetime, day: np.datetime64) -> timedelta:
        if not np.is_busday(day, busdaycal=self._days):
            return timedelta(0)
        shown = timedelta(
            hours=moment.hour,
            minutes=moment.minute,
            seconds=moment.second,
            microseconds=moment.microsecond,
        )
        return min(max(shown - self._opens, timedelta(0)), self._length)

    def add_all(self, starts: np.ndarray, length: timedelta) -> np.ndarray:
        shown = _shown(starts, self._zone)
        days, hours = self._apart(shown)
        moved, rest = np.divmod(hours + np.timedelta64(length), np.timedelta64(self._length))
        at_close = rest == np.timedelta64(0)
        moved = moved - at_close
        rest = np.where(at_close, np.timedelta64(self._length), rest)
        last = np.busday_offset(days, moved, roll="forward", busdaycal=self._days)
        reached = last + (np.timedelta64(self._opens) + rest)
        local = pd.DatetimeIndex(reached).tz_localize(self._zone)
        return local.tz_convert("UTC").tz_localize(None).to_numpy().astype("M8[us]").astype("i8")

    def between_all(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        first, before = self._apart(_shown(starts, self._zone))
        last, after = self._apart(_shown(ends, self._zone))
        days = np.busday_count(first, last, busdaycal=self._days)
        return (days * np.timedelta64(self._length) + after - before).astype(np.int64)

    def _apart(self, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        days = shown.astype("datetime64[D]")
        hours = np.clip(
            shown - days - np.timedelta64(self._opens),
            np.timedelta64(0, "us"),
            np.timedelta64(self._length),
        )
        is_open = np.is_busday(days, busdaycal=self._days)
        return days, np.where(is_open, hours, np.timedelta64(0, "us"))


class Pandas:
    """It adds whole hours, and has no way back from two times to the hours between them."""

    def __init__(self, told: dict[str, Any]) -> None:
        days = np.busdaycalendar(_WEEK, holidays=np.array(told["closed"], "datetime64[D]"))
        self._hour = pd.offsets.CustomBusinessHour(
            start=told["opens"], end=told["closes"], calendar=days
        )

    def add(self, start: datetime, length: timedelta) -> datetime:
        hours = length // timedelta(hours=1)
        return (pd.Timestamp(start) + hours * self._hour).to_pydatetime()


PEERS = {
    "workclock": Workclock,
    "businesstimedelta": Businesstimedelta,
    "numpy busday": Busday,
    "pandas CustomBusinessHour": Pandas,
}


def main(file: str) -> dict[str, Any]:
    told = json.loads(Path(file).read_text(encoding="utf-8"))
    told["zone"] = ZoneInfo(told["zone"])
    told["opens"], told["closes"] = (
        time(told[name] // 60, told[name] % 60) for name in ("opens", "closes")
    )
    told["closed"] = [date.fromisoformat(day) for day in told["closed"]]
    starts = [datetime.fromisoformat(text).astimezone(told["zone"]) for text in told["starts"]]
    scalar: dict[str, Any] = {}
    bulk: dict[str, Any] = {}
    for name, peer in ((name, kind(told)) for name, kind in PEERS.items()):
        for task in told["tasks"]:
            if ask := _asked(peer, task):
                calls = [(start, *_second(task, start)) for start in starts]
                scalar.setdefault(name, {})[task["name"]] = _timed(ask, calls, told["repeats"])
        for task in told["tasks"]:
            if ask := getattr(peer, f"{task['kind']}_all", None):
                found = _all_timed(ask, task, told)
                bulk.setdefault(name, {})[task["name"]] = found
    return {"scalar": scalar, "bulk": bulk}


def _asked(peer: Any, task: dict[str, Any]) -> Callable[..., Any] | None:
    return getattr(peer, task["kind"], None)


def _second(task: dict[str, Any], start: datetime) -> tuple[Any]:
    lasting = timedelta(seconds=task["seconds"])
    return (lasting,) if task["kind"] == "add" else (start + lasting,)


def _timed(ask: Callable[..., Any], calls: list[tuple[Any, ...]], repeats: int) -> dict[str, Any]:
    """As many calls as fit in a moment, no fewer than eight, and never the same few alone."""
    answers = [ask(*call) for call in calls[:8]]
    seconds = []
    for _ in range(repeats):
        told, began, number = cycle(calls), process_time(), 0
        while (taken := process_time() - began) < _AT_LEAST_S:
            for call in (next(told), next(told), next(told), next(told)):
                ask(*call)
            number += 4
        seconds.append(taken / number)
    few = seconds[0] > _AT_LEAST_S / len(calls)
    answers += [] if few else [ask(*call) for call in calls[8:]]
    return {"seconds": seconds, "answers": [_plain(answer) for answer in answers]}


def _plain(answer: datetime | timedelta) -> int:
    """Microseconds."""
    if isinstance(answer, timedelta):
        return answer // timedelta(microseconds=1)
    since = answer - datetime(1970, 1, 1, tzinfo=pytz.utc)
    return since // timedelta(microseconds=1)


def _all_timed(ask: Callable[..., Any], task: dict[str, Any], told: dict[str, Any]) -> Any:
    """Of as many rows as take it about a second, lest one peer takes minutes."""
    starts = np.load(told["instants"]).view("datetime64[us]")
    lasting = timedelta(seconds=task["seconds"])

    def second_of(starts: np.ndarray) -> Any:
        return lasting if task["kind"] == "add" else starts + np.timedelta64(lasting)

    began, few = process_time(), starts[:1_000]
    ask(few, second_of(few))
    starts = starts[: max(few.size, int(few.size / (process_time() - began)))]
    second = second_of(starts)
    rates = []
    for _ in range(told["repeats"]):
        began = process_time()
        answers = ask(starts, second)
        rates.append(starts.size / (process_time() - began))
    return {"rates": rates, "sum": int(answers.sum() % 2**61), "rows": int(starts.size)}


def _shown(instants: np.ndarray, zone: ZoneInfo) -> np.ndarray:
    """What clocks show."""
    aware = pd.DatetimeIndex(instants).tz_localize("UTC").tz_convert(zone)
    return aware.tz_localize(None).to_numpy().astype("datetime64[us]")


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
