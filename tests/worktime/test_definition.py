from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor.model import HOUR, MINUTE
from monitor.worktime.definition import CalendarDefinition, open_stretches
from monitor.worktime.instants import parse_instant

LONDON = ZoneInfo("Europe/London")
OFFICE = ((510, 1020),)


def definition(**changes: Any) -> CalendarDefinition:
    usual: dict[str, Any] = {
        "name": "council",
        "version": "1",
        "zone": "Europe/London",
        "weekly": dict.fromkeys((0, 1, 3, 4), OFFICE),
        "holidays": {date(2027, 3, 26): "Good Friday", date(2027, 3, 29): "Easter Monday"},
        "special": {date(2027, 3, 25): ((510, 720),), date(2027, 3, 30): ()},
        "covers_from": date(2027, 1, 1),
        "covers_to": date(2027, 12, 31),
    }
    return CalendarDefinition(**(usual | changes))


@pytest.mark.parametrize(
    ("day", "spans", "why"),
    [
        (date(2027, 3, 22), OFFICE, "outside opening hours"),
        (date(2027, 3, 24), (), "closed on Wednesdays"),
        (date(2027, 3, 25), ((510, 720),), "outside opening hours"),
        (date(2027, 3, 26), (), "closed, Good Friday"),
        (date(2027, 3, 27), (), "weekend"),
        (date(2027, 3, 30), (), "closed, local closure"),
    ],
)
def test_a_date_has_its_hours_or_a_reason_for_having_none(
    day: date, spans: tuple[tuple[int, int], ...], why: str
) -> None:
    assert definition().spans_on(day) == spans
    assert definition().why_closed(day) == why


def test_a_special_date_stands_in_place_of_a_holiday() -> None:
    opened = definition(special={date(2027, 3, 26): ((600, 840),)})
    assert opened.spans_on(date(2027, 3, 26)) == ((600, 840),)
    assert opened.why_closed(date(2027, 3, 26)) == "outside opening hours"


def test_everything_that_cannot_be_meant_is_listed_at_once() -> None:
    with pytest.raises(ValueError, match="calendar council: ") as caught:
        definition(
            weekly={7: OFFICE, 1: ((1440, 1500),), 2: ((600, 600),)},
            special={date(2027, 3, 30): ((600, 2041),)},
            covers_to=date(2026, 12, 31),
        )
    assert str(caught.value).split(": ", 1)[1].split("; ") == [
        "covers_to 2026-12-31 is before covers_from 2027-01-01",
        "7 is not a weekday from 0, Monday, to 6, Sunday",
        "weekday 1 opens at minute 1440, expected 0 to 1439",
        "weekday 2 closes at minute 600, expected within a day after 600",
        "2027-03-30 closes at minute 2041, expected within a day after 600",
    ]


def test_a_night_shift_over_the_spring_change_is_an_hour_short() -> None:
    stretches = open_stretches(((1320, 1800),), date(2027, 3, 27), LONDON)
    assert [closes - opens for opens, closes in stretches] == [7 * HOUR]


def test_a_night_shift_over_the_autumn_change_is_an_hour_long() -> None:
    stretches = open_stretches(((1320, 1800),), date(2027, 10, 30), LONDON)
    assert [closes - opens for opens, closes in stretches] == [9 * HOUR]


def test_a_span_that_lies_wholly_in_the_spring_gap_is_not_open_at_all() -> None:
    spans = ((75, 105), (30, 75), (105, 150))
    change = parse_instant("2027-03-28T01:00:00Z")
    assert open_stretches(spans, date(2027, 3, 28), LONDON) == [
        (change - 30 * MINUTE, change),
        (change, change + 30 * MINUTE),
    ]


def test_a_span_opens_and_closes_at_the_first_of_times_that_come_twice() -> None:
    opens, closes = open_stretches(((90, 105),), date(2027, 10, 31), LONDON)[0]
    assert opens == parse_instant("2027-10-31T00:30:00Z")
    assert closes - opens == 15 * MINUTE
