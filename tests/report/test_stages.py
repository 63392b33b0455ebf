"""How long each step took: from what was done before it, in the week of the case's first duty."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clocks.steps import Step
from monitor.model import HOUR, MINUTE, Duration, Instant
from monitor.report import stages
from monitor.report.measured import Span
from monitor.report.stages import CaseSteps, StepFigures, StepNames, step_figures

NAMES = StepNames(("contact", "submitted", "supervised", "triaged"), "told", "acknowledged")
STAGES = NAMES.stages
AT: Instant = 1_800_000_000_000_000
AS_OF: Instant = AT + 100 * HOUR
WAY: Mapping[str, int] = {"contact": 0, "submitted": 2, "supervised": 3, "triaged": 6}


def case(
    week: int = 0,
    stages_at: Mapping[str, float] = WAY,
    told: Mapping[str, float] | None = None,
    acknowledged: Mapping[str, float] | None = None,
    waits_for: Sequence[str] = (),
) -> CaseSteps:
    """A case whose steps are so many hours after its contact."""
    done = {Step(kind, ""): AT + round(hours * HOUR) for kind, hours in stages_at.items()}
    for kind, partners in (("told", told), ("acknowledged", acknowledged)):
        for partner, hours in (partners or {}).items():
            done[Step(kind, partner)] = AT + round(hours * HOUR)
    return CaseSteps(week, done, waits_for)


def took(*cases: CaseSteps, week: int = 0) -> dict[tuple[str, str], Span]:
    found = step_figures(cases, NAMES, week=week, as_of=AS_OF)
    return {(each.step.kind, each.step.partner): each.span for each in found}


def longest(*cases: CaseSteps, week: int = 0) -> dict[str, Duration]:
    """Step, with its partner → its longest, in hours."""
    return {
        f"{kind} {partner}".strip(): (span.longest or 0) // HOUR
        for (kind, partner), span in took(*cases, week=week).items()
    }


def test_each_step_is_from_the_one_before_and_a_partners_from_the_last_stage() -> None:
    one = case(told={"council": 7, "health": 10}, acknowledged={"council": 12})
    assert longest(one) == {
        "submitted": 2,
        "supervised": 1,
        "triaged": 3,
        "told council": 1,
        "told health": 4,
        "acknowledged council": 5,
    }


def test_a_step_that_was_skipped_leaves_the_next_to_begin_before_it() -> None:
    one = case(stages_at={"contact": 0, "submitted": 2, "triaged": 6})
    assert longest(one) == {"submitted": 2, "triaged": 4}


def test_whoever_was_told_before_triage_waited_from_what_was_done_by_then() -> None:
    """And what came after has no part in it."""
    one = case(told={"council": 2.5})
    assert took(one)["told", "council"].longest == HOUR // 2


def test_told_before_anything_else_has_no_length() -> None:
    one = case(stages_at={"submitted": 2}, told={"council": 1})
    assert longest(one) == {}


def test_acknowledged_before_told_has_no_length_and_neither_has_one_without_telling() -> None:
    early = case(told={"council": 7}, acknowledged={"council": 6.5})
    untold = case(acknowledged={"council": 6.5})
    other = case(told={"health": 7}, acknowledged={"council": 9})
    for one in (early, untold, other):
        assert ("acknowledged", "council") not in took(one)


def test_stages_out_of_their_order_have_no_negative_length() -> None:
    """Supervised written down before it was submitted: from the contact then."""
    one = case(stages_at={"contact": 0, "submitted": 5, "supervised": 3})
    assert longest(one) == {"submitted": 5, "supervised": 3}


def test_an_overdue_case_enters_the_step_it_waits_for_at_its_age() -> None:
    one = case(stages_at={"contact": 0, "submitted": 2}, waits_for=("council", "health"))
    span = took(one)["supervised", ""]
    assert (span.number, span.longest, span.longest_is_open) == (1, 98 * HOUR, True)
    assert set(took(one)) == {("submitted", ""), ("supervised", "")}


def test_a_case_past_every_stage_waits_for_each_partner_it_is_overdue_to() -> None:
    one = case(told={"council": 7}, waits_for=("health",))
    assert longest(one) == {
        "submitted": 2,
        "supervised": 1,
        "triaged": 3,
        "told council": 1,
        "told health": 94,
    }


def test_a_case_without_any_stage_says_nothing_of_where_it_waits() -> None:
    assert took(case(stages_at={}, waits_for=("council",))) == {}


def test_what_waits_is_of_the_week_asked_for_alone() -> None:
    waits = {"stages_at": {"contact": 0}, "waits_for": ("council",)}
    assert took(case(week=0, **waits), week=1) == {}  # type: ignore[arg-type]
    assert took(case(week=1, **waits), week=1)["submitted", ""].number == 1  # type: ignore[arg-type]


def test_a_case_is_of_its_own_week_and_of_no_other() -> None:
    cases = (case(0), case(1, {"contact": 0, "submitted": 9}), case(1))
    assert took(*cases, week=0)["submitted", ""].number == 1
    assert took(*cases, week=1)["submitted", ""].longest == 9 * HOUR


def test_steps_come_in_the_order_of_the_way() -> None:
    one = case(told={"health": 8, "council": 9}, acknowledged={"health": 10, "council": 11})
    assert list(longest(one)) == [
        *("submitted", "supervised", "triaged", "told council", "told health"),
        *("acknowledged council", "acknowledged health"),
    ]


# -- longer than usual ------------------------------------------------------------------------


def weekly(*medians: Sequence[Duration]) -> list[CaseSteps]:
    """Cases whose submission took so long, week after week."""
    return [
        CaseSteps(week, {Step("contact", ""): AT, Step("submitted", ""): AT + length}, ())
        for week, lengths in enumerate(medians)
        for length in lengths
    ]


def submitted(*medians: Sequence[Duration]) -> StepFigures:
    found = step_figures(weekly(*medians), NAMES, week=len(medians) - 1, as_of=AS_OF)
    (only,) = found
    return only


def of_five(median: Duration) -> list[Duration]:
    return [median - 2, median - 1, median, median + 5, median + 9]


def test_of_fewer_than_13_weeks_nothing_is_usual() -> None:
    assert submitted(*[of_five(HOUR)] * 12, of_five(HOUR)).usual is None
    assert submitted(*[of_five(HOUR)] * 13, of_five(HOUR)).usual == (HOUR, HOUR, 13)


def test_a_week_of_fewer_than_five_has_no_median_and_is_not_among_the_usual() -> None:
    weeks = [of_five(HOUR)] * 12 + [[9 * HOUR] * 4]
    assert submitted(*weeks, of_five(HOUR)).usual is None


def test_usual_is_the_average_and_266_hundredths_of_the_moving_range() -> None:
    """By hand: 60 and 80 minutes in turn, average 70, ranges 20, so 53.2 either way."""
    weeks = [of_five((60 if place % 2 else 80) * MINUTE) for place in range(14)]
    found = submitted(*weeks, of_five(123 * MINUTE))
    assert found.usual == (1_008_000_000, 7_392_000_000, 14)  # 16.8 and 123.2 minutes
    assert not found.is_longer
    assert submitted(*weeks, of_five(124 * MINUTE)).is_longer
    assert not submitted(*weeks, [124 * MINUTE] * 4).is_longer  # of four there is no median


def test_this_week_is_no_part_of_what_is_usual() -> None:
    weeks = [of_five(HOUR)] * 13
    assert submitted(*weeks, of_five(90 * HOUR)).usual == (HOUR, HOUR, 13)


@given(
    st.lists(
        st.lists(st.integers(0, 10**11), min_size=5, max_size=9).map(sorted),
        min_size=13,
        max_size=27,
    ),
    st.lists(st.integers(0, 10**11), min_size=5, max_size=9),
)
def test_it_is_what_exact_fractions_say(before: list[list[Duration]], this: list[Duration]) -> None:
    middles = [Fraction(each[len(each) // 2] + each[(len(each) - 1) // 2], 2) for each in before]
    average = sum(middles, Fraction(0)) / len(middles)
    steps = [abs(middles[place + 1] - middles[place]) for place in range(len(middles) - 1)]
    reach = Fraction(266, 100) * sum(steps, Fraction(0)) / len(steps)
    found = submitted(*before, this)
    assert found.usual is not None
    assert abs(found.usual.high - (average + reach)) <= 2
    assert abs(found.usual.low - max(Fraction(0), average - reach)) <= 2
    assert found.span.median == sorted(this)[(len(this) + 1) // 2 - 1]


# -- that it can fail -------------------------------------------------------------------------


def _from_the_contact(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stages, "_begun", lambda case, *_, **__: case.done.get(Step("contact", "")))


def _nothing_waits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stages, "_waits", lambda *_: iter(()))


def _three_deviations(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stages, "MOVING_RANGES", Fraction(3))


@pytest.mark.parametrize(
    ("plant", "found_by"),
    [
        (_from_the_contact, test_a_step_that_was_skipped_leaves_the_next_to_begin_before_it),
        (_nothing_waits, test_an_overdue_case_enters_the_step_it_waits_for_at_its_age),
        (_three_deviations, test_usual_is_the_average_and_266_hundredths_of_the_moving_range),
    ],
)
def test_a_planted_fault_is_found(
    plant: Callable[[pytest.MonkeyPatch], None],
    found_by: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch)
    with pytest.raises((AssertionError, KeyError)):
        found_by()
