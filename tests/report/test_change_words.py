from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.report.change import SignalKind, WeekPoint, control_chart
from monitor.report.change_words import (
    alt,
    alt_of_many,
    in_brief,
    in_words,
    percent,
    share_in_words,
    standing,
    title_of,
)
from tests.report.weeks import STEADY, in_percent, series, week


def test_usual_variation_is_said_with_average_and_expected_range() -> None:
    chart = control_chart(in_percent(*STEADY, 85))

    assert in_words(chart, "council") == (
        "Council 85 %: usual variation (average 82, expected 71 to 93)."
    )
    assert in_brief(chart, "the council") == "as usual"


def test_a_run_is_said_with_its_length_and_the_week_in_which_it_began() -> None:
    chart = control_chart(in_percent(*STEADY, *[84] * 18, *[75] * 8))

    assert in_words(chart, "health") == (
        "Health 75 %: inside 71 to 93, but the eighth week running below the average of 82, since"
        " the week of 11 January. By the chart's rule that is a real change, not chance."
    )
    assert in_brief(chart, "health") == (
        "telling health has been slower since at least the week of 11 January"
    )


def test_a_run_above_the_average_is_said_too() -> None:
    chart = control_chart(in_percent(*STEADY, 82, *[84] * 7))

    assert "the seventh week running above the average of 82" in in_words(chart, "health")
    assert "has been quicker since at least" in in_brief(chart, "health")


def test_a_week_outside_is_said_with_its_week() -> None:
    chart = control_chart(in_percent(*STEADY, 60))

    assert in_words(chart, "health") == (
        "Health 60 %: outside 71 to 93, below what chance explains, in the week of 7 September."
    )
    assert in_brief(chart, "health") == "telling health was below what chance explains"


def test_a_week_outside_at_the_end_of_a_run_is_both() -> None:
    chart = control_chart(in_percent(*STEADY[:-1], 84, *[80] * 7, 60))
    said = in_words(chart, "health")

    assert "outside 71 to 93, below what chance explains, in the week of 26 October" in said
    assert said.endswith(
        ", and the eighth week running below the average of 82, since the week of 7 September."
    )


@pytest.mark.parametrize(
    ("weeks", "said"),
    [(7, "seventh"), (12, "twelfth"), (13, "13th"), (21, "21st"), (22, "22nd"), (111, "111th")],
)
def test_how_many_weeks_running_is_said_in_english(weeks: int, said: str) -> None:
    chart = control_chart(in_percent(*STEADY, *[81] * weeks))

    assert f"the {said} week running below" in in_words(chart, "health")


def test_a_year_is_named_where_it_is_not_that_of_the_last_week() -> None:
    chart = control_chart(in_percent(*STEADY, *[84] * 10, *[81] * 16))

    assert in_brief(chart, "health").endswith("slower since at least the week of 16 November 2026")


# -- limits that lie beyond what a share can be -------------------------------------------------


def test_where_the_upper_limit_would_be_above_all_it_says_that_there_is_none() -> None:
    chart = control_chart(in_percent(*[90, 99] * 13))

    assert in_words(chart, "council") == (
        "Council 99 %: usual variation (average 95, expected 71 to 100, no upper limit)."
    )


def test_where_the_lower_limit_would_be_below_none_it_says_that_there_is_none() -> None:
    chart = control_chart(in_percent(*[1, 10] * 13))

    assert "expected 0 to 29, no lower limit" in in_words(chart, "council")


def test_where_both_would_be_it_says_that_there_are_no_limits() -> None:
    assert "expected 0 to 100, no limits" in in_words(control_chart(in_percent(*[5, 95] * 13)), "x")


def test_where_nothing_ever_varied_it_says_so_and_that_any_other_share_stands_out() -> None:
    always = [(40, 40)] * 27

    assert in_words(control_chart(series(*always)), "council") == (
        "Council 100 %: as usual; every week of the baseline was 100 %, so any other share stands"
        " out."
    )
    assert in_words(control_chart(series(*always, (39, 40))), "council") == (
        "Council 98 % (39 of 40): below the usual; every week of the baseline was 100 %, so any"
        " other share stands out, however near."
    )


# -- without limits -----------------------------------------------------------------------------


def test_too_few_weeks_are_said_with_their_number() -> None:
    chart = control_chart(in_percent(*STEADY[:14]))

    assert in_words(chart, "council") == (
        "Council 84 %: no limits yet, 14 of the 26 weeks that limits need."
    )
    assert in_brief(chart, "council") == ""


def test_few_duties_are_said_in_counts_with_the_reason() -> None:
    chart = control_chart(series(*[(3, 4)] * 30))

    assert in_words(chart, "school") == (
        "School 3 of 4 in time: counts only, too few duties a week for a share to tell change from"
        " chance (median 4; shares need 10)."
    )
    assert in_brief(chart, "schools") == ""
    assert "%" not in alt(chart, "school")


def test_a_week_of_fewer_than_ten_has_no_percentage() -> None:
    chart = control_chart(series(*((share, 100) for share in STEADY), (7, 9)))

    assert in_words(chart, "council").startswith("Council 7 of 9: usual variation")


def test_a_last_week_without_duties_has_no_share_and_a_run_before_it_is_still_told() -> None:
    quiet = control_chart(series(*((share, 100) for share in STEADY), (0, 0)))
    running = control_chart(series(*((share, 100) for share in [*STEADY, *[81] * 7]), (0, 0)))

    assert in_words(quiet, "council") == (
        "Council: nothing fell due this week, so it has no share."
    )
    assert "Before it, 7 weeks running below the average" in in_words(running, "council")
    assert in_brief(running, "council") == ""


