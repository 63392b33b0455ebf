"""The periods that figures are of, and when the digest of one is due.

What comes in: the name of a week, or an instant with a weekday, a time of day and a calendar. What
goes out: weeks with their first and last instants, and the one digest that is due.
It does not care who gets the digest.

A week is one of ISO 8601: Monday to Sunday, and week 1 holds the first Thursday of the year.
"""

from __future__ import annotations

import datetime as dt
import re
from itertools import count
from typing import Final, NamedTuple, Self
from zoneinfo import ZoneInfo

from monitor.model import Instant
from monitor.rulebook.language import WEEKDAYS
from monitor.words import dates
from monitor.worktime.calendar import Calendar, PastHorizon
from monitor.worktime.zones import day_of, first_instant_of_local, start_of_day

_NAME: Final = re.compile(r"([0-9]{4})-W([0-9]{2})", re.ASCII)
_ONE_WEEK: Final = dt.timedelta(days=7)


class Week(NamedTuple):
    """One week, by the year and number that ISO 8601 gives it."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `2026-W46`; ValueError where it is no week, or that year has no such week."""
        if not (found := _NAME.fullmatch(text)):
            msg = f"{text!r} is not a week such as '2026-W46'"
            raise ValueError(msg)
        week = cls(int(found[1]), int(found[2]))
        try:
            dt.date.fromisocalendar(week.year, week.number, 1)
        except ValueError:
            msg = f"{text!r}: there is no such week in that year"
            raise ValueError(msg) from None
        return week

    @classmethod
    def of(cls, day: dt.date) -> Self:
        """The week that holds a date."""
        year, number, _ = day.isocalendar()
        return cls(year, number)

    @classmethod
    def before(cls, instant: Instant, zone: ZoneInfo) -> Self:
        """The last week that was over when the week of an instant began, by dates in the zone."""
        return cls.of(day_of(instant, zone) - _ONE_WEEK)

    def __str__(self) -> str:
        return f"{self.year:04}-W{self.number:02}"

    @property
    def monday(self) -> dt.date:
        """Its first date."""
        return dt.date.fromisocalendar(self.year, self.number, 1)

    @property
    def earlier(self) -> Week:
        """The week before it."""
        return Week.of(self.monday - _ONE_WEEK)

    @property
    def label(self) -> str:
        """`2-8 November 2026`."""
        return dates(self.monday, self.monday + dt.timedelta(days=6))

    def first(self, zone: ZoneInfo) -> Instant:
        """The first instant of its Monday in the zone."""
        return start_of_day(self.monday, zone)

    def end(self, zone: ZoneInfo) -> Instant:
        """The first instant that is no longer of it; a week of a clock change is not 168 h."""
        return start_of_day(self.monday + _ONE_WEEK, zone)

    def last(self, zone: ZoneInfo) -> Instant:
        """Its last microsecond in the zone."""
        return self.end(zone) - 1


class DigestDue(NamedTuple):
    """The digest that is to be out by now."""

    week: Week
    since: Instant
    """When it became due."""


def digest_due(
    weekday: str, at: str, *, calendar: Calendar, zone: ZoneInfo, now: Instant
) -> DigestDue:
    """The latest week whose digest is due by `now`, and since when.

    A week's digest is due in the week after, on a weekday (`mon`…) at a local time (`08:00`); where
    the calendar is closed on that date, on its next working day. After downtime only the latest
    week is answered. Past the calendar's horizon the date stands: a digest on a holiday is better
    than none. ValueError for words that are no weekday or no time of day.
    """
    latest = Week.before(now, zone)
    for weeks_back in count():
        week = Week.of(latest.monday - weeks_back * _ONE_WEEK)
        since = digest_due_at(week, weekday, at, calendar=calendar, zone=zone)
        if since <= now:
            return DigestDue(week, since)
    raise AssertionError  # every digest before now is due


def digest_due_at(
    week: Week, weekday: str, at: str, *, calendar: Calendar, zone: ZoneInfo
) -> Instant:
    """When the digest of a week is due; ValueError as for `digest_due`."""
    time_of_day = dt.time.fromisoformat(at)
    first = week.monday + _ONE_WEEK + dt.timedelta(days=_position(weekday))
    day = _working_day_from(first, calendar)
    return first_instant_of_local(dt.datetime.combine(day, time_of_day), zone)


def _position(weekday: str) -> int:
    if weekday not in WEEKDAYS:
        msg = f"{weekday!r} is none of {', '.join(WEEKDAYS)}"
        raise ValueError(msg)
    return WEEKDAYS.index(weekday)


def _working_day_from(day: dt.date, calendar: Calendar) -> dt.date:
    try:
        return day if calendar.is_working_day(day) else calendar.working_day_after(day, 1)
    except PastHorizon:
        return day
