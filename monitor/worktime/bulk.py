"""Working time by the million: the answers of `calendar` and `limits` for arrays of instants.

What comes in: a calendar, and arrays of int64 microseconds since 1970 UTC, in any order. What goes
out: arrays of the same, one answer for each row.
It does not care whose instants they are.

Where the scalar raises PastHorizon a row says UNKNOWN, which numpy shows as NaT once it is viewed
as datetimes; UNKNOWN in is UNKNOWN out. Nothing is searched row by row: a table over even stretches
of time leads to within a step of the answer, so a row costs the same whatever the span.

This module alone imports numpy, and nothing imports it that starts with the daemon or the command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Final, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from monitor.model import DAY, Duration, Instant
from monitor.worktime.calendar import Calendar, LaidOut
from monitor.worktime.instants import from_datetime, to_datetime
from monitor.worktime.limits import (
    USUAL_DAY_END,
    ClosedDayReceipt,
    DayEnd,
    Limit,
    Unit,
)
from monitor.worktime.zones import end_of_day, start_of_day

__all__ = ["UNKNOWN", "BulkCalendar", "Instants"]

Instants: TypeAlias = npt.NDArray[np.int64]
"""Instants, or durations, or days since 1970: whole numbers."""

UNKNOWN: Final[int] = int(np.iinfo(np.int64).min)
"""Stands where the scalar raises PastHorizon. `view("datetime64[us]")` shows it as NaT."""

_ROWS_AT_A_TIME: Final = 1 << 14
"""What is worked on stays in the processor's own memory: twice as fast as all rows at once."""
_BUCKETS_AT_MOST: Final = 1 << 17
_NO_INSTANTS: Final = "expected microseconds since 1970 UTC, of the years 1 to 9999"
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_FIRST: Final[Instant] = from_datetime(datetime(1, 1, 3, tzinfo=UTC))
_LAST: Final[Instant] = from_datetime(datetime(9999, 12, 30, tzinfo=UTC))


class BulkCalendar:
    """A calendar that answers for arrays; building one costs tens of milliseconds.

    Every method takes int64 arrays (or single numbers, which hold for all rows) and returns one of
    int64. ValueError for instants that are not of the years 1 to 9999.
    """

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        laid_out = calendar.laid_out
        self._hours = None if laid_out is None else _Hours(laid_out)

    def between(self, starts: npt.ArrayLike, ends: npt.ArrayLike) -> Instants:
        """Working time from each start to its end; negative where the end comes first."""
        rows = _rows(starts, ends)
        return _in_parts(_subtracted if self._hours is None else self._hours.between, rows)

    def add(self, starts: npt.ArrayLike, durations: npt.ArrayLike) -> Instants:
        """What `Calendar.add` answers for each start and its duration."""
        rows = _rows(starts, durations)
        return _in_parts(_added if self._hours is None else self._hours.add, rows)

    def due(
        self,
        starts: npt.ArrayLike,
        limit: Limit,
        day_end: DayEnd | None = None,
        receipt: ClosedDayReceipt = ClosedDayReceipt.THAT_DATE,
    ) -> Instants:
        """What `limits.due` answers for each start. ValueError for a time on the event."""
        if limit.unit is Unit.ELAPSED:
            return _in_parts(_added, _rows(starts, limit.amount))
        if limit.unit is Unit.WORKING_TIME:
            return self.add(starts, limit.amount)
        if limit.unit is Unit.EVENT_TIME:
            msg = f"a {limit.unit} is no length that can be reckoned with"
            raise ValueError(msg)
        (wanted,) = _rows(starts)
        is_known = wanted != UNKNOWN
        if not is_known.any():
            return np.full(wanted.shape, UNKNOWN)
        # A row of which nothing is known goes along as any other and is put back in the end.
        instants = np.where(is_known, wanted, wanted[is_known].flat[0])
        reckoned = _Days(self, _wall(self.calendar, instants, limit), limit, day_end, receipt)
        return np.where(is_known, _in_parts(reckoned.due, (instants,)), UNKNOWN)

    @cached_property
    def dates(self) -> _Dates | None:
        """What is known of each date; None where every date is a working day."""
        if self._hours is None:
            return None
        return _Dates.of(self.calendar)


