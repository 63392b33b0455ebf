"""Civil time: what a wall clock in a zone reads, and when it reads it.

What comes in: instants, or local dates and times with their zone. What goes out: the other.
It does not care which hours anybody works.

A local time is usually one instant. When the clocks go back it is two, and when they go forward
there are local times that never come: both are answered here and nowhere else.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from monitor.model import SECOND, Instant
from monitor.worktime.instants import from_datetime, to_datetime

_MICROSECOND = timedelta(microseconds=1)
_NO_OFFSET = timedelta(0)


class NonexistentTime(ValueError):
    """A local time that no clock in its zone ever shows."""

    def __init__(self, naive: datetime, zone: ZoneInfo) -> None:
        super().__init__(
            f"{naive.isoformat(sep=' ')} does not exist in {zone.key}: "
            "the clocks went forward over it"
        )


def instants_of_local(naive: datetime, zone: ZoneInfo) -> tuple[Instant, Instant]:
    """The first and the last instant at which clocks in the zone show a local time.

    The two are equal except while the clocks go back. `fold` is not looked at.
    Raises NonexistentTime in the gap of the clocks' going forward, ValueError for an aware time.
    """
    first, last = _before_and_after(naive, zone)
    if first > last:
        raise NonexistentTime(naive, zone)
    return first, last


def first_instant_of_local(naive: datetime, zone: ZoneInfo) -> Instant:
    """The instant at which clocks in the zone first show a local time, or jump over it.

    For what is due at a local time: of two instants the earlier, and in the gap the instant of
    the change itself, the first that exists. ValueError for an aware time.
    """
    first, last = _before_and_after(naive, zone)
    return first if first <= last else _change_between(last, first, zone)


def local(instant: Instant, zone: ZoneInfo) -> datetime:
    """The aware datetime that clocks in the zone show at an instant."""
    return to_datetime(instant, zone)


def day_of(instant: Instant, zone: ZoneInfo) -> date:
    """The date in the zone at an instant."""
    return datetime.fromtimestamp(instant // SECOND, zone).date()


def start_of_day(day: date, zone: ZoneInfo) -> Instant:
    """The first instant of a date in the zone; not every date begins at 00:00."""
    return first_instant_of_local(datetime.combine(day, time.min), zone)


def end_of_day(day: date, zone: ZoneInfo) -> Instant:
    """The last microsecond of a date in the zone."""
    first, last = _before_and_after(datetime.combine(day, time.max), zone)
    return last if first <= last else _change_between(last, first, zone) - 1


def forget_local_times() -> None:
    """Let go of those that were asked for: megabytes, once calendars are laid out."""
    _before_and_after.cache_clear()


@lru_cache(maxsize=1 << 14)
def _before_and_after(naive: datetime, zone: ZoneInfo) -> tuple[Instant, Instant]:
    """A local time read with the offset before, and with that after, a change of the clocks.

    In order (or equal) where the time exists; the wrong way round in a gap, with the change in
    between: PEP 495. Kept, since bare dates make the same midnights recur by the hundred thousand.
    """
    if naive.tzinfo is not None:
        msg = f"{naive.isoformat()} has an offset already: expected a local time without one"
        raise ValueError(msg)
    shown = from_datetime(naive.replace(tzinfo=UTC))
    before, after = (zone.utcoffset(naive.replace(fold=fold)) or _NO_OFFSET for fold in (0, 1))
    return shown - before // _MICROSECOND, shown - after // _MICROSECOND


def _change_between(before: Instant, after: Instant, zone: ZoneInfo) -> Instant:
    """The first instant, later than `before` and at latest `after`, with the offset of `after`."""
    new_offset = to_datetime(after, zone).utcoffset()

    def is_changed(instant: Instant) -> bool:
        return to_datetime(instant, zone).utcoffset() == new_offset

    candidates = range(before + 1, after + 1)
    return candidates[bisect_left(candidates, x=True, key=is_changed)]
