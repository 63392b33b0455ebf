"""Change or chance: control charts of the weekly share in time.

What comes in: weeks with how many duties fell due and how many of them were met. What goes out: a
chart with its average, its limits and what stands out.
It does not care whose weeks they are, nor how a chart is said (`change_words`) or drawn.

It is an individuals chart (XmR), as the health service's "Making Data Count" teaches it: the
average of a baseline's weekly shares, and limits at 2.66 times its mean moving range on either
side. Two rules, and no others: a week outside the limits; and seven or more weeks running on one
side of the average. They err: in 473 of 1,000 made-up years of 52 weeks in which nothing changed,
something stood out somewhere, and in 35 it did in the last week, of which a digest speaks
(docs/charts.md).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

from monitor.report.periods import Week
from monitor.words import dates

WEEKS_FOR_LIMITS: Final = 26
"""Limits need so many weeks with a share, and are taken from the first so many."""
RUN: Final = 7
"""So many weeks running on one side of the average are a signal."""
FEWEST_FOR_SHARES: Final = 10
"""Where half of the weeks have fewer duties than this, counts are charted and no shares."""
RULES: Final = (
    f"Two rules: a week outside the limits; {RUN} or more weeks running on one side of the average."
)
"""For beneath a chart."""
MOVING_RANGES: Final = Fraction(266, 100)
"""The limits' distance from the average, in mean moving ranges: 3 / 1.128."""


class WeekPoint(NamedTuple):
    """One week of a series."""

    week: Week
    met: int
    of: int
    """Duties that count; where it is 0 the week has no share and is no point."""

    @property
    def share(self) -> Fraction:
        """Met of all, exact; ZeroDivisionError where nothing fell due."""
        return Fraction(self.met, self.of)


class Baseline(NamedTuple):
    """The weeks from which limits are taken, both inclusive."""

    first: Week
    last: Week


class Shows(StrEnum):
    """What a chart's points are."""

    SHARES = "shares"
    COUNTS = "counts"


class SignalKind(StrEnum):
    """By which of the two rules a signal stands out."""

    OUTSIDE = "outside"
    RUN = "run"


class Side(StrEnum):
    """On which side of the average."""

    ABOVE = "above"
    BELOW = "below"


class Signal(NamedTuple):
    """What chance seldom does."""

    kind: SignalKind
    side: Side
    first: Week
    """Where a run began; the week itself where it is outside."""
    last: Week
    number: int
    """Weeks with a share that it is made of."""


class Limits(NamedTuple):
    """Average and limits of the weekly share, exact, between 0 and 1."""

    centre: Fraction
    lower: Fraction
    upper: Fraction
    has_lower: bool
    """False where the limit would be below zero: `lower` is 0, and no week can be under it."""
    has_upper: bool
    """False where the limit would be above one: `upper` is 1, and no week can be over it."""

    @property
    def is_one_value(self) -> bool:
        """Whether the baseline never varied, so that any other share is outside."""
        return self.lower == self.upper


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlChart:
    """A series of weeks, judged."""

    points: tuple[WeekPoint, ...]
    """Consecutive weeks, oldest first."""
    shows: Shows
    median: Fraction
    """Of the weekly duties, weeks without any included."""
    limits: Limits | None
    baseline: Baseline | None
    """None where there are no limits; its first and last week have a share."""
    baseline_weeks: int
    """Weeks of the baseline that have a share."""
    why_no_limits: str
    """A phrase; empty where there are limits."""
    signals: tuple[Signal, ...]
    """Of all weeks, in the order in which they began."""

    @property
    def baseline_label(self) -> str:
        """`baseline 26 weeks to 10 January 2027`; empty where there are no limits."""
        if self.baseline is None:
            return ""
        sunday = self.baseline.last.monday + dt.timedelta(days=6)
        return f"baseline {self.baseline_weeks} weeks to {dates(sunday, sunday)}"

    @property
    def with_share(self) -> tuple[WeekPoint, ...]:
        """The weeks in which anything fell due."""
        return tuple(point for point in self.points if point.of)

    @property
    def now(self) -> tuple[Signal, ...]:
        """The signals that hold in the last week; a run goes on through weeks without a share."""
        if not self.points:
            return ()
        latest = {SignalKind.OUTSIDE: self.points[-1].week}
        if self.with_share:
            latest[SignalKind.RUN] = self.with_share[-1].week
        return tuple(each for each in self.signals if each.last == latest.get(each.kind))


