"""Limits: how long a duty leaves, in the words of rules, and when it is due.

What comes in: text such as `4 working hours`, an instant and a calendar. What goes out: limits,
and the instant at which one ends, the last that is still in time.
It does not care which rule it is or what happens at due.

A number of hours is a length of time. A number of days is a count of dates: "one working day" is
not eight hours, and "one calendar day" is not twenty-four.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from monitor.model import HOUR, MINUTE, SECOND, Duration, Instant
from monitor.worktime.calendar import Calendar
from monitor.worktime.zones import day_of, end_of_day, first_instant_of_local, local, start_of_day


class Unit(StrEnum):
    """What a limit is counted in."""

    ELAPSED = "elapsed"
    WORKING_TIME = "working time"
    WORKING_DAYS = "working days"
    CALENDAR_DAYS = "calendar days"
    EVENT_TIME = "time on the event"
    NEXT_OPENING = "next opening"


class DayEnd(StrEnum):
    """When the last day of a limit in days ends."""

    CLOSE_OF_BUSINESS = "close of business"
    SAME_TIME = "same time"
    """At the wall time of the start."""
    START_OF_OPENING = "start of opening"


class ClosedDayReceipt(StrEnum):
    """Which date is day 0 where the start falls on a closed day."""

    THAT_DATE = "that date"
    NEXT_OPEN_DAY = "next open day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How long: an amount of a unit. Negative amounts reach back, for what comes before due.

    ValueError for an amount of time that is not of whole seconds.
    """

    amount: int
    """Microseconds of elapsed or working time; otherwise a number of days."""
    unit: Unit

    def __post_init__(self) -> None:
        if self.unit in _TIMES and self.amount % SECOND:
            msg = f"a limit is of whole seconds, not of {self.amount} microseconds"
            raise ValueError(msg)

    def __neg__(self) -> Limit:
        return replace(self, amount=-self.amount)

    def __str__(self) -> str:
        """The words that `parse_limit` reads, in the greatest unit that holds it whole."""
        if self.unit is Unit.ELAPSED:
            number, _, suffix = _in_greatest_unit(self.amount)
            return f"{number}{suffix}"
        if self.unit is Unit.WORKING_TIME:
            number, noun, _ = _in_greatest_unit(self.amount)
            return f"{number} working {noun}{'' if abs(number) == 1 else 's'}"
        noun = self.unit.value.removesuffix("s")
        return f"{self.amount} {noun}{'' if abs(self.amount) == 1 else 's'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTime(Limit):
    """No length at all: the event that starts the clock says itself when it is due.

    `at_most`: how long it may be at most, and how long it is where the event names no time.
    """

    amount: int = field(default=0, init=False)
    unit: Unit = field(default=Unit.EVENT_TIME, init=False)
    at_most: Limit | None = None

    def __neg__(self) -> Limit:
        msg = "a time on the event has no length to reach back over"
        raise ValueError(msg)

    def __str__(self) -> str:
        if self.at_most is None:
            return self.unit.value
        return f"{self.unit.value}{_WITHIN}{self.at_most}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextOpening(Limit):
    """No length at all: due when the calendar next opens, be it later on the same day.

    "Before the start of the next school day", as Operation Encompass schemes put it.
    """

    amount: int = field(default=0, init=False)
    unit: Unit = field(default=Unit.NEXT_OPENING, init=False)

    def __neg__(self) -> Limit:
        msg = "the next opening has no length to reach back over"
        raise ValueError(msg)

    def __str__(self) -> str:
        return self.unit.value


_TIMES: Final = frozenset({Unit.ELAPSED, Unit.WORKING_TIME})
_NOUNS: Final[dict[str, tuple[Duration, str]]] = {
    "hour": (HOUR, "h"),
    "minute": (MINUTE, " min"),
    "second": (SECOND, "s"),
}
"""What one of it is, and how elapsed time is written short; the greatest first."""

_FORMS: Final = (
    "4h, 45 min, 20s, 4 working hours, 1 working day, 90 calendar days, next opening,"
    " time on the event, time on the event within 24h"
)
_WITHIN: Final = " within "
_WRITTEN: Final = re.compile(
    r"""(?P<number>[0-9]{1,6})\s*
    (?: (?P<days>working|calendar)\s+days?
      | (?P<working>working\s+)?
        (?: (?P<hour>h|hours?) | (?P<minute>min|minutes?) | (?P<second>s|seconds?) )
    )""",
    re.VERBOSE,
)


def parse_limit(text: str) -> Limit:
    """Read a limit as rules write it; ValueError lists the accepted forms."""
    if text == Unit.EVENT_TIME:
        return EventTime()
    if text == Unit.NEXT_OPENING:
        return NextOpening()
    if text.startswith(f"{Unit.EVENT_TIME.value}{_WITHIN}"):
        return EventTime(at_most=_parse_length(text.partition(_WITHIN)[2]))
    found = _WRITTEN.fullmatch(text.strip())
    if found is None or not int(found["number"]):
        msg = f"{text!r} is not a limit: expected a whole number from 1 to 999999, as in {_FORMS}"
        raise ValueError(msg)
    number = int(found["number"])
    if found["days"]:
        days = Unit.WORKING_DAYS if found["days"] == "working" else Unit.CALENDAR_DAYS
        return Limit(amount=number, unit=days)
    one = next(one for noun, (one, _) in _NOUNS.items() if found[noun])
    return Limit(amount=number * one, unit=Unit.WORKING_TIME if found["working"] else Unit.ELAPSED)


