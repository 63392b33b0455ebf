"""Whatever the scalar says of one instant, the bulk says of it among many."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from monitor.model import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from monitor.worktime import bulk, limits
from monitor.worktime.bulk import UNKNOWN, BulkCalendar
from monitor.worktime.calendar import Calendar, PastHorizon, compile_calendar, elapsed
from monitor.worktime.definition import CalendarDefinition
from monitor.worktime.instants import from_datetime
from monitor.worktime.limits import ClosedDayReceipt, DayEnd, EventTime, Limit, NextOpening, Unit
from monitor.worktime.zones import end_of_day, start_of_day
from tests.worktime.instants_of_interest import edges, near
from tests.worktime.oracle import ZONES, Oracle, definitions
from tests.worktime.shipped import shipped

EXAMPLES = 150
# Night shifts of any zone, lengths that end at, before and after an edge, and far too long ones.
durations = (
    st.integers(-3 * DAY, 3 * DAY)
    | st.integers(-72, 72).map(lambda hours: hours * HOUR)
    | st.sampled_from((0, 1, -1, 2**62, -(2**62), UNKNOWN + 1))
)
amounts = st.integers(-3, 6)


def scalar(answer: Callable[..., Instant], *of: object) -> Instant:
    try:
        return answer(*of)
    except PastHorizon:
        return UNKNOWN


def rows(*columns: list[int]) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    return [np.array(column, np.int64) for column in columns]


# -- hours ------------------------------------------------------------------------------------


@settings(max_examples=EXAMPLES)
@given(st.data(), definitions())
def test_hours_are_those_of_the_scalar(data: st.DataObject, definition: CalendarDefinition) -> None:
    """Zero, back and ahead; beside openings and closes, while clocks change, past the horizon."""
    _compare_hours(data, compile_calendar(definition))


def _compare_hours(data: st.DataObject, calendar: Calendar) -> None:
    pairs = st.tuples(near(calendar), near(calendar), durations)
    drawn = data.draw(st.lists(pairs, min_size=1, max_size=40))
    starts, ends, lengths = (list(column) for column in zip(*drawn, strict=True))
    many = BulkCalendar(calendar)
    added = many.add(*rows(starts, lengths))
    between = many.between(*rows(starts, ends))
    assert added.dtype == between.dtype == np.int64
    assert added.tolist() == [
        scalar(calendar.add, *each) for each in zip(starts, lengths, strict=True)
    ]
    assert between.tolist() == [
        scalar(calendar.between, *each) for each in zip(starts, ends, strict=True)
    ]


@settings(max_examples=25)
@given(definitions())
def test_every_edge_of_a_calendar_is_met(definition: CalendarDefinition) -> None:
    """No example is left to luck: each edge and the microseconds beside it, with each length."""
    calendar = compile_calendar(definition)
    many = BulkCalendar(calendar)
    starts = [edge + by for edge in edges(calendar) for by in (-1, 0, 1)]
    for length in (0, 1, -1, HOUR, -HOUR, 8 * HOUR + 1):
        expected = [scalar(calendar.add, start, length) for start in starts]
        assert many.add(starts, length).tolist() == expected
    of_all = [scalar(calendar.between, starts[len(starts) // 2], end) for end in starts]
    assert many.between(starts[len(starts) // 2], starts).tolist() == of_all


@settings(max_examples=30)
@given(definitions())
def test_hours_are_those_of_a_walk_over_the_minutes(definition: CalendarDefinition) -> None:
    """The oracle shares nothing with calendars but what was written."""
    oracle, calendar = Oracle(definition), compile_calendar(definition)
    assert calendar.laid_out is not None
    first, last = calendar.laid_out.opens[0], calendar.laid_out.opens[-1]
    minutes = np.arange(-(-first // MINUTE), last // MINUTE) * MINUTE
    minutes = minutes[:: max(1, minutes.size // 3000)]
    if not minutes.size:
        return
    first_minute = int(minutes[0])
    expected = [
        oracle.worked_before(at) - oracle.worked_before(first_minute) for at in minutes.tolist()
    ]
    many = BulkCalendar(calendar)
    assert many.between(minutes[0], minutes).tolist() == expected
    for wanted in (1, 45 * MINUTE, 5 * HOUR):
        for start, found in zip(minutes[::250], many.add(minutes[::250], wanted), strict=True):
            worked = oracle.worked_before(int(start)) + wanted
            within = worked <= oracle.worked_before(last)
            assert found == (oracle.earliest_with(worked) if within else UNKNOWN)


def test_ten_years_of_the_shipped_hours_are_those_of_the_scalar() -> None:
    """More rows than are worked on at a time, in disorder."""
    calendar = shipped("council-england")
    assert calendar.laid_out is not None
    rng = np.random.default_rng(20270325)
    first, last = calendar.laid_out.opens[0], calendar.laid_out.opens[-1]
    starts = rng.integers(first - DAY, last + DAY, 20_000)
    lengths = rng.integers(-2000 * HOUR, 2000 * HOUR, starts.size)
    many = BulkCalendar(calendar)
    assert many.add(starts, lengths).tolist() == [
        scalar(calendar.add, *each) for each in zip(starts.tolist(), lengths.tolist(), strict=True)
    ]
    assert many.between(starts, starts[::-1]).tolist() == [
        scalar(calendar.between, *each)
        for each in zip(starts.tolist(), starts[::-1].tolist(), strict=True)
    ]


# -- limits -----------------------------------------------------------------------------------


@st.composite
def limits_of_all_kinds(draw: st.DrawFn) -> Limit:
    unit = draw(st.sampled_from([unit for unit in Unit if unit is not Unit.EVENT_TIME]))
    if unit is Unit.NEXT_OPENING:
        return NextOpening()
    amount = draw(amounts)
    is_time = unit in (Unit.ELAPSED, Unit.WORKING_TIME)
    return Limit(amount=amount * (HOUR + 7 * SECOND) if is_time else amount, unit=unit)


@settings(max_examples=100)
@given(
    st.data(),
    definitions(),
    limits_of_all_kinds(),
    st.sampled_from([None, *DayEnd]),
    st.sampled_from(ClosedDayReceipt),
)
def test_what_is_due_is_what_the_scalar_says(
    data: st.DataObject,
    definition: CalendarDefinition,
    limit: Limit,
    day_end: DayEnd | None,
    receipt: ClosedDayReceipt,
) -> None:
    """Every unit, end of a day and receipt, over every edge: clock changes, closures, horizons."""
    calendar = compile_calendar(definition)
    starts = [*edges(calendar), *data.draw(st.lists(near(calendar), max_size=40))]
    asked = limit, calendar, day_end, receipt
    expected = [scalar(limits.due, start, *asked) for start in starts]
    found = BulkCalendar(calendar).due(starts, limit, day_end, receipt)
    assert found.dtype == np.int64
    assert found.tolist() == expected


@settings(max_examples=EXAMPLES)
@given(
    st.lists(st.integers(0, 4_000_000_000 * SECOND), min_size=1, max_size=20),
    st.sampled_from((*ZONES, "Australia/Lord_Howe", "Asia/Tehran", "Asia/Beirut")),
    limits_of_all_kinds(),
    st.sampled_from([None, *DayEnd]),
    st.sampled_from(ClosedDayReceipt),
)
def test_where_all_time_counts_it_is_what_the_scalar_says(
    starts: list[Instant],
    zone: str,
    limit: Limit,
    day_end: DayEnd | None,
    receipt: ClosedDayReceipt,
) -> None:
    """For a century, also where clocks change by half an hour, or at midnight."""
    calendar = elapsed(ZoneInfo(zone))
    asked = limit, calendar, day_end, receipt
    expected = [limits.due(start, *asked) for start in starts]
    assert BulkCalendar(calendar).due(starts, limit, day_end, receipt).tolist() == expected


@pytest.mark.parametrize("zone", [*ZONES, "Australia/Lord_Howe", "Asia/Tehran", "Asia/Beirut"])
def test_every_quarter_of_an_hour_about_the_changes_of_a_year(zone: str) -> None:
    """By wall time, to the end and to the beginning of dates, ahead and back."""
    calendar = elapsed(ZoneInfo(zone))
    many = BulkCalendar(calendar)
    first = start_of_day(date(2021, 1, 1), calendar.zone)
    hours = range(first, end_of_day(date(2021, 12, 31), calendar.zone), HOUR)
    offsets = [many_offset(calendar.zone, hour) for hour in hours]
    changes = [
        hour
        for hour, before, after in zip(hours, offsets, offsets[1:], strict=False)
        if before != after
    ]
    starts = [
        change + quarter * 15 * MINUTE + by
        for change in changes or [first]
        for quarter in range(-4 * 50, 4 * 50)
        for by in (0, -1)
    ]
    for amount in (1, -1, 2):
        limit = Limit(amount=amount, unit=Unit.CALENDAR_DAYS)
        for day_end in DayEnd:
            expected = [limits.due(start, limit, calendar, day_end) for start in starts]
            assert many.due(starts, limit, day_end).tolist() == expected


def many_offset(zone: ZoneInfo, instant: Instant) -> Duration:
    return bulk._offset(instant, zone)


def test_a_time_on_the_event_is_no_length() -> None:
    for calendar in (shipped("council-england"), elapsed(ZoneInfo("UTC"))):
        with pytest.raises(ValueError, match="time on the event is no length"):
            BulkCalendar(calendar).due([0], EventTime())


# -- rows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["1h", "1 working hour", "1 working day", "next opening"])
def test_what_is_not_known_stays_so(limit: str) -> None:
    """Beside what is known, and alone; numpy shows it as no time at all."""
    calendar = shipped("council-england")
    many, wanted = BulkCalendar(calendar), limits.parse_limit(limit)
    start = start_of_day(date(2026, 3, 25), calendar.zone) + 10 * HOUR
    found = many.due([UNKNOWN, start], wanted)
    assert found.tolist() == [UNKNOWN, limits.due(start, wanted, calendar)]
    assert np.isnat(found.view("datetime64[us]")).tolist() == [True, False]
    assert many.due([UNKNOWN], wanted).tolist() == [UNKNOWN]
    assert many.add([UNKNOWN, start], [HOUR, UNKNOWN]).tolist() == [UNKNOWN, UNKNOWN]
    assert many.between([UNKNOWN, start], [start, UNKNOWN]).tolist() == [UNKNOWN, UNKNOWN]


def test_one_number_holds_for_all_rows_and_the_shape_is_kept() -> None:
    many = BulkCalendar(elapsed(ZoneInfo("UTC")))
    assert many.add([[1, 2], [3, 4]], HOUR).tolist() == [[HOUR + 1, HOUR + 2], [HOUR + 3, HOUR + 4]]
    assert many.between(HOUR, np.array([], np.int64)).tolist() == []
    assert many.due(np.array([], np.int64), limits.parse_limit("1 working day")).tolist() == []


@pytest.mark.parametrize("column", [[0.5], ["2027"], [True], [2**70], np.array([1], np.uint64)])
def test_what_is_not_of_whole_microseconds_is_refused(column: object) -> None:
    with pytest.raises(ValueError, match="expected whole microseconds"):
        BulkCalendar(elapsed(ZoneInfo("UTC"))).add(column, HOUR)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", ["1h", "1 calendar day"])
def test_instants_in_other_units_are_refused(limit: str) -> None:
    """Nanoseconds would be of the year 58,000, and sums of them would wrap."""
    many = BulkCalendar(elapsed(ZoneInfo("UTC")))
    with pytest.raises(ValueError, match="of the years 1 to 9999"):
        many.due([1_800_000_000_000_000_000], limits.parse_limit(limit))


def test_a_week_of_one_minute_openings_is_found_in_a_small_table() -> None:
    """A minute's opening in years of days of eight hours must not make the table a huge one."""
    definition = CalendarDefinition(
        name="generated",
        version="1",
        zone="Europe/London",
        weekly=dict.fromkeys(range(5), ((540, 1020),)),
        holidays={},
        special={date(2025, 6, 4): tuple((600 + 2 * at, 601 + 2 * at) for at in range(60))},
        covers_from=date(2020, 1, 1),
        covers_to=date(2030, 12, 31),
    )
    calendar = compile_calendar(definition)
    many = BulkCalendar(calendar)
    assert many._hours is not None
    assert many._hours._by_instant._table.size <= 2 * bulk._BUCKETS_AT_MOST
    minutes = [start_of_day(date(2025, 6, 4), calendar.zone) + at * MINUTE for at in range(1440)]
    for length in (30 * SECOND, 10 * MINUTE, -HOUR):
        expected = [calendar.add(start, length) for start in minutes]
        assert many.add(minutes, length).tolist() == expected


