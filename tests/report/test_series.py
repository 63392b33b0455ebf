"""Weeks stand beside each other: each series has every week, and the parts add up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Verdict
from monitor.report.series import Counted, Series, is_counted, series
from tests.report.weeks import week

WEEKS = [week(number) for number in range(1, 5)]

counts = st.lists(
    st.builds(
        Counted,
        week=st.integers(0, len(WEEKS) - 1),
        partner=st.sampled_from(("council", "health")),
        district=st.sampled_from(("", "east", "west")),
        is_met=st.booleans(),
        number=st.integers(1, 50),
    ),
    max_size=30,
)


def test_unknown_exempt_and_void_are_in_no_share() -> None:
    assert {says for says in Verdict if is_counted(says)} == {
        Verdict.MET,
        Verdict.LATE,
        Verdict.OVERDUE,
    }


def test_weeks_with_nothing_are_points_of_nothing() -> None:
    found = series(WEEKS, [Counted(2, "council", "east", True, 3)])
    assert set(found) == {
        Series(),
        Series("council"),
        Series("", "east"),
        Series("council", "east"),
    }
    assert [(point.week, point.met, point.of) for point in found[Series()]] == [
        (WEEKS[0], 0, 0),
        (WEEKS[1], 0, 0),
        (WEEKS[2], 3, 3),
        (WEEKS[3], 0, 0),
    ]


@given(counts)
def test_each_point_is_the_sum_over_what_it_is_of(counted: list[Counted]) -> None:
    found = series(WEEKS, counted)
    assert list(found) == sorted(found)
    for (partner, district), points in found.items():
        assert [point.week for point in points] == WEEKS
        for place, point in enumerate(points):
            those = [
                each
                for each in counted
                if each.week == place
                and partner in ("", each.partner)
                and district in ("", each.district)
            ]
            assert point.of == sum(each.number for each in those)
            assert point.met == sum(each.number for each in those if each.is_met)
    assert (Series() in found) is bool(counted)
