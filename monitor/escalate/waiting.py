"""Whether telling waits for a feed that may yet show a stop.

What comes in: a clock, its duty, the steps that are due, and when feeds were heard. What goes out:
what waits, for which feed and until when. It does not care who is told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from monitor.clocks.agenda import Step, agenda_again
from monitor.model import DAY, HOUR, MINUTE, AlertKind, Duration, Instant, KeptClock
from monitor.rulebook.book import Duty

HIGHER_RUNGS_WAIT_AT_MOST: Final[Duration] = 6 * HOUR
"""How long past due the rungs above the first wait for a silent feed: by then it is safer to tell
more people of something unconfirmed than to keep quiet."""


LATE_NEWS_WAITS_AT_LEAST: Final[Duration] = 15 * MINUTE
"""How long what was learnt after it was due waits for a feed that claims to tell at once: what
stopped it may stand further down in the file, or in the next."""

REPLAY_TAKES: Final[Duration] = 10 * MINUTE
"""How long a feed that is back after a silence may take to bring all that it had to say: it often
comes in several files, and in any order."""

BEFORE_ITS_TIME: Final[Duration] = 1 * DAY
"""What was due so long before a feed was first heard is history, of which it may never tell."""


class FeedHeard(NamedTuple):
    """What matters of a feed when its silence is to be read."""

    last_heard_at: Instant | None
    """To when it has told everything."""
    lag: Duration
    """How much later than the fact the feed may tell it."""
    trusted_until: Instant | None = None
    """Until when its silence means nothing; None: it has no timetable."""
    first_heard_at: Instant | None = None
    """When it first told anything; None where that is not known."""
    back_at: Instant | None = None
    """When its newest silence ended."""


class Waiting(NamedTuple):
    """What waits for a feed that has not been heard past due."""

    feed: str
    before: list[tuple[int, Step]]
    """Steps that need not wait."""
    until: Instant | None
    """Until when the others wait; None: no longer, they go out unconfirmed."""


def waiting_for_feed(
    kept: KeptClock,
    duty: Duty,
    due: Sequence[tuple[int, Step]],
    feeds: Mapping[str, FeedHeard],
    *,
    now: Instant,
) -> Waiting | None:
    """Whether a stop may have happened that a feed had no time to tell.

    The first step above due waits as long as the feed may be late, and then goes out unconfirmed;
    the higher ones wait longer, because they reach more people. A clock learnt of after due waits
    for its feeds to be heard after that: while a history is read, what stopped it may come next.
    It waits longest for a feed that was never heard, or whose own history may be still to come.
    """
    above = [position for position, step in due if step.kind is AlertKind.OVERDUE]
    if kept.clock.due_at is None or not above:
        return None
    silent_from = max(kept.clock.due_at, kept.clock.confirm_by or 0)
    doubts = _doubts(duty.rule.stop_feeds, feeds, silent_from, kept.clock.known_at, now=now)
    if not doubts:
        return None
    feed = min(doubts, key=lambda name: doubts[name].ends_at is not None)
    first_at = max(doubt.first_at for doubt in doubts.values())
    told = any_above(agenda_again(kept.clock, duty)[: kept.steps_done])
    before = [] if told else [(position, step) for position, step in due if position < above[0]]
    if doubts[feed].ends_at is not None:
        return Waiting(feed, before, first_at)
    silent_from = max(silent_from, kept.clock.known_at)
    higher_at = max(first_at, silent_from + HIGHER_RUNGS_WAIT_AT_MOST)
    if now >= higher_at:
        return Waiting(feed, list(due), None)
    if told or now < first_at:
        return Waiting(feed, before, higher_at if told else first_at)
    up_to_first = [(position, step) for position, step in due if position <= above[0]]
    return Waiting(feed, up_to_first, higher_at if len(up_to_first) < len(due) else None)


class _Doubt(NamedTuple):
    """That a stop may be one which a feed has not told."""

    first_at: Instant
    """Until when the first step waits for it."""
    ends_at: Instant | None = None
    """When there is no doubt any more though nothing is heard; None: it goes out unconfirmed."""


def _doubts(
    stop_feeds: Collection[str],
    feeds: Mapping[str, FeedHeard],
    due_at: Instant,
    known_at: Instant,
    *,
    now: Instant,
) -> dict[str, _Doubt]:
    """Feed → the doubt about it. A feed unknown here is no reason to wait."""
    known = {name: feeds[name] for name in stop_feeds if name in feeds}
    found = {name: _doubt(feed, due_at, known_at, now=now) for name, feed in known.items()}
    return {name: doubt for name, doubt in found.items() if doubt is not None}


def _doubt(  # noqa: PLR0911 - each answer is one line, in the order in which it is asked
    feed: FeedHeard, due_at: Instant, known_at: Instant, *, now: Instant
) -> _Doubt | None:
    """Whether a stop by due may be one that this feed has not told."""
    heard, is_late_news = feed.last_heard_at, known_at > due_at
    if is_late_news and _is_before_its_time(feed, due_at, known_at):
        return _until(known_at + HIGHER_RUNGS_WAIT_AT_MOST, now=now)
    if not feed.lag and feed.trusted_until is None:
        return None
    if heard is None:
        longest = max(feed.lag, HIGHER_RUNGS_WAIT_AT_MOST)
        return _Doubt(known_at + longest if is_late_news else due_at + feed.lag)
    if is_late_news and heard < known_at:
        return _Doubt(known_at + max(feed.lag, LATE_NEWS_WAITS_AT_LEAST))
    if heard <= due_at:
        is_silent = feed.trusted_until is not None and now > feed.trusted_until
        return _Doubt(due_at + feed.lag) if feed.lag or is_silent else None
    if feed.back_at is not None and due_at < feed.back_at:
        return _until(feed.back_at + REPLAY_TAKES, now=now)
    return None


def _is_before_its_time(feed: FeedHeard, due_at: Instant, known_at: Instant) -> bool:
    """Whether a history was loaded beside a feed that lives already: it may have one as well."""
    first = feed.first_heard_at
    return first is not None and first < known_at and due_at < first - BEFORE_ITS_TIME


def _until(ends_at: Instant, *, now: Instant) -> _Doubt | None:
    return _Doubt(ends_at, ends_at) if now < ends_at else None


def any_above(decided: Sequence[Step]) -> bool:
    """Whether a step above due is among those decided."""
    return any(step.kind is AlertKind.OVERDUE and step.at is not None for step in decided)