def test_no_zone_changes_its_clocks_twice_within_six_hours() -> None:
    """What finding changes rests on, shown of zones with odd ones over eleven years."""
    for name in ("Africa/Casablanca", "Asia/Gaza"):
        zone = ZoneInfo(name)
        first, last = (start_of_day(date(year, 1, 1), zone) for year in (2008, 2019))
        hourly = {
            bulk._first_with(found, zone, hour - HOUR, hour)
            for hour in range(first + HOUR, last, HOUR)
            if (found := many_offset(zone, hour)) != many_offset(zone, hour - HOUR)
        }
        assert set(bulk._changes(zone, first, last)) == hourly


def test_a_change_with_which_a_year_begins_is_found() -> None:
    """Lisbon went over to Greenwich's time as 1912 began there, in universal time."""
    lisbon = ZoneInfo("Europe/Lisbon")
    new_year = from_datetime(datetime(1912, 1, 1, tzinfo=UTC))
    changes = list(bulk._changes(lisbon, new_year - 300 * DAY, new_year + 300 * DAY))
    assert changes == [new_year]
    calendar = elapsed(lisbon)
    starts = [new_year + by * 10 * MINUTE for by in range(-200, 200)]
    limit = limits.parse_limit("1 calendar day")
    expected = [limits.due(start, limit, calendar) for start in starts]
    assert BulkCalendar(calendar).due(starts, limit).tolist() == expected


