from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.report.lengths import Bar, alt_of_lengths, bar_said, hours_said, lengths_in_bars

HOURS = st.floats(0, 5000)
LIMITS = st.sampled_from((None, 0.5, 1, 3, 4, 24, 30, 72, 336, 3000))


@given(st.lists(HOURS, max_size=60), LIMITS, st.lists(HOURS, max_size=10))
def test_every_length_stands_in_one_bar_on_its_own_side_of_the_limit(
    told: list[float], limit: float | None, still_open: list[float]
) -> None:
    lengths = lengths_in_bars(told, limit=limit, still_open=still_open)
    if len(told) + len(still_open) < 20:
        assert lengths is None
        return

    assert lengths is not None
    assert sum(bar.told for bar in lengths.bars) == len(told)
    assert sum(bar.still_open for bar in lengths.bars) == len(still_open)
    assert lengths.total == len(told) + len(still_open)
    for bar, after in zip(lengths.bars, lengths.bars[1:], strict=False):
        assert bar.to == after.above
    for bar in lengths.bars:
        inside = [each for each in told if bar.above < each <= (bar.to or 1e9)]
        assert bar.told == len(inside) + (told.count(0) if not bar.above else 0)
    if limit is not None:
        assert lengths.in_time == sum(each <= limit for each in told)
        assert any(limit in (bar.above, bar.to) for bar in lengths.bars), "a bar ends at the limit"
        assert lengths.late == sum(bar.told for bar in lengths.bars if bar.above >= limit)


def test_a_length_of_exactly_the_limit_is_in_time() -> None:
    lengths = lengths_in_bars([24.0] * 20, limit=24, still_open=[])

    assert lengths is not None
    assert (lengths.in_time, lengths.late) == (20, 0)
    assert lengths.bars[-1] == Bar(12, 24, 20, 0)


def test_under_20_nothing_is_drawn_and_open_ones_count() -> None:
    assert lengths_in_bars([1.0] * 19, limit=4, still_open=[]) is None
    assert lengths_in_bars([1.0] * 19, limit=4, still_open=[5.0]) is not None


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (0.25, "15 min"),
        (4, "4 h"),
        (24, "24 h"),
        (30, "30 h"),
        (48, "2 d"),
        (72, "3 d"),
        (168, "1 wk"),
        (2160, "90 d"),
    ],
)
def test_hours_are_said_as_people_say_them(hours: float, said: str) -> None:
    assert hours_said(hours) == said


def test_bars_are_said_from_where_to_where() -> None:
    assert bar_said(Bar(0, 1, 1, 0)) == "up to 1 h"
    assert bar_said(Bar(12, 24, 1, 0)) == "12 h to 24 h"
    assert bar_said(Bar(336, None, 1, 0)) == "over 2 wk"


def test_the_alternative_text_says_every_bar() -> None:
    lengths = lengths_in_bars([3.0] * 18 + [30.0], limit=24, still_open=[100.0])

    assert lengths is not None
    assert alt_of_lengths(lengths, "the council") == (
        "How long until told, the council: 20 duties, limit 24 h. 18 in time, 1 late. 1 still open"
        " and late, at their age now. Up to 4 h 18; 4 h to 8 h 0; 8 h to 12 h 0; 12 h to 24 h 0;"
        " 24 h to 2 d 1; 2 d to 3 d 0; 3 d to 1 wk 0 and 1 still open."
    )
