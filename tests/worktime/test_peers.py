"""Two independent libraries agree with the calendars, where they are right; where not, it is shown.

`workclock` (in Rust) and `businesstimedelta` (the best known in Python) know nothing of each other
or of us. They are asked in the words of each: spans of one day, dates that are closed whole.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import businesstimedelta
import pytest
import pytz
import workclock
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.model import HOUR, MINUTE, Duration, Instant
from monitor.worktime.calendar import Calendar, CalendarDefinition, compile_calendar
from monitor.worktime.instants import from_datetime, to_datetime
from monitor.worktime.zones import first_instant_of_local
from tests.worktime.shipped import definition_of, shipped

ZONE = "Europe/London"
LONDON = ZoneInfo(ZONE)
NOT_WHOLE_DAY = 24 * 60 - 1

spans = (
    st.tuples(st.integers(0, NOT_WHOLE_DAY), st.integers(1, NOT_WHOLE_DAY))
    .map(sorted)
    .filter(lambda span: span[0] < span[1])
)
instants = st.integers(
    from_datetime(datetime(2026, 9, 1, tzinfo=UTC)),
    from_datetime(datetime(2027, 12, 1, tzinfo=UTC)),
)


@st.composite
def weeks(draw: st.DrawFn) -> CalendarDefinition:
    """One span a day, on some days of the week, and some dates closed: what all three can say."""
    opens, closes = draw(spans)
    weekdays = draw(st.sets(st.integers(0, 6), min_size=1))
    closed = draw(st.sets(st.dates(date(2026, 9, 1), date(2027, 12, 1)), max_size=12))
    return CalendarDefinition(
        name="generated",
        version="1",
        zone=ZONE,
        weekly=dict.fromkeys(weekdays, ((opens, closes),)),
        holidays=dict.fromkeys(closed, "closed"),
        special={},
        covers_from=date(2026, 8, 1),
        covers_to=date(2028, 12, 31),
    )


def _time(minutes: int) -> time:
    return time(minutes // 60, minutes % 60)


def _span(written: CalendarDefinition) -> tuple[time, time]:
    ((opens, closes),) = {span for spans in written.weekly.values() for span in spans}
    return _time(opens), _time(closes)


def rust_of(written: CalendarDefinition) -> workclock.Schedule:
    """The same calendar in the words of workclock."""
    hours = workclock.WorkDay(*_span(written), days=sorted(written.weekly))
    return workclock.Schedule([hours, workclock.Holidays(written.holidays)], time_zone=ZONE)


def python_of(written: CalendarDefinition) -> businesstimedelta.Rules:
    """The same calendar in the words of businesstimedelta."""
    zone = pytz.timezone(ZONE)
    opens, closes = _span(written)
    # It looks for the next holiday for five years, and fails where there is none.
    closed = [*written.holidays, date(2030, 1, 1), date(2020, 1, 1)]
    return businesstimedelta.Rules(
        [
            businesstimedelta.WorkDayRule(opens, closes, sorted(written.weekly), tz=zone),
            businesstimedelta.HolidayRule(closed, tz=zone),
        ]
    )


@settings(max_examples=60)
@given(weeks(), instants, st.integers(1, 300 * 60))
def test_workclock_adds_and_counts_as_we_do(
    written: CalendarDefinition, start: Instant, minutes: int
) -> None:
    """Over clock changes, closed dates and spans in the hour that comes twice or never."""
    ours, peer = compile_calendar(written), rust_of(written)
    wanted: Duration = minutes * MINUTE
    assume(ours.between(start, start + 366 * 24 * HOUR) >= wanted)
    end = ours.add(start, wanted)
    assert from_datetime(peer.add(to_datetime(start), timedelta(minutes=minutes))) == end
    worked = peer.between(to_datetime(start), to_datetime(end))
    assert ours.between(start, end) == worked // timedelta(microseconds=1) == wanted


@settings(max_examples=40)
@given(weeks(), instants, st.integers(1, 14 * 24 * 60))
def test_businesstimedelta_counts_as_we_do(
    written: CalendarDefinition, start: Instant, minutes: int
) -> None:
    """In whole minutes, below which it is not exact, and not while clocks change."""
    assume(_span(written)[0] >= time(3))
    start -= start % MINUTE
    ours, peer = compile_calendar(written), python_of(written)
    end = start + minutes * MINUTE
    worked = peer.difference(to_datetime(start), to_datetime(end)).timedelta
    assert ours.between(start, end) == worked // timedelta(microseconds=1)


def test_our_shipped_council_hours_are_workclock_s() -> None:
    """Five years of the calendar that most rules use, from every hour of a fortnight."""
    ours = shipped("council-england")
    peer = rust_of(definition_of("council-england"))
    start = first_instant_of_local(datetime(2024, 3, 25, 0, 17), LONDON)
    for hours in range(14 * 24):
        at = start + hours * HOUR
        for wanted in (1, 8, 15 * 8, 200 * 8):
            reached = peer.add(to_datetime(at), hours=wanted)
            assert from_datetime(reached) == ours.add(at, wanted * HOUR)


# -- where one of them is wrong ---------------------------------------------------------------


def _daily(opens: int, closes: int) -> Calendar:
    return compile_calendar(_every_day(opens, closes))


def _every_day(opens: int, closes: int) -> CalendarDefinition:
    return CalendarDefinition(
        name="daily",
        version="1",
        zone=ZONE,
        weekly=dict.fromkeys(range(7), ((opens, closes),)),
        holidays={},
        special={},
        covers_from=date(2026, 1, 1),
        covers_to=date(2028, 12, 31),
    )


def _local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


def _added(calendar: Calendar, start: datetime, hours: int) -> datetime:
    return to_datetime(calendar.add(from_datetime(start), hours * HOUR)).astimezone(LONDON)


def test_businesstimedelta_skips_the_second_half_of_a_night() -> None:
    """At 02:00, four hours before a night shift ends, it waits for the next one."""
    nights = businesstimedelta.WorkDayRule(
        time(22), time(6), list(range(7)), tz=pytz.timezone(ZONE)
    )
    start = _local("2027-03-09T02:00")
    theirs = start + businesstimedelta.BusinessTimeDelta(nights, hours=2)
    assert _added(_daily(22 * 60, 30 * 60), start, 2) == _local("2027-03-09T04:00")
    assert theirs == _local("2027-03-10T00:00")


def test_businesstimedelta_has_no_day_of_24_hours() -> None:
    """A day that is open throughout must end before midnight there, so 48 hours end late."""
    days = businesstimedelta.WorkDayRule(
        time(0), time(23, 59, 59, 999999), list(range(7)), tz=pytz.timezone(ZONE)
    )
    start = _local("2027-10-30T22:00")
    theirs = start + businesstimedelta.BusinessTimeDelta(days, hours=48)
    assert _added(_daily(0, 24 * 60), start, 48) == _local("2027-11-01T21:00")
    assert theirs - _local("2027-11-01T21:00") == timedelta(microseconds=2)


@pytest.mark.parametrize(
    ("start", "expected"),
    [("2027-10-30T22:00", "2027-11-01T21:00"), ("2027-03-27T22:00", "2027-03-29T23:00")],
)
def test_workclock_has_48_hours_over_a_change_of_the_clocks(start: str, expected: str) -> None:
    """As ours: two days later on the wall is an hour more or less."""
    around: Callable[[], workclock.Schedule] = lambda: workclock.Schedule(  # noqa: E731
        [workclock.WorkDay(time(0), time(0), days=range(7))], time_zone=ZONE
    )
    assert around().add(_local(start), hours=48) == _local(expected)
    assert _added(_daily(0, 24 * 60), _local(start), 48) == _local(expected)
