"""Until when a feed's silence means nothing.

What comes in: a feed with its heartbeat timetable, and when it was last heard. What goes out: the
instant until which it can be trusted to have nothing more to say, and since when it is silent.
It does not care who is told.

Time counts towards `every` only in the hours in which the source is expected to be heard: a feed
of weekdays that was heard on Friday evening is not silent on Sunday.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Final

from monitor.ingest.feeds import Heartbeat
from monitor.worktime.zones import day_of, first_instant_of_local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from monitor.ingest.feeds import Feed
    from monitor.model import Instant

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES_OF_A_DAY: Final = 24 * 60


def trusted_until(feed: Feed, last_heard: Instant) -> Instant | None:
    """The last instant at which a feed heard then needs not have been heard again.

    That is `every` of expected hours after it was heard, and the feed's lag on top.
    None for a feed without a timetable: it is never silent.
    """
    if feed.heartbeat is None:
        return None
    return _after(feed.heartbeat, feed.zone, last_heard) + feed.lag


def silent_since(
    feed: Feed, last_heard: Instant | None, *, expected_from: Instant, now: Instant
) -> Instant | None:
    """Since when a feed is silent, at `now`: the instant it was last heard; None where it is not.

    A feed never heard counts from `expected_from`, when it was first configured.
    """
    heard = expected_from if last_heard is None else last_heard
    until = trusted_until(feed, heard)
    return heard if until is not None and now > until else None


def _after(heartbeat: Heartbeat, zone: ZoneInfo, heard: Instant) -> Instant:
    left = heartbeat.every
    for opens, closes in _expected_hours(heartbeat, zone, day_of(heard, zone)):
        begins = max(opens, heard)
        if closes <= begins:
            continue
        if left <= closes - begins:
            return begins + left
        left -= closes - begins
    raise AssertionError  # the hours never end


def _expected_hours(
    heartbeat: Heartbeat, zone: ZoneInfo, day: date
) -> Iterator[tuple[Instant, Instant]]:
    """When the source is expected to be heard, from the eve of a day onward."""
    length = heartbeat.to - heartbeat.from_
    if length <= 0:
        length += _MINUTES_OF_A_DAY
    for number in count(-1):
        that_day = day + timedelta(days=number)
        if _WEEKDAYS[that_day.weekday()] in heartbeat.weekdays:
            opens = datetime.combine(that_day, datetime.min.time()) + timedelta(
                minutes=heartbeat.from_
            )
            closes = opens + timedelta(minutes=length)
            yield first_instant_of_local(opens, zone), first_instant_of_local(closes, zone)
