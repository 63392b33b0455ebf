"""What a calendar says, before it is compiled: a week, bank holidays, and days that differ.

What comes in: opening hours as written. What goes out: for any date, when it is open, as instants,
or why it is closed, in words.
It does not care how long anything takes: `calendar` counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from monitor.model import Instant
from monitor.worktime.zones import first_instant_of_local

Span: TypeAlias = tuple[int, int]
"""Opening and closing time in minutes after 00:00 of the date on which it opens.

A close beyond 1440 is on the next date.
"""

MINUTES_A_DAY: Final = 24 * 60
_FIRST_DAY_OF_WEEKEND: Final = 5
_WEEKDAYS: Final = (
    "Mondays",
    "Tuesdays",
    "Wednesdays",
    "Thursdays",
    "Fridays",
    "Saturdays",
    "Sundays",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDefinition:
    """Opening hours of one kind of place. ValueError lists everything that cannot be meant."""

    name: str
    version: str
    zone: str
    """Name of the time zone, such as `Europe/London`."""
    weekly: Mapping[int, tuple[Span, ...]]
    """Weekday, Monday 0 to Sunday 6, to its spans; a weekday that is missing is closed."""
    holidays: Mapping[date, str]
    """Date to title: closed, unless `special` says otherwise."""
    special: Mapping[date, tuple[Span, ...]]
    """Half days, extra days, and closures (no spans): instead of the week and of a holiday."""
    covers_from: date
    covers_to: date
    """The last date of which anything is known."""

    def __post_init__(self) -> None:
        if faults := list(_faults(self)):
            msg = f"calendar {self.name}: {'; '.join(faults)}"
            raise ValueError(msg)

    def covers(self, day: date) -> bool:
        """Whether anything is known of a date."""
        return self.covers_from <= day <= self.covers_to

    def spans_on(self, day: date) -> tuple[Span, ...]:
        """The spans that open on a date, as written."""
        if (spans := self.special.get(day)) is not None:
            return spans
        return () if day in self.holidays else self.weekly_spans_on(day)

    def weekly_spans_on(self, day: date) -> tuple[Span, ...]:
        """The spans that would open on a date, were it like every other of its weekday."""
        return self.weekly.get(day.weekday(), ())

    def why_closed(self, day: date) -> str:
        """Why an instant of a date is not counted, in words."""
        if self.spans_on(day):
            return "outside opening hours"
        if day in self.holidays:
            return f"closed, {self.holidays[day]}"
        if self.weekly_spans_on(day):
            return "closed, local closure"
        if day.weekday() >= _FIRST_DAY_OF_WEEKEND:
            return "weekend"
        return f"closed on {_WEEKDAYS[day.weekday()]}"


def open_stretches(
    spans: tuple[Span, ...], day: date, zone: ZoneInfo
) -> list[tuple[Instant, Instant]]:
    """The spans of a date as instants, from opening to just after the last open microsecond.

    A time that comes twice is its first instant; one that never comes is the change of the clocks,
    so a span that lies wholly in such a gap is not open at all and is left out.
    """
    midnight = datetime.combine(day, time.min)
    stretches = sorted(
        (
            first_instant_of_local(midnight + timedelta(minutes=opens), zone),
            first_instant_of_local(midnight + timedelta(minutes=closes), zone),
        )
        for opens, closes in spans
    )
    return [(opens, closes) for opens, closes in stretches if opens < closes]


def _faults(definition: CalendarDefinition) -> Iterator[str]:
    if definition.covers_to < definition.covers_from:
        yield f"covers_to {definition.covers_to} is before covers_from {definition.covers_from}"
    for weekday, spans in definition.weekly.items():
        if weekday not in range(7):
            yield f"{weekday} is not a weekday from 0, Monday, to 6, Sunday"
        yield from _span_faults(f"weekday {weekday}", spans)
    for day, spans in definition.special.items():
        yield from _span_faults(day.isoformat(), spans)


def _span_faults(where: str, spans: tuple[Span, ...]) -> Iterator[str]:
    for opens, closes in spans:
        if not 0 <= opens < MINUTES_A_DAY:
            yield f"{where} opens at minute {opens}, expected 0 to 1439"
        elif not opens < closes <= opens + MINUTES_A_DAY:
            yield f"{where} closes at minute {closes}, expected within a day after {opens}"
