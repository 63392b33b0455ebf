from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import DAY, HOUR, SECOND
from monitor.worktime.instants import from_datetime, isoformat, parse_instant, to_datetime

LONDON = ZoneInfo("Europe/London")
ROME = ZoneInfo("Europe/Rome")
# A day away from either end, so that no offset leads out of the years that datetime knows.
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))
INSTANTS = MOMENTS.map(lambda naive: from_datetime(naive.replace(tzinfo=UTC)))


def test_the_origin_is_the_first_of_january_1970_in_utc() -> None:
    assert from_datetime(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert from_datetime(datetime(1970, 1, 2, 1, 0, 0, 7, tzinfo=UTC)) == DAY + HOUR + 7
    assert from_datetime(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


def test_a_naive_datetime_is_no_instant() -> None:
    with pytest.raises(ValueError, match="2027-03-25T10:00:00 has no offset from UTC"):
        from_datetime(datetime(2027, 3, 25, 10))


def test_the_fold_of_a_datetime_counts() -> None:
    once = datetime(2027, 10, 31, 1, 30, tzinfo=LONDON)
    assert from_datetime(once.replace(fold=1)) - from_datetime(once) == HOUR


def test_half_a_second_in_an_hour_that_comes_twice_stays_in_its_own() -> None:
    second_time_round = parse_instant("2027-10-31T01:30:00.5Z")
    assert isoformat(second_time_round, LONDON) == "2027-10-31T01:30:00.500000+00:00"
    assert from_datetime(to_datetime(second_time_round, LONDON)) == second_time_round


@given(INSTANTS, st.sampled_from((UTC, LONDON, ROME, ZoneInfo("America/New_York"))))
def test_to_a_datetime_and_back_loses_not_a_microsecond(
    instant: int, zone: timezone | ZoneInfo
) -> None:
    moment = to_datetime(instant, zone)
    assert from_datetime(moment) == instant
    assert moment == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
    assert moment.tzinfo is zone


@given(INSTANTS, st.sampled_from((UTC, LONDON, ROME)))
def test_text_and_back_loses_not_a_microsecond(instant: int, zone: timezone | ZoneInfo) -> None:
    assert parse_instant(isoformat(instant, zone)) == instant


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2027-03-25T10:00:00Z", datetime(2027, 3, 25, 10, tzinfo=UTC)),
        ("2027-03-25 10:00+01:00", datetime(2027, 3, 25, 9, tzinfo=UTC)),
        ("2027-10-31T01:30:00.000001-05:30", datetime(2027, 10, 31, 7, 0, 0, 1, tzinfo=UTC)),
        ("20270325T100000Z", datetime(2027, 3, 25, 10, tzinfo=UTC)),
        ("2027-03-25T10:00:00.1234567Z", datetime(2027, 3, 25, 10, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_iso_8601_with_an_offset_is_read(text: str, utc: datetime) -> None:
    assert parse_instant(text) == from_datetime(utc)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2027-03-25", "2027-03-25T10:00:00", "2027-02-30T10:00:00Z", "25/03/2027"],
)
def test_anything_else_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected ISO 8601 date and time with Z or an offset"):
        parse_instant(text)


def test_microseconds_are_written_only_where_there_are_any() -> None:
    instant = from_datetime(datetime(2027, 3, 28, 22, tzinfo=UTC))
    assert isoformat(instant) == "2027-03-28T22:00:00+00:00"
    assert isoformat(instant, LONDON) == "2027-03-28T23:00:00+01:00"
    assert isoformat(instant + 5) == "2027-03-28T22:00:00.000005+00:00"
    assert isoformat(instant + SECOND) == "2027-03-28T22:00:01+00:00"
