from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import DAY, HOUR, MINUTE, SECOND, Instant
from monitor.worktime.calendar import (
    CalendarDefinition,
    PastHorizon,
    compile_calendar,
    elapsed,
)
from monitor.worktime.instants import isoformat, parse_instant
from monitor.worktime.limits import (
    ClosedDayReceipt,
    DayEnd,
    EventTime,
    Limit,
    Unit,
    due,
    parse_limit,
    shift,
)
from monitor.worktime.zones import day_of, end_of_day, first_instant_of_local, local
from tests.worktime.oracle import Oracle, definitions
from tests.worktime.shipped import shipped

LONDON = ZoneInfo("Europe/London")
COUNCIL = shipped("council-england")
SCHOOL = shipped("school-england")
CLOCK_HOURS = shipped("clock-hours")
NATIONS = ("england", "wales", "scotland", "northern-ireland")
INSTANTS = st.integers(parse_instant("2020-03-01T00:00Z"), parse_instant("2028-06-01T00:00Z"))


def at(text: str) -> Instant:
    """An instant from local London time without an offset, the first where there are two."""
    return first_instant_of_local(datetime.fromisoformat(text), LONDON)


def shown(instant: Instant) -> str:
    """Local London time, with its offset."""
    return isoformat(instant, LONDON)