# -- rows -------------------------------------------------------------------------------------


def _rows(*columns: npt.ArrayLike) -> tuple[Instants, ...]:
    """Columns of one shape, checked."""
    found = tuple(_whole(column) for column in columns)
    return tuple(np.broadcast_arrays(*found))


def _whole(column: npt.ArrayLike) -> Instants:
    array = np.asarray(column)
    if array.dtype.kind not in "iu" or not np.can_cast(array.dtype, np.int64):
        msg = f"expected whole microseconds since 1970 UTC, not {array.dtype}"
        raise ValueError(msg)
    return array.astype(np.int64, copy=False)


def _in_parts(answer: Callable[..., Instants], columns: tuple[Instants, ...]) -> Instants:
    shape = columns[0].shape
    flat = [column.reshape(-1) for column in columns]
    found = np.empty(flat[0].size, np.int64)
    for begin in range(0, found.size, _ROWS_AT_A_TIME):
        part = slice(begin, begin + _ROWS_AT_A_TIME)
        found[part] = answer(*(column[part] for column in flat))
    return found.reshape(shape)


def _added(starts: Instants, durations: Instants) -> Instants:
    is_known = (starts != UNKNOWN) & (durations != UNKNOWN)
    _check(starts[is_known])
    _check(durations[is_known])
    return np.where(is_known, starts + durations, UNKNOWN)


def _subtracted(starts: Instants, ends: Instants) -> Instants:
    is_known = (starts != UNKNOWN) & (ends != UNKNOWN)
    _check(starts[is_known])
    _check(ends[is_known])
    return np.where(is_known, ends - starts, UNKNOWN)


def _check(instants: Instants) -> None:
    """Instants that no datetime can hold are a fault of units, and sums of them would wrap."""
    if instants.size and (instants.min() < _FIRST or instants.max() > _LAST):
        raise ValueError(_NO_INSTANTS)


# -- hours ------------------------------------------------------------------------------------


class _Steps:
    """Which of ascending bounds is the last at or before a value, for many values.

    The values are cut into buckets of a power of two; a table says for each bucket which bound is
    the last at its beginning, and as many steps as any bucket has further bounds lead on from it.
    Exact, and flat: no bisect, whose every turn the processor guesses wrong for values in disorder.
    """

    def __init__(self, bounds: Sequence[int], until: int | None = None) -> None:
        """`until`: the greatest value there will be; none is beyond the last bound without it."""
        self._bounds = np.array([*bounds, np.iinfo(np.int64).max], np.int64)
        self._first = bounds[0]
        ends = self._bounds[:-1]
        span = int(bounds[-1] if until is None else until) - self._first
        self._shift = _shift(ends, span)
        begins = (np.arange((span >> self._shift) + 1) << self._shift) + self._first
        self._table = np.searchsorted(ends, begins, side="right") - 1
        buckets = (ends - self._first) >> self._shift
        self._turns = int(np.bincount(buckets[ends > begins[buckets]], minlength=1).max())

    def last_at(self, values: Instants) -> Instants:
        """Places of the last bounds at or before values, none of which lies outside of them all."""
        places: Instants = self._table[(values - self._first) >> self._shift]
        for _ in range(self._turns):
            places = places + (values >= self._bounds[places + 1])
        return places


