"""Limits in days agree with a walk over the minutes, whatever the day's end and the receipt.

Several spans a day, nights, half days, extra days, closures and holidays, in four zones, most about
a change of the clocks. The walk shares nothing with the calendars but what was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from monitor.model import MINUTE, Instant
from monitor.worktime.calendar import PastHorizon, compile_calendar
from monitor.worktime.definition import CalendarDefinition
from monitor.worktime.limits import ClosedDayReceipt, DayEnd, Limit, Unit, due
from tests.worktime.oracle import definitions

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_A_DAY = timedelta(days=1)


class Minute(NamedTuple):
    """A minute of UTC: what the clock on the wall shows, and the furthest it has shown so far."""

    instant: Instant
    shown: datetime
    furthest: datetime


@dataclass(frozen=True)
class Walk:
    """All minutes about what a definition covers, and what it says of each date."""

    written: CalendarDefinition
    minutes: list[Minute]

    @classmethod
    def over(cls, written: CalendarDefinition) -> Walk:
        zone = ZoneInfo(written.zone)
        moment = datetime.combine(written.covers_from - 2 * _A_DAY, datetime.min.time(), UTC)
        furthest, found = datetime.min, []  # noqa: DTZ901 — local times are naive here
        while moment.date() <= written.covers_to + 3 * _A_DAY:
            shown = moment.astimezone(zone).replace(tzinfo=None)
            furthest = max(furthest, shown)
            found.append(Minute((moment - _EPOCH) // timedelta(microseconds=1), shown, furthest))
            moment += timedelta(minutes=1)
        return cls(written, found)

    def of(self, day: date) -> list[Minute]:
        return [minute for minute in self.minutes if minute.shown.date() == day]

    def open_from(self, day: date) -> list[Instant]:
        """The minutes of the spans that open on a date, those of the night after among them."""
        midnight = datetime.combine(day, datetime.min.time())
        spans = self.written.special.get(day)
        if spans is None:
            closed = day in self.written.holidays
            spans = () if closed else self.written.weekly.get(day.weekday(), ())
        near = [m for m in self.minutes if day <= m.furthest.date() <= day + 2 * _A_DAY]
        return [
            minute.instant
            for minute in near
            for opens, closes in spans
            if opens <= (minute.furthest - midnight) // timedelta(minutes=1) < closes
        ]

    def working_day(self, after: date, count: int) -> date | None:
        """The count-th date after another on which the place opens; None beyond what is known."""
        day = after
        while count:
            day += _A_DAY
            if day > self.written.covers_to:
                return None
            count -= bool(self.open_from(day))
        return day

    def due(
        self, start: Minute, limit: Limit, day_end: DayEnd, receipt: ClosedDayReceipt
    ) -> Instant | None:
        day_0: date | None = start.shown.date()
        if receipt is ClosedDayReceipt.NEXT_OPEN_DAY and not self.open_from(start.shown.date()):
            day_0 = self.working_day(start.shown.date(), 1)
        if day_0 is None:
            return None
        if limit.unit is Unit.CALENDAR_DAYS:
            last: date | None = day_0 + limit.amount * _A_DAY
        else:
            last = self.working_day(day_0, limit.amount)
        return None if last is None else self._end(last, start, day_end)

    def _end(self, last: date, start: Minute, day_end: DayEnd) -> Instant:
        if last > self.written.covers_to:
            return self.minutes[-1].instant  # beyond what is covered, however far
        if day_end is DayEnd.SAME_TIME:
            wanted = datetime.combine(last, start.shown.time())
            return next(m.instant for m in self.minutes if m.furthest >= wanted)
        opened = self.open_from(last)
        if day_end is DayEnd.START_OF_OPENING:
            return min(opened) if opened else self.of(last)[0].instant
        return max(opened) + MINUTE if opened else self.of(last)[-1].instant + MINUTE - 1


@settings(max_examples=60, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.data())
def test_days_are_counted_as_by_hand(data: st.DataObject) -> None:
    written = data.draw(definitions())
    walk, calendar = Walk.over(written), compile_calendar(written)
    covered = [m for m in walk.minutes if written.covers(m.shown.date())]
    for _ in range(4):
        start = data.draw(st.sampled_from(covered))
        left = (written.covers_to - start.shown.date()).days
        unit = data.draw(st.sampled_from([Unit.WORKING_DAYS, Unit.CALENDAR_DAYS]))
        most = 4 if unit is Unit.WORKING_DAYS else left
        limit = Limit(amount=data.draw(st.integers(min(1, most), most)), unit=unit)
        day_end = data.draw(st.sampled_from(list(DayEnd)))
        receipt = data.draw(st.sampled_from(list(ClosedDayReceipt)))
        expected = walk.due(start, limit, day_end, receipt)
        if expected is None:
            with pytest.raises(PastHorizon):
                due(start.instant, limit, calendar, day_end, receipt)
        elif not _is_beyond(expected, written, walk):
            assert due(start.instant, limit, calendar, day_end, receipt) == expected


def _is_beyond(instant: Instant, written: CalendarDefinition, walk: Walk) -> bool:
    """Whether it falls after the last covered date, of which a calendar may say that it is unknown.

    A receipt that waits for the next open day moves calendar days past the end.
    """
    return instant > walk.of(written.covers_to)[-1].instant
