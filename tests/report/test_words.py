from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from monitor.model import DAY, HOUR, MINUTE, Duration, Instant
from monitor.report import words
from monitor.worktime.instants import from_datetime

LONDON = ZoneInfo("Europe/London")


def at(text: str) -> Instant:
    return from_datetime(dt.datetime.fromisoformat(text).replace(tzinfo=LONDON))


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
def test_a_duration_is_said_in_whole_units_that_have_passed(duration: Duration, said: str) -> None:
    assert words.lasting(duration) == said


def test_hours_of_a_week_are_not_said_in_days() -> None:
    assert words.hours(168 * HOUR) == "168 h"
    assert words.hours(162 * HOUR + 40 * MINUTE) == "162 h 40"


def test_a_moment_names_its_year_only_where_it_is_another() -> None:
    said = at("2027-03-08 08:00")
    assert words.moment(at("2027-03-05 16:20"), at=said, zone=LONDON) == "16:20 on Fri 5 March"
    assert words.date(at("2026-12-31 23:59"), at=said, zone=LONDON) == "Thu 31 December 2026"


def test_a_stretch_names_the_second_day_only_where_it_is_another() -> None:
    start = at("2027-03-03 14:00")
    assert words.stretch(start, at("2027-03-03 19:20"), LONDON) == "Wed 14:00 to 19:20"
    assert words.stretch(start, at("2027-03-05 07:05"), LONDON) == "Wed 14:00 to Fri 07:05"


def test_counts_lists_and_limits_read_as_english() -> None:
    assert words.counted(1, "duty", "duties") == "1 duty"
    assert words.counted(1204, "duty", "duties") == "1,204 duties"
    assert words.listed([]) == ""
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.listed(["a", "b"], "or") == "a or b"
    assert words.limit("4h") == "4 h"
    assert words.limit("24 working hours") == "24 working hours"
    assert words.capital("mASH") == "MASH"