def test_neither_the_daemon_nor_the_command_line_loads_numpy() -> None:
    asked = "import sys, monitor.cli, monitor.daemon; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", asked], check=True, timeout=60)


# -- that it can fail -------------------------------------------------------------------------


def _right_for_left(patch: pytest.MonkeyPatch) -> None:
    """Ahead as back: the end of an opening becomes the beginning of the next."""
    last_at = bulk._Steps.last_at
    patch.setattr(bulk._Steps, "last_at", lambda self, values: last_at(self, values + 1))


def _a_step_too_few(patch: pytest.MonkeyPatch) -> None:
    """The table is taken at its word."""
    make = bulk._Steps.__init__

    def made(self: bulk._Steps, bounds: list[int], until: int | None = None) -> None:
        make(self, bounds, until)
        self._turns = 0

    patch.setattr(bulk._Steps, "__init__", made)


def _horizon_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(bulk, "_where_known", lambda values, *_: values)


@pytest.mark.parametrize("plant", [_right_for_left, _a_step_too_few, _horizon_forgotten])
def test_a_planted_fault_is_found(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    @settings(max_examples=10 * EXAMPLES, phases=[Phase.generate], database=None)
    @given(st.data(), definitions())
    def compare(data: st.DataObject, definition: CalendarDefinition) -> None:
        _compare_hours(data, compile_calendar(definition))

    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises((AssertionError, IndexError)):
            compare()


def test_the_twenty_fifth_hour_counts_once() -> None:
    """As for one: Saturday 22:00 and a calendar day is Sunday 22:00, an hour later than 24 h."""
    calendar = elapsed(ZoneInfo("Europe/London"))
    start = start_of_day(date(2027, 10, 30), calendar.zone) + 22 * HOUR
    many = BulkCalendar(calendar)
    by_days = many.due([start], limits.parse_limit("1 calendar day"))
    by_hours = many.due([start], limits.parse_limit("24h"))
    assert (by_days - by_hours).tolist() == [HOUR]
    assert timedelta(microseconds=int(by_hours[0] - start)) == timedelta(hours=24)
