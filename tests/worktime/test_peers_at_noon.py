"""A place that closes at noon, in the words of the two libraries, and what is made of it at noon.

A half day each week can be said in both as hours of that day; then all three agree, to the instant
of closing. A half day on one date can be said in neither. An afternoon off, said as such, is right
in `workclock` and worked through by `businesstimedelta`.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import businesstimedelta
import pytest
import workclock
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import DAY, HOUR, MINUTE, Instant
from monitor.worktime.calendar import CalendarDefinition, compile_calendar
from monitor.worktime.definition import Span
from monitor.worktime.instants import from_datetime, to_datetime
from tests.worktime.peers import (
    LONDON,
    PYTZ_LONDON,
    ZONE,
    added,
    at,
    python_added,
    python_of,
    python_worked,
    rust_of,
    worked,
    written,
)

NOON = 12 * 60
MORNING, AFTERNOON, WHOLE = (540, NOON), (780, 1020), (540, 1020)
WEEKDAYS = range(5)
FRIDAY = 4

MORNINGS = written(dict.fromkeys(WEEKDAYS, (MORNING,)))
"""09:00 to noon."""
NOON_CLOSED = written(dict.fromkeys(WEEKDAYS, (MORNING, AFTERNOON)))
"""Two spans a day."""
HALF_FRIDAY = written(dict.fromkeys(range(FRIDAY), (WHOLE,)) | {FRIDAY: (MORNING,)})
"""09:00 to 17:00, on Fridays to noon."""


@pytest.mark.parametrize(
    ("week", "start", "hours", "expected"),
    [
        (MORNINGS, "2027-03-10T09:00", 3, "2027-03-10T12:00"),
        (MORNINGS, "2027-03-10T12:00", 1, "2027-03-11T10:00"),
        (MORNINGS, "2027-03-10T11:00", 4, "2027-03-11T12:00"),
        (NOON_CLOSED, "2027-03-10T09:00", 3, "2027-03-10T12:00"),
        (NOON_CLOSED, "2027-03-10T12:00", 1, "2027-03-10T14:00"),
        (NOON_CLOSED, "2027-03-10T12:30", 4, "2027-03-10T17:00"),
        (NOON_CLOSED, "2027-03-10T17:00", 3, "2027-03-11T12:00"),
        (HALF_FRIDAY, "2027-03-12T09:00", 3, "2027-03-12T12:00"),
        (HALF_FRIDAY, "2027-03-12T12:00", 1, "2027-03-15T10:00"),
        (HALF_FRIDAY, "2027-03-11T16:00", 4, "2027-03-12T12:00"),
        (HALF_FRIDAY, "2027-03-11T16:00", 5, "2027-03-15T10:00"),
    ],
)
def test_all_three_close_at_noon(
    week: CalendarDefinition, start: str, hours: int, expected: str
) -> None:
    """What ends exactly at noon ends at noon; what begins at noon begins with the next opening.

    The two libraries, workclock 0.1.2 and businesstimedelta 1.0.1, agree with us in this.
    """
    assert added(compile_calendar(week), at(start), hours) == at(expected)
    assert rust_of(week).add(at(start), hours=hours) == at(expected)
    assert python_added(python_of(week), at(start), hours) == at(expected)


@pytest.mark.parametrize("week", [MORNINGS, NOON_CLOSED, HALF_FRIDAY])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2027-03-12T09:00", "2027-03-12T12:00"),
        ("2027-03-12T12:00", "2027-03-12T12:00"),
        ("2027-03-12T12:00", "2027-03-12T13:00"),
        ("2027-03-11T12:00", "2027-03-12T12:00"),
        ("2027-03-11T09:00", "2027-03-15T17:00"),
    ],
)
def test_all_three_count_to_noon_and_from_noon(
    week: CalendarDefinition, start: str, end: str
) -> None:
    """In these versions all agree."""
    ours = worked(compile_calendar(week), at(start), at(end))
    assert rust_of(week).between(at(start), at(end)) == ours
    assert python_worked(python_of(week), at(start), at(end)) == ours


@st.composite
def weeks(draw: st.DrawFn) -> CalendarDefinition:
    """Days of one span or two, many of which close at noon, and some dates closed."""
    weekly: dict[int, tuple[Span, ...]] = {}
    for weekday in draw(st.sets(st.integers(0, 6), min_size=1)):
        opens = draw(st.integers(3 * 60, NOON - 1))
        reopens = draw(st.integers(NOON + 1, 20 * 60))
        afternoon = (reopens, draw(st.integers(reopens + 1, 23 * 60)))
        weekly[weekday] = ((opens, NOON), *draw(st.sampled_from([(), (afternoon,)])))
    closed = draw(st.sets(st.dates(date(2027, 1, 1), date(2027, 12, 31)), max_size=12))
    return written(weekly, closed)


ABOUT_NOON = st.sampled_from((0, 0, -1, 1)) | st.integers(-720, 720)
"""Minutes."""


@st.composite
def near_noon(draw: st.DrawFn) -> Instant:
    """Noons of a year, and minutes about them."""
    day = draw(st.dates(date(2027, 1, 1), date(2027, 12, 1)))
    noon = datetime.combine(day, time(12), LONDON)
    return from_datetime(noon) + draw(ABOUT_NOON) * MINUTE


@settings(max_examples=40)
@given(weeks(), near_noon(), st.integers(0, 29), ABOUT_NOON)
def test_all_three_agree_on_weeks_of_half_days(
    week: CalendarDefinition, first: Instant, days: int, minutes: int
) -> None:
    """From noon to noon, and as many hours again: added, they end where they ended."""
    start, end = sorted((first, first + days * DAY + minutes * MINUTE))
    ours, rust, python = compile_calendar(week), rust_of(week), python_of(week)
    wanted = ours.between(start, end)
    asked = to_datetime(start), to_datetime(end)
    length = timedelta(microseconds=wanted)
    assert rust.between(*asked) == length == python_worked(python, *asked)
    if not wanted:
        return
    reached = to_datetime(ours.add(start, wanted))
    assert rust.add(asked[0], length) == reached
    assert asked[0] + businesstimedelta.BusinessTimeDelta(python, timedelta=length) == reached


# -- where they are wrong, or have no words ---------------------------------------------------


def test_businesstimedelta_works_through_an_afternoon_off() -> None:
    """Time off that ends when the day does is not seen: it closes at 17:00 and not at noon.

    workclock, in whose words it is a break, closes at noon. An hour at midday is right in both.
    """
    days = list(WEEKDAYS)
    whole = businesstimedelta.WorkDayRule(time(9), time(17), days, tz=PYTZ_LONDON)
    off = businesstimedelta.LunchTimeRule(time(12), time(17), [FRIDAY], tz=PYTZ_LONDON)
    python = businesstimedelta.Rules([whole, off])
    rust = workclock.Schedule(
        [
            workclock.WorkDay(time(9), time(17), days=days),
            workclock.Break(time(12), time(17), days=[FRIDAY]),
        ],
        time_zone=ZONE,
    )
    friday = at("2027-03-12T09:00"), at("2027-03-12T17:00")
    assert worked(compile_calendar(HALF_FRIDAY), *friday) == timedelta(hours=3)
    assert rust.between(*friday) == timedelta(hours=3)
    assert python_worked(python, *friday) == timedelta(hours=8)
    assert added(compile_calendar(HALF_FRIDAY), friday[0], 4) == at("2027-03-15T10:00")
    assert rust.add(friday[0], hours=4) == at("2027-03-15T10:00")
    assert python_added(python, friday[0], 4) == at("2027-03-12T13:00")


def test_a_half_day_on_one_date_can_be_said_in_neither() -> None:
    """On Christmas Eve a council closes at noon: ours counts three hours of it.

    Both know dates only as closed whole. Of one that says its hour, workclock says that it cannot
    be meant; businesstimedelta says nothing and counts the whole day.
    """
    eve = date(2027, 12, 24)
    weekly: dict[int, tuple[Span, ...]] = dict.fromkeys(WEEKDAYS, (WHOLE,))
    day = at("2027-12-24T09:00"), at("2027-12-24T17:00")
    half = compile_calendar(written(weekly, special={eve: (MORNING,)}))
    assert worked(half, *day) == timedelta(hours=3)
    for closed, theirs in (({eve}, 0), (set(), 8)):
        week = written(weekly, closed)
        assert rust_of(week).between(*day) == timedelta(hours=theirs)
        assert python_worked(python_of(week), *day) == timedelta(hours=theirs)
    from_noon = datetime(2027, 12, 24, 12)
    with pytest.raises(TypeError, match=r"must be datetime\.date objects"):
        workclock.Holidays([from_noon])
    assert python_worked(python_of(written(weekly, {from_noon})), *day) == timedelta(hours=8)


def test_businesstimedelta_waits_at_noon_for_the_next_noon() -> None:
    """A place that opens at noon and closes at midnight is closed there from noon on.

    To workclock and to us it is open.
    """
    week = written(dict.fromkeys(WEEKDAYS, ((NOON, 24 * 60),)))
    start = at("2027-03-10T12:00")
    assert added(compile_calendar(week), start, 1) == at("2027-03-10T13:00")
    assert rust_of(week).add(start, hours=1) == at("2027-03-10T13:00")
    assert python_added(python_of(week), start, 1) == at("2027-03-11T13:00")


def test_no_time_at_all_from_noon_is_the_next_opening_for_businesstimedelta() -> None:
    """To workclock and to us nothing added is the same instant, open or closed."""
    noon = at("2027-03-10T12:00")
    assert added(compile_calendar(MORNINGS), noon, 0) == noon
    assert rust_of(MORNINGS).add(noon, hours=0) == noon
    assert python_added(python_of(MORNINGS), noon, 0) == at("2027-03-11T09:00")


def test_back_from_the_opening_lies_the_noon_before() -> None:
    """Back over a closed afternoon; all three agree."""
    opening, expected = at("2027-03-11T09:00"), at("2027-03-10T11:00")
    ours = compile_calendar(MORNINGS).add(from_datetime(opening), -HOUR)
    assert to_datetime(ours) == expected
    assert rust_of(MORNINGS).sub(opening, hours=1) == expected
    daily = businesstimedelta.WorkDayRule(time(9), time(12), list(WEEKDAYS), tz=PYTZ_LONDON)
    assert opening - businesstimedelta.BusinessTimeDelta(daily, hours=1) == expected
