"""Working time the slow way: minute by minute, by what the clock on the wall has shown so far.

It shares nothing with the compiled calendars: no bisect, no way from local time to instants. It
walks the minutes of UTC, reads each one's local time, and remembers the furthest reading yet; a
span is open from when the wall first reaches its opening until it first reaches its close.
Everything it looks at begins on whole minutes, as all offsets of this century do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import accumulate
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from monitor.model import MINUTE, Duration, Instant
from monitor.worktime.definition import CalendarDefinition, Span

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_A_MINUTE = timedelta(minutes=1)


@dataclass(eq=False)
class Oracle:
    """The minutes of a definition's days, each open or not."""

    definition: CalendarDefinition
    first_minute: int = 0
    """Minutes since 1970 of the first minute of the covered dates."""
    is_open: list[bool] = field(default_factory=list)
    worked: list[int] = field(default_factory=list)
    """Open minutes before each minute, and in the end all of them."""

    def __post_init__(self) -> None:
        zone = ZoneInfo(self.definition.zone)
        moment = datetime.combine(self.definition.covers_from, datetime.min.time(), UTC)
        moment -= timedelta(days=2)
        furthest = datetime.min  # noqa: DTZ901 — local times are naive here
        while True:
            shown = moment.astimezone(zone).replace(tzinfo=None)
            furthest = max(furthest, shown)
            if furthest.date() > self.definition.covers_to:
                break
            if shown.date() >= self.definition.covers_from:
                self.first_minute = self.first_minute or (moment - _EPOCH) // _A_MINUTE
                self.is_open.append(self._is_open_at(furthest))
            moment += _A_MINUTE
        self.worked = [0, *accumulate(self.is_open)]

    def _is_open_at(self, shown: datetime) -> bool:
        reading, today = shown.hour * 60 + shown.minute, shown.date()
        return any(
            opens <= reading + 1440 * days_ago < closes
            for days_ago in (0, 1)
            for opens, closes in self._spans(today, days_ago)
        )

    @cache  # noqa: B019 — an oracle lives as long as one test
    def _spans(self, today: date, days_ago: int) -> tuple[Span, ...]:
        written, day = self.definition, today - timedelta(days=days_ago)
        if day in written.special:
            return written.special[day]
        if day in written.holidays:
            return ()
        return written.weekly.get(day.weekday(), ())

    @property
    def start(self) -> Instant:
        return self.first_minute * MINUTE

    @property
    def end(self) -> Instant:
        return self.start + len(self.is_open) * MINUTE

    def open_at(self, instant: Instant) -> bool:
        return self.is_open[instant // MINUTE - self.first_minute]

    def worked_before(self, instant: Instant) -> Duration:
        minute, rest = divmod(instant - self.start, MINUTE)
        partly = rest if rest and self.is_open[minute] else 0
        return self.worked[minute] * MINUTE + partly

    def earliest_with(self, worked: Duration) -> Instant:
        """The earliest instant before which so much was worked."""
        for minute, so_far in enumerate(self.worked):
            if so_far * MINUTE >= worked:
                return self.start + minute * MINUTE - (so_far * MINUTE - worked)
        raise AssertionError(worked)

    def latest_with(self, worked: Duration) -> Instant:
        """The latest instant before which no more than this was worked."""
        for minute in reversed(range(len(self.worked))):
            if (so_far := self.worked[minute] * MINUTE) <= worked:
                return self.start + minute * MINUTE + (worked - so_far)
        raise AssertionError(worked)


ZONES = ("Europe/London", "Europe/Rome", "America/New_York", "UTC")
_DATES_OF_INTEREST = (
    date(2027, 3, 28),  # forward in London and Rome
    date(2027, 10, 31),  # back in London and Rome
    date(2027, 3, 14),  # forward in New York
    date(2027, 11, 7),  # back in New York
    date(2028, 2, 29),
    date(2026, 12, 31),
)


_CHANGES = (
    (date(2027, 3, 28), "Europe/London"),
    (date(2027, 10, 31), "Europe/London"),
    (date(2027, 3, 28), "Europe/Rome"),
    (date(2027, 10, 31), "Europe/Rome"),
    (date(2027, 3, 14), "America/New_York"),
    (date(2027, 11, 7), "America/New_York"),
)

_DAYS_BESIDE = st.sampled_from((2, 1, 3, 0))
"""Simple examples are drawn most: let them have days before and after the change."""


@st.composite
def definitions(draw: st.DrawFn) -> CalendarDefinition:
    """Calendars of a week or less, most about a change of the clocks."""
    any_other = st.tuples(st.sampled_from(_DATES_OF_INTEREST), st.sampled_from(ZONES))
    middle, zone = draw(st.sampled_from(_CHANGES) | any_other)
    covers_from = middle - timedelta(days=draw(_DAYS_BESIDE))
    covers_to = middle + timedelta(days=draw(_DAYS_BESIDE))
    days = st.dates(covers_from - timedelta(days=1), covers_to + timedelta(days=1))
    return CalendarDefinition(
        name="generated",
        version="1",
        zone=zone,
        weekly=draw(st.dictionaries(st.integers(0, 6), _SPANS, min_size=1)),
        holidays=draw(st.dictionaries(days, st.just("a holiday"), max_size=3)),
        special=draw(st.dictionaries(days, _SPANS | st.just(()), max_size=3)),
        covers_from=covers_from,
        covers_to=covers_to,
    )


@st.composite
def _spans(draw: st.DrawFn) -> Span:
    in_the_night = st.integers(0, 4 * 60)  # where the clocks change
    opens = draw(in_the_night | st.integers(0, 1439) | st.sampled_from((0, 510, 1320)))
    length = draw(st.integers(1, 120) | st.integers(1, 1440) | st.sampled_from((480, 1440)))
    return opens, opens + length


_SPANS = st.lists(_spans(), min_size=1, max_size=3).map(tuple)
