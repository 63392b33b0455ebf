"""Working time for whoever holds datetimes: aware datetimes in, aware datetimes out.

What comes in: a calendar. What goes out: the same answers as its own, in datetimes and timedeltas.
It does not care about time zones that are not the calendar's, beyond reading them rightly: they
take the way through instants, and cost three times as much.

On most dates the offset from UTC stands still and the place opens once. There what clocks show can
be reckoned with as it is, without asking the zone, which costs more than all the rest.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from monitor.model import DAY, SECOND, Duration, Instant
from monitor.worktime.calendar import Calendar, LaidOut
from monitor.worktime.instants import from_datetime, to_datetime
from monitor.worktime.zones import local, start_of_day

__all__ = ["CivilCalendar"]

_SECONDS_A_DAY: Final = 86_400
_ONE_DAY: Final = timedelta(days=1)


class _Opening(NamedTuple):
    """A stretch of dates on which clocks do not change, in which the place is open."""

    shown: datetime
    """When it opens."""
    worked: Duration
    """Working time before."""


class _Date(NamedTuple):
    """A date on which clocks do not change and the place opens at most once."""

    opens: Duration
    """After its midnight; the same as `closes` on a date that is closed throughout."""
    closes: Duration
    base: Duration
    """Working time before the opening, less the time of day at which it opens."""


class CivilCalendar:
    """A calendar in datetimes; making one costs tens of milliseconds, so do it once.

    Its methods raise PastHorizon as the calendar does, and ValueError for a naive datetime.
    """

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self._zone = calendar.zone
        self._first = datetime.min.replace(tzinfo=calendar.zone)
        self._dates: dict[int, _Date] = {}
        """By how many days after the first; those alone of which it may be said so simply."""
        self._worked: tuple[Duration, ...] = (0,)
        self._openings: tuple[_Opening | None, ...] = (None,)
        if calendar.laid_out is not None:
            self._lay_out(calendar.laid_out)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Working time from start to end; negative where the end comes first."""
        return timedelta(0, 0, self._worked_before(end) - self._worked_before(start))

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """The earliest time at which so much working time has passed, in the zone of the start.

        Of a negative duration the mirror image, as `Calendar.add` has it.
        """
        seconds = duration.days * _SECONDS_A_DAY + duration.seconds
        length = seconds * SECOND + duration.microseconds
        if length > 0 and start.tzinfo is self._zone:
            worked = self._worked_before(start) + length
            opening = self._openings[bisect_left(self._worked, worked) - 1]
            if opening is not None:
                return opening.shown + timedelta(0, 0, worked - opening.worked)
        instant = self.calendar.add(from_datetime(start), length)
        assert start.tzinfo is not None  # it had an offset
        return to_datetime(instant, start.tzinfo)

    def _worked_before(self, moment: datetime) -> Duration:
        if moment.tzinfo is self._zone:
            # Of two times in one zone Python takes what clocks show, whatever their offsets.
            shown = moment - self._first
            if (known := self._dates.get(shown.days)) is not None:
                opens, closes, base = known
                time_of_day = shown.seconds * SECOND + shown.microseconds
                # No calls of min and max: they take longer than all the rest.
                if time_of_day <= opens:
                    return base + opens
                return base + (time_of_day if time_of_day < closes else closes)  # noqa: FURB136
        return self.calendar.worked_before(from_datetime(moment))

    # -- laying out -----------------------------------------------------------------------

    def _lay_out(self, laid_out: LaidOut) -> None:
        first, last = self.calendar.covers_from, self.calendar.covers_to
        assert first is not None
        assert last is not None
        self._first = datetime.combine(first, time.min, self._zone)
        days = [first + number * _ONE_DAY for number in range((last - first).days + 1)]
        steady = [_is_steady(day, self._zone) for day in days]
        found = {
            number: self._date(start_of_day(day, self._zone), laid_out)
            for number, (day, is_steady) in enumerate(zip(days, steady, strict=True))
            if is_steady
        }
        self._dates = {number: date_ for number, date_ in found.items() if date_ is not None}
        self._worked = laid_out.worked
        self._openings = tuple(
            self._opening(opens, closes, worked, steady)
            for opens, closes, worked in zip(*laid_out, strict=True)
        )

    def _date(self, midnight: Instant, laid_out: LaidOut) -> _Date | None:
        if midnight < laid_out.opens[0]:
            return None
        # From the last that opens before the date, for it may still be open, to before the next.
        near = slice(
            max(0, bisect_right(laid_out.opens, midnight) - 1),
            bisect_left(laid_out.opens, midnight + DAY),
        )
        opened = [
            (max(0, opens - midnight), min(DAY, closes - midnight))
            for opens, closes in zip(laid_out.opens[near], laid_out.closes[near], strict=True)
            if opens < closes and closes > midnight
        ]
        if len(opened) > 1:
            return None
        opens, closes = opened[0] if opened else (0, 0)
        return _Date(opens, closes, self.calendar.worked_before(midnight) - opens)

    def _opening(
        self, opens: Instant, closes: Instant, worked: Duration, steady: Sequence[bool]
    ) -> _Opening | None:
        """None for an empty one at an end, and where what clocks show is no measure."""
        shown, until = (local(instant, self._zone) for instant in (opens, closes))
        from_, to = ((at.date() - self._first.date()).days for at in (shown, until))
        if opens == closes or to >= len(steady) or not all(steady[from_ : to + 1]):
            return None
        return _Opening(shown, worked)


def _is_steady(day: date, zone: ZoneInfo) -> bool:
    """Whether every local time of a date is one instant, and all have one offset.

    As no zone changes its clocks twice in a day, the two ends of the date tell.
    """
    ends = (datetime.combine(day, at, zone) for at in (time.min, time.max))
    return len({end.replace(fold=fold).utcoffset() for end in ends for fold in (0, 1)}) == 1
