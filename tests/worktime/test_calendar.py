from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.model import DAY, HOUR, MINUTE, SECOND, Instant
from monitor.worktime.calendar import (
    Calendar,
    CalendarDefinition,
    PastHorizon,
    Window,
    compile_calendar,
    elapsed,
)
from monitor.worktime.definition import Span
from monitor.worktime.instants import isoformat
from monitor.worktime.zones import day_of, end_of_day, first_instant_of_local, start_of_day
from tests.worktime.oracle import Oracle, definitions
from tests.worktime.shipped import shipped

LONDON = ZoneInfo("Europe/London")
COUNCIL = shipped("council-england")
CLOCK_HOURS = elapsed(LONDON)
COVERED = st.integers(
    start_of_day(date(2020, 1, 1), LONDON), end_of_day(date(2028, 12, 31), LONDON)
)
DATES = st.dates(date(2020, 1, 1), date(2028, 12, 31))


def calendar(
    *spans: Span,
    covers_from: date = date(2027, 3, 1),
    covers_to: date = date(2027, 4, 30),
    special: dict[date, tuple[Span, ...]] | None = None,
) -> Calendar:
    """Open every day of the week at the same hours."""
    return compile_calendar(
        CalendarDefinition(
            name="every-day",
            version="1",
            zone="Europe/London",
            weekly=dict.fromkeys(range(7), spans),
            holidays={},
            special=special or {},
            covers_from=covers_from,
            covers_to=covers_to,
        )
    )


def at(text: str) -> Instant:
    """An instant from local London time without an offset, the first where there are two."""
    return first_instant_of_local(datetime.fromisoformat(text), LONDON)


