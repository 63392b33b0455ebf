"""What waits for a feed, and until when: every doubt about it ends."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.escalate.waiting import (
    BEFORE_ITS_TIME,
    HIGHER_RUNGS_WAIT_AT_MOST,
    LATE_NEWS_WAITS_AT_LEAST,
    REPLAY_TAKES,
    FeedHeard,
    _doubt,
)
from monitor.model import DAY, HOUR, MINUTE, Duration, Instant

DUE = 500 * DAY
LAG = 15 * MINUTE
LONG_AGO = 100 * DAY


def told_at(feed: FeedHeard, *, due: Instant = DUE, known: Instant = LONG_AGO) -> Duration | None:
    """How long after due and knowledge the first step goes; None where it does not wait."""
    since = max(due, known)
    doubt = _doubt(feed, due, known, now=since)
    return None if doubt is None else doubt.first_at - since


def test_a_feed_not_heard_past_due_is_waited_for_as_long_as_it_may_be_late() -> None:
    assert told_at(FeedHeard(DUE, LAG)) == LAG
    assert told_at(FeedHeard(DUE - HOUR, LAG)) == LAG
    assert told_at(FeedHeard(None, LAG)) == LAG


def test_a_feed_heard_past_due_is_not_waited_for() -> None:
    assert told_at(FeedHeard(DUE + 1, LAG)) is None


def test_a_feed_that_tells_at_once_is_in_doubt_only_while_it_is_silent() -> None:
    """No lag is declared: between two files it is trusted, past its timetable it is not."""
    assert told_at(FeedHeard(DUE - HOUR, 0, trusted_until=DUE)) is None
    assert told_at(FeedHeard(DUE - HOUR, 0, trusted_until=DUE - 1)) == 0


def test_a_feed_without_lag_and_timetable_is_never_in_doubt() -> None:
    assert told_at(FeedHeard(None, 0)) is None
    assert told_at(FeedHeard(DUE - DAY, 0), known=DUE + HOUR) is None


def test_late_news_waits_for_its_feeds_to_be_heard_after_it() -> None:
    known = DUE + HOUR
    assert told_at(FeedHeard(known - 1, LAG), known=known) == LATE_NEWS_WAITS_AT_LEAST
    assert told_at(FeedHeard(known, LAG), known=known) is None
    assert told_at(FeedHeard(None, LAG), known=known) == HIGHER_RUNGS_WAIT_AT_MOST


def test_what_was_due_before_a_feed_lived_waits_for_its_history() -> None:
    """Heard or not; where the feed was first heard after the contacts, its history has come."""
    first, known = DUE + BEFORE_ITS_TIME + 1, DUE + 9 * DAY
    lives = FeedHeard(known, LAG, known + HOUR, first_heard_at=first)
    assert told_at(lives, known=known) == HIGHER_RUNGS_WAIT_AT_MOST
    assert told_at(lives._replace(first_heard_at=known), known=known) is None
    assert told_at(lives._replace(first_heard_at=first - 1), known=known) is None


def test_a_feed_that_is_back_may_not_have_brought_everything() -> None:
    back = DUE + HOUR
    feed = FeedHeard(back, LAG, back + HOUR, back_at=back)
    doubt = _doubt(feed, DUE, LONG_AGO, now=back)
    assert doubt is not None
    assert doubt.ends_at == back + REPLAY_TAKES
    assert _doubt(feed, DUE, LONG_AGO, now=back + REPLAY_TAKES) is None
    assert _doubt(feed, back, LONG_AGO, now=back) == (back + LAG, None)


INSTANTS = st.integers(DUE - 30 * DAY, DUE + 30 * DAY)


@settings(deadline=None)
@given(
    heard=st.none() | INSTANTS,
    lag=st.sampled_from((0, LAG, 12 * HOUR)),
    trusted=st.none() | INSTANTS,
    first=st.none() | INSTANTS,
    back=st.none() | INSTANTS,
    known=INSTANTS,
    now=INSTANTS,
)
def test_no_doubt_lasts_and_none_that_ends_lies_behind(
    heard: Instant | None,
    lag: Duration,
    trusted: Instant | None,
    first: Instant | None,
    back: Instant | None,
    known: Instant,
    now: Instant,
) -> None:
    """A first step goes at last, and a doubt that ends by itself ends ahead: no sweep spins."""
    doubt = _doubt(FeedHeard(heard, lag, trusted, first, back), DUE, known, now=now)
    if doubt is not None and doubt.ends_at is not None:
        assert doubt.first_at == doubt.ends_at > now
    elif doubt is not None:
        assert doubt.first_at <= max(DUE, known) + max(lag, HIGHER_RUNGS_WAIT_AT_MOST)
