"""Two independent libraries agree with the calendars, where they are right; where not, it is shown.

They are asked in the words of each: spans of one day, dates that are closed whole. What they make
of a place that closes at noon stands in `test_peers_at_noon`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import businesstimedelta
import pytest
import workclock
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.model import HOUR, MINUTE, Duration, Instant
from monitor.worktime.calendar import Calendar, CalendarDefinition, compile_calendar
from monitor.worktime.definition import Span
from monitor.worktime.instants import from_datetime, to_datetime
from monitor.worktime.zones import first_instant_of_local
from tests.worktime.peers import (
    LONDON,
    PYTZ_LONDON,
    ZONE,
    added,
    at,
    python_added,
    python_of,
    rust_of,
    worked,
    written,
)
from tests.worktime.shipped import definition_of, shipped

NOT_WHOLE_DAY = 24 * 60 - 1
NEVER_COMES = range(61, 120)
"""Minutes of a day that no clock in London shows on the night on which they go forward."""


def _in_order(span: Span) -> Span:
    return min(span), max(span)


spans = (
    st.tuples(st.integers(0, NOT_WHOLE_DAY), st.integers(1, NOT_WHOLE_DAY))
    .map(_in_order)
    .filter(lambda span: span[0] < span[1] and not set(span) & set(NEVER_COMES))
)
instants = st.integers(
    from_datetime(datetime(2026, 9, 1, tzinfo=UTC)),
    from_datetime(datetime(2027, 12, 1, tzinfo=UTC)),
)


@st.composite
def weeks(draw: st.DrawFn) -> CalendarDefinition:
    """One span a day, on some days of the week, and some dates closed: what all three can say."""
    span = draw(spans)
    weekdays = draw(st.sets(st.integers(0, 6), min_size=1))
    closed = draw(st.sets(st.dates(date(2026, 9, 1), date(2027, 12, 1)), max_size=12))
    return written(dict.fromkeys(weekdays, (span,)), closed)


def _opens(definition: CalendarDefinition) -> int:
    return min(opens for ((opens, _),) in definition.weekly.values())


@settings(max_examples=60)
@given(weeks(), instants, st.integers(1, 300 * 60))
def test_workclock_adds_and_counts_as_we_do(
    week: CalendarDefinition, start: Instant, minutes: int
) -> None:
    """Over clock changes and closed dates, over an hour that never comes, in one that is twice."""
    ours, peer = compile_calendar(week), rust_of(week)
    wanted: Duration = minutes * MINUTE
    assume(ours.between(start, start + 366 * 24 * HOUR) >= wanted)
    end = ours.add(start, wanted)
    assert from_datetime(peer.add(to_datetime(start), timedelta(minutes=minutes))) == end
    found = peer.between(to_datetime(start), to_datetime(end))
    assert ours.between(start, end) == found // timedelta(microseconds=1) == wanted


@pytest.mark.parametrize(
    ("span", "ours", "theirs"), [((0, 90), 60, 90), ((75, 100), 0, 25), ((75, 180), 60, 45)]
)
def test_workclock_opens_and_closes_later_for_a_time_that_never_comes(
    span: Span, ours: int, theirs: int
) -> None:
    """Two conventions: 01:30 on the night on which clocks jump from 01:00 to 02:00.

    For us it is the change itself, the first instant at which a wall shows as much; there it is
    what calendars on the internet make of it (RFC 5545), 02:30. Minutes of that night.
    """
    every_day = written(dict.fromkeys(range(7), (span,)))
    night = at("2027-03-28T00:00"), at("2027-03-28T12:00")
    assert worked(compile_calendar(every_day), *night) == timedelta(minutes=ours)
    assert rust_of(every_day).between(*night) == timedelta(minutes=theirs)


@settings(max_examples=40)
@given(weeks(), instants, st.integers(1, 14 * 24 * 60))
def test_businesstimedelta_counts_as_we_do(
    week: CalendarDefinition, start: Instant, minutes: int
) -> None:
    """In whole minutes, below which it is not exact, and not while clocks change."""
    assume(_opens(week) >= 3 * 60)  # it never comes back from 01:00-02:00 on the night of a gap
    start -= start % MINUTE
    ours, peer = compile_calendar(week), python_of(week)
    end = start + minutes * MINUTE
    found = peer.difference(to_datetime(start), to_datetime(end)).timedelta
    assert ours.between(start, end) == found // timedelta(microseconds=1)


def test_our_shipped_council_hours_are_workclock_s() -> None:
    """Five years of the calendar that most rules use, from every hour of a fortnight."""
    ours = shipped("council-england")
    peer = rust_of(definition_of("council-england"))
    start = first_instant_of_local(datetime(2024, 3, 25, 0, 17), LONDON)
    for hours in range(14 * 24):
        begins = start + hours * HOUR
        for wanted in (1, 8, 15 * 8, 200 * 8):
            reached = peer.add(to_datetime(begins), hours=wanted)
            assert from_datetime(reached) == ours.add(begins, wanted * HOUR)


# -- where one of them is wrong ---------------------------------------------------------------


def _daily(opens: int, closes: int) -> Calendar:
    return compile_calendar(written(dict.fromkeys(range(7), ((opens, closes),))))


def _python_daily(opens: time, closes: time) -> businesstimedelta.WorkDayRule:
    return businesstimedelta.WorkDayRule(opens, closes, list(range(7)), tz=PYTZ_LONDON)


def test_businesstimedelta_skips_the_second_half_of_a_night() -> None:
    """At 02:00, four hours before a night shift ends, it waits for the next one."""
    nights = _python_daily(time(22), time(6))
    start = at("2027-03-09T02:00")
    assert added(_daily(22 * 60, 30 * 60), start, 2) == at("2027-03-09T04:00")
    assert python_added(nights, start, 2) == at("2027-03-10T00:00")


def test_businesstimedelta_has_no_day_of_24_hours() -> None:
    """A day that is open throughout must end before midnight there, so 48 hours end late."""
    start = at("2027-10-30T22:00")
    theirs = python_added(_python_daily(time(0), time.max), start, 48)
    assert added(_daily(0, 24 * 60), start, 48) == at("2027-11-01T21:00")
    assert theirs - at("2027-11-01T21:00") == timedelta(microseconds=2)


@pytest.mark.parametrize(
    ("start", "ours", "theirs"),
    [
        ("2027-10-31T00:30", "2027-10-31T02:30", "2027-10-31T03:30"),
        ("2027-03-28T00:30", "2027-03-28T04:30", "2027-03-28T03:30"),
    ],
)
def test_businesstimedelta_is_an_hour_off_on_the_night_of_a_change(
    start: str, ours: str, theirs: str
) -> None:
    """Three hours of a span that is open throughout; it counts what the wall shows.

    It is right where the start is in the words of pytz, or in UTC.
    """
    throughout = _python_daily(time(0), time.max)
    assert added(_daily(0, 24 * 60), at(start), 3) == at(ours)
    assert python_added(throughout, at(start), 3) == at(theirs)
    assert python_added(throughout, at(start).astimezone(UTC), 3) == at(ours)
    around = workclock.WorkDay(time(0), time(0), days=range(7))
    schedule = workclock.Schedule([around], time_zone=ZONE)
    assert schedule.add(at(start), hours=3) == at(ours)


@pytest.mark.parametrize(
    ("start", "expected"),
    [("2027-10-30T22:00", "2027-11-01T21:00"), ("2027-03-27T22:00", "2027-03-29T23:00")],
)
def test_workclock_has_48_hours_over_a_change_of_the_clocks(start: str, expected: str) -> None:
    """As ours: two days later on the wall is an hour more or less."""
    around: Callable[[], workclock.Schedule] = lambda: workclock.Schedule(  # noqa: E731
        [workclock.WorkDay(time(0), time(0), days=range(7))], time_zone=ZONE
    )
    assert around().add(at(start), hours=48) == at(expected)
    assert added(_daily(0, 24 * 60), at(start), 48) == at(expected)