class TestAgainstTheMinuteOracle:
    """Several spans, nights, holidays, special dates and zones, about the clock changes."""

    @given(st.data())
    def test_counting_and_adding_agree(self, data: st.DataObject) -> None:
        definition = data.draw(definitions())
        oracle, compiled = Oracle(definition), compile_calendar(definition)
        known = st.integers(_known_from(oracle), oracle.end)
        for _ in range(20):
            start, end = data.draw(known), data.draw(known)
            worked = oracle.worked_before(end) - oracle.worked_before(start)
            assert compiled.between(start, end) == worked
            reached = compiled.add(start, worked)
            if worked > 0:
                assert reached == oracle.earliest_with(oracle.worked_before(start) + worked)
            elif worked < 0:
                assert reached == oracle.latest_with(oracle.worked_before(start) + worked)
            else:
                assert reached == start

    @given(st.data())
    def test_being_open_and_opening_next_agree(self, data: st.DataObject) -> None:
        definition = data.draw(definitions())
        oracle, compiled = Oracle(definition), compile_calendar(definition)
        for _ in range(20):
            instant = data.draw(st.integers(_known_from(oracle), oracle.end - 1))
            assert compiled.is_open(instant) == oracle.open_at(instant)
            minute = instant // MINUTE - oracle.first_minute
            following = [minute, *range(minute + 1, len(oracle.is_open))]
            opens = next((each for each in following if oracle.is_open[each]), None)
            if opens is None:
                with pytest.raises(PastHorizon):
                    compiled.next_opening(instant)
            else:
                expected = max(instant, oracle.start + opens * MINUTE)
                assert compiled.next_opening(instant) == expected

    @given(st.data())
    def test_windows_leave_no_gap_and_count_what_is_open(self, data: st.DataObject) -> None:
        definition = data.draw(definitions())
        oracle, compiled = Oracle(definition), compile_calendar(definition)
        known = st.integers(_known_from(oracle), oracle.end)
        start, end = sorted((data.draw(known), data.draw(known)))
        windows = list(compiled.windows(start, end))
        edges = [start, *(window.end for window in windows)]
        assert [window.start for window in windows] == edges[:-1]
        assert edges[-1] == end
        for window in windows:
            minutes = range(window.start // MINUTE, -(-window.end // MINUTE))
            readings = {oracle.is_open[minute - oracle.first_minute] for minute in minutes}
            assert readings == {window.counted}
        for earlier, later in pairwise(windows):
            assert (earlier.counted, earlier.why) != (later.counted, later.why)

    @given(st.data())
    def test_just_what_the_definition_covers_is_known(self, data: st.DataObject) -> None:
        definition = data.draw(definitions())
        oracle, compiled = Oracle(definition), compile_calendar(definition)
        everything = compiled.between(_known_from(oracle), oracle.end)
        assert compiled.add(_known_from(oracle), everything) <= oracle.end
        for beyond in (_known_from(oracle) - 1, oracle.end + 1):
            with pytest.raises(PastHorizon, match="calendar generated covers "):
                compiled.worked_before(beyond)
        with pytest.raises(PastHorizon):
            compiled.add(_known_from(oracle), everything + 1)
        with pytest.raises(PastHorizon):
            compiled.add(oracle.end, -everything - 1)


def _known_from(oracle: Oracle) -> Instant:
    """After the night shift of the date before, of which nobody knows whether it took place."""
    definition = oracle.definition
    zone = ZoneInfo(definition.zone)
    before = definition.covers_from - timedelta(days=1)
    spans = definition.weekly.get(before.weekday(), ()) + definition.special.get(before, ())
    tails = [closes - 1440 for _, closes in spans]
    naive = datetime.combine(definition.covers_from, time.min) + timedelta(minutes=max([0, *tails]))
    return first_instant_of_local(naive, zone)


class TestLaws:
    """What holds for every calendar, shown on a council's over nine years."""

    @given(COVERED, st.integers(1, 200 * HOUR))
    def test_adding_then_counting_is_the_duration(self, start: Instant, worked: int) -> None:
        assume(start < at("2028-10-01"))
        assert COUNCIL.between(start, COUNCIL.add(start, worked)) == worked

    @given(COVERED, st.integers(1, 200 * HOUR))
    def test_reaching_back_then_counting_is_the_duration(self, end: Instant, worked: int) -> None:
        assume(end > at("2020-03-01"))
        assert COUNCIL.between(COUNCIL.add(end, -worked), end) == worked

    @given(COVERED, st.integers(1, 200 * HOUR))
    def test_what_is_added_is_reached_not_a_microsecond_later(
        self, start: Instant, worked: int
    ) -> None:
        assume(start < at("2028-10-01"))
        reached = COUNCIL.add(start, worked)
        assert COUNCIL.between(start, reached - 1) == worked - 1

    @given(COVERED, st.integers(1, 200 * HOUR))
    def test_what_is_reached_back_to_is_the_latest_there_is(
        self, end: Instant, worked: int
    ) -> None:
        assume(end > at("2020-03-01"))
        reached = COUNCIL.add(end, -worked)
        assert COUNCIL.is_open(reached)
        assert COUNCIL.between(reached + 1, end) == worked - 1

    @given(COVERED, COVERED, COVERED)
    def test_counting_is_additive(self, start: Instant, middle: Instant, end: Instant) -> None:
        parts = COUNCIL.between(start, middle) + COUNCIL.between(middle, end)
        assert parts == COUNCIL.between(start, end) == -COUNCIL.between(end, start)

    @given(COVERED, COVERED)
    def test_counting_is_monotone_and_never_more_than_passed(
        self, one: Instant, other: Instant
    ) -> None:
        start, end = sorted((one, other))
        assert 0 <= COUNCIL.between(start, end) <= end - start

    @given(COVERED)
    def test_adding_nothing_is_the_start_itself(self, start: Instant) -> None:
        assert COUNCIL.add(start, 0) == start

    @given(DATES, st.integers(-40, 40))
    def test_working_days_are_counted_as_one_by_one(self, day: date, count: int) -> None:
        assume(date(2020, 4, 1) < day < date(2028, 9, 1))
        step = timedelta(days=1 if count > 0 else -1)
        expected, left = day, abs(count)
        while left:
            expected += step
            left -= COUNCIL.is_working_day(expected)
        assert COUNCIL.working_day_after(day, count) == expected

    @given(DATES)
    def test_a_working_day_is_worked_from_opening_to_close(self, day: date) -> None:
        assume(COUNCIL.is_working_day(day))
        opening, close = COUNCIL.opening(day), COUNCIL.close_of_business(day)
        assert day_of(opening, LONDON) == day_of(close, LONDON) == day
        assert close - opening == COUNCIL.between(opening, close) == 8 * HOUR + 30 * MINUTE
        assert not COUNCIL.is_open(opening - 1)
        assert COUNCIL.is_open(opening)
        assert COUNCIL.is_open(close - 1)
        assert not COUNCIL.is_open(close)


class TestWorkingTime:
    """Fixed cases, by hand."""

    def test_four_working_hours_from_thursday_afternoon_reach_over_easter(self) -> None:
        start = at("2027-03-25T15:00")
        due = COUNCIL.add(start, 4 * HOUR)
        assert isoformat(due, LONDON) == "2027-03-30T10:30:00+01:00"
        assert COUNCIL.add(due, -4 * HOUR) == start

    def test_working_time_ends_at_the_close_and_begins_at_the_opening(self) -> None:
        """Earliest going forward is the close itself; latest going back is the next opening."""
        thursday = at("2027-03-25T08:30")
        assert COUNCIL.add(thursday, 8 * HOUR + 30 * MINUTE) == at("2027-03-25T17:00")
        assert COUNCIL.add(at("2027-03-30T09:30"), -HOUR) == at("2027-03-30T08:30")
        assert COUNCIL.add(at("2027-03-30T09:30"), -HOUR - 1) == at("2027-03-25T17:00") - 1

    def test_a_start_in_closed_time_counts_from_the_next_opening(self) -> None:
        for start in ("2027-03-25T17:00", "2027-03-27T03:00", "2027-03-30T08:30"):
            assert COUNCIL.add(at(start), MINUTE) == at("2027-03-30T08:31")

    def test_a_lunch_closure_does_not_count(self) -> None:
        split = calendar((540, 720), (780, 1020))
        assert split.add(at("2027-03-10T11:30"), HOUR) == at("2027-03-10T13:30")
        assert split.add(at("2027-03-10T11:30"), 30 * MINUTE) == at("2027-03-10T12:00")

    def test_spans_that_overlap_or_touch_count_once(self) -> None:
        one = calendar((540, 1020))
        several = calendar((540, 700), (600, 720), (720, 1020), (800, 810))
        start, end = at("2027-03-05T00:00"), at("2027-03-06T00:00")
        assert several.between(start, end) == one.between(start, end) == 8 * HOUR
        assert list(several.windows(start, end)) == list(one.windows(start, end))

    def test_round_the_clock_is_elapsed_time_over_both_changes(self) -> None:
        whole = calendar((0, 1440), covers_to=date(2027, 12, 31))
        for start in (at("2027-03-27T22:00"), at("2027-10-30T22:00")):
            assert whole.add(start, 24 * HOUR) == start + 24 * HOUR
            assert whole.between(start, start + 72 * HOUR) == 72 * HOUR
        assert list(whole.windows(at("2027-03-27T22:00"), at("2027-04-02T00:00"))) == [
            Window(at("2027-03-27T22:00"), at("2027-04-02T00:00"), counted=True, why="open")
        ]

    def test_a_night_shift_belongs_to_the_date_on_which_it_opens(self) -> None:
        saturday, sunday = date(2027, 3, 27), date(2027, 3, 28)
        nights = calendar((1320, 1800), special={sunday: ()})
        assert nights.close_of_business(saturday) == at("2027-03-28T06:00")
        assert nights.is_open(at("2027-03-28T05:59"))
        assert not nights.is_working_day(sunday)
        assert nights.between(at("2027-03-27T12:00"), at("2027-03-29T12:00")) == 7 * HOUR

    def test_the_close_of_the_last_covered_night_is_known_but_what_follows_is_not(self) -> None:
        nights = calendar((1320, 1800))
        assert nights.close_of_business(date(2027, 4, 30)) == at("2027-05-01T06:00")
        assert nights.between(at("2027-04-30T22:00"), at("2027-05-01T00:00")) == 2 * HOUR
        with pytest.raises(PastHorizon):
            nights.worked_before(at("2027-05-01T00:00") + 1)

    @pytest.mark.parametrize(
        ("weekly", "night_before"),
        [(((1320, 1800), (0, 480)), None), (((0, 480),), ((1320, 1800),))],
    )
    def test_the_early_hours_of_the_first_date_are_unknown_where_the_night_before_is(
        self, weekly: tuple[Span, ...], night_before: tuple[Span, ...] | None
    ) -> None:
        """A night shift until 06:00, of the week or of that date, lies before what is covered."""
        special = {date(2027, 2, 28): night_before} if night_before else None
        place = calendar(*weekly, special=special)
        assert place.add(at("2027-03-01T07:00"), -HOUR) == at("2027-03-01T06:00")
        with pytest.raises(PastHorizon):
            place.is_open(at("2027-03-01T06:00") - 1)
        with pytest.raises(PastHorizon):
            place.add(at("2027-03-01T07:00"), -HOUR - 1)

    def test_business_closes_with_the_last_span_to_close_whichever_opened_last(self) -> None:
        for spans in (((540, 720), (780, 1020)), ((540, 1020), (600, 660))):
            place, day = calendar(*spans), date(2027, 3, 10)
            assert place.opening(day) == at("2027-03-10T09:00")
            assert place.close_of_business(day) == at("2027-03-10T17:00")

    def test_a_half_day_an_extra_day_and_a_local_closure_count_as_they_say(self) -> None:
        half, extra, closed = date(2027, 3, 10), date(2027, 3, 13), date(2027, 3, 11)
        special: dict[date, tuple[Span, ...]] = {half: ((540, 720),), extra: ((600, 660),)}
        place = calendar((540, 1020), special=special | {closed: ()})
        worked = {
            day: place.between(start_of_day(day, LONDON), end_of_day(day, LONDON))
            for day in (half, extra, closed)
        }
        assert worked == {half: 3 * HOUR, extra: HOUR, closed: 0}
        assert not place.is_working_day(closed)
        assert place.close_of_business(half) == at("2027-03-10T12:00")

    def test_a_place_that_never_opens_answers_zero_and_knows_no_next_opening(self) -> None:
        shut = calendar()
        assert shut.between(at("2027-03-02"), at("2027-04-02")) == 0
        with pytest.raises(PastHorizon):
            shut.add(at("2027-03-02"), 1)
        with pytest.raises(PastHorizon):
            shut.next_opening(at("2027-03-02"))
        with pytest.raises(PastHorizon):
            shut.working_day_after(date(2027, 3, 2), 1)


class TestWorkingDays:
    """Which dates are counted, by nation."""

    @pytest.mark.parametrize(
        ("nation", "one", "fifteen"),
        [
            ("england", date(2027, 3, 30), date(2027, 4, 19)),
            ("wales", date(2027, 3, 30), date(2027, 4, 19)),
            ("northern-ireland", date(2027, 3, 30), date(2027, 4, 19)),
            ("scotland", date(2027, 3, 29), date(2027, 4, 16)),
        ],
    )
    def test_easter_2027(self, nation: str, one: date, fifteen: date) -> None:
        council = shipped(f"council-{nation}")
        assert council.working_day_after(date(2027, 3, 25), 1) == one
        assert council.working_day_after(date(2027, 3, 25), 15) == fifteen
        assert council.working_day_after(fifteen, -15) == date(2027, 3, 25)

    @pytest.mark.parametrize("nation", ["england", "wales", "scotland", "northern-ireland"])
    def test_christmas_2026(self, nation: str) -> None:
        council = shipped(f"council-{nation}")
        assert council.working_day_after(date(2026, 12, 24), 1) == date(2026, 12, 29)

    def test_from_a_closed_date_the_next_open_one_is_day_1(self) -> None:
        saturday = date(2027, 3, 20)
        assert COUNCIL.working_day_after(saturday, 1) == date(2027, 3, 22)
        assert COUNCIL.working_day_after(saturday, -1) == date(2027, 3, 19)
        assert COUNCIL.working_day_after(saturday, 0) == saturday

    def test_a_closed_date_has_no_hours_and_says_why(self) -> None:
        with pytest.raises(ValueError, match="not open on 2027-03-26: closed, Good Friday"):
            COUNCIL.close_of_business(date(2027, 3, 26))
        with pytest.raises(ValueError, match="not open on 2027-03-27: weekend"):
            COUNCIL.opening(date(2027, 3, 27))


class TestHorizon:
    """Past what is covered nothing is guessed (law 13)."""

    @pytest.mark.parametrize("day", [date(2019, 12, 31), date(2029, 1, 1)])
    def test_a_date_beyond_it_is_named_with_the_calendar(self, day: date) -> None:
        instant = start_of_day(day, LONDON) + HOUR
        expected = (
            f"calendar council-england covers 2020-01-01 to 2028-12-31: it does not know {day}"
        )
        questions = (
            lambda: COUNCIL.worked_before(instant),
            lambda: COUNCIL.between(at("2027-03-25"), instant),
            lambda: COUNCIL.add(instant, 0),
            lambda: COUNCIL.is_open(instant),
            lambda: COUNCIL.next_opening(instant),
            lambda: COUNCIL.windows(*sorted((instant, at("2027-03-25")))),
            lambda: COUNCIL.is_working_day(day),
            lambda: COUNCIL.working_day_after(day, 1),
            lambda: COUNCIL.opening(day),
            lambda: COUNCIL.close_of_business(day),
        )
        for question in questions:
            with pytest.raises(PastHorizon) as caught:
                question()
            assert str(caught.value) == expected

    def test_working_time_that_runs_out_is_named_with_where_it_began(self) -> None:
        with pytest.raises(PastHorizon, match="8:30:01 of working time after 2028-12-29"):
            COUNCIL.add(at("2028-12-29T08:30"), 8 * HOUR + 30 * MINUTE + SECOND)
        with pytest.raises(PastHorizon, match="0:00:01 of working time before 2020-01-01"):
            COUNCIL.add(at("2020-01-01T12:00"), -SECOND)

    def test_working_days_that_run_out_are_named_with_where_they_began(self) -> None:
        with pytest.raises(PastHorizon, match="1 working day after 2028-12-29"):
            COUNCIL.working_day_after(date(2028, 12, 29), 1)
        with pytest.raises(PastHorizon, match="2 working days before 2020-01-03"):
            COUNCIL.working_day_after(date(2020, 1, 3), -2)

    def test_the_last_microsecond_that_is_known_is_reached(self) -> None:
        close = COUNCIL.close_of_business(date(2028, 12, 29))
        assert COUNCIL.add(at("2028-12-29T08:30"), 8 * HOUR + 30 * MINUTE) == close
        assert COUNCIL.worked_before(at("2029-01-01")) == COUNCIL.worked_before(close)

    def test_whether_the_instant_after_the_last_known_one_is_open_is_not_known(self) -> None:
        """All time before it is known, but it belongs to a date that is not covered."""
        whole = calendar((0, 1440))
        end = at("2027-05-01T00:00")
        assert whole.is_open(end - 1)
        assert whole.worked_before(end) == whole.worked_before(end - 1) + 1
        for question in (whole.is_open, whole.next_opening):
            with pytest.raises(PastHorizon, match="it does not know 2027-05-01"):
                question(end)

    def test_after_the_last_opening_there_is_no_next_one(self) -> None:
        with pytest.raises(PastHorizon, match="it does not know 2029-01-01"):
            COUNCIL.next_opening(at("2028-12-29T17:00"))


class TestWindows:
    """Why a stretch of time counts or does not, for the explanation."""

    def test_a_limit_over_easter_is_explained_day_by_day(self) -> None:
        windows = COUNCIL.windows(at("2027-03-25T15:00"), at("2027-03-30T10:30"))
        assert list(windows) == [
            Window(at("2027-03-25T15:00"), at("2027-03-25T17:00"), True, "open"),
            Window(at("2027-03-25T17:00"), at("2027-03-26"), False, "outside opening hours"),
            Window(at("2027-03-26"), at("2027-03-27"), False, "closed, Good Friday"),
            Window(at("2027-03-27"), at("2027-03-29"), False, "weekend"),
            Window(at("2027-03-29"), at("2027-03-30"), False, "closed, Easter Monday"),
            Window(at("2027-03-30"), at("2027-03-30T08:30"), False, "outside opening hours"),
            Window(at("2027-03-30T08:30"), at("2027-03-30T10:30"), True, "open"),
        ]

    @given(COVERED, st.integers(0, 30 * DAY))
    def test_the_counted_ones_add_up_to_the_working_time(self, start: Instant, length: int) -> None:
        end = min(start + length, at("2029-01-01"))
        counted = sum(w.end - w.start for w in COUNCIL.windows(start, end) if w.counted)
        assert counted == COUNCIL.between(start, end)

    def test_no_time_at_all_has_no_windows(self) -> None:
        for place in (COUNCIL, CLOCK_HOURS):
            assert list(place.windows(at("2027-03-25"), at("2027-03-25"))) == []

    def test_time_does_not_run_backwards(self) -> None:
        for place in (COUNCIL, CLOCK_HOURS):
            with pytest.raises(ValueError, match="comes before the start"):
                place.windows(at("2027-03-26"), at("2027-03-25"))


class TestClockHours:
    """The calendar that is always open."""

    @given(st.integers(-(10**17), 10**17), st.integers(-(10**16), 10**16))
    def test_every_microsecond_counts_and_there_is_no_horizon(
        self, start: Instant, length: int
    ) -> None:
        end = CLOCK_HOURS.add(start, length)
        assert end == start + length
        assert CLOCK_HOURS.between(start, end) == length
        assert CLOCK_HOURS.is_open(start)
        assert CLOCK_HOURS.next_opening(start) == start

    def test_every_date_is_a_working_day_from_its_first_microsecond_to_its_last(self) -> None:
        day = date(2027, 3, 28)
        assert CLOCK_HOURS.is_working_day(day)
        assert CLOCK_HOURS.working_day_after(day, -28) == date(2027, 2, 28)
        assert CLOCK_HOURS.opening(day) == at("2027-03-28")
        assert CLOCK_HOURS.close_of_business(day) == at("2027-03-29") - 1

    def test_all_of_it_is_one_window(self) -> None:
        assert list(CLOCK_HOURS.windows(5, 7)) == [Window(5, 7, True, "clock hours")]

    def test_it_has_a_name_and_a_zone_and_no_end(self) -> None:
        shipped_hours = shipped("clock-hours")
        assert (shipped_hours.name, shipped_hours.zone.key) == ("clock hours", "Europe/London")
        assert shipped_hours.covers_to is None
