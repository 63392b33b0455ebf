"""How a limit was counted: each stretch of time that counted or did not, day by day, in words.

What comes in: a clock and its duty. What goes out: spans of time in order, from the start to the
due instant, long runs of equal days folded into one. It does not care what was said to whom.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor import words
from monitor.model import HOUR, Clock, Duration, Instant
from monitor.rulebook.book import Duty
from monitor.worktime.calendar import PastHorizon
from monitor.worktime.limits import ClosedDayReceipt, Unit
from monitor.worktime.zones import day_of, end_of_day, local, start_of_day

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

FOLDED_FROM: Final = 12
"""Spans from which whole weeks that are alike are said in one line."""

_ONE_DAY: Final = timedelta(days=1)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_WEEKEND: Final = "weekend"
_FRIDAY: Final = 4


class Span(NamedTuple):
    """A stretch of time, and whether it counted."""

    from_at: Instant
    to_at: Instant
    counted: bool
    worked: Duration
    """How much of it counted, where the limit is of time; 0 where it is of days."""
    days: int
    """How many dates it covers."""
    text: str
    """The same in words, local to the calendar's zone."""


class _Day(NamedTuple):
    """One date, and what of it counted."""

    day: date
    from_at: Instant
    to_at: Instant
    worked: Duration
    said: str
    """What is the same of days that are alike: `08:30-17:00`, `weekend`, `working day`."""
    number: int
    """Which day of the limit it is; -1 where the limit is not of days, or it does not count."""
    counted: bool


def spans(clock: Clock, duty: Duty) -> list[Span]:
    """Each span from a clock's start to its due; none where due cannot be computed."""
    start, due, unit = clock.started_at, clock.due_at, duty.rule.threshold.unit
    if due is None or due <= start or unit is Unit.EVENT_TIME:
        return []
    if unit is Unit.ELAPSED:
        return [_by_the_clock(start, due, duty.zone)]
    try:
        if unit in (Unit.WORKING_DAYS, Unit.CALENDAR_DAYS):
            return _with_due(_in_words(list(_dates(start, due, duty))), due, duty.zone)
        found = _in_words(list(_opening_days(start, due, duty)))
        return _with_due(found, due, duty.zone) if unit is Unit.NEXT_OPENING else found
    except PastHorizon:
        return []


def _by_the_clock(start: Instant, due: Instant, zone: ZoneInfo) -> Span:
    first, last = local(start, zone), local(due, zone)
    ends = "" if first.date() == last.date() else f"{_day(last.date())} "
    text = f"{_day(first.date(), year=True)} {_time(first)} to {ends}{_time(last)}"
    text += f": {words.hours(due - start)} by the clock, nights and weekends included"
    shown = last.replace(tzinfo=None) - first.replace(tzinfo=None)
    moved = shown // timedelta(microseconds=1) - (due - start)
    if moved:
        way = "forward" if moved > 0 else "back"
        text += f"; the clocks go {way} {words.hours(abs(moved))} in between"
    days = (last.date() - first.date()).days + 1
    return Span(start, due, counted=True, worked=due - start, days=days, text=text)


def _with_due(found: list[Span], due: Instant, zone: ZoneInfo) -> list[Span]:
    """Spans of which the last does not show by itself when it ended."""
    return [*found[:-1], found[-1]._replace(text=f"{found[-1].text}; due {_end(due, zone)}")]


# -- limits in working time, and the next opening -------------------------------------------------


def _opening_days(start: Instant, due: Instant, duty: Duty) -> Iterator[_Day]:
    """Each date with the hours of it that counted; where none did, why."""
    pieces = list(_at_midnights(duty, start, due))
    for day, of_day in groupby(pieces, key=lambda piece: day_of(piece[0], duty.zone)):
        parts = list(of_day)
        hours = [(a, b) for a, b, counted, _ in parts if counted]
        said = (
            ", ".join(f"{_time(local(a, duty.zone))}-{_end(b, duty.zone)}" for a, b in hours)
            or parts[0][3]
        )
        worked = sum(b - a for a, b in hours)
        yield _Day(day, parts[0][0], parts[-1][1], worked, said, -1, bool(hours))


def _at_midnights(
    duty: Duty, start: Instant, due: Instant
) -> Iterator[tuple[Instant, Instant, bool, str]]:
    """The calendar's windows, cut where a date ends."""
    for window in duty.calendar.windows(start, due):
        at = window.start
        while at < window.end:
            until = min(end_of_day(day_of(at, duty.zone), duty.zone) + 1, window.end)
            yield at, until, window.counted, window.why.removeprefix("closed, ")
            at = until


# -- limits in days ---------------------------------------------------------------------------


