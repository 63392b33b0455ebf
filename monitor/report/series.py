"""Weeks beside each other: how many duties to each partner were met, in all and by district.

What comes in: counts of plain duties by week, and clocks to be judged one by one. What goes out:
a series of weeks for each partner and district. It does not judge whether anything changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from monitor.model import Verdict
from monitor.report.change import WeekPoint
from monitor.report.periods import Week

_COUNTED = frozenset({Verdict.MET, Verdict.LATE, Verdict.OVERDUE})


class Series(NamedTuple):
    """Whose weeks."""

    partner: str = ""
    """Empty: all partners together."""
    district: str = ""
    """Empty: all districts together."""


class Counted(NamedTuple):
    """Duties of one week, alike in all that a series asks."""

    week: int
    """Its place among the weeks, 0 the first."""
    partner: str
    district: str
    is_met: bool
    number: int


def is_counted(says: Verdict) -> bool:
    """Whether a verdict is in the share: unknown, exempt and void stand beside it."""
    return says in _COUNTED


def series(
    weeks: Sequence[Week], counted: Iterable[Counted]
) -> Mapping[Series, tuple[WeekPoint, ...]]:
    """Every series that has a duty, each with a point for every week."""
    met: Counter[tuple[Series, int]] = Counter()
    of: Counter[tuple[Series, int]] = Counter()
    for week, partner, district, is_met, number in counted:
        for each in {Series(p, d) for p in ("", partner) for d in ("", district)}:
            of[each, week] += number
            met[each, week] += number if is_met else 0
    return {
        each: tuple(
            WeekPoint(week, met[each, place], of[each, place]) for place, week in enumerate(weeks)
        )
        for each in sorted({each for each, _ in of})
    }
