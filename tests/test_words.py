from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import words
from monitor.model import DAY, HOUR, MINUTE, SECOND, Instant

LONDON = ZoneInfo("Europe/London")
NIGHT = "2027-03-09 02:47"


def at(text: str) -> Instant:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (0, "less than a minute"),
        (MINUTE - 1, "less than a minute"),
        (MINUTE, "1 min"),
        (27 * MINUTE + 59 * SECOND, "27 min"),
        (HOUR, "1 h 00"),
        (4 * HOUR, "4 h 00"),
        (5 * HOUR + 27 * MINUTE, "5 h 27"),
        (DAY, "1 d"),
        (2 * DAY + 14 * HOUR, "2 d 14 h"),
        (2 * DAY + 10 * HOUR + 40 * MINUTE, "2 d 10 h 40"),
        (3 * DAY + MINUTE, "3 d 0 h 01"),
    ],
)
def test_durations_are_said_in_whole_minutes_that_have_passed(duration: int, said: str) -> None:
    assert words.lasting(duration) == said


@pytest.mark.parametrize(
    ("instant", "said"),
    [
        ("2027-03-09 18:47", "18:47 today"),
        ("2027-03-09 00:00", "00:00 today"),
        ("2027-03-10 10:00", "10:00 tomorrow, Wed 10 March"),
        ("2027-03-08 22:47", "22:47 on Mon 8 March"),
        ("2027-03-11 08:00", "08:00 on Thu 11 March"),
        ("2026-12-24 17:00", "17:00 on Thu 24 December 2026"),
    ],
)
def test_a_moment_is_said_as_seen_from_the_time_of_the_mail(instant: str, said: str) -> None:
    assert words.when(at(instant), at=at(NIGHT), zone=LONDON) == said


@pytest.mark.parametrize(
    ("instant", "said"),
    [
        ("2027-03-08 21:20", "21:20"),
        ("2027-03-08 06:46", "Mon 06:46"),
        ("2027-03-05 20:20", "Fri 20:20"),
        ("2027-03-10 08:30", "Wed 08:30"),
        ("2027-03-02 20:20", "20:20 on Tue 2 March"),
    ],
)
def test_a_short_form_is_used_only_where_it_can_mean_one_moment(instant: str, said: str) -> None:
    assert words.briefly(at(instant), at=at(NIGHT), zone=LONDON) == said


def test_the_full_form_names_the_weekday_and_the_year() -> None:
    assert words.moment(at(NIGHT), zone=LONDON) == "02:47 on Tue 9 March 2027"


def test_times_are_those_of_the_zone_in_summer_too() -> None:
    assert words.moment(at("2027-07-01 12:00"), zone=LONDON) == "13:00 on Thu 1 July 2027"


def test_an_hour_that_occurs_twice_says_which_of_them_is_meant() -> None:
    first, second = at("2027-10-31 00:30"), at("2027-10-31 01:30")

    assert words.time_of_day(first, zone=LONDON) == "01:30 BST"
    assert words.time_of_day(second, zone=LONDON) == "01:30 GMT"
    assert words.time_of_day(at("2027-10-31 02:30"), zone=LONDON) == "02:30"


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2027-03-01 00:00", "2027-03-08 00:00", "1-7 March 2027"),
        ("2027-02-22 00:00", "2027-03-01 00:00", "22-28 February 2027"),
        ("2027-03-29 00:00", "2027-04-04 23:00", "29 March - 4 April 2027"),
        ("2026-12-28 00:00", "2027-01-04 00:00", "28 December 2026 - 3 January 2027"),
        ("2027-03-01 00:00", "2027-03-02 00:00", "1 March 2027"),
    ],
)
def test_a_period_names_its_first_and_last_day(start: str, end: str, said: str) -> None:
    assert words.period(at(start), end=at(end), zone=LONDON) == said


