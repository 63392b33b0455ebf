"""A start that was recorded wrongly, put right by an event that says on whose word and why."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clocks.fold import fold
from monitor.clocks.verdicts import verdict
from monitor.model import DAY, HOUR, MINUTE, Clock, Event, Instant, Verdict
from monitor.rulebook.book import Rulebook, build_rulebook
from monitor.rulebook.language import Rule, StartCorrection
from tests.clocks.histories import (
    GENERATED_BOOK,
    GENERATED_RULES,
    T0,
    TOLERANCES,
    book,
    contact,
    event,
    histories,
    regraded,
    rule,
    told,
)

CORRECTION = StartCorrection(
    kind="start_corrected", corrects="corrects", needs=("reason_code", "corrected_by", "evidence")
)
EITHER = rule(start=[{"kind": ["contact", "notice_submitted"]}])


def correcting(*rules: Rule) -> Rulebook:
    """A rulebook whose vocabulary knows corrections."""
    documents = book(*rules).documents
    vocabulary = documents.vocabulary.model_copy(update={"start_correction": CORRECTION})
    return build_rulebook(documents.model_copy(update={"vocabulary": vocabulary}))


def corrected(at: Instant, *, received: Instant = T0 + 10 * HOUR, **said: str) -> Event:
    """When the first contact really was, with all that is needed."""
    grounds: dict[str, Any] = {
        "corrects": "contact",
        "reason_code": "wrongly_typed",
        "corrected_by": "inspector",
        "evidence": "log-17",
    }
    return event("start_corrected", at, received=received, **(grounds | said))


def clocks(*events: Event, rules: tuple[Rule, ...] = ()) -> list[Clock]:
    return fold(events, correcting(*rules), tolerances=TOLERANCES)


def clock(*events: Event, rules: tuple[Rule, ...] = ()) -> Clock:
    (only,) = clocks(*events, rules=rules)
    return only


def test_a_corrected_start_moves_due_and_keeps_the_due_it_had() -> None:
    found = clock(contact(), corrected(T0 + 2 * HOUR))
    assert (found.started_at, found.due_at) == (T0 + 2 * HOUR, T0 + 6 * HOUR)
    assert found.due_before == T0 + 4 * HOUR


def test_a_start_is_put_earlier_too_and_was_not_known_of_before() -> None:
    """Overdue before anybody could know: the ladder begins with the holder when it is learnt."""
    found = clock(contact(), corrected(T0 - 3 * HOUR))
    assert (found.started_at, found.due_at) == (T0 - 3 * HOUR, T0 + HOUR)
    assert found.due_before == T0 + 4 * HOUR
    assert found.known_at == T0 + 10 * HOUR


def test_a_start_that_is_put_later_was_known_of_before() -> None:
    assert clock(contact(), corrected(T0 + 2 * HOUR)).known_at == T0 + MINUTE


def test_without_a_correction_there_is_one_due() -> None:
    assert clock(contact()).due_before is None


def test_a_correction_to_the_same_time_changes_nothing() -> None:
    assert clock(contact(), corrected(T0)) == clock(contact())


@pytest.mark.parametrize("lacking", ["reason_code", "corrected_by", "evidence", "corrects"])
def test_a_correction_that_lacks_its_grounds_counts_for_nothing(lacking: str) -> None:
    without: dict[str, Any] = {lacking: ""}
    assert clock(contact(), corrected(T0 + 2 * HOUR, **without)) == clock(contact())


def test_only_the_kind_that_was_wrong_is_moved() -> None:
    """The notice still starts the clock where it comes before the corrected contact."""
    notice = event("notice_submitted", T0 + HOUR)
    found = clock(contact(), notice, corrected(T0 + 2 * HOUR), rules=(EITHER,))
    assert (found.started_at, found.due_before) == (T0 + HOUR, T0 + 4 * HOUR)


def test_only_the_earliest_of_its_kind_is_moved() -> None:
    """Another officer's contact is no part of the mistake."""
    found = clock(contact(), contact(T0 + HOUR), corrected(T0 + 2 * HOUR))
    assert found.started_at == T0 + HOUR


def test_of_several_corrections_the_earliest_counts() -> None:
    found = clock(contact(), corrected(T0 + 3 * HOUR), corrected(T0 + 2 * HOUR))
    assert found.started_at == T0 + 2 * HOUR


def test_a_correction_that_is_taken_back_leaves_no_trace() -> None:
    said = corrected(T0 + 2 * HOUR)._replace(identity=b"7")
    back = event("start_corrected", T0 + 11 * HOUR, retracts="7")
    assert clock(contact(), said, back) == clock(contact())


