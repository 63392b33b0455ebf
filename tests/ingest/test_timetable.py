from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.timetable import reached, trusted_until
from monitor.model import DAY, HOUR, MINUTE
from monitor.worktime.instants import parse_instant
from tests.ingest.sources import LOG, feed_of
from tests.worktime.shipped import shipped

OFFICE = {"weekdays": ["mon", "tue", "wed", "thu", "fri"], "from": "07:00", "to": "19:00"}
NIGHT = {"weekdays": ["fri"], "from": "22:00", "to": "06:00"}


@pytest.mark.parametrize(
    ("heartbeat", "heard", "until"),
    [
        ({"every": "1 h"}, "2027-03-08T18:47+00:00", "2027-03-08T19:47+00:00"),
        # across midnight, and across both changes of the clocks: real hours
        ({"every": "6 h"}, "2027-03-27T22:00+00:00", "2027-03-28T05:00+01:00"),
        ({"every": "6 h"}, "2027-10-30T22:00+01:00", "2027-10-31T03:00+00:00"),
        # only office hours count: Friday 18:30 has half an hour left, Monday the other half
        ({"every": "1 h", **OFFICE}, "2027-03-05T18:30+00:00", "2027-03-08T07:30+00:00"),
        ({"every": "1 h", **OFFICE}, "2027-03-05T18:00+00:00", "2027-03-05T19:00+00:00"),
        ({"every": "1 h", **OFFICE}, "2027-03-06T11:00+00:00", "2027-03-08T08:00+00:00"),
        ({"every": "13 h", **OFFICE}, "2027-03-08T07:00+00:00", "2027-03-09T08:00+00:00"),
        # hours that end on the next day belong to the day on which they begin
        ({"every": "2 h", **NIGHT}, "2027-03-06T01:00+00:00", "2027-03-06T03:00+00:00"),
        ({"every": "6 h", **NIGHT}, "2027-03-06T01:00+00:00", "2027-03-12T23:00+00:00"),
    ],
)
def test_until_when_silence_means_nothing(
    heartbeat: dict[str, Any], heard: str, until: str
) -> None:
    feed = feed_of(LOG, heartbeat=heartbeat)
    assert trusted_until(feed, parse_instant(heard)) == parse_instant(until)


def test_the_lag_comes_on_top() -> None:
    feed = feed_of(LOG, heartbeat={"every": "1 h"}, lag="70 min")
    assert trusted_until(feed, 10 * DAY) == 10 * DAY + 130 * MINUTE


def test_a_feed_without_timetable_is_never_silent() -> None:
    assert trusted_until(feed_of(LOG), 0) is None


BANK_HOLIDAYS = {"every": "1 h", "calendar": "council"}
HEARD_ON_THURSDAY = "2027-03-25T16:30+00:00"


def test_a_feed_that_keeps_a_calendar_is_not_silent_over_its_bank_holidays() -> None:
    """Heard half an hour before closing on Maundy Thursday: the other half is on Tuesday."""
    feed, heard = feed_of(LOG, heartbeat=BANK_HOLIDAYS), parse_instant(HEARD_ON_THURSDAY)
    until = trusted_until(feed, heard, calendars={"council": shipped("council-england")})
    assert until == parse_instant("2027-03-30T09:00+01:00")


def test_past_its_calendar_s_end_a_feed_is_asked_after_rather_early_than_never() -> None:
    feed = feed_of(LOG, heartbeat=BANK_HOLIDAYS)
    far = parse_instant("2099-01-05T10:00+00:00")
    calendars = {"council": shipped("council-england")}
    assert trusted_until(feed, far, calendars=calendars) == far + HOUR
    assert trusted_until(feed, far) == far + HOUR


@pytest.mark.parametrize(
    ("name", "until"),
    [
        ("log-20270309T0247.csv", "2027-03-09T02:47+00:00"),
        ("log-20270309T0247.csv.gz", "2027-03-09T02:47+00:00"),
        # an hour that comes twice: the first of both, as it says less
        ("log-20271031T0130.csv", "2027-10-31T01:30+01:00"),
        # the source's time is ahead of ours: no file reaches beyond now
        ("log-20280101T0000.csv", "2027-12-31T12:00+00:00"),
        ("log.csv", None),
        ("other-20270309T0247.csv", None),
    ],
)
def test_a_file_s_name_says_to_when_it_reaches(name: str, until: str | None) -> None:
    feed = feed_of(LOG, file_time="log-%Y%m%dT%H%M")
    now = parse_instant("2027-12-31T12:00+00:00")
    assert reached(feed, name, now=now) == (None if until is None else parse_instant(until))


def test_without_a_time_in_its_name_a_file_reaches_to_when_it_is_read() -> None:
    assert reached(feed_of(LOG), "log-20270309T0247.csv", now=7 * DAY) == 7 * DAY


@given(
    heard=st.integers(0, 40_000 * DAY),
    later=st.integers(0, 30 * DAY),
    every=st.integers(1, 200),
)
def test_who_is_heard_later_is_trusted_no_shorter(heard: int, later: int, every: int) -> None:
    feed = feed_of(LOG, heartbeat={"every": f"{every} h", **OFFICE})
    first, second = trusted_until(feed, heard), trusted_until(feed, heard + later)
    assert first is not None
    assert second is not None
    assert heard + every * HOUR <= first <= second
