"""A calendar in the words of two independent libraries, and sums in theirs and in ours.

`workclock` (in Rust) and `businesstimedelta` (the best known in Python) know nothing of each other
or of us. Both say hours by the day of the week, and close whole dates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import businesstimedelta
import pytz
import workclock

from monitor.model import HOUR, Duration
from monitor.worktime.calendar import Calendar, CalendarDefinition
from monitor.worktime.definition import Span
from monitor.worktime.instants import from_datetime, to_datetime

ZONE = "Europe/London"
LONDON = ZoneInfo(ZONE)
PYTZ_LONDON = pytz.timezone(ZONE)
# It looks for the next holiday for five years, and fails where there is none.
_FAR_AWAY = (date(2020, 1, 1), date(2030, 1, 1))


def written(
    weekly: Mapping[int, tuple[Span, ...]],
    closed: set[date] | frozenset[date] = frozenset(),
    special: Mapping[date, tuple[Span, ...]] | None = None,
) -> CalendarDefinition:
    """A calendar in London for the years about 2027."""
    return CalendarDefinition(
        name="generated",
        version="1",
        zone=ZONE,
        weekly=weekly,
        holidays=dict.fromkeys(closed, "closed"),
        special=special or {},
        covers_from=date(2026, 1, 1),
        covers_to=date(2028, 12, 31),
    )


def rust_of(definition: CalendarDefinition) -> workclock.Schedule:
    """The same in the words of workclock; it has none for days that differ."""
    assert not definition.special
    hours = [workclock.WorkDay(*each) for each in _hours(definition)]
    return workclock.Schedule(
        [*hours, workclock.Holidays(definition.holidays)], time_zone=definition.zone
    )


def python_of(definition: CalendarDefinition) -> businesstimedelta.Rules:
    """The same in the words of businesstimedelta; it has none for days that differ."""
    assert not definition.special
    hours = [businesstimedelta.WorkDayRule(*each, tz=PYTZ_LONDON) for each in _hours(definition)]
    closed = [*definition.holidays, *_FAR_AWAY]
    return businesstimedelta.Rules([*hours, businesstimedelta.HolidayRule(closed, tz=PYTZ_LONDON)])


def _hours(definition: CalendarDefinition) -> Iterator[tuple[time, time, list[int]]]:
    """Each span once, with the weekdays that have it."""
    found: dict[Span, list[int]] = {}
    for weekday, spans in sorted(definition.weekly.items()):
        for span in spans:
            found.setdefault(span, []).append(weekday)
    for (opens, closes), weekdays in found.items():
        yield _time(opens), _time(closes), weekdays


def _time(minutes: int) -> time:
    return time(minutes // 60 % 24, minutes % 60)


def at(text: str) -> datetime:
    """A local time in London."""
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


def added(calendar: Calendar, start: datetime, hours: int) -> datetime:
    """What we say."""
    return to_datetime(calendar.add(from_datetime(start), hours * HOUR)).astimezone(LONDON)


def worked(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """What we say."""
    between: Duration = calendar.between(from_datetime(start), from_datetime(end))
    return timedelta(microseconds=between)


def python_added(rule: businesstimedelta.Rule, start: datetime, hours: int) -> datetime:
    """What businesstimedelta says."""
    reached: datetime = start + businesstimedelta.BusinessTimeDelta(rule, hours=hours)
    return reached.astimezone(LONDON)


def python_worked(rule: businesstimedelta.Rule, start: datetime, end: datetime) -> timedelta:
    """What businesstimedelta says."""
    between: timedelta = rule.difference(start, end).timedelta
    return between
