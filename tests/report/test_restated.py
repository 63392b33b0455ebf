"""What changed of a period's figures is counted by what each duty said and says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Verdict
from monitor.report.restated import Change, Duty, changes, in_words

MET, LATE, OVERDUE, UNKNOWN = Verdict.MET, Verdict.LATE, Verdict.OVERDUE, Verdict.UNKNOWN
VOID, EXEMPT = Verdict.VOID, Verdict.EXEMPT


def duty(says: Verdict, case: int = 1, **changed: object) -> Duty:
    usual = {"case": case, "of": case, "rule": "council", "child": "", "organisation": "eastshire"}
    return Duty(**({"start": "", **usual, **changed} | {"says": says}))  # type: ignore[arg-type]


def test_what_ran_its_course_is_no_change() -> None:
    assert changes([duty(OVERDUE)], [duty(LATE)]) == ()
    assert changes([duty(MET)], [duty(MET)]) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [(OVERDUE, MET), (MET, OVERDUE), (LATE, VOID), (UNKNOWN, LATE), (OVERDUE, EXEMPT)],
)
def test_another_answer_is_a_change(before: Verdict, after: Verdict) -> None:
    assert changes([duty(before)], [duty(after)]) == (Change(before, after, 1),)


def test_what_came_or_left_is_a_change() -> None:
    assert changes([duty(MET)], []) == (Change(MET, None, 1),)
    assert changes([], [duty(LATE)]) == (Change(None, LATE, 1),)


def test_of_two_references_of_a_merged_case_one_leaves() -> None:
    """Each owed the same once; together they owe it once."""
    before = [duty(LATE, of=1), duty(LATE, of=2)]
    assert changes(before, [duty(LATE, of=1)]) == (Change(LATE, None, 1),)
    assert changes(before[1:], [duty(LATE, of=1)]) == ()


def test_a_child_or_organisation_that_became_known_is_the_same_duty() -> None:
    unknown = duty(OVERDUE, organisation="")
    assert changes([unknown], [duty(MET)]) == (Change(OVERDUE, MET, 1),)
    siblings = [duty(OVERDUE, child=child) for child in "abc"]
    assert changes([duty(OVERDUE)], siblings) == (Change(None, OVERDUE, 2),)
    assert changes([duty(LATE, organisation="westshire")], [duty(LATE)]) == (
        Change(LATE, None, 1),
        Change(None, LATE, 1),
    )


def test_changes_are_said_in_words() -> None:
    said = in_words(
        [
            Change(OVERDUE, MET, 1),
            Change(MET, VOID, 1_200),
            Change(LATE, None, 2),
            Change(None, UNKNOWN, 1),
        ]
    )
    assert said == (
        "1 duty was overdue and is in time as known now.",
        "1,200 duties were in time and are withdrawn in error as known now.",
        "2 duties were late and are not in these figures any more.",
        "1 duty was not in these figures and is in them now: unknown.",
    )


_duties = st.builds(
    duty,
    st.sampled_from((MET, LATE, OVERDUE, UNKNOWN, VOID, EXEMPT)),
    st.integers(1, 2),
    of=st.integers(1, 2),
    child=st.sampled_from(("", "a", "b")),
    organisation=st.sampled_from(("", "eastshire")),
    rule=st.sampled_from(("council", "health")),
)


@given(before=st.lists(_duties), after=st.lists(_duties))
def test_the_changes_bring_the_counts_of_one_to_those_of_the_other(
    before: list[Duty], after: list[Duty]
) -> None:
    """What figures counted then, less what changed away and plus what changed to it, is now's."""

    def counts(duties: list[Duty]) -> dict[object, int]:
        said = [LATE if each.says is OVERDUE else each.says for each in duties]
        return {says: said.count(says) for says in set(said)}

    counted = counts(before)
    for was, is_, number in changes(before, after):
        for says, by in ((was, -number), (is_, number)):
            counted_as = LATE if says is OVERDUE else says
            if counted_as is not None:
                counted[counted_as] = counted.get(counted_as, 0) + by
    assert {says: n for says, n in counted.items() if n} == counts(after)
