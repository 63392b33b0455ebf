from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.report import plain
from monitor.report.plain import SEPARATOR, Group, Ordered, number_of_different, plain_duties

lengths = st.lists(st.lists(st.integers(-5, 10**15), max_size=20), max_size=5)


def said(marks: int, *group: str) -> str:
    return SEPARATOR.join([str(marks), *group])


GROUP = Group("r", "council", "east", "", "neglect", "high")


def test_rows_of_one_group_and_marks_come_together() -> None:
    one, two = (said(8, *GROUP), 1, 60), (said(8 + 1 + 2 + 4, *GROUP), 2, 90)
    met, late = plain_duties([[one, two], [one]])
    assert (met.group, met.rule_version) == (GROUP, 1)
    assert (list(met.lengths), list(met.cases)) == ([60, 60], [1, 1])
    assert (met.is_late, met.is_recorded, met.is_recorded_late) == (False, False, False)
    assert (list(late.lengths), list(late.cases)) == ([90], [2])
    assert (late.is_late, late.is_recorded, late.is_recorded_late) == (True, True, True)


def test_marks_hold_any_version() -> None:
    (found,) = plain_duties([[(said(8 * 41 + 2, *GROUP), 1, 0)]])
    assert (found.rule_version, found.is_late, found.is_recorded) == (41, False, True)


@pytest.mark.parametrize("many", [1, 10**9], ids=["by numpy", "without it"])
def test_places_are_those_of_all_in_order(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists and packed numbers alike; none below zero."""
    monkeypatch.setattr(plain, "MANY", many)

    @given(lengths)
    def compare(parts: list[list[int]]) -> None:
        ordered = Ordered([array("q", part) if len(part) % 2 else part for part in parts])
        expected = sorted(max(0, value) for part in parts for value in part)
        assert ordered.number == len(expected)
        assert ordered.at(range(len(expected))) == expected
        assert ordered.at(range(0, len(expected), 3)) == expected[::3]

    compare()


@pytest.mark.parametrize("many", [0, 10**9], ids=["by numpy", "without it"])
def test_different_numbers_are_counted_once(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "MANY", many)

    @given(st.sets(st.integers(0, 9), min_size=1), st.lists(st.lists(st.integers(0, 9))))
    def compare(known: set[int], more: list[list[int]]) -> None:
        packed = [array("q", numbers) for numbers in more]
        assert number_of_different(known, packed) == len(known.union(*more))

    compare()


def test_of_nothing_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    for many in (0, 10**9):
        monkeypatch.setattr(plain, "MANY", many)
        assert number_of_different((), ()) == 0
        assert Ordered([]).at([]) == []
