"""Bunching asks where many ends lie just within a limit, and seldom where chance did it."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.report import questions
from monitor.report.questions import PARTS, NearLimit, bunching, near_limits, regraded


def _of_lengths(tenths: list[int]) -> NearLimit:
    found = near_limits(("rule", tenth, number) for tenth, number in Counter(tenths).items())
    return found.get("rule", NearLimit(0, 0, 0))


def test_ends_are_counted_by_rule_and_by_the_tenth_about_the_limit() -> None:
    found = near_limits([("a", 8, 2), ("a", 9, 5), ("a", 9, 1), ("a", 10, 3), ("b", 9, 7)])
    assert found == {"a": NearLimit(2, 6, 3), "b": NearLimit(0, 7, 0)}


@pytest.mark.parametrize(
    ("near", "is_asked"),
    [
        (NearLimit(5, 40, 5), True),
        (NearLimit(0, 20, 0), True),
        (NearLimit(0, 19, 0), False),  # too few for any question
        (NearLimit(30, 59, 30), False),  # not twice as many
        (NearLimit(30, 60, 30), True),
        (NearLimit(20, 20, 0), False),
        (NearLimit(40, 0, 40), False),
        (NearLimit(60, 60, 0), False),  # a cliff: all in time, and no more just before the limit
        (NearLimit(11, 22, 11), False),  # twice, but within 3 deviations of 4.06
    ],
)
def test_what_is_bunched(near: NearLimit, is_asked: bool) -> None:
    """By hand: at least 20, twice its neighbours' mean, beyond three deviations of each."""
    assert near.is_bunched is is_asked


@pytest.mark.parametrize("duties", [100, 200, 300, 600])
def test_ends_that_lie_anywhere_alike_hardly_ever_raise_a_question(duties: int) -> None:
    """In 10,000 made-up half years of 200 duties it was asked 7 times, of 300 duties 6 times."""
    asked = 0
    for seed in range(1_000):
        chance = random.Random(seed)
        asked += _of_lengths([int(chance.random() * 12) for _ in range(duties)]).is_bunched
    assert asked <= 10


def test_ends_that_become_fewer_hardly_ever_raise_a_question() -> None:
    """A fifth fewer in each tenth than in the one before: a fall is no bunch."""
    asked = 0
    for seed in range(1_000):
        chance = random.Random(seed)
        asked += _of_lengths([int(chance.expovariate(1 / 4)) for _ in range(600)]).is_bunched
    assert asked <= 10


def test_half_of_the_late_put_just_within_the_limit_raise_it() -> None:
    asked = 0
    for seed in range(200):
        chance = random.Random(seed)
        tenths = [int(chance.random() * 12) for _ in range(400)]
        moved = [PARTS - 1 if each >= PARTS and chance.random() < 0.75 else each for each in tenths]
        asked += _of_lengths(moved).is_bunched
    assert asked >= 190


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), st.integers(1, 100))
def test_more_in_the_last_tenth_never_takes_a_question_back(
    before: int, last: int, after: int, more: int
) -> None:
    if NearLimit(before, last, after).is_bunched:
        assert NearLimit(before, last + more, after).is_bunched


def test_a_question_names_the_rule_and_its_counts_and_nobody() -> None:
    near = {"b": NearLimit(1, 30, 2), "a": NearLimit(3, 40, 4), "c": NearLimit(9, 9, 9)}
    said = list(bunching(near, {"a": "Council told, 4 h"}))
    assert len(said) == 2
    assert said[0].startswith("Council told, 4 h: in the last 26 weeks 40 duties ended")
    assert "3 in the tenth before and 4 in the tenth after" in said[0]
    assert said[1].startswith("b: ")
    assert all(each.endswith("?") for each in said)


def test_regraded_duties_raise_a_question_where_there_are_any() -> None:
    assert list(regraded(0)) == []
    assert "1 duty was regraded" in next(regraded(1))
    assert "1,200 duties were regraded" in next(regraded(1_200))


def test_a_test_that_asks_too_soon_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """That this can fail: without its deviations and its factor it would ask of chance."""
    monkeypatch.setattr(questions, "TIMES", 1)
    monkeypatch.setattr(questions, "DEVIATIONS", 0)
    with pytest.raises(AssertionError):
        test_ends_that_lie_anywhere_alike_hardly_ever_raise_a_question(300)
