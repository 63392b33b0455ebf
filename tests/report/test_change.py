from __future__ import annotations

import datetime as dt
import re
import statistics
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.report import change
from monitor.report.change import (
    Baseline,
    ControlChart,
    Shows,
    Side,
    Signal,
    SignalKind,
    WeekPoint,
    control_chart,
    since_first,
)
from monitor.report.periods import Week
from tests.report.weeks import FIRST, STEADY, a_year, in_percent, series, week

# -- against another calculation ---------------------------------------------------------------


def counts_of_weeks() -> st.SearchStrategy[list[tuple[int, int]]]:
    week_of = st.integers(0, 60).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))
    alike = st.sampled_from(((9, 10), (18, 20), (10, 10), (0, 0), (7, 10)))
    return st.lists(st.one_of(week_of, alike), min_size=26, max_size=70)


def otherwise_calculated(
    points: list[WeekPoint], first: Week | None, last: Week | None
) -> tuple[Fraction, Fraction, list[Signal]] | None:
    """Average, distance of the limits, and signals, by regular expressions over letters."""
    having = [(point.week, Fraction(point.met, point.of)) for point in points if point.of > 0]
    base = having[:26]
    if first is not None and last is not None:
        base = [each for each in having if first <= each[0] <= last]
    if len(having) < 26 or len(base) < 26 or statistics.median(p.of for p in points) < 10:
        return None
    centre = statistics.mean(share for _, share in base)
    moved = [abs(base[place][1] - base[place - 1][1]) for place in range(1, len(base))]
    reach = statistics.mean(moved) * 133 / 50
    letters = "".join("-ab"[(share > centre) + 2 * (share < centre)] for _, share in having)
    sides = {"a": Side.ABOVE, "b": Side.BELOW}
    found = [
        Signal(
            SignalKind.RUN,
            sides[run[0][0]],
            having[run.start()][0],
            having[run.end() - 1][0],
            len(run[0]),
        )
        for run in re.finditer("a{7,}|b{7,}", letters)
    ]
    found += [
        Signal(SignalKind.OUTSIDE, Side.ABOVE if share > centre else Side.BELOW, when, when, 1)
        for when, share in having
        if abs(share - centre) > reach
    ]
    return centre, reach, sorted(found, key=lambda each: (each.first, each.last))


@settings(max_examples=300)
@given(counts_of_weeks(), st.booleans(), st.data())
def test_average_limits_and_signals_are_those_of_another_calculation(
    counts: list[tuple[int, int]], is_stated: bool, data: st.DataObject
) -> None:
    points = series(*counts)
    first = last = None
    if is_stated:
        begins = data.draw(st.integers(0, len(points) - 1))
        first, last = week(begins + 1), week(data.draw(st.integers(begins, len(points))) + 1)
    baseline = Baseline(first, last) if first and last else None
    chart = control_chart(points, baseline=baseline)
    expected = otherwise_calculated(points, first, last)

    if expected is None:
        assert chart.limits is None
        assert chart.why_no_limits
        assert chart.signals == ()
        return
    centre, reach, signals = expected
    assert chart.limits is not None
    assert chart.limits.centre == centre
    assert chart.limits.lower == max(centre - reach, 0)
    assert chart.limits.upper == min(centre + reach, 1)
    assert chart.limits.has_lower == (centre - reach >= 0)
    assert chart.limits.has_upper == (centre + reach <= 1)
    assert list(chart.signals) == signals
    assert chart.why_no_limits == ""


def test_an_average_and_limits_worked_out_by_hand() -> None:
    """Between 80 and 84 by turns: average 82, moving range 4, limits 82 ± 10.64."""
    chart = control_chart(in_percent(*[80, 84] * 13))

    assert chart.limits is not None
    assert chart.limits.centre == Fraction(82, 100)
    assert chart.limits.lower == Fraction(7136, 10000)
    assert chart.limits.upper == Fraction(9264, 10000)
    assert chart.baseline == Baseline(week(1), week(26))
    assert chart.baseline_label == "baseline 26 weeks to 6 September 2026"


# -- planted changes, and chance ----------------------------------------------------------------


