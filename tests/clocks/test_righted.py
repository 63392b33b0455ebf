"""What is said of a start that was put right agrees with where the fold lets the clock start."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clocks.explanation import Considered, Part, considered
from monitor.clocks.fold import fold_timeline
from monitor.clocks.timeline import live_facts
from monitor.model import HOUR, Clock, Event, Instant
from monitor.rulebook.language import Rule
from tests.clocks.histories import (
    CONFIRM,
    GENERATED_RULES,
    T0,
    TOLERANCES,
    contact,
    event,
    histories,
    rule,
    told,
)
from tests.clocks.test_corrections import CORRECTION, EITHER, corrected, correcting


def explained(*events: Event, rules: tuple[Rule, ...] = ()) -> list[tuple[Clock, list[Considered]]]:
    """Every clock with what is said of its facts."""
    rulebook, timeline = correcting(*rules), live_facts(events)
    clocks = fold_timeline(timeline, rulebook, tolerances=TOLERANCES)
    return [
        (
            clock,
            considered(
                clock,
                timeline,
                rulebook.duty(clock.key.rule, clock.rule_version),
                tolerances=TOLERANCES,
                among=[each.key for each in clocks if each.key.rule == clock.key.rule],
                correction=CORRECTION,
            ),
        )
        for clock in clocks
    ]


def said(facts: list[Considered], part: Part) -> list[tuple[bool, str]]:
    return [(each.counts, each.why) for each in facts if each.part is part]


def test_an_earlier_start_is_told_of_at_both_records() -> None:
    """The correction says where the clock starts, the first record that it was put right."""
    ((_, facts),) = explained(contact(), corrected(T0 - 3 * HOUR))
    assert said(facts, Part.CORRECTION) == [
        (True, "the start is put right to this time: the clock starts here")
    ]
    assert said(facts, Part.START) == [
        (True, "as first recorded; since put right to an earlier time, at which the clock starts")
    ]


def test_put_later_than_another_start_it_gives_way_to_that() -> None:
    """Before, the correction itself was said to move nothing."""
    notice = event("notice_submitted", T0 + HOUR, category="physical_abuse")
    ((clock, facts),) = explained(contact(), notice, corrected(T0 + 2 * HOUR), rules=(EITHER,))
    assert clock.started_at == T0 + HOUR
    assert said(facts, Part.CORRECTION) == [(True, "a start is put right to this time")]
    assert said(facts, Part.START) == [
        (
            False,
            "as first recorded; since put right to a later time: a start, but not the earliest",
        ),
        (True, "the clock starts here"),
    ]


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        ("reason_code", "it does not say why, so it counts for nothing"),
        ("corrected_by", "it does not say on whose word, so it counts for nothing"),
        ("evidence", "it does not say on what evidence, so it counts for nothing"),
    ],
)
def test_a_correction_says_what_it_lacks(missing: str, why: str) -> None:
    lacking: dict[str, Any] = {missing: ""}
    ((_, facts),) = explained(contact(), corrected(T0 - HOUR, **lacking))
    assert said(facts, Part.CORRECTION) == [(False, why)]
    assert said(facts, Part.START) == [(True, "the clock starts here")]


def test_of_two_corrections_the_earlier_counts_and_the_other_says_so() -> None:
    ((_, facts),) = explained(contact(), corrected(T0 - HOUR), corrected(T0 - 2 * HOUR))
    assert said(facts, Part.CORRECTION) == [
        (True, "the start is put right to this time: the clock starts here"),
        (False, "another correction, to an earlier time, counts"),
    ]


def test_a_correction_of_what_starts_nothing_here_says_so() -> None:
    ((_, facts),) = explained(contact(), corrected(T0, corrects="police_protection_started"))
    assert said(facts, Part.CORRECTION) == [
        (False, "no police protection started starts this clock")
    ]


@given(histories(), st.integers(min_value=-5, max_value=20))
@settings(deadline=None)
def test_the_start_that_counts_is_where_the_clock_starts(events: list[Event], hours: int) -> None:
    """Of any history with a correction, one start counts, and it began when the clock did."""
    right: Instant = T0 + hours * HOUR
    for clock, facts in explained(*events, corrected(right), rules=tuple(GENERATED_RULES)):
        (start,) = [each for each in facts if each.part is Part.START and each.counts]
        again = [each for each in facts if each.part is Part.RESUMPTION and each.counts]
        if clock.started_at in [each.at for each in again]:
            continue
        began = clock.started_at - (clock.raised_after or 0)
        moved = start.why.startswith("as first recorded")
        assert began in ({right} if moved else {start.event.occurred_from})


def test_a_claim_that_lapsed_ends_nothing_once_it_has() -> None:
    """Asked while it waits to be confirmed, it is what ended the clock."""
    claim = told(T0 + 3 * HOUR, received=T0 + 10 * HOUR, method="verbal")
    timeline, rulebook = live_facts([contact(), claim]), correcting(rule(confirm=CONFIRM))
    (clock,) = fold_timeline(timeline, rulebook, tolerances=TOLERANCES)
    duty = rulebook.duty(clock.key.rule, clock.rule_version)
    assert clock.confirm_by is not None
    by_then = {
        at: said(considered(clock, timeline, duty, tolerances=TOLERANCES, at=at), Part.STOP)
        for at in (clock.confirm_by, clock.confirm_by + 1)
    }
    assert list(by_then.values()) == [
        [(True, "the clock ends here")],
        [(False, "a claim recorded after due that nobody confirmed in time: it ends nothing")],
    ]
