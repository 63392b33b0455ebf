"""How far figures can be trusted: how long each feed was heard, what could not be read.

What comes in: what is known of feeds, their silences, a period. What goes out: hours heard.
It does not care which clocks a silence touches.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from monitor.model import MINUTE, Duration, Instant


class FeedState(NamedTuple):
    """What is known of a feed."""

    feed: str
    first_heard_at: Instant | None
    """None: it never was."""
    last_heard_at: Instant | None
    has_timetable: bool
    """Whether its silence would be noticed."""


class Silence(NamedTuple):
    """A time in which a feed should have been heard and was not."""

    feed: str
    silent_from: Instant
    silent_to: Instant | None
    """None: it goes on."""


class TakenIn(NamedTuple):
    """What came in during the period, of every feed."""

    events: int
    """New ones."""
    conflicting: int
    """Same identity and revision, other content."""
    files_set_aside: int
    set_aside: int
    """Rows that could not be read, first seen in the period."""
    unmended: int
    """Of these, how many still cannot."""


class Said(NamedTuple):
    """What was decided to be said in the period about the scope's duties."""

    told: int = 0
    """Alerts in mails that were sent."""
    mails: int = 0
    taken: int = 0
    """Of those told, how many were taken within two hours."""
    waiting: int = 0
    undelivered: int = 0
    """Alerts in mails that were given up."""
    cancelled: int = 0
    """Put right before anybody was told."""
    withdrawals: int = 0
    nobody: int = 0
    """Alerts that found nobody to be told to."""


class FeedHours(NamedTuple):
    """How long one feed was heard."""

    state: FeedState
    period: Duration
    heard: Duration
    silences: tuple[tuple[Instant, Instant], ...]
    """Within the period, in order; what a minute or less parts is one."""
    silent_at_end: bool
    """Whether it was silent when the period ended."""


def feed_hours(
    feeds: Iterable[FeedState], silences: Iterable[Silence], *, since: Instant, until: Instant
) -> tuple[FeedHours, ...]:
    """How long each feed was heard from `since` to before `until`.

    Before it was first heard a feed counts as silent: nothing it had to say was known.
    """
    by_feed: dict[str, list[tuple[Instant, Instant]]] = {}
    for feed, silent_from, silent_to in silences:
        end = until if silent_to is None else silent_to
        by_feed.setdefault(feed, []).append((silent_from, end))
    return tuple(
        _hours(state, by_feed.get(state.feed, []), since=since, until=until) for state in feeds
    )


def _hours(
    state: FeedState,
    silences: Iterable[tuple[Instant, Instant]],
    *,
    since: Instant,
    until: Instant,
) -> FeedHours:
    before_first = (since, until if state.first_heard_at is None else state.first_heard_at)
    clipped = _clipped([before_first, *silences], since, until)
    merged = _merged(clipped)
    return FeedHours(
        state=state,
        period=until - since,
        heard=until - since - sum(end - start for start, end in merged),
        silences=tuple(_merged(clipped, parted_by=MINUTE)),
        silent_at_end=bool(merged) and merged[-1][1] == until,
    )


def _clipped(
    stretches: Iterable[tuple[Instant, Instant]], since: Instant, until: Instant
) -> list[tuple[Instant, Instant]]:
    cut = ((max(start, since), min(end, until)) for start, end in stretches)
    return sorted((start, end) for start, end in cut if start < end)


def _merged(
    ordered: Iterable[tuple[Instant, Instant]], *, parted_by: Duration = 0
) -> list[tuple[Instant, Instant]]:
    """One where they overlap or touch, or where so little parts them that nobody would see it."""
    merged: list[tuple[Instant, Instant]] = []
    for start, end in ordered:
        if merged and start <= merged[-1][1] + parted_by:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
