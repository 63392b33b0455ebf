"""Calendars: how much of the time between two instants counts, and when so much of it is over.

What comes in: a definition. What goes out: a calendar that answers in one bisect, however long the
span, because everything is laid out once: opening instants, closing instants, and the working time
before each.
It does not care about limits: `limits` knows what "one working day" means.

Past what a calendar covers nothing is guessed: PastHorizon names the calendar and the date.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from monitor.model import SECOND, Duration, Instant
from monitor.worktime.definition import CalendarDefinition, open_stretches
from monitor.worktime.zones import day_of, end_of_day, start_of_day

__all__ = [
    "Calendar",
    "CalendarDefinition",
    "LaidOut",
    "PastHorizon",
    "Window",
    "compile_calendar",
    "elapsed",
]

_ONE_DAY: Final = timedelta(days=1)


class PastHorizon(Exception):
    """Nothing is known of that date, so the answer is unknown; the text names calendar and date."""


class Window(NamedTuple):
    """A stretch of time that counts whole or not at all."""

    start: Instant
    end: Instant
    """Not part of it: the next window starts here."""
    counted: bool
    why: str
    """Such as `open`, `weekend`, `closed, Good Friday`, `outside opening hours`."""


class LaidOut(NamedTuple):
    """Everything that counts, as three sequences of one length, for what reckons with many at once.

    The first and the last opening are empty ones at the two ends of what is known: no search falls
    off either end.
    """

    opens: tuple[Instant, ...]
    """Ascending; the last is also just after the last instant of which all is known."""
    closes: tuple[Instant, ...]
    """Not part of an opening, and before the next opens."""
    worked: tuple[Duration, ...]
    """Working time before each opening."""


class Calendar(ABC):
    """Which time counts as working time, and which dates are working days.

    Instants are half-open on the right: a place that closes at 17:00 is closed at 17:00.
    Every method raises PastHorizon where the answer depends on a date that is not covered.
    """

    name: str
    version: str
    zone: ZoneInfo
    covers_from: date | None
    covers_to: date | None
    """The last date of which anything is known; None where there is no horizon."""
    laid_out: LaidOut | None
    """None where all time counts."""

    @abstractmethod
    def worked_before(self, instant: Instant) -> Duration:
        """Working time before an instant, from an origin that is the calendar's own."""

    def between(self, start: Instant, end: Instant) -> Duration:
        """Working time from start to end; negative where the end comes first."""
        return self.worked_before(end) - self.worked_before(start)

    @abstractmethod
    def add(self, start: Instant, duration: Duration) -> Instant:
        """The earliest instant at which so much working time has passed since the start.

        Of a negative duration the mirror image: the latest instant from which so much is left
        until the start. Zero is the start itself, open or closed.
        """

    @abstractmethod
    def is_open(self, instant: Instant) -> bool:
        """Whether time at an instant counts."""

    @abstractmethod
    def next_opening(self, instant: Instant) -> Instant:
        """The first instant at or after this one at which time counts."""

    @abstractmethod
    def is_working_day(self, day: date) -> bool:
        """Whether the place opens on a date; a span past midnight belongs to where it opened."""

    @abstractmethod
    def working_day_after(self, day: date, count: int) -> date:
        """The count-th working day after a date, which need not be one; negative: before it.

        Zero is the date itself.
        """

    @abstractmethod
    def opening(self, day: date) -> Instant:
        """When the place first opens on a working day; ValueError for a closed one."""

    @abstractmethod
    def close_of_business(self, day: date) -> Instant:
        """When the place last closes on a working day; ValueError for a closed one."""

    @abstractmethod
    def windows(self, start: Instant, end: Instant) -> Iterator[Window]:
        """The time from start to end without a gap, cut wherever counting or its reason changes.

        The counted windows add up to `between`. ValueError where the end comes first.
        """


def compile_calendar(definition: CalendarDefinition) -> Calendar:
    """Lay out every opening of a definition; costs milliseconds, so do it once."""
    return _OpeningHours(definition)


def elapsed(zone: ZoneInfo) -> Calendar:
    """The calendar that is always open, for limits in clock hours: no horizon, every day works."""
    return _AlwaysOpen(zone)


