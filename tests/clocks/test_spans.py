"""Which time counted, day by day in local time, and nothing dropped however long it is."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clocks.spans import Span, spans
from monitor.model import DAY, HOUR, Instant
from tests.clocks.histories import book, clock_of, contact, instant, rule

OFFICE: dict[str, Any] = {"calendar": "office"}


def spans_of(start: str | Instant, threshold: str, **written: Any) -> list[Span]:
    """The spans of a clock under one rule."""
    one = rule(threshold=threshold, **written)
    clock = clock_of(contact(start), rules=[one])
    return spans(clock, book(one).duty("council", 1))


def texts(start: str, threshold: str, **written: Any) -> list[str]:
    return [span.text for span in spans_of(start, threshold, **written)]


def test_clock_hours_are_one_line() -> None:
    assert texts("2027-03-08T22:47:00+00:00", "4h") == [
        "Mon 8 Mar 2027 22:47 to Tue 9 Mar 02:47: 4 h by the clock, nights and weekends included"
    ]


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("2027-03-27T22:00:00+00:00", "to Sun 28 Mar 23:00: 24 h by the clock"),
        ("2027-10-30T22:00:00+01:00", "to Sun 31 Oct 21:00: 24 h by the clock"),
    ],
)
def test_a_change_of_the_clocks_in_between_is_said(start: str, said: str) -> None:
    (text,) = texts(start, "24h")
    assert said in text
    assert text.endswith(
        f"the clocks go {'forward' if '03-27' in start else 'back'} 1 h in between"
    )


def test_working_hours_over_easter_are_day_by_day() -> None:
    assert texts("2027-03-25T16:00:00+00:00", "4 working hours", **OFFICE) == [
        "Thu 25 Mar 2027: 16:00-17:00, counted 1 h",
        "Fri 26 Mar: Good Friday, not counted",
        "Sat 27 - Sun 28 Mar: weekend, not counted",
        "Mon 29 Mar: Easter Monday, not counted",
        "Tue 30 Mar: 09:00-12:00, counted 3 h",
    ]


def test_working_days_are_shown_by_dates() -> None:
    assert texts("2027-03-25T16:00:00+00:00", "2 working days", **OFFICE) == [
        "Thu 25 Mar 2027: day 0, the day it started",
        "Fri 26 Mar: Good Friday, not counted",
        "Sat 27 - Sun 28 Mar: weekend, not counted",
        "Mon 29 Mar: Easter Monday, not counted",
        "Tue 30 - Wed 31 Mar: working days 1 to 2; due 17:00",
    ]


def test_a_calendar_day_count_ends_at_the_same_time() -> None:
    assert texts("2027-03-25T16:00:00+00:00", "3 calendar days") == [
        "Thu 25 Mar 2027: day 0, the day it started",
        "Fri 26 - Sun 28 Mar: days 1 to 3; due 16:00",
    ]


def test_a_receipt_on_a_closed_day_that_counts_from_the_next_open_one_says_so() -> None:
    found = texts(
        "2027-03-27T12:00:00+00:00",
        "1 working day",
        closed_day_receipt="next open day",
        **OFFICE,
    )
    assert found[0] == "Sat 27 - Sun 28 Mar 2027: weekend, not counted"
    assert found[-2:] == [
        "Tue 30 Mar: day 0, the day it started",
        "Wed 31 Mar: working day 1; due 17:00",
    ]


def test_weeks_that_are_alike_are_one_line() -> None:
    found = texts("2027-04-06T10:00:00+01:00", "60 working days", **OFFICE)
    assert any("weeks alike, Mon to Fri, working days" in text for text in found)
    assert len(found) < 12
    hours = texts("2027-04-06T10:00:00+01:00", "300 working hours", **OFFICE)
    assert any("weeks alike, Mon to Fri 09:00-17:00, counted" in text for text in hours)


def test_the_next_opening_shows_what_lies_before_it() -> None:
    found = texts("2027-03-25T18:00:00+00:00", "next opening", **OFFICE)
    assert found[0] == "Thu 25 Mar 2027: outside opening hours, not counted"
    assert found[-1] == "Tue 30 Mar: outside opening hours, not counted; due 09:00"


def test_a_due_that_cannot_be_computed_has_no_windows() -> None:
    assert spans_of("2027-12-30T10:00:00+00:00", "90 working days", **OFFICE) == []


@given(st.integers(0, 200), st.integers(0, 23), st.integers(1, 400))
@settings(deadline=None, max_examples=60)
def test_what_counted_adds_up_and_leaves_no_gap(day: int, hour: int, hours: int) -> None:
    start = instant("2027-01-04T00:00:00+00:00") + day * DAY + hour * HOUR
    one = rule(threshold=f"{hours} working hours", **OFFICE)
    clock = clock_of(contact(start), rules=[one])
    found = spans(clock, book(one).duty("council", 1))
    if clock.due_at is None:
        assert found == []
        return
    assert sum(span.worked for span in found) == hours * HOUR
    assert found[0].from_at == start
    assert found[-1].to_at == clock.due_at
    for before, after in pairwise(found):
        assert before.to_at == after.from_at