def _parse_length(text: str) -> Limit:
    limit = parse_limit(text)
    if limit.unit in (Unit.EVENT_TIME, Unit.NEXT_OPENING):
        msg = f"a time on the event is within a length, such as 24h, and not {text!r}"
        raise ValueError(msg)
    return limit


def due(
    start: Instant,
    limit: Limit,
    calendar: Calendar,
    day_end: DayEnd | None = None,
    receipt: ClosedDayReceipt = ClosedDayReceipt.THAT_DATE,
) -> Instant:
    """The last instant that is still in time for a duty that starts at `start`.

    Elapsed time is added as it passes, working time as the calendar counts it. Days are dates in
    the calendar's zone: `receipt` says which is day 0, `day_end` when the last one ends. Without
    it, working days end at close of business and calendar days at the same time. Where a calendar
    day is closed, its close of business is its last microsecond and its opening its first.

    A local time that comes twice is the earlier, one that never comes the change of the clocks.
    Raises PastHorizon where the calendar does not know, ValueError for a time on the event.
    """
    if limit.unit in _TIMES:
        return shift(start, limit, calendar)
    if limit.unit is Unit.NEXT_OPENING:
        return _next_opening(start, calendar)
    if day_end is None:
        day_end = USUAL_DAY_END.get(limit.unit)
    if receipt is ClosedDayReceipt.THAT_DATE and day_end is DayEnd.SAME_TIME:
        return shift(start, limit, calendar)
    day_0 = _day_0(start, calendar, receipt)
    last = _days_after(day_0, limit, calendar)
    if day_end is DayEnd.SAME_TIME:
        return _at_same_time(start, last, calendar.zone)
    return _ending(last, calendar, day_end)


def shift(instant: Instant, limit: Limit, calendar: Calendar) -> Instant:
    """The instant that lies a limit after another, or before it where the limit is negative.

    Back by working time is the latest instant from which that much remains. Days keep their wall
    time. Raises PastHorizon and ValueError as `due` does.
    """
    if limit.unit is Unit.ELAPSED:
        return instant + limit.amount
    if limit.unit is Unit.WORKING_TIME:
        return calendar.add(instant, limit.amount)
    if limit.unit is Unit.CALENDAR_DAYS:
        return _calendar_days_after(instant, limit.amount, calendar.zone)
    last = _days_after(day_of(instant, calendar.zone), limit, calendar)
    return _at_same_time(instant, last, calendar.zone)


USUAL_DAY_END: Final = {
    Unit.WORKING_DAYS: DayEnd.CLOSE_OF_BUSINESS,
    Unit.CALENDAR_DAYS: DayEnd.SAME_TIME,
}


def _day_0(start: Instant, calendar: Calendar, receipt: ClosedDayReceipt) -> date:
    day = day_of(start, calendar.zone)
    if receipt is ClosedDayReceipt.THAT_DATE or calendar.is_working_day(day):
        return day
    return calendar.working_day_after(day, 1)


def _days_after(day: date, limit: Limit, calendar: Calendar) -> date:
    if limit.unit is Unit.WORKING_DAYS:
        return calendar.working_day_after(day, limit.amount)
    if limit.unit is Unit.CALENDAR_DAYS:
        return day + timedelta(days=limit.amount)
    msg = f"a {limit.unit} is no length that can be reckoned with"
    raise ValueError(msg)


def _next_opening(start: Instant, calendar: Calendar) -> Instant:
    """The first opening of a working day that lies after an instant."""
    day = day_of(start, calendar.zone)
    if calendar.is_working_day(day) and (opening := calendar.opening(day)) > start:
        return opening
    return calendar.opening(calendar.working_day_after(day, 1))


def _ending(day: date, calendar: Calendar, day_end: DayEnd | None) -> Instant:
    is_open = calendar.is_working_day(day)
    if day_end is DayEnd.START_OF_OPENING:
        return calendar.opening(day) if is_open else start_of_day(day, calendar.zone)
    return calendar.close_of_business(day) if is_open else end_of_day(day, calendar.zone)


@lru_cache(maxsize=1 << 14)
def _calendar_days_after(instant: Instant, days: int, zone: ZoneInfo) -> Instant:
    """Kept, since logs of bare dates bring the same few thousand midnights again and again."""
    shown = local(instant, zone).replace(tzinfo=None)
    return first_instant_of_local(shown + timedelta(days=days), zone)


def _at_same_time(instant: Instant, day: date, zone: ZoneInfo) -> Instant:
    return first_instant_of_local(datetime.combine(day, local(instant, zone).time()), zone)


def _in_greatest_unit(duration: Duration) -> tuple[int, str, str]:
    """A length of whole seconds as a number, the unit's noun, and its short form."""
    for noun, (one, short) in _NOUNS.items():
        if duration % one == 0:
            return duration // one, noun, short
    msg = f"{duration} microseconds are no whole seconds"
    raise ValueError(msg)