def test_a_change_planted_in_week_30_is_flagged_in_that_week() -> None:
    """From 85 to 60 in 100: the run begins in week 30, and that week is outside by itself."""
    chart = control_chart(a_year(2, changed=0.60))
    [run] = [signal for signal in chart.now if signal.kind is SignalKind.RUN]

    assert run == Signal(SignalKind.RUN, Side.BELOW, week(30), week(52), 23)
    assert Signal(SignalKind.OUTSIDE, Side.BELOW, week(30), week(30), 1) in chart.signals
    assert not [each for each in chart.signals if each.last < week(30)]


def test_the_same_weeks_without_the_change_are_not_flagged() -> None:
    assert control_chart(a_year(2)).signals == ()


def test_a_planted_change_is_found_in_every_year_and_dated_as_chance_allows() -> None:
    """A week before it that lay below the average by chance joins the run: then it begins early."""
    began, is_outside = [], 0
    for seed in range(200):
        signals = control_chart(a_year(seed, changed=0.60)).signals
        [run] = [s for s in signals if s.number >= 7 and s.first <= week(36) <= s.last]
        assert run.side is Side.BELOW
        began.append(next(number for number in range(1, 53) if week(number) == run.first))
        is_outside += Signal(SignalKind.OUTSIDE, Side.BELOW, week(30), week(30), 1) in signals

    assert max(began) == 30, "never later than it was planted"
    assert (began.count(30), began.count(29)) == (108, 42)
    assert is_outside == 182


def test_the_rate_of_false_alarms_is_the_one_that_the_docs_state() -> None:
    """In docs/charts.md and in the docstring of the module."""
    charts = [control_chart(a_year(seed)) for seed in range(1000)]
    somewhere = sum(bool(chart.signals) for chart in charts)
    in_last_week = sum(bool(chart.now) for chart in charts)

    assert (somewhere, in_last_week) == (473, 35)
    assert f"{somewhere} of 1,000 made-up years" in (change.__doc__ or "")


# -- weeks without a share ----------------------------------------------------------------------


def test_a_week_without_duties_neither_breaks_nor_lengthens_a_run() -> None:
    low = [(81, 100)] * 4 + [(0, 0)] * 2 + [(81, 100)] * 3
    chart = control_chart(series(*((share, 100) for share in STEADY), *low))

    assert chart.signals == (Signal(SignalKind.RUN, Side.BELOW, week(27), week(35), 7),)
    assert len(chart.with_share) == 33


def test_a_run_still_holds_in_a_last_week_without_a_share() -> None:
    low = [(81, 100)] * 7 + [(0, 0)]
    chart = control_chart(series(*((share, 100) for share in STEADY), *low))

    assert [signal.number for signal in chart.now] == [7]


def test_a_week_outside_is_not_news_a_week_later() -> None:
    steady = [(share, 100) for share in STEADY]
    for after in ((84, 100), (0, 0)):
        chart = control_chart(series(*steady, (40, 100), after))
        assert [signal.kind for signal in chart.signals] == [SignalKind.OUTSIDE]
        assert chart.now == ()


def test_moving_ranges_are_taken_between_the_weeks_that_have_a_share() -> None:
    gaps = [each for share in STEADY for each in ((share, 100), (0, 0))]
    counts = [*gaps, *([(82, 100)] * 4)]  # else half of the weeks would have none

    assert control_chart(series(*counts)).limits == control_chart(in_percent(*STEADY)).limits


def test_weeks_before_the_record_began_belong_to_no_series() -> None:
    points = series((0, 0), (0, 0), (3, 4), (0, 0))

    assert list(since_first(points)) == points[2:]
    assert list(since_first(series((0, 0)))) == []


# -- the rules ----------------------------------------------------------------------------------


def test_six_weeks_on_one_side_are_no_run_and_seven_are() -> None:
    assert control_chart(in_percent(*STEADY, *[81] * 6)).signals == ()
    assert [s.number for s in control_chart(in_percent(*STEADY, *[81] * 7)).signals] == [7]


def test_a_week_on_the_average_ends_a_run() -> None:
    assert control_chart(in_percent(*STEADY, *[81] * 6, 82, *[81] * 6)).signals == ()