def control_chart(points: Sequence[WeekPoint], *, baseline: Baseline | None = None) -> ControlChart:
    """Judge consecutive, finished weeks, oldest first.

    The baseline is by default the first 26 weeks that have a share: hand in the same first week
    every time, or state a baseline, else limits wander with the weeks and a change becomes usual.
    Weeks before the record began belong to no series (`since_first`). ValueError where weeks do not
    follow each other or more is met than fell due.
    """
    _check(points)
    typical = Fraction(median(point.of for point in points)) if points else Fraction(0)
    shows = Shows.COUNTS if typical < FEWEST_FOR_SHARES else Shows.SHARES
    having = [point for point in points if point.of]
    base = _baseline_points(having, baseline)
    why = _why_no_limits(len(having), len(base), typical, shows, stated=baseline is not None)
    limits = None if why else _limits([point.share for point in base])
    return ControlChart(
        points=tuple(points),
        shows=shows,
        median=typical,
        limits=limits,
        baseline=Baseline(base[0].week, base[-1].week) if limits else None,
        baseline_weeks=len(base) if limits else 0,
        why_no_limits=why,
        signals=_signals(having, limits) if limits else (),
    )


def since_first(points: Sequence[WeekPoint]) -> Sequence[WeekPoint]:
    """The weeks from the first in which anything fell due."""
    first = next((place for place, point in enumerate(points) if point.of), len(points))
    return points[first:]


def _check(points: Sequence[WeekPoint]) -> None:
    for before, after in pairwise(points):
        if after.week.earlier != before.week:
            raise ValueError(f"{after.week} does not follow {before.week}")
    for point in points:
        if not 0 <= point.met <= point.of:
            raise ValueError(f"{point.week}: {point.met} met of {point.of}")


def _baseline_points(having: Sequence[WeekPoint], stated: Baseline | None) -> list[WeekPoint]:
    if stated is None:
        return list(having[:WEEKS_FOR_LIMITS])
    return [point for point in having if stated.first <= point.week <= stated.last]


def _why_no_limits(
    number: int, in_baseline: int, typical: Fraction, shows: Shows, *, stated: bool
) -> str:
    if shows is Shows.COUNTS:
        return (
            f"too few duties a week for a share to tell change from chance (median"
            f" {float(typical):g}; shares need {FEWEST_FOR_SHARES})"
        )
    if number < WEEKS_FOR_LIMITS:
        return f"{number} of the {WEEKS_FOR_LIMITS} weeks that limits need"
    if stated and in_baseline < WEEKS_FOR_LIMITS:
        return f"the stated baseline has {in_baseline} of the {WEEKS_FOR_LIMITS} weeks it needs"
    return ""


def _limits(shares: Sequence[Fraction]) -> Limits:
    centre = sum(shares, start=Fraction(0)) / len(shares)
    ranges = [abs(after - before) for before, after in pairwise(shares)]
    reach = MOVING_RANGES * sum(ranges, start=Fraction(0)) / len(ranges)
    lower, upper = centre - reach, centre + reach
    return Limits(centre, max(lower, Fraction(0)), min(upper, Fraction(1)), lower >= 0, upper <= 1)


def _signals(having: Sequence[WeekPoint], limits: Limits) -> tuple[Signal, ...]:
    found = [*_outside(having, limits), *_runs(having, limits.centre)]
    return tuple(sorted(found, key=lambda signal: (signal.first, signal.last)))


def _outside(having: Sequence[WeekPoint], limits: Limits) -> Iterator[Signal]:
    for point in having:
        if not limits.lower <= point.share <= limits.upper:
            side = Side.BELOW if point.share < limits.lower else Side.ABOVE
            yield Signal(SignalKind.OUTSIDE, side, point.week, point.week, 1)


def _runs(having: Sequence[WeekPoint], centre: Fraction) -> Iterator[Signal]:
    run: list[Week] = []
    side: Side | None = None
    for point in having:
        now = _side(point.share, centre)
        if now is not side:
            yield from _run(run, side)
            run, side = [], now
        run.append(point.week)
    yield from _run(run, side)


def _side(share: Fraction, centre: Fraction) -> Side | None:
    """None on the average itself, which ends a run."""
    if share == centre:
        return None
    return Side.ABOVE if share > centre else Side.BELOW


def _run(weeks: Sequence[Week], side: Side | None) -> Iterator[Signal]:
    if side is not None and len(weeks) >= RUN:
        yield Signal(SignalKind.RUN, side, weeks[0], weeks[-1], len(weeks))