def _shift(bounds: Instants, span: int) -> int:
    """The widest buckets of which none has two bounds, as far as the table stays small."""
    nearest = int(np.diff(np.unique(bounds)).min(initial=DAY))
    return max(nearest.bit_length() - 1, (span // _BUCKETS_AT_MOST).bit_length(), 0)


class _Hours:
    """Openings laid out, for many instants at once."""

    def __init__(self, laid_out: LaidOut) -> None:
        self._opens = np.array(laid_out.opens, np.int64)
        self._closes = np.array(laid_out.closes, np.int64)
        self._from, self._to = laid_out.opens[0], laid_out.opens[-1]
        self._total = laid_out.worked[-1]
        # Working time before an instant is this and the instant, or the close before it.
        self._base = np.array(laid_out.worked, np.int64) - self._opens
        self._by_instant = _Steps(laid_out.opens)
        self._by_worked = _Steps(laid_out.worked)

    def between(self, starts: Instants, ends: Instants) -> Instants:
        from_, starts_known = self._worked_before(starts)
        to, ends_known = self._worked_before(ends)
        return _where_known(to - from_, starts_known, ends_known)

    def add(self, starts: Instants, durations: Instants) -> Instants:
        worked, starts_known = self._worked_before(starts)
        # No more than there is, lest a sum wraps; it is too much all the same.
        worked = worked + np.clip(durations, -self._total - 1, self._total + 1)
        ahead = durations > 0
        # Ahead, the earliest instant by which so much was worked: in the last opening that begins
        # with less. Back, the latest: in the last that begins with no more.
        wanted = worked - ahead
        is_known = _all_known((wanted >= 0) & (worked <= self._total))
        places = self._by_worked.last_at(np.clip(wanted, 0, self._total))
        reached = worked - self._base[places]
        stays = durations == 0
        if stays.any():
            reached = np.where(stays, starts, reached)
            is_known = None if is_known is None else is_known | stays
        return _where_known(reached, starts_known, is_known)

    def _worked_before(self, instants: Instants) -> tuple[Instants, npt.NDArray[np.bool_] | None]:
        """Working time before each, and which are covered: None where all are."""
        is_known = _all_known((instants >= self._from) & (instants <= self._to))
        if is_known is not None:
            instants = np.clip(instants, self._from, self._to)
        places = self._by_instant.last_at(instants)
        return self._base[places] + np.minimum(instants, self._closes[places]), is_known


def _all_known(is_known: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
    return None if is_known.all() else is_known


def _where_known(values: Instants, *known: npt.NDArray[np.bool_] | None) -> Instants:
    for is_known in known:
        if is_known is not None:
            values = np.where(is_known, values, UNKNOWN)
    return values


# -- days -------------------------------------------------------------------------------------


class _Dates(NamedTuple):
    """What a calendar knows of each date it covers, by how many days after the first."""

    first: int
    """The first covered date, in days since 1970."""
    number: int
    is_working: npt.NDArray[np.bool_]
    opening: Instants
    """Of a working day its first opening, of another its first instant."""
    close: Instants
    """Of a working day its last close, of another its last microsecond."""
    working: Instants
    """The working days, in days since 1970."""
    at_or_before: Instants
    """For each date, the place among the working days of the last that is not after it."""
    at_or_after: Instants
    """The place of the first that is not before it."""

    @classmethod
    def of(cls, calendar: Calendar) -> _Dates:
        days = list(_covered(calendar))
        first = days[0].toordinal() - _EPOCH_DAY
        is_working = np.array([calendar.is_working_day(day) for day in days])
        working = np.flatnonzero(is_working)
        places = np.arange(len(days))
        return cls(
            first=first,
            number=len(days),
            is_working=is_working,
            opening=np.array([_opening(calendar, day) for day in days], np.int64),
            close=np.array([_close(calendar, day) for day in days], np.int64),
            working=working + first,
            at_or_before=np.searchsorted(working, places, side="right") - 1,
            at_or_after=np.searchsorted(working, places, side="left"),
        )

    def covers(self, days: Instants) -> npt.NDArray[np.bool_]:
        return (days >= self.first) & (days < self.first + self.number)

    def place(self, days: Instants) -> Instants:
        """Where a covered date stands; of any other, somewhere."""
        return np.clip(days - self.first, 0, self.number - 1)

    def working_day_after(self, days: Instants, count: int) -> Instants:
        """As the scalar's; UNKNOWN where it is not known."""
        is_known = self.covers(days)
        if count == 0:
            return np.where(is_known, days, UNKNOWN)
        nearest = self.at_or_before if count > 0 else self.at_or_after
        places = nearest[self.place(days)] + count
        is_known &= (places >= 0) & (places < self.working.size)
        if not is_known.any():
            return np.full(days.shape, UNKNOWN)
        return np.where(is_known, self.working[np.where(is_known, places, 0)], UNKNOWN)


def _covered(calendar: Calendar) -> Iterator[date]:
    first, last = calendar.covers_from, calendar.covers_to
    assert first is not None
    assert last is not None
    return map(date.fromordinal, range(first.toordinal(), last.toordinal() + 1))


def _opening(calendar: Calendar, day: date) -> Instant:
    is_open = calendar.is_working_day(day)
    return calendar.opening(day) if is_open else start_of_day(day, calendar.zone)


def _close(calendar: Calendar, day: date) -> Instant:
    is_open = calendar.is_working_day(day)
    return calendar.close_of_business(day) if is_open else end_of_day(day, calendar.zone)


class _Days:
    """Limits in days, and the next opening: `limits.due` step by step, for many starts."""

    def __init__(
        self,
        bulk: BulkCalendar,
        wall: _Wall,
        limit: Limit,
        day_end: DayEnd | None,
        receipt: ClosedDayReceipt,
    ) -> None:
        self._dates, self._wall, self._limit = bulk.dates, wall, limit
        self._day_end = USUAL_DAY_END.get(limit.unit) if day_end is None else day_end
        self._receipt = receipt

    def due(self, starts: Instants) -> Instants:
        shown = self._wall.shown(starts)
        days = shown // DAY
        if self._limit.unit is Unit.NEXT_OPENING:
            return self._next_opening(starts, days)
        last = self._days_after(self._day_0(days))
        if self._day_end is DayEnd.SAME_TIME:
            is_known = _all_known(last != UNKNOWN)
            on_it = last if is_known is None else np.where(is_known, last, days)
            at = self._wall.first_instant(on_it * DAY + shown - days * DAY)
            return _where_known(at, is_known)
        return self._ending(last)

    def _day_0(self, days: Instants) -> Instants:
        if self._receipt is ClosedDayReceipt.THAT_DATE or self._dates is None:
            return days
        is_working = self._dates.is_working[self._dates.place(days)] & self._dates.covers(days)
        return np.where(is_working, days, self._dates.working_day_after(days, 1))

    def _days_after(self, days: Instants) -> Instants:
        if self._limit.unit is Unit.WORKING_DAYS and self._dates is not None:
            return self._dates.working_day_after(days, self._limit.amount)
        return np.where(days == UNKNOWN, UNKNOWN, days + self._limit.amount)

    def _next_opening(self, starts: Instants, days: Instants) -> Instants:
        if self._dates is None:
            today = self._wall.first_instant(days * DAY)
            return np.where(today > starts, today, self._wall.first_instant((days + 1) * DAY))
        place = self._dates.place(days)
        is_today = self._dates.is_working[place] & (self._dates.opening[place] > starts)
        next_day = np.where(is_today, days, self._dates.working_day_after(days, 1))
        is_known = self._dates.covers(days) & self._dates.covers(next_day)
        return np.where(is_known, self._dates.opening[self._dates.place(next_day)], UNKNOWN)

    def _ending(self, days: Instants) -> Instants:
        at_start = self._day_end is DayEnd.START_OF_OPENING
        if self._dates is None:
            begins = self._wall.first_instant(days * DAY)
            return begins if at_start else self._wall.last_instant(days * DAY + DAY - 1)
        ends = self._dates.opening if at_start else self._dates.close
        return np.where(self._dates.covers(days), ends[self._dates.place(days)], UNKNOWN)


# -- what clocks show -------------------------------------------------------------------------


class _Wall:
    """What the clocks of a zone show, between two instants: `zones` for many at once."""

    def __init__(self, zone: ZoneInfo, first: Instant, last: Instant) -> None:
        changes = list(_changes(zone, first, last))
        before = [_offset(first, zone), *(_offset(change - 1, zone) for change in changes)]
        after = [before[0], *(_offset(change, zone) for change in changes)]
        # Before every change, something that no instant of this stretch precedes.
        at = [first - 2 * DAY, *changes]
        self._change, self._offset = np.array(at, np.int64), np.array(after, np.int64)
        # Of local times the first at which the offset before a change no longer holds, and of them
        # the first that may be another instant than with it: while clocks go back, both are read.
        no_longer = [c + old for c, old in zip(at, before, strict=True)]
        perhaps = [c + min(old, new) for c, old, new in zip(at, before, after, strict=True)]
        until = last + 2 * DAY
        self._by_instant = _Steps(at, until)
        self._by_first, self._by_last = _Steps(no_longer, until), _Steps(perhaps, until)

    def shown(self, instants: Instants) -> Instants:
        """Local times, as microseconds since 1970 on the wall."""
        return instants + self._offset[self._by_instant.last_at(instants)]

    def first_instant(self, shown: Instants) -> Instants:
        """When clocks first show a local time, or jump over it."""
        places = self._by_first.last_at(shown)
        first: Instants = np.maximum(shown - self._offset[places], self._change[places])
        return first

    def last_instant(self, shown: Instants) -> Instants:
        """When clocks last show a local time; the instant before they jump over it."""
        places = self._by_last.last_at(shown)
        last: Instants = np.maximum(shown - self._offset[places], self._change[places] - 1)
        return last


def _wall(calendar: Calendar, instants: Instants, limit: Limit) -> _Wall:
    """What the clocks show from the first of some instants until the last is due."""
    reach = 0 if limit.unit is Unit.NEXT_OPENING else limit.amount * DAY
    ends = [int(end) + by for end in (instants.min(), instants.max()) for by in (0, reach)]
    if min(ends) < _FIRST or max(ends) > _LAST:
        raise ValueError(_NO_INSTANTS)
    years = {to_datetime(end).year for end in ends}
    # Working days may lie further than they are many, but never beyond what is covered.
    years |= {day.year for day in (calendar.covers_from, calendar.covers_to) if day is not None}
    return _wall_of_years(calendar.zone, min(years), max(years))


@lru_cache(maxsize=64)
def _wall_of_years(zone: ZoneInfo, first: int, last: int) -> _Wall:
    begins = datetime(max(first - 1, 1), 1, 3, tzinfo=UTC)
    ends = datetime(min(last + 1, 9999), 12, 29, tzinfo=UTC)
    return _Wall(zone, from_datetime(begins), from_datetime(ends))


def _changes(zone: ZoneInfo, first: Instant, last: Instant) -> Iterator[Instant]:
    """The first instants of new offsets, after one instant and up to another."""
    years = range(to_datetime(first).year, to_datetime(last).year + 1)
    found = (change for year in years for change in _changes_of_year(zone, year))
    return (change for change in found if first < change <= last)


@lru_cache(maxsize=4096)
def _changes_of_year(zone: ZoneInfo, year: int) -> tuple[Instant, ...]:
    """No zone changes twice within six hours. Kept: a long history asks for its years again."""
    step = DAY // 4
    first = max(from_datetime(datetime(year, 1, 1, tzinfo=UTC)), _FIRST)
    last = min(first + 366 * DAY, _LAST)
    found: list[Instant] = []
    offset = _offset(first - 1, zone)  # for a change with which the year begins
    for until in range(first, last + step, step):
        if (new := _offset(until, zone)) != offset:
            found.append(_first_with(new, zone, until - step, until))
            offset = new
    return tuple(each for each in found if to_datetime(each).year == year)


def _first_with(offset: Duration, zone: ZoneInfo, before: Instant, until: Instant) -> Instant:
    while until - before > 1:
        middle = (before + until) // 2
        if _offset(middle, zone) == offset:
            until = middle
        else:
            before = middle
    return until


def _offset(instant: Instant, zone: ZoneInfo) -> Duration:
    offset = to_datetime(instant, zone).utcoffset() or timedelta(0)
    return offset // timedelta(microseconds=1)