def test_one_is_not_many() -> None:
    assert words.count(1, "duty", "duties") == "1 duty"
    assert words.count(0, "case") == "0 cases"
    assert words.count(1_780, "case") == "1,780 cases"


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)), st.integers(0, 20 * 60))
def test_a_bare_time_of_day_names_one_moment_of_the_hours_before(now: datetime, ago: int) -> None:
    """Two moments that a reader could confuse are never said alike."""
    here = at(now.isoformat())
    said = words.briefly(here - ago * MINUTE, at=here, zone=LONDON)
    day_before = words.briefly(here - ago * MINUTE - DAY, at=here, zone=LONDON)

    assert said != day_before


@given(st.timedeltas(timedelta(0), timedelta(days=400)))
def test_a_duration_reads_back_as_itself_to_the_minute(length: timedelta) -> None:
    minutes = length // timedelta(minutes=1)
    said = words.lasting(length // timedelta(microseconds=1))

    assert _minutes(said) == minutes


def _minutes(said: str) -> int:
    if said == "less than a minute":
        return 0
    parts = said.split()
    units = {"d": 24 * 60, "h": 60, "min": 1}
    named = sum(
        int(number) * units[unit] for number, unit in zip(parts[::2], parts[1::2], strict=False)
    )
    return named + (int(parts[-1]) if len(parts) % 2 else 0)


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (0, "less than a minute"),
        (MINUTE - 1, "less than a minute"),
        (27 * MINUTE, "27 min"),
        (4 * HOUR, "4 h 00"),
        (DAY - 1, "23 h 59"),
        (DAY, "1 d"),
        (2 * DAY + 10 * HOUR + 40 * MINUTE, "2 d 10 h"),
    ],
)
def test_a_long_duration_is_said_in_whole_hours_that_have_passed(duration: int, said: str) -> None:
    assert words.lasting_about(duration) == said


def test_hours_of_a_week_are_not_said_in_days() -> None:
    assert words.hours(168 * HOUR) == "168 h"
    assert words.hours(162 * HOUR + 40 * MINUTE) == "162 h 40"


def test_a_moment_names_its_year_only_where_it_is_another() -> None:
    said = at("2027-03-08 08:00")
    assert words.said_of(at("2027-03-05 16:20"), at=said, zone=LONDON) == "16:20 on Fri 5 March"
    assert words.day_said(at("2026-12-31 23:59"), at=said, zone=LONDON) == "Thu 31 December 2026"


def test_a_stretch_names_the_second_day_only_where_it_is_another() -> None:
    start = at("2027-03-03 14:00")
    assert words.stretch(start, at("2027-03-03 19:20"), zone=LONDON) == "Wed 14:00 to 19:20"
    assert words.stretch(start, at("2027-03-05 07:05"), zone=LONDON) == "Wed 14:00 to Fri 07:05"


@pytest.mark.parametrize(
    ("role", "said"),
    [
        ("the head of safeguarding", "head of safeguarding"),
        (" The duty inspector", "duty inspector"),
        ("theatre manager", "theatre manager"),
        ("the", "the"),
    ],
)
def test_a_role_is_said_without_its_article(role: str, said: str) -> None:
    assert words.without_article(role) == said


def test_at_most_three_names_that_were_perhaps_meant_are_named() -> None:
    known = [
        "missing-council",
        "missing-high-council",
        "missing-found-council",
        "missing-x-council",
    ]
    said = words.nearest("mising-council", known, list_all="monitor rules list")
    assert said.startswith("nearest: missing-council, missing-")
    assert said.count("missing") == 3
    assert said.endswith("; all: monitor rules list")
    assert words.nearest("zzz", known, list_all="a command") == "all: a command"


def test_counts_lists_and_limits_read_as_english() -> None:
    assert words.count(1, "duty", "duties") == "1 duty"
    assert words.count(1204, "duty", "duties") == "1,204 duties"
    assert words.listed([]) == ""
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.listed(["a", "b"], "or") == "a or b"
    assert words.limit("4h") == "4 h"
    assert words.limit("24 working hours") == "24 working hours"
    assert words.capital("mASH") == "MASH"