class _OpeningHours(Calendar):
    """Openings laid out as sorted instants, with the working time before each."""

    def __init__(self, definition: CalendarDefinition) -> None:
        self.name = definition.name
        self.version = definition.version
        self.zone = ZoneInfo(definition.zone)
        self.covers_from = definition.covers_from
        self.covers_to = definition.covers_to
        self._definition = definition
        openings = {
            day: stretches
            for day in _days(definition.covers_from, definition.covers_to)
            if (stretches := open_stretches(definition.spans_on(day), day, self.zone))
        }
        self._days = tuple(openings)
        self._hours = {
            day: (stretches[0][0], max(closes for _, closes in stretches))
            for day, stretches in openings.items()
        }
        self._known_from = _known_from(definition, self.zone)
        self._known_to = end_of_day(definition.covers_to, self.zone) + 1
        self._lay_out(stretch for stretches in openings.values() for stretch in stretches)

    def _lay_out(self, stretches: Iterable[tuple[Instant, Instant]]) -> None:
        known_from, known_to = self._known_from, self._known_to
        merged = [
            (known_from, known_from),
            *_merged(_clipped(stretches, known_from, known_to)),
            (known_to, known_to),
        ]
        worked = [0]
        for opens, closes in merged[:-1]:
            worked.append(worked[-1] + closes - opens)
        self._opens = tuple(opens for opens, _ in merged)
        self._closes = tuple(closes for _, closes in merged)
        self._worked = tuple(worked)
        self.laid_out = LaidOut(self._opens, self._closes, self._worked)

    def worked_before(self, instant: Instant) -> Duration:
        if not self._known_from <= instant <= self._known_to:
            raise self._past(instant)
        index = bisect_right(self._opens, instant) - 1
        closes = self._closes[index]
        # No call of min: it would take as long as the search.
        until = instant if instant < closes else closes  # noqa: FURB136
        return self._worked[index] + until - self._opens[index]

    def add(self, start: Instant, duration: Duration) -> Instant:
        worked = self.worked_before(start) + duration
        if duration > 0 and worked <= self._worked[-1]:
            index = bisect_left(self._worked, worked) - 1
        elif duration < 0 <= worked:
            index = bisect_right(self._worked, worked) - 1
        elif duration == 0:
            return start
        else:
            raise self._too_little_left(start, duration)
        return self._opens[index] + worked - self._worked[index]

    def is_open(self, instant: Instant) -> bool:
        if not self._known_from <= instant < self._known_to:
            raise self._past(instant)
        return instant < self._closes[bisect_right(self._opens, instant) - 1]

    def next_opening(self, instant: Instant) -> Instant:
        if self.is_open(instant):
            return instant
        opens = self._opens[bisect_right(self._opens, instant)]
        if opens == self._known_to:
            raise self._past(opens)
        return opens

    def is_working_day(self, day: date) -> bool:
        self._check_covered(day)
        return day in self._hours

    def working_day_after(self, day: date, count: int) -> date:
        self._check_covered(day)
        if count == 0:
            return day
        nearest = bisect_right(self._days, day) - 1 if count > 0 else bisect_left(self._days, day)
        if not 0 <= nearest + count < len(self._days):
            counted = f"{abs(count)} working day{'s' if abs(count) > 1 else ''}"
            raise self._not_known(f"{counted} {'after' if count > 0 else 'before'} {day}")
        return self._days[nearest + count]

    def opening(self, day: date) -> Instant:
        return self._hours_on(day)[0]

    def close_of_business(self, day: date) -> Instant:
        return self._hours_on(day)[1]

    def windows(self, start: Instant, end: Instant) -> Iterator[Window]:
        _check_order(start, end)
        for instant in (start, end):
            if not self._known_from <= instant <= self._known_to:
                raise self._past(instant)
        return _joined(self._stretches(start, end))

    def _stretches(self, start: Instant, end: Instant) -> Iterator[Window]:
        """Every opening, and every closed stretch cut at midnight, since the reason may change."""
        index = bisect_right(self._opens, start) - 1
        while start < end:
            if start < (closes := min(self._closes[index], end)):
                yield Window(start, closes, counted=True, why="open")
                start = closes
            index += 1
            if start < end:
                opens = min(self._opens[index], end)
                yield from self._closed(start, opens)
                start = opens

    def _closed(self, start: Instant, end: Instant) -> Iterator[Window]:
        while start < end:
            day = day_of(start, self.zone)
            midnight = min(end_of_day(day, self.zone) + 1, end)
            yield Window(start, midnight, counted=False, why=self._definition.why_closed(day))
            start = midnight

    def _hours_on(self, day: date) -> tuple[Instant, Instant]:
        self._check_covered(day)
        if (hours := self._hours.get(day)) is None:
            msg = f"calendar {self.name} does not open on {day}: {self._definition.why_closed(day)}"
            raise ValueError(msg)
        return hours

    def _check_covered(self, day: date) -> None:
        if not self._definition.covers(day):
            raise self._not_known(str(day))

    def _past(self, instant: Instant) -> PastHorizon:
        return self._not_known(str(day_of(instant, self.zone)))

    def _too_little_left(self, start: Instant, duration: Duration) -> PastHorizon:
        length = timedelta(seconds=abs(duration) // SECOND)
        side = "after" if duration > 0 else "before"
        return self._not_known(f"{length} of working time {side} {day_of(start, self.zone)}")

    def _not_known(self, what: str) -> PastHorizon:
        definition = self._definition
        return PastHorizon(
            f"calendar {self.name} covers {definition.covers_from} to {definition.covers_to}: "
            f"it does not know {what}"
        )


class _AlwaysOpen(Calendar):
    """Every microsecond counts, and every date is a working day from its first to its last."""

    name = "clock hours"
    version = ""
    covers_from = None
    covers_to = None
    laid_out = None

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def worked_before(self, instant: Instant) -> Duration:
        return instant

    def add(self, start: Instant, duration: Duration) -> Instant:
        return start + duration

    def is_open(self, instant: Instant) -> bool:  # noqa: ARG002 — it is the same for all
        return True

    def next_opening(self, instant: Instant) -> Instant:
        return instant

    def is_working_day(self, day: date) -> bool:  # noqa: ARG002 — it is the same for all
        return True

    def working_day_after(self, day: date, count: int) -> date:
        return day + count * _ONE_DAY

    def opening(self, day: date) -> Instant:
        return start_of_day(day, self.zone)

    def close_of_business(self, day: date) -> Instant:
        return end_of_day(day, self.zone)

    def windows(self, start: Instant, end: Instant) -> Iterator[Window]:
        _check_order(start, end)
        return iter([Window(start, end, counted=True, why="clock hours")] if start < end else [])


def _days(first: date, last: date) -> Iterator[date]:
    return (date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1))