def test_a_week_on_a_limit_is_inside() -> None:
    steady = [(share * 100, 10_000) for share in STEADY]

    assert control_chart(series(*steady, (7136, 10_000))).signals == ()
    assert [s.kind for s in control_chart(series(*steady, (7135, 10_000))).signals] == [
        SignalKind.OUTSIDE
    ]


def test_a_run_within_the_baseline_is_a_signal_too() -> None:
    chart = control_chart(in_percent(*[90] * 13, *[70] * 13))

    assert [(s.side, s.first) for s in chart.signals if s.kind is SignalKind.RUN] == [
        (Side.ABOVE, week(1)),
        (Side.BELOW, week(14)),
    ]


# -- without limits ----------------------------------------------------------------------------


def test_under_26_weeks_there_are_no_limits_and_it_says_how_many_there_are() -> None:
    chart = control_chart(in_percent(*STEADY[:14]))

    assert (chart.shows, chart.limits, chart.signals) == (Shows.SHARES, None, ())
    assert chart.why_no_limits == "14 of the 26 weeks that limits need"
    assert chart.baseline_label == ""


def test_a_stated_baseline_of_too_few_weeks_gives_no_limits() -> None:
    chart = control_chart(in_percent(*STEADY, *STEADY), baseline=Baseline(week(1), week(25)))

    assert chart.limits is None
    assert chart.why_no_limits == "the stated baseline has 25 of the 26 weeks it needs"


def test_a_stated_baseline_is_kept_whatever_came_before() -> None:
    points = in_percent(*[50] * 10, *STEADY, *STEADY)
    chart = control_chart(points, baseline=Baseline(week(11), week(36)))

    assert chart.limits == control_chart(in_percent(*STEADY)).limits
    assert chart.baseline == Baseline(week(11), week(36))


@pytest.mark.parametrize(("few", "shows"), [(26, Shows.COUNTS), (25, Shows.SHARES)])
def test_where_half_of_the_weeks_have_under_ten_duties_counts_are_shown(
    few: int, shows: Shows
) -> None:
    counts = [(9, 9)] * few + [(10, 11)] * (51 - few)
    chart = control_chart(series(*counts))

    assert chart.shows is shows
    assert (chart.limits is None) == (shows is Shows.COUNTS)


def test_weeks_without_duties_count_towards_the_median() -> None:
    chart = control_chart(series(*([(20, 20)] * 30), *([(0, 0)] * 31)))

    assert chart.shows is Shows.COUNTS
    assert chart.median == 0


def test_a_median_of_exactly_ten_is_enough() -> None:
    assert control_chart(series(*([(9, 10)] * 26))).shows is Shows.SHARES


def test_of_no_weeks_there_is_a_chart_that_says_nothing() -> None:
    chart = control_chart([])

    assert (chart.limits, chart.signals, chart.now) == (None, (), ())


def test_where_nothing_ever_varied_any_other_share_is_outside() -> None:
    chart = control_chart(series(*([(40, 40)] * 30), (39, 40)))

    assert chart.limits is not None
    assert chart.limits.is_one_value
    assert chart.limits.has_upper, "a limit of exactly all is one"
    assert [signal.side for signal in chart.now] == [Side.BELOW]


# -- what is refused ----------------------------------------------------------------------------


def test_weeks_that_do_not_follow_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="2026-W13 does not follow 2026-W11"):
        control_chart([WeekPoint(week(1), 1, 1), WeekPoint(week(3), 1, 1)])


@pytest.mark.parametrize(("met", "of"), [(2, 1), (-1, 1)])
def test_more_met_than_fell_due_is_refused(met: int, of: int) -> None:
    with pytest.raises(ValueError, match=f"2026-W11: {met} met of {of}"):
        control_chart(series((met, of)))


def test_a_year_with_53_weeks_is_no_gap() -> None:
    first = FIRST
    points = [WeekPoint(Week.of(first + dt.timedelta(weeks=n)), 9, 10) for n in range(60)]

    assert any(point.week.number == 53 for point in points)
    assert isinstance(control_chart(points), ControlChart)
