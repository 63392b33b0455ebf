"""The draw depends on seed and references alone, and each sort of case takes its turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.cycle.evidence.sample import STRATA, draw

cases = st.dictionaries(
    st.from_regex(r"PPN-[0-9]{1,4}", fullmatch=True),
    st.sets(st.sampled_from(STRATA), min_size=1),
    max_size=40,
)


@given(cases=cases, number=st.integers(1, 50), seed=st.text(max_size=5), data=st.data())
def test_the_order_in_which_cases_come_does_not_matter(
    cases: dict[str, set[str]], number: int, seed: str, data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(list(cases.items()))))
    drawn = draw(cases, number=number, seed=seed)
    assert drawn == draw(shuffled, number=number, seed=seed)
    assert len({each.reference for each in drawn}) == len(drawn) == min(number, len(cases))
    assert all(each.stratum in cases[each.reference] for each in drawn)


@given(cases=cases, number=st.integers(1, 50))
def test_no_sort_is_left_out_while_there_is_room_for_each(
    cases: dict[str, set[str]], number: int
) -> None:
    drawn = draw(cases, number=number, seed="1")
    held = {kind for each in drawn for kind in cases[each.reference]}
    there = {kind for kinds in cases.values() for kind in kinds}
    if number >= len(there):
        assert held == there


@given(cases=cases, number=st.integers(1, 20))
def test_a_larger_sample_holds_the_smaller(cases: dict[str, set[str]], number: int) -> None:
    smaller = draw(cases, number=number, seed="1")
    assert draw(cases, number=number + 5, seed="1")[: len(smaller)] == smaller


def test_another_seed_draws_others() -> None:
    many = {f"PPN-{number}": {STRATA[3]} for number in range(1_000)}
    first, second = (
        {each.reference for each in draw(many, number=50, seed=seed)} for seed in ("1", "2")
    )
    assert len(first & second) < 15  # 2.5 by chance


def test_a_case_is_as_likely_as_any_other() -> None:
    """Over 400 seeds each of 20 cases is drawn about as often: 100 times of 400 for 5 of 20."""
    many = {f"PPN-{number}": {STRATA[3]} for number in range(20)}
    drawn = [each.reference for seed in range(400) for each in draw(many, number=5, seed=str(seed))]
    assert all(60 < drawn.count(reference) < 145 for reference in many)
