"""Weeks of duties, to chart in tests."""

from __future__ import annotations

import datetime as dt
import random

from monitor.report.change import WeekPoint
from monitor.report.periods import Week

FIRST = dt.date(2026, 3, 9)
STEADY = (80, 84) * 13
"""Average 82, moving range 4: limits at 71.36 and 92.64."""


def week(number: int) -> Week:
    """The first is week 1, which begins on Monday 9 March 2026."""
    return Week.of(FIRST + dt.timedelta(weeks=number - 1))


def series(*counts: tuple[int, int]) -> list[WeekPoint]:
    return [WeekPoint(week(number), met, of) for number, (met, of) in enumerate(counts, 1)]


def in_percent(*shares: int) -> list[WeekPoint]:
    return series(*((share, 100) for share in shares))


def a_year(
    seed: int, *, share: float = 0.85, changed: float | None = None, since: int = 30
) -> list[WeekPoint]:
    """52 weeks of about 47 duties, each met by chance alone; `changed`: the share from `since`."""
    chance = random.Random(seed)
    counts = []
    for number in range(1, 53):
        of = sum(chance.random() < 0.5 for _ in range(94))
        met_by = changed if changed is not None and number >= since else share
        counts.append((sum(chance.random() < met_by for _ in range(of)), of))
    return series(*counts)