def test_readings_that_disagree_about_what_they_correct_count_for_nothing() -> None:
    doubtful = [
        corrected(T0 + 2 * HOUR)._replace(identity=b"7"),
        corrected(T0 + 2 * HOUR, corrects="notice_submitted")._replace(identity=b"7"),
    ]
    assert clock(contact(), *doubtful) == clock(contact())


def test_the_version_in_force_at_the_corrected_start_governs() -> None:
    midnight = T0 + 5 * HOUR + 13 * MINUTE
    rules = (rule(), rule(version=2, threshold="1h", effective={"from": "2027-03-09"}))
    found = clock(contact(), corrected(midnight), rules=rules)
    assert (found.rule_version, found.due_at) == (2, midnight + HOUR)
    assert found.due_before == T0 + 4 * HOUR


def test_a_correction_that_names_a_child_is_about_that_child() -> None:
    rules = (rule(for_each=["child"]),)
    told_of = [contact(child="a"), contact(child="b"), corrected(T0 + 2 * HOUR, child="a")]
    assert {c.key.child: c.started_at for c in clocks(*told_of, rules=rules)} == {
        "a": T0 + 2 * HOUR,
        "b": T0,
    }


def test_a_stop_before_the_corrected_start_stops_nothing_beyond_the_tolerance() -> None:
    """Never flatter: what was sent before the concern was known was about something else."""
    stop = told(T0 + HOUR)
    found = clock(contact(), stop, corrected(T0 + 2 * HOUR))
    assert found.stopped_at is None
    near = clock(contact(), told(T0 + 2 * HOUR - 5 * MINUTE), corrected(T0 + 2 * HOUR))
    assert near.stopped_at == T0 + 2 * HOUR
    assert verdict(near, now=T0 + DAY) is Verdict.MET


def test_a_rule_that_counts_each_start_knows_no_earliest_one_to_correct() -> None:
    rules = (rule(each_start=True),)
    assert clock(contact(), corrected(T0 + 2 * HOUR), rules=rules).started_at == T0


def test_a_correction_and_a_regrade_agree_in_any_order() -> None:
    rules = (rule(applies={"risk": ["high"]}),)
    told_of = [
        contact(risk="medium", id="1"),
        regraded(T0 + 3 * HOUR, risk="high"),
        corrected(T0 + HOUR),
        corrected(T0 + 2 * HOUR),
        told(T0 + 8 * HOUR),
    ]
    found = {clock(*order, rules=rules) for order in permutations(told_of)}
    assert len(found) == 1
    assert found.pop().started_at == T0 + 3 * HOUR


# -- laws -------------------------------------------------------------------------------------

BOOK = correcting(*GENERATED_RULES)
CORRECTIONS = st.lists(
    st.builds(
        lambda hours, kind, child, evidence: corrected(
            T0 + hours * HOUR, corrects=kind, child=child, evidence=evidence
        ),
        st.integers(-5, 60),
        st.sampled_from(["contact", "contact", "notice_submitted", ""]),
        st.sampled_from(["", "", "a"]),
        st.sampled_from(["log-1", "log-2", ""]),
    ),
    max_size=3,
)


def folded(events: list[Event], rulebook: Rulebook = BOOK) -> list[Clock]:
    found = fold(events, rulebook, tolerances=TOLERANCES)
    return sorted(found, key=lambda each: (each.key, each.started_at))


@given(histories(largest=8), CORRECTIONS, st.data())
def test_law_1_order_does_not_matter(
    events: list[Event], said: list[Event], data: st.DataObject
) -> None:
    together = list(dict.fromkeys([*events, *said]))
    assert folded(data.draw(st.permutations(together))) == folded(together)


@given(histories(largest=8), CORRECTIONS)
def test_law_5_what_lacks_its_grounds_changes_nothing(
    events: list[Event], said: list[Event]
) -> None:
    groundless = [e for e in said if not dict(e.attributes).get("evidence") and not e.child]
    assert folded([*events, *groundless]) == folded(events, GENERATED_BOOK)


@given(histories(largest=8), CORRECTIONS)
def test_law_5_a_due_that_was_moved_is_never_hidden(events: list[Event], said: list[Event]) -> None:
    """Whatever a correction does to a clock that stood before, the due it had stays beside it."""
    stood = {c.key: c for c in folded(events, GENERATED_BOOK) if not c.key.start}
    for each in folded([*events, *said]):
        before = stood.get(each.key)
        if before is None or before.due_at == each.due_at:
            continue
        if each.rule_version == before.rule_version:
            assert each.due_before == before.due_at