def _known_from(definition: CalendarDefinition, zone: ZoneInfo) -> Instant:
    """The first instant of which all is known.

    The date before is not covered. Where it may have been open past midnight, nobody knows whether
    it was, so the early hours of the first covered date are not known either.
    """
    day_before = definition.covers_from - _ONE_DAY
    spans = definition.weekly_spans_on(day_before) + definition.spans_on(day_before)
    closes = [closes for _, closes in open_stretches(spans, day_before, zone)]
    return max([start_of_day(definition.covers_from, zone), *closes])


def _clipped(
    stretches: Iterable[tuple[Instant, Instant]], known_from: Instant, known_to: Instant
) -> Iterator[tuple[Instant, Instant]]:
    for opens, closes in stretches:
        if opens < known_to and closes > known_from:
            yield max(opens, known_from), min(closes, known_to)


def _merged(stretches: Iterable[tuple[Instant, Instant]]) -> Iterator[tuple[Instant, Instant]]:
    """Stretches that neither overlap nor touch, and count the same time as these.

    They come and go in order of their opening: dates follow each other, and no span opens later
    than its own date.
    """
    ordered = iter(stretches)
    current = next(ordered, None)
    if current is None:
        return
    for opens, closes in ordered:
        if opens <= current[1]:
            current = current[0], max(current[1], closes)
        else:
            yield current
            current = opens, closes
    yield current


def _joined(windows: Iterable[Window]) -> Iterator[Window]:
    """Neighbours that are alike as one."""
    held: Window | None = None
    for window in windows:
        if held is not None and held[2:] == window[2:]:
            held = held._replace(end=window.end)
            continue
        if held is not None:
            yield held
        held = window
    if held is not None:
        yield held


def _check_order(start: Instant, end: Instant) -> None:
    if end < start:
        msg = f"the end, {end}, comes before the start, {start}"
        raise ValueError(msg)
