from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.model import DAY, HOUR, MINUTE
from monitor.report.trust import FeedState, Silence, feed_hours
from tests.report.rows import SINCE, UNTIL

WEEK = UNTIL - SINCE
ALWAYS = FeedState("sending-log", SINCE - DAY, UNTIL, has_timetable=True)


def test_a_feed_without_a_silence_was_heard_all_week() -> None:
    (found,) = feed_hours([ALWAYS], [], since=SINCE, until=UNTIL)
    assert (found.heard, found.period, found.silences) == (WEEK, WEEK, ())


def test_silences_are_cut_to_the_period_and_those_that_touch_are_one() -> None:
    silences = [
        Silence("sending-log", SINCE - DAY, SINCE + HOUR),
        Silence("sending-log", SINCE + 3 * HOUR, SINCE + 4 * HOUR),
        Silence("sending-log", SINCE + 4 * HOUR, SINCE + 5 * HOUR),
        Silence("other", SINCE, None),
    ]
    (found,) = feed_hours([ALWAYS], silences, since=SINCE, until=UNTIL)
    assert found.silences == ((SINCE, SINCE + HOUR), (SINCE + 3 * HOUR, SINCE + 5 * HOUR))
    assert found.heard == WEEK - 3 * HOUR
    assert not found.silent_at_end


def test_silences_that_a_minute_or_less_parts_are_said_as_one_and_counted_exactly() -> None:
    parted = [
        Silence("sending-log", SINCE, SINCE + HOUR),
        Silence("sending-log", SINCE + HOUR + MINUTE, SINCE + 2 * HOUR),
        Silence("sending-log", SINCE + 2 * HOUR + MINUTE + 1, SINCE + 3 * HOUR),
    ]
    (found,) = feed_hours([ALWAYS], parted, since=SINCE, until=UNTIL)
    assert found.silences == (
        (SINCE, SINCE + 2 * HOUR),
        (SINCE + 2 * HOUR + MINUTE + 1, SINCE + 3 * HOUR),
    )
    assert found.heard == WEEK - 3 * HOUR + 2 * MINUTE + 1


def test_a_silence_that_goes_on_lasts_to_the_end() -> None:
    (found,) = feed_hours(
        [ALWAYS], [Silence("sending-log", UNTIL - HOUR, None)], since=SINCE, until=UNTIL
    )
    assert found.silent_at_end
    assert found.heard == WEEK - HOUR


def test_before_it_was_first_heard_a_feed_was_silent() -> None:
    late = ALWAYS._replace(first_heard_at=SINCE + DAY)
    never = ALWAYS._replace(feed="never", first_heard_at=None, last_heard_at=None)
    found = feed_hours([late, never], [], since=SINCE, until=UNTIL)
    assert [feed.heard for feed in found] == [WEEK - DAY, 0]


@given(st.lists(st.tuples(st.integers(-50, 250), st.integers(0, 60))))
def test_hours_heard_agree_with_counting_each_hour(spans: list[tuple[int, int]]) -> None:
    silences = [
        Silence("sending-log", SINCE + start * HOUR, SINCE + (start + length) * HOUR)
        for start, length in spans
    ]
    silent = {hour for start, length in spans for hour in range(start, start + length)}
    (found,) = feed_hours([ALWAYS], silences, since=SINCE, until=UNTIL)
    assert found.heard == (168 - len(silent & set(range(168)))) * HOUR
