from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.timetable import silent_since, trusted_until
from monitor.model import DAY, HOUR, MINUTE
from monitor.worktime.instants import parse_instant
from tests.ingest.sources import LOG, feed_of

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
    assert silent_since(feed_of(LOG), None, expected_from=0, now=9999 * DAY) is None


def test_a_feed_is_silent_one_microsecond_after_it_was_due() -> None:
    feed = feed_of(LOG, heartbeat={"every": "1 h"})
    heard = 500 * DAY
    assert silent_since(feed, heard, expected_from=0, now=heard + HOUR) is None
    assert silent_since(feed, heard, expected_from=0, now=heard + HOUR + 1) == heard


def test_a_feed_never_heard_is_silent_from_its_beginning() -> None:
    feed = feed_of(LOG, heartbeat={"every": "1 h"})
    assert silent_since(feed, None, expected_from=DAY, now=2 * DAY) == DAY


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