def _dates(start: Instant, due: Instant, duty: Duty) -> Iterator[_Day]:
    """Each date from that of the start to that of due, with its number where it counts."""
    rule, calendar = duty.rule, duty.calendar
    is_working = rule.threshold.unit is Unit.WORKING_DAYS
    noun = "working day" if is_working else "day"
    first, last = day_of(start, duty.zone), day_of(due, duty.zone)
    day_0 = first
    if rule.closed_day_receipt is ClosedDayReceipt.NEXT_OPEN_DAY:
        day_0 = first if calendar.is_working_day(first) else calendar.working_day_after(first, 1)
    number, day = 0, first
    while day <= last:
        from_at = max(start, start_of_day(day, duty.zone))
        to_at = min(due, end_of_day(day, duty.zone))
        if day == day_0:
            said, which, counted = "day 0, the day it started", -1, False
        elif day < day_0 or (is_working and not calendar.is_working_day(day)):
            said, which, counted = _why_closed(day, duty), -1, False
        else:
            number += 1
            said, which, counted = noun, number, True
        yield _Day(day, from_at, to_at, 0, said, which, counted)
        day += _ONE_DAY


def _why_closed(day: date, duty: Duty) -> str:
    windows = duty.calendar.windows(start_of_day(day, duty.zone), end_of_day(day, duty.zone) + 1)
    why = next((window.why for window in windows if not window.counted), "closed")
    return why.removeprefix("closed, ")


# -- in words ---------------------------------------------------------------------------------


def _in_words(days: Sequence[_Day]) -> list[Span]:
    runs = _runs(days)
    if len(runs) > FOLDED_FROM:
        runs = _weeks_folded(days)
    year = 0
    found: list[Span] = []
    for run in runs:
        found.append(_span(run, year=run[0].day.year != year))
        year = run[-1].day.year
    return found


def _runs(days: Iterable[_Day]) -> list[list[_Day]]:
    """Neighbours that are alike together."""
    alike = groupby(days, key=lambda each: (each.counted, each.said))
    return [list(run) for _, run in alike]


def _weeks_folded(days: Sequence[_Day]) -> list[list[_Day]]:
    """As runs, with two or more ordinary weeks that are alike as one."""
    runs: list[list[_Day]] = []
    loose: list[_Day] = []
    at = 0
    while at < len(days):
        weeks = 0
        while _is_week_like(days[at : at + 7], days[at + 7 * weeks : at + 7 * weeks + 7]):
            weeks += 1
        if weeks > 1:
            runs += _runs(loose)
            loose = []
            runs.append(list(days[at : at + 7 * weeks]))
            at += 7 * weeks
        else:
            loose.append(days[at])
            at += 1
    return runs + _runs(loose)


def _is_week_like(first: Sequence[_Day], week: Sequence[_Day]) -> bool:
    """Whether a week is from Monday to Sunday, all its weekdays alike, and like another."""
    if len(week) < len(_DAYS) or week[0].day.weekday():
        return False
    said = {each.said for each in week[: _FRIDAY + 1] if each.counted}
    ends = {each.said for each in week[_FRIDAY + 1 :] if not each.counted}
    return (
        all(each.counted for each in week[: _FRIDAY + 1])
        and said == {first[0].said}
        and len(said) == 1
        and ends == {_WEEKEND}
        and not any(each.counted for each in week[_FRIDAY + 1 :])
    )


def _span(run: Sequence[_Day], *, year: bool) -> Span:
    worked = sum(each.worked for each in run)
    counted = any(each.counted for each in run)
    return Span(
        run[0].from_at,
        run[-1].to_at,
        counted=counted,
        worked=worked,
        days=len(run),
        text=f"{_when(run, year=year)}: {_said(run, worked, counted=counted)}",
    )


def _said(run: Sequence[_Day], worked: Duration, *, counted: bool) -> str:
    first, is_weeks = run[0], not all(each.counted == run[0].counted for each in run)
    if not counted:
        return first.said if first.said.startswith("day 0") else f"{first.said}, not counted"
    if is_weeks:
        weeks = f"{len(run) // 7} weeks alike, Mon to Fri"
        if first.number < 0:
            return f"{weeks} {first.said}, counted {words.hours(worked)}; weekends not counted"
        numbers = [each.number for each in run if each.counted]
        return f"{weeks}, {first.said}s {numbers[0]} to {numbers[-1]}; weekends not counted"
    if first.number >= 0:
        if len(run) == 1:
            return f"{first.said} {first.number}"
        return f"{first.said}s {first.number} to {run[-1].number}"
    each = "each " if len(run) > 1 else ""
    return f"{each}{first.said}, counted {_exactly(worked)}"


def _exactly(worked: Duration) -> str:
    """`8 h 30`, `45 min`: as much as counted, in hours however many."""
    return words.hours(worked) if worked >= HOUR else words.lasting(worked)


def _when(run: Sequence[_Day], *, year: bool) -> str:
    first, last = run[0].day, run[-1].day
    if first == last:
        return _day(first, year=year)
    if (first.year, first.month) == (last.year, last.month):
        return f"{_DAYS[first.weekday()]} {first.day} - {_day(last, year=year)}"
    return f"{_day(first, year=year and first.year != last.year)} - {_day(last, year=year)}"


def _day(day: date, *, year: bool = False) -> str:
    said = f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"
    return f"{said} {day.year}" if year else said


def _time(moment: datetime) -> str:
    return f"{moment.hour:02}:{moment.minute:02}"


def _end(instant: Instant, zone: ZoneInfo) -> str:
    """`17:00`; the end of a date is `24:00`."""
    shown = local(instant, zone)
    return "24:00" if (shown.hour, shown.minute, shown.second) == (0, 0, 0) else _time(shown)
