"""Instants at which reckoning goes wrong if it does: beside openings, midnights and horizons."""

from __future__ import annotations

from hypothesis import strategies as st

from monitor.model import DAY, HOUR, SECOND, Instant
from monitor.worktime.calendar import Calendar


def edges(calendar: Calendar) -> list[Instant]:
    """Openings, closes, and hours of UTC from a day before what is covered to a day after.

    Clocks change on full hours of UTC, and dates begin on them.
    """
    laid_out = calendar.laid_out
    assert laid_out is not None
    first, last = laid_out.opens[0], laid_out.opens[-1]
    hours = range(first - first % HOUR - DAY, last + DAY, HOUR)
    return [*laid_out.opens, *laid_out.closes, *hours]


def near(calendar: Calendar) -> st.SearchStrategy[Instant]:
    """Instants within a second of an edge, most within a microsecond; or anywhere."""
    found = edges(calendar)
    beside = st.sampled_from((0, -1, 1)) | st.integers(-SECOND, SECOND)
    return st.builds(lambda edge, by: edge + by, st.sampled_from(found), beside) | st.integers(
        min(found), max(found)
    )
