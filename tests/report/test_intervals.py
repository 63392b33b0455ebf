"""The score interval is where the share that would be seen lies within 1.96 deviations of it."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.report import intervals
from monitor.report.intervals import Interval, wilson

Z = NormalDist().inv_cdf(0.975)

shares = st.integers(1, 5_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


def _score(share: float, seen: float, of: int) -> float:
    """How many deviations beyond the bound what is seen would lie, were this the share behind."""
    return abs(seen - share) - Z * sqrt(share * (1 - share) / of)


def _end(seen: float, of: int, outside: float) -> float:
    """Where the score changes its sign between what is seen and an end of the scale."""
    inside = seen
    for _ in range(200):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if _score(middle, seen, of) > 0 else (middle, outside)
    return inside


@given(shares)
def test_it_is_where_the_score_equation_says(counts: tuple[int, int]) -> None:
    """|seen - share| = z sqrt(share (1 - share) / n), solved by halving and not by its roots."""
    met, of = counts
    found = wilson(met, of)
    assert found.low == pytest.approx(_end(met / of, of, 0.0), abs=1e-9)
    assert found.high == pytest.approx(_end(met / of, of, 1.0), abs=1e-9)


@pytest.mark.parametrize(
    ("met", "of", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_it_is_the_one_of_the_literature(met: int, of: int, low: float, high: float) -> None:
    """R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    found = wilson(met, of)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(shares)
def test_it_holds_what_is_seen_and_mirrors_what_is_not(counts: tuple[int, int]) -> None:
    met, of = counts
    found, mirrored = wilson(met, of), wilson(of - met, of)
    assert 0.0 <= found.low <= met / of <= found.high <= 1.0
    assert found.holds(met / of)
    assert found == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=1e-12)


@given(shares.filter(lambda counts: counts[1] < 2_000))
def test_more_of_the_same_says_more(counts: tuple[int, int]) -> None:
    met, of = counts
    once, twice = wilson(met, of), wilson(2 * met, 2 * of)
    assert twice.high - twice.low < once.high - once.low


def test_of_nothing_anything_may_be() -> None:
    assert wilson(0, 0) == Interval(0.0, 1.0)


@pytest.mark.parametrize(("met", "of"), [(-1, 5), (6, 5), (0, -1)])
def test_what_is_no_share_has_none(met: int, of: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(met, of)


def test_another_deviate_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """That this can fail: 90 % in place of 95 %."""
    monkeypatch.setattr(intervals, "_Z", NormalDist().inv_cdf(0.95))
    assert wilson(81, 263).low != pytest.approx(_end(81 / 263, 263, 0.0), abs=1e-3)