class TestWords:
    @pytest.mark.parametrize(
        ("text", "amount", "unit", "canonical"),
        [
            ("4h", 4 * HOUR, Unit.ELAPSED, "4h"),
            ("1 hour", HOUR, Unit.ELAPSED, "1h"),
            ("72 hours", 72 * HOUR, Unit.ELAPSED, "72h"),
            ("45 min", 45 * MINUTE, Unit.ELAPSED, "45 min"),
            ("90 minutes", 90 * MINUTE, Unit.ELAPSED, "90 min"),
            ("120min", 2 * HOUR, Unit.ELAPSED, "2h"),
            ("20s", 20 * SECOND, Unit.ELAPSED, "20s"),
            ("1 second", SECOND, Unit.ELAPSED, "1s"),
            ("4 working hours", 4 * HOUR, Unit.WORKING_TIME, "4 working hours"),
            ("1 working hour", HOUR, Unit.WORKING_TIME, "1 working hour"),
            ("30 working minutes", 30 * MINUTE, Unit.WORKING_TIME, "30 working minutes"),
            ("60 working minutes", HOUR, Unit.WORKING_TIME, "1 working hour"),
            ("1 working day", 1, Unit.WORKING_DAYS, "1 working day"),
            ("15 working days", 15, Unit.WORKING_DAYS, "15 working days"),
            ("90 calendar days", 90, Unit.CALENDAR_DAYS, "90 calendar days"),
            (" 1 calendar day ", 1, Unit.CALENDAR_DAYS, "1 calendar day"),
        ],
    )
    def test_a_limit_is_read_and_written(
        self, text: str, amount: int, unit: Unit, canonical: str
    ) -> None:
        assert parse_limit(text) == Limit(amount=amount, unit=unit)
        assert str(parse_limit(text)) == canonical

    def test_a_time_on_the_event_is_a_limit_of_its_own(self) -> None:
        limit = parse_limit("time on the event")
        assert isinstance(limit, EventTime)
        assert isinstance(limit, Limit)
        assert str(limit) == "time on the event"
        assert limit == EventTime()

    @given(
        st.integers(1, 999_999),
        st.sampled_from(("h", " min", "s", " working hours", " working days", " calendar days")),
    )
    def test_what_is_written_is_read_back_the_same(self, number: int, unit: str) -> None:
        limit = parse_limit(f"{number}{unit}")
        assert parse_limit(str(limit)) == limit
        assert hash(parse_limit(str(limit))) == hash(limit)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "h",
            "0h",
            "-4h",
            "1.5h",
            "1 day",
            "1 week",
            "4h 30 min",
            "one working day",
            "1000000h",
            "time on the case",
            "٤h",
            "4h\n5h",
        ],
    )
    def test_anything_else_is_refused_with_the_accepted_forms(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not a limit: expected a whole number") as caught:
            parse_limit(text)
        forms = "4h, 45 min, 20s, 4 working hours, 1 working day, 90 calendar days"
        assert f"{forms}, next opening, time on the event" in str(caught.value)

    def test_the_forms_that_the_refusal_names_are_all_accepted(self) -> None:
        with pytest.raises(ValueError, match="as in") as caught:
            parse_limit("soon")
        forms = str(caught.value).split("as in ")[1].split(", ")
        assert [str(parse_limit(form)) for form in forms] == forms

    def test_a_negative_limit_is_for_reaching_back(self) -> None:
        limit = parse_limit("4 working hours")
        assert -limit == Limit(amount=-4 * HOUR, unit=Unit.WORKING_TIME)
        assert str(-limit) == "-4 working hours"

    def test_a_limit_of_time_is_of_whole_seconds(self) -> None:
        with pytest.raises(ValueError, match="whole seconds"):
            Limit(amount=1, unit=Unit.ELAPSED)

    def test_a_time_on_the_event_cannot_be_reckoned(self) -> None:
        for reckon in (due, shift):
            with pytest.raises(ValueError, match="no length"):
                reckon(0, EventTime(), CLOCK_HOURS)
        with pytest.raises(ValueError, match="no length"):
            _ = -EventTime()


class TestElapsed:
    @pytest.mark.parametrize(
        ("start", "limit", "expected"),
        [
            ("2027-10-30T22:00", "24h", "2027-10-31T21:00:00+00:00"),
            ("2027-03-27T22:00", "24h", "2027-03-28T23:00:00+01:00"),
            ("2027-10-29T22:00", "72h", "2027-11-01T21:00:00+00:00"),
            ("2027-03-26T22:00", "72h", "2027-03-29T23:00:00+01:00"),
            ("2027-03-28T00:59:59", "2s", "2027-03-28T02:00:01+01:00"),
        ],
    )
    def test_hours_pass_whatever_the_clocks_do(self, start: str, limit: str, expected: str) -> None:
        for calendar in (CLOCK_HOURS, COUNCIL):
            assert shown(due(at(start), parse_limit(limit), calendar)) == expected

    @given(INSTANTS, st.integers(1, 10_000))
    def test_elapsed_time_asks_no_calendar_and_is_exact(self, start: Instant, hours: int) -> None:
        limit = parse_limit(f"{hours}h")
        beyond = start + 100 * 366 * DAY
        assert due(beyond, limit, COUNCIL) == beyond + hours * HOUR
        assert shift(due(start, limit, COUNCIL), -limit, COUNCIL) == start


class TestWorkingTime:
    @given(INSTANTS, st.integers(1, 500))
    def test_it_is_the_calendars_own_sum(self, start: Instant, hours: int) -> None:
        limit = parse_limit(f"{hours} working hours")
        assert due(start, limit, COUNCIL) == COUNCIL.add(start, hours * HOUR)
        assert due(start, limit, CLOCK_HOURS) == start + hours * HOUR

    def test_four_hub_hours_from_friday_evening_end_on_monday(self) -> None:
        end = due(at("2027-06-04T17:00"), parse_limit("4 working hours"), shipped("mash"))
        assert shown(end) == "2027-06-07T11:00:00+01:00"

    def test_four_working_hours_before_due_may_be_the_day_before(self) -> None:
        """A warning before 10:00 on the Tuesday after Easter goes out on Thursday."""
        warning = shift(at("2027-03-30T10:00"), -parse_limit("4 working hours"), COUNCIL)
        assert shown(warning) == "2027-03-25T14:30:00+00:00"

    @given(st.data())
    def test_reaching_back_agrees_with_the_minute_oracle(self, data: st.DataObject) -> None:
        definition = data.draw(definitions())
        oracle, calendar = Oracle(definition), compile_calendar(definition)
        instant = data.draw(st.integers(oracle.start + DAY * 3 // 4, oracle.end))
        seconds = data.draw(st.integers(1, 8 * 3600))
        limit = Limit(amount=-seconds * SECOND, unit=Unit.WORKING_TIME)
        try:
            reached = shift(instant, limit, calendar)
        except PastHorizon:
            return
        assert reached == oracle.latest_with(oracle.worked_before(instant) + limit.amount)


class TestWorkingDays:
    """A day count, not eight hours."""

    @pytest.mark.parametrize("nation", NATIONS)
    @pytest.mark.parametrize("received", ["00:00", "08:29", "17:05", "23:59:59.999999"])
    def test_over_easter_2027(self, nation: str, received: str) -> None:
        """Whenever on Thursday it came, Thursday is day 0."""
        council, start = shipped(f"council-{nation}"), at(f"2027-03-25T{received}")
        scotland = nation == "scotland"
        one = due(start, parse_limit("1 working day"), council)
        fifteen = due(start, parse_limit("15 working days"), council)
        assert one == at("2027-03-29T17:00" if scotland else "2027-03-30T17:00")
        assert fifteen == at("2027-04-16T17:00" if scotland else "2027-04-19T17:00")

    @pytest.mark.parametrize("nation", NATIONS)
    def test_over_christmas_2026(self, nation: str) -> None:
        council = shipped(f"council-{nation}")
        end = due(at("2026-12-24T16:00"), parse_limit("1 working day"), council)
        assert shown(end) == "2026-12-29T17:00:00+00:00"

    @pytest.mark.parametrize(
        ("day_end", "expected"),
        [
            (None, "2027-03-30T17:00:00+01:00"),
            (DayEnd.CLOSE_OF_BUSINESS, "2027-03-30T17:00:00+01:00"),
            (DayEnd.SAME_TIME, "2027-03-30T03:10:05.000007+01:00"),
            (DayEnd.START_OF_OPENING, "2027-03-30T08:30:00+01:00"),
        ],
    )
    def test_the_rule_says_when_the_last_day_ends(
        self, day_end: DayEnd | None, expected: str
    ) -> None:
        start = at("2027-03-25T03:10:05.000007")
        assert shown(due(start, parse_limit("1 working day"), COUNCIL, day_end)) == expected

    @pytest.mark.parametrize("day_end", DayEnd)
    @pytest.mark.parametrize(
        ("receipt", "monday_is"),
        [(ClosedDayReceipt.THAT_DATE, 1), (ClosedDayReceipt.NEXT_OPEN_DAY, 0)],
    )
    def test_the_rule_says_what_a_receipt_on_a_closed_day_means(
        self, day_end: DayEnd, receipt: ClosedDayReceipt, monday_is: int
    ) -> None:
        saturday, limit = at("2027-06-05T12:00"), parse_limit("2 working days")
        end = due(saturday, limit, COUNCIL, day_end=day_end, receipt=receipt)
        assert day_of(end, LONDON) == date(2027, 6, 7) + timedelta(days=2 - monday_is)
        if day_end is DayEnd.SAME_TIME:
            assert local(end, LONDON).hour == 12

    @pytest.mark.parametrize("receipt", ClosedDayReceipt)
    def test_a_receipt_on_an_open_day_is_that_date_at_any_hour(
        self, receipt: ClosedDayReceipt
    ) -> None:
        late_on_friday = at("2027-06-04T23:00")
        end = due(late_on_friday, parse_limit("1 working day"), COUNCIL, receipt=receipt)
        assert end == at("2027-06-07T17:00")

    def test_before_the_start_of_the_next_school_day(self) -> None:
        end = due(
            at("2027-03-25T20:00"), parse_limit("1 working day"), SCHOOL, DayEnd.START_OF_OPENING
        )
        assert shown(end) == "2027-03-30T08:30:00+01:00"

    def test_a_rung_a_working_day_away_keeps_its_wall_time(self) -> None:
        one_day, end = parse_limit("1 working day"), at("2027-03-30T17:00")
        assert shift(end, one_day, COUNCIL) == at("2027-03-31T17:00")
        assert shift(end, -one_day, COUNCIL) == at("2027-03-25T17:00")

    def test_in_clock_hours_every_date_is_a_working_day(self) -> None:
        end = due(at("2027-03-26T12:00"), parse_limit("2 working days"), CLOCK_HOURS)
        assert end == end_of_day(date(2027, 3, 28), LONDON)

    def test_past_the_horizon_it_says_unknown(self) -> None:
        for limit in ("1 working day", "1 working hour"):
            with pytest.raises(PastHorizon, match=r"council-england covers .* 2028-12-29"):
                due(at("2028-12-29T17:00"), parse_limit(limit), COUNCIL)

    @given(INSTANTS, st.integers(1, 60), st.sampled_from(DayEnd), st.sampled_from(ClosedDayReceipt))
    def test_a_later_start_is_never_due_earlier(
        self, start: Instant, count: int, day_end: DayEnd, receipt: ClosedDayReceipt
    ) -> None:
        limit = Limit(amount=count, unit=Unit.WORKING_DAYS)
        next_day = start + 25 * HOUR
        ends = [due(each, limit, COUNCIL, day_end, receipt) for each in (start, next_day)]
        assert start < ends[0]
        assert day_of(ends[0], LONDON) <= day_of(ends[1], LONDON)


class TestCalendarDays:
    @pytest.mark.parametrize(
        ("start", "count", "expected"),
        [
            ("2027-01-31T09:15:00.000001", 1, "2027-02-01T09:15:00.000001+00:00"),
            ("2027-12-01T00:00", 90, "2028-02-29T00:00:00+00:00"),
            ("2027-03-27T22:00", 1, "2027-03-28T22:00:00+01:00"),
            ("2027-10-30T22:00", 1, "2027-10-31T22:00:00+00:00"),
            ("2027-03-27T01:30", 1, "2027-03-28T02:00:00+01:00"),
            ("2027-10-30T01:30", 1, "2027-10-31T01:30:00+01:00"),
        ],
    )
    def test_dates_are_counted_at_the_same_wall_time(
        self, start: str, count: int, expected: str
    ) -> None:
        """In the gap it is due at the change; of two instants at the earlier."""
        limit = Limit(amount=count, unit=Unit.CALENDAR_DAYS)
        for calendar in (CLOCK_HOURS, COUNCIL):
            assert shown(due(at(start), limit, calendar)) == expected
            assert shown(due(at(start), limit, calendar, DayEnd.SAME_TIME)) == expected
            assert shown(shift(at(start), limit, calendar)) == expected

    def test_the_second_half_past_one_counts_from_its_wall_time_too(self) -> None:
        second = parse_instant("2027-10-31T01:30:00Z")
        assert shown(due(second, parse_limit("1 calendar day"), CLOCK_HOURS)) == (
            "2027-11-01T01:30:00+00:00"
        )

    def test_sixty_calendar_days_are_not_1440_hours_over_a_change(self) -> None:
        start = at("2027-03-01T00:00")
        end = due(start, parse_limit("60 calendar days"), CLOCK_HOURS)
        assert end == due(start, parse_limit("1440h"), CLOCK_HOURS) - HOUR

    @pytest.mark.parametrize(
        ("day_end", "open_day", "closed_day"),
        [
            (
                DayEnd.CLOSE_OF_BUSINESS,
                "2027-06-04T17:00:00+01:00",
                "2027-06-05T23:59:59.999999+01:00",
            ),
            (DayEnd.START_OF_OPENING, "2027-06-04T08:30:00+01:00", "2027-06-05T00:00:00+01:00"),
        ],
    )
    def test_another_day_end_needs_hours_and_a_closed_date_has_none(
        self, day_end: DayEnd, open_day: str, closed_day: str
    ) -> None:
        """The date is kept: a calendar day that is closed is closed from its first to its last."""
        start = at("2027-06-03T21:00")
        for limit, expected in (("1 calendar day", open_day), ("2 calendar days", closed_day)):
            assert shown(due(start, parse_limit(limit), COUNCIL, day_end)) == expected

    def test_in_clock_hours_the_close_of_business_is_the_end_of_the_date(self) -> None:
        start, limit = at("2027-03-25T10:00"), parse_limit("3 calendar days")
        end = due(start, limit, CLOCK_HOURS, DayEnd.CLOSE_OF_BUSINESS)
        assert end == at("2027-03-29T00:00") - 1

    def test_a_receipt_on_a_closed_day_may_begin_with_the_next_open_one(self) -> None:
        saturday, limit = at("2027-06-05T12:00"), parse_limit("1 calendar day")
        end = due(saturday, limit, COUNCIL, receipt=ClosedDayReceipt.NEXT_OPEN_DAY)
        assert shown(end) == "2027-06-08T12:00:00+01:00"

    @given(INSTANTS, st.integers(-400, 400), st.sampled_from((LONDON, ZoneInfo("Europe/Rome"))))
    def test_the_date_is_that_many_days_away(
        self, start: Instant, count: int, zone: ZoneInfo
    ) -> None:
        end = shift(start, Limit(amount=count, unit=Unit.CALENDAR_DAYS), elapsed(zone))
        assert day_of(end, zone) == day_of(start, zone) + timedelta(days=count)
        assert abs(end - start - count * DAY) <= HOUR


@pytest.mark.parametrize(
    ("start", "opens"),
    [
        ("2027-03-10T02:00", "2027-03-10T08:30"),
        ("2027-03-10T08:29:59.999999", "2027-03-10T08:30"),
        ("2027-03-10T08:30", "2027-03-11T08:30"),
        ("2027-03-12T12:00", "2027-03-15T08:30"),
        ("2027-03-13T12:00", "2027-03-15T08:30"),
    ],
)
def test_the_next_opening_lies_after_the_start_be_it_on_the_same_day(
    start: str, opens: str
) -> None:
    """A duty before the next day begins: at 08:30 itself it is the next day's."""
    school = compile_calendar(
        CalendarDefinition(
            name="school",
            version="1",
            zone="Europe/London",
            weekly=dict.fromkeys(range(5), ((510, 930),)),
            holidays={},
            special={},
            covers_from=date(2027, 1, 1),
            covers_to=date(2027, 12, 31),
        )
    )
    limit = parse_limit("next opening")
    assert str(limit) == "next opening"
    assert due(parse_instant(f"{start}+00:00"), limit, school) == parse_instant(f"{opens}+00:00")
    with pytest.raises(ValueError, match="no length"):
        shift(parse_instant(f"{start}+00:00"), limit, school)