# -- rounding -----------------------------------------------------------------------------------


@given(st.integers(0, 500), st.integers(1, 500))
def test_only_all_is_100_and_only_none_is_0(met: int, of: int) -> None:
    met = min(met, of)
    said = percent(Fraction(met, of))

    assert (said == "100") == (met == of)
    assert (said == "0") == (met == 0)
    assert abs(int(said) - 100 * met / of) < 1


@pytest.mark.parametrize(
    ("share", "digits", "said"),
    [
        (Fraction(1, 8), 0, "13"),
        (Fraction(1, 8), 1, "12.5"),
        (Fraction(2, 3), 2, "66.67"),
        (Fraction(999, 1000), 0, "99"),
        (Fraction(9999, 10000), 1, "99.9"),
        (Fraction(1), 1, "100.0"),
        (Fraction(1, 200), 1, "0.5"),
    ],
)
def test_a_share_is_rounded_to_the_nearest(share: Fraction, digits: int, said: str) -> None:
    assert percent(share, digits) == said


def test_a_week_just_outside_is_said_in_digits_that_show_it() -> None:
    """71.35 is under the limit of 71.36; both round to 71."""
    steady = [(share * 100, 10_000) for share in STEADY]
    said = in_words(control_chart(series(*steady, (7135, 10_000))), "council")

    assert said.startswith("Council 71.35 %: outside 71.36 to 92.64")


def test_a_week_just_below_the_average_is_said_in_digits_that_show_it() -> None:
    """81.6 and 82 both round to 82."""
    steady = [(share * 10, 1000) for share in STEADY]
    said = in_words(control_chart(series(*steady, *[(816, 1000)] * 7)), "council")

    assert said.startswith("Council 81.6 %: inside 71.4 to 92.6, but the seventh week running")


def test_a_share_says_its_counts_under_ten() -> None:
    assert share_in_words(WeekPoint(week(1), 6, 8)) == "6 of 8"
    assert share_in_words(WeekPoint(week(1), 8, 10)) == "80 %"


# -- for who cannot see the picture -------------------------------------------------------------


def test_the_alternative_text_carries_the_message_and_its_figures() -> None:
    chart = control_chart(in_percent(*STEADY, *[84] * 18, *[75] * 8))

    assert alt(chart, "health") == (
        "Control chart of the weekly share in time, health: 52 weeks from 9 March 2026 to 7 March"
        " 2027. Health 75 %: inside 71 to 93, but the eighth week running below the average of 82,"
        " since the week of 11 January. By the chart's rule that is a real change, not chance."
        " Baseline 26 weeks to 6 September 2026. Stands out: 19 weeks running above the average,"
        " from the week of 31 August 2026 to that of 4 January 2027; 8 weeks running below the"
        " average, from the week of 11 January 2027 to that of 1 March 2027."
    )


def test_many_weeks_outside_are_told_as_their_number() -> None:
    said = alt(control_chart(in_percent(*STEADY, *[40, 83] * 5)), "health")

    assert "5 weeks outside the limits, below, the last the week of 2 November 2026" in said


def test_where_nothing_stands_out_it_says_so() -> None:
    assert alt(control_chart(in_percent(*STEADY)), "health").endswith("Stands out: no week.")


def test_of_no_weeks_it_says_that_there_is_none() -> None:
    assert alt(control_chart([]), "health") == "Health: no week is charted."


@pytest.mark.parametrize(
    ("shares", "title", "stands"),
    [
        ([], "too few weeks for limits", "no limits yet"),
        ([*STEADY], "as usual", "as usual"),
        ([*STEADY, 60], "below what chance explains", "outside"),
        ([*STEADY, *[81] * 7], "slower since at least the week of 7 September", "7 weeks below"),
        (
            [*STEADY, *[81] * 6, 60],
            "slower since at least the week of 7 September and below what chance explains",
            "7 weeks below, outside",
        ),
    ],
)
def test_a_heading_says_the_message_and_a_panel_says_it_more_briefly(
    shares: list[int], title: str, stands: str
) -> None:
    shares = shares or list(STEADY[:10])
    chart = control_chart(in_percent(*shares))

    assert title_of(chart) == title
    assert set(standing(chart).split(", ")) == set(stands.split(", "))


def test_several_charts_are_told_one_after_the_other() -> None:
    usual, few = control_chart(in_percent(*STEADY)), control_chart(series(*[(3, 4)] * 30))
    quiet = control_chart(series(*((share, 100) for share in STEADY), (0, 0)))

    assert alt_of_many([("East", usual), ("North", quiet), ("West", few)], "council") == (
        "Small control charts, council. East: last week 84 % in time, as usual. North: nothing fell"
        " due in the last week, as usual. West: last week 3 of 4 in time, counts only."
    )
    assert title_of(quiet) == "nothing fell due in the last week"


@given(st.lists(st.integers(60, 100), min_size=27, max_size=60))
def test_words_and_signals_never_contradict_each_other(shares: list[int]) -> None:
    chart = control_chart(in_percent(*shares))
    said = in_words(chart, "health")
    held = {signal.kind for signal in chart.now}

    assert chart.limits is not None
    if not chart.limits.is_one_value:
        assert ("usual variation" in said) == (not held)
        assert ("outside" in said) == (SignalKind.OUTSIDE in held)
        assert ("week running" in said) == (SignalKind.RUN in held)
    assert (in_brief(chart, "health") == "as usual") == (not held)
    assert not re.search(r"\b(?:worse|better|poor|fail)", said)
