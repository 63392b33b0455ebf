"""Local times as scenarios write them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import DAY, MINUTE
from monitor.replay.times import NotATime, leading_time, read_instant, read_span, say
from monitor.worktime.instants import parse_instant

LONDON = ZoneInfo("Europe/London")


def test_a_time_is_read_in_the_zone() -> None:
    assert read_instant("Sat 30 Oct 2027 22:00", LONDON) == parse_instant("2027-10-30T21:00Z")


def test_a_time_that_comes_twice_is_a_span_unless_the_words_choose() -> None:
    span = read_span("Sun 31 Oct 2027 01:30", LONDON)
    assert span == (parse_instant("2027-10-31T00:30Z"), parse_instant("2027-10-31T01:30Z"))
    assert read_instant("Sun 31 Oct 2027 01:30 BST", LONDON) == span.first
    assert read_instant("Sun 31 Oct 2027 01:30 GMT", LONDON) == span.last


def test_a_date_alone_is_the_whole_day() -> None:
    """Which has twenty-five hours when the clocks go back."""
    span = read_span("Sun 31 Oct 2027", LONDON)
    assert span.last - span.first == 25 * 60 * MINUTE - 1


def test_a_time_alone_has_the_date_of_its_line() -> None:
    at = read_instant("Mon 8 Mar 2027 18:47", LONDON)
    assert say(read_instant("07:30", LONDON, on=at), LONDON) == "Mon 8 Mar 2027 07:30"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Sun 30 Oct 2027 22:00", "30 Oct 2027 is a Sat"),
        ("Sun 31 Feb 2027 22:00", "no such date"),
        ("Sun 28 Mar 2027 01:30", "does not exist"),
        ("Sun 31 Oct 2027 01:30", "add BST or GMT"),
        ("Sun 31 Oct 2027 12:00 BST", "that time is in GMT"),
        ("Sun 31 Oct 2027", "time of day is missing"),
        ("12:00", "date is missing"),
        ("2027-10-31 12:00", "expected a time such as"),
        ("", "expected a time such as"),
    ],
)
def test_what_is_no_time_says_why(text: str, why: str) -> None:
    with pytest.raises(NotATime, match=why):
        read_instant(text, LONDON)


@given(minutes=st.integers(0, 40 * 366 * 24 * 60))
def test_what_is_said_is_read_as_it_was_meant(minutes: int) -> None:
    at = 30 * 365 * DAY + minutes * MINUTE
    assert read_instant(say(at, LONDON), LONDON) == at


def test_a_line_begins_with_its_time() -> None:
    assert leading_time("Sat 30 Oct 2027 22:00  contact") == "Sat 30 Oct 2027 22:00"
    assert leading_time("contact") == ""
