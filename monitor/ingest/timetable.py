"""To when a file of a feed reaches, and until when the feed's silence means nothing.

What comes in: a feed with its heartbeat timetable, and when it was last heard. What goes out: the
instant until which it can be trusted to have nothing more to say. It does not care who is told.

Time counts towards `every` only in the hours in which the source is expected to be heard: a feed
of weekdays that was heard on Friday evening is not silent on Sunday, and one that keeps a calendar
with bank holidays is not silent on Easter Monday.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Final

from monitor.ingest.feeds import Heartbeat
from monitor.worktime.calendar import Calendar, PastHorizon
from monitor.worktime.zones import day_of, first_instant_of_local

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

    from monitor.ingest.feeds import Feed
    from monitor.model import Instant

NO_CALENDARS: Final[Mapping[str, Calendar]] = {}

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES_OF_A_DAY: Final = 24 * 60


def trusted_until(
    feed: Feed, last_heard: Instant, *, calendars: Mapping[str, Calendar] = NO_CALENDARS
) -> Instant | None:
    """The last instant at which a feed heard then needs not have been heard again.

    That is `every` of expected hours after it was heard, and the feed's lag on top.
    None for a feed without a timetable: it is never silent.
    """
    if feed.heartbeat is None:
        return None
    return _after(feed.heartbeat, feed.zone, last_heard, calendars) + feed.lag


def reached(feed: Feed, file_name: str, *, now: Instant) -> Instant | None:
    """To when a file of a feed tells everything, read at `now`; None where its name does not say.

    An extract that was written an hour before it came knows nothing of that hour. Of two instants
    with one local time it is the earlier.
    """
    if not feed.file_time:
        return now
    stem = file_name.partition(".")[0]
    try:
        written = datetime.strptime(stem, feed.file_time)  # noqa: DTZ007 - local, in the feed's zone
    except ValueError:
        return None
    return min(now, first_instant_of_local(written, feed.zone))


def _after(
    heartbeat: Heartbeat, zone: ZoneInfo, heard: Instant, calendars: Mapping[str, Calendar]
) -> Instant:
    if heartbeat.calendar:
        try:
            return calendars[heartbeat.calendar].add(heard, heartbeat.every)
        except (KeyError, PastHorizon):
            # Nothing is known of those days: rather asked after too early than never.
            return heard + heartbeat.every
    return _after_in_hours(heartbeat, zone, heard)


def _after_in_hours(heartbeat: Heartbeat, zone: ZoneInfo, heard: Instant) -> Instant:
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
