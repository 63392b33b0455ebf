"""Limits in days agree with a walk over the minutes, whatever the day's end and the receipt.

Several spans a day, nights, half days, extra days, closures and holidays, in four zones, most about
a change of the clocks. The walk shares nothing with the calendars but what was written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from monitor.model import MINUTE, Instant
from monitor.worktime import calendar, definition, limits, zones
from monitor.worktime.calendar import PastHorizon, compile_calendar
from monitor.worktime.definition import CalendarDefinition, Span, open_stretches
from monitor.worktime.limits import ClosedDayReceipt, DayEnd, Limit, Unit, due
from monitor.worktime.zones import end_of_day
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


EXAMPLES = 60
WHEN_CLOCKS_CHANGE = (1, 2)
"""Hours of the wall, one of which comes twice or never on the night in question."""


@settings(max_examples=EXAMPLES, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.data())
def test_days_are_counted_as_by_hand(data: st.DataObject) -> None:
    _compare(data)


def _compare(data: st.DataObject) -> None:
    """Eight starts of one calendar, each with a limit, by the walk and by the engine."""
    written = data.draw(definitions())
    walk, compiled = Walk.over(written), compile_calendar(written)
    covered = [m for m in walk.minutes if written.covers(m.shown.date())]
    in_the_night = [m for m in covered if m.shown.hour in WHEN_CLOCKS_CHANGE]
    for _ in range(8):
        start = data.draw(st.sampled_from(covered) | st.sampled_from(in_the_night))
        left = (written.covers_to - start.shown.date()).days
        unit = data.draw(st.sampled_from([Unit.WORKING_DAYS, Unit.CALENDAR_DAYS]))
        most = 4 if unit is Unit.WORKING_DAYS else left
        limit = Limit(amount=data.draw(st.integers(min(1, most), most)), unit=unit)
        day_end = data.draw(st.sampled_from(list(DayEnd)))
        receipt = data.draw(st.sampled_from(list(ClosedDayReceipt)))
        expected = walk.due(start, limit, day_end, receipt)
        if expected is None:
            with pytest.raises(PastHorizon):
                due(start.instant, limit, compiled, day_end, receipt)
        elif not _is_beyond(expected, written, walk):
            assert due(start.instant, limit, compiled, day_end, receipt) == expected


def _is_beyond(instant: Instant, written: CalendarDefinition, walk: Walk) -> bool:
    """Whether it falls after the last covered date, of which a calendar may say that it is unknown.

    A receipt that waits for the next open day moves calendar days past the end.
    """
    return instant > walk.of(written.covers_to)[-1].instant


# -- that it can fail -------------------------------------------------------------------------


def _half_day_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A date that differs has the hours of its weekday."""

    def spans_on(self: CalendarDefinition, day: date) -> tuple[Span, ...]:
        return () if day in self.holidays else self.weekly_spans_on(day)

    patch.setattr(CalendarDefinition, "spans_on", spans_on)


def _holiday_forgotten(patch: pytest.MonkeyPatch) -> None:
    def spans_on(self: CalendarDefinition, day: date) -> tuple[Span, ...]:
        return self.special.get(day, self.weekly_spans_on(day))

    patch.setattr(CalendarDefinition, "spans_on", spans_on)


def _an_hour_off_when_clocks_change(patch: pytest.MonkeyPatch) -> None:
    """Of a time that comes twice the second is taken, and of one that never comes an hour later."""

    def last_instant_of_local(naive: datetime, zone: ZoneInfo) -> Instant:
        return max(zones._before_and_after(naive, zone))

    for module in (definition, limits, zones):
        patch.setattr(module, "first_instant_of_local", last_instant_of_local)
    # What it keeps would outlive the fault.
    patch.setattr(limits, "_calendar_days_after", limits._calendar_days_after.__wrapped__)


def _day_ends_with_its_first_span(patch: pytest.MonkeyPatch) -> None:
    """Close of business is the noon of a day that opens again."""

    def close_of_business(self: calendar._OpeningHours, day: date) -> Instant:
        opens = self.opening(day)
        return min(closes for closes in self._closes if closes > opens)

    patch.setattr(calendar._OpeningHours, "close_of_business", close_of_business)


def _day_ends_a_microsecond_late(patch: pytest.MonkeyPatch) -> None:
    """At midnight, which is the next day's."""
    patch.setattr(limits, "end_of_day", lambda day, zone: end_of_day(day, zone) + 1)


def _night_ends_at_midnight(patch: pytest.MonkeyPatch) -> None:
    """What is open past midnight closes with its date."""

    def stretches(
        spans: tuple[Span, ...], day: date, zone: ZoneInfo
    ) -> list[tuple[Instant, Instant]]:
        cut = tuple((opens, min(closes, 24 * 60)) for opens, closes in spans)
        return open_stretches(cut, day, zone)

    patch.setattr(calendar, "open_stretches", stretches)


@pytest.mark.parametrize(
    "plant",
    [
        _half_day_forgotten,
        _holiday_forgotten,
        _an_hour_off_when_clocks_change,
        _day_ends_with_its_first_span,
        _day_ends_a_microsecond_late,
        _night_ends_at_midnight,
    ],
)
def test_a_planted_fault_is_found(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    """Mostly among the usual examples; among so many more that it is no matter of luck."""

    @settings(
        max_examples=20 * EXAMPLES,
        phases=[Phase.generate],
        database=None,
        report_multiple_bugs=False,
    )
    @given(st.data())
    def compare(data: st.DataObject) -> None:
        _compare(data)

    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises(_FOUND):
            compare()


_FOUND = (AssertionError, PastHorizon, pytest.fail.Exception)
"""Another instant; an answer that is refused; none that should have been."""
