from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import DAY, HOUR
from monitor.worktime.instants import isoformat, parse_instant
from monitor.worktime.zones import (
    NonexistentTime,
    day_of,
    end_of_day,
    first_instant_of_local,
    instants_of_local,
    local,
    start_of_day,
)

LONDON = ZoneInfo("Europe/London")
# Changes by an hour, by half an hour, at midnight, and by a whole day.
ZONES = st.sampled_from(
    (
        LONDON,
        ZoneInfo("Europe/Rome"),
        ZoneInfo("America/New_York"),
        ZoneInfo("America/St_Johns"),
        ZoneInfo("America/Nuuk"),
        ZoneInfo("America/Sao_Paulo"),
        ZoneInfo("Australia/Lord_Howe"),
        ZoneInfo("Pacific/Apia"),
        ZoneInfo("UTC"),
    )
)
INSTANTS = st.integers(parse_instant("1995-01-01T00:00Z"), parse_instant("2035-01-01T00:00Z"))
LOCAL_TIMES = st.datetimes(datetime(1995, 1, 1), datetime(2035, 1, 1))


def test_a_usual_local_time_is_one_instant() -> None:
    noon = parse_instant("2027-07-01T11:00:00Z")
    assert instants_of_local(datetime(2027, 7, 1, 12), LONDON) == (noon, noon)


def test_while_the_clocks_go_back_a_local_time_is_two_instants() -> None:
    """01:30 on 31 October 2027 without an offset: the earlier first."""
    assert instants_of_local(datetime(2027, 10, 31, 1, 30), LONDON) == (
        parse_instant("2027-10-31T00:30:00Z"),
        parse_instant("2027-10-31T01:30:00Z"),
    )


def test_the_fold_of_a_local_time_is_not_looked_at() -> None:
    twice = datetime(2027, 10, 31, 1, 30)
    assert instants_of_local(twice.replace(fold=1), LONDON) == instants_of_local(twice, LONDON)


def test_a_local_time_in_the_spring_gap_does_not_exist() -> None:
    with pytest.raises(NonexistentTime, match="2027-03-28 01:30:00 does not exist in Europe/Lon"):
        instants_of_local(datetime(2027, 3, 28, 1, 30), LONDON)


@pytest.mark.parametrize("minute", [0, 1, 30, 59])
def test_what_is_due_in_the_gap_is_due_when_the_clocks_change(minute: int) -> None:
    change = parse_instant("2027-03-28T01:00:00Z")
    assert first_instant_of_local(datetime(2027, 3, 28, 1, minute), LONDON) == change


def test_the_gap_ends_to_the_microsecond() -> None:
    change = parse_instant("2027-03-28T01:00:00Z")
    assert first_instant_of_local(datetime(2027, 3, 28, 0, 59, 59, 999_999), LONDON) == change - 1
    assert first_instant_of_local(datetime(2027, 3, 28, 1, 59, 59, 999_999), LONDON) == change
    assert first_instant_of_local(datetime(2027, 3, 28, 2, 0, 0, 1), LONDON) == change + 1


def test_what_is_due_at_a_local_time_that_comes_twice_is_due_at_the_first() -> None:
    first = parse_instant("2027-10-31T00:30:00Z")
    assert first_instant_of_local(datetime(2027, 10, 31, 1, 30), LONDON) == first


def test_a_time_with_an_offset_is_no_local_time() -> None:
    aware = datetime(2027, 7, 1, 12, tzinfo=UTC)
    for reading in (instants_of_local, first_instant_of_local):
        with pytest.raises(ValueError, match="expected a local time without one"):
            reading(aware, LONDON)


@given(INSTANTS, ZONES)
def test_every_instant_is_among_those_of_the_local_time_it_shows(
    instant: int, zone: ZoneInfo
) -> None:
    shown = local(instant, zone)
    pair = instants_of_local(shown.replace(tzinfo=None, fold=0), zone)
    assert pair[shown.fold] == instant


@given(LOCAL_TIMES, ZONES)
def test_local_times_come_in_order_and_are_shown_or_jumped_over(
    naive: datetime, zone: ZoneInfo
) -> None:
    instant = first_instant_of_local(naive, zone)
    shown = local(instant, zone).replace(tzinfo=None, fold=0)
    just_before = local(instant - 1, zone).replace(tzinfo=None, fold=0)
    assert shown >= naive
    assert just_before < naive
    try:
        instants = instants_of_local(naive, zone)
    except NonexistentTime:
        assert shown > naive
    else:
        assert shown == naive
        assert instants[0] == instant <= instants[1]


def test_the_two_long_and_short_days_of_london() -> None:
    lengths = {
        day: end_of_day(day, LONDON) + 1 - start_of_day(day, LONDON)
        for day in (date(2027, 3, 28), date(2027, 10, 31), date(2027, 6, 1))
    }
    assert list(lengths.values()) == [DAY - HOUR, DAY + HOUR, DAY]


def test_a_day_that_does_not_begin_at_midnight_begins_at_the_change() -> None:
    """In Sao Paulo the clocks went from 00:00 to 01:00 on 4 November 2018."""
    zone = ZoneInfo("America/Sao_Paulo")
    start = start_of_day(date(2018, 11, 4), zone)
    assert local(start, zone).isoformat() == "2018-11-04T01:00:00-02:00"


@pytest.mark.parametrize(
    ("zone", "day", "last"),
    [
        # The clocks went back from 00:00 to 23:00: the last hour came twice.
        ("America/Sao_Paulo", date(2018, 2, 17), "2018-02-18T02:59:59.999999+00:00"),
        # They went forward from 23:00 to 00:00: the last hour never came.
        ("America/Nuuk", date(2024, 3, 30), "2024-03-31T00:59:59.999999+00:00"),
        # They went forward from 23:30 to 00:30, over midnight.
        ("America/Toronto", date(1919, 3, 30), "1919-03-31T04:29:59.999999+00:00"),
    ],
)
def test_a_day_ends_with_the_last_microsecond_that_has_its_date(
    zone: str, day: date, last: str
) -> None:
    assert isoformat(end_of_day(day, ZoneInfo(zone))) == last


@given(INSTANTS, ZONES)
def test_a_day_holds_its_instants_from_first_to_last_microsecond(
    instant: int, zone: ZoneInfo
) -> None:
    day = day_of(instant, zone)
    start, end = start_of_day(day, zone), end_of_day(day, zone)
    assert day == local(instant, zone).date()
    assert start <= instant <= end
    assert day_of(start, zone) == day_of(end, zone) == day
    assert day_of(end + 1, zone) > day
    assert day_of(start - 1, zone) < day


@given(st.dates(date(1996, 1, 1), date(2034, 1, 1)))
def test_in_london_each_day_begins_where_the_last_one_ended(day: date) -> None:
    assert end_of_day(day - timedelta(days=1), LONDON) + 1 == start_of_day(day, LONDON)
