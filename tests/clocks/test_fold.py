"""A case's facts under the rulebook give its clocks."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clocks.fold import fold
from monitor.clocks.timeline import live_facts
from monitor.clocks.verdicts import verdict
from monitor.model import DAY, HOUR, MINUTE, Clock, Event, Verdict
from monitor.worktime.instants import parse_instant
from tests.clocks.histories import (
    CONFIRM,
    DEFER,
    GENERATED_BOOK,
    RESUME,
    T0,
    TOLERANCES,
    clock_of,
    clocks_of,
    contact,
    decided,
    event,
    histories,
    instants,
    regraded,
    responsible,
    rule,
    told,
)

DUE = T0 + 4 * HOUR
LATER = T0 + 400 * DAY


def says(clock: Clock, at: int = LATER) -> Verdict:
    return verdict(clock, now=at)


def by_key(clocks: list[Clock]) -> dict[tuple[str, str, str], Clock]:
    return {(c.key.rule, c.key.child, c.key.organisation): c for c in clocks}


# -- start and due ----------------------------------------------------------------------------


def test_a_contact_starts_a_clock_that_is_due_after_the_threshold() -> None:
    clock = clock_of(contact(district="east", unit="team-a", risk="high"))
    assert (clock.started_at, clock.due_at, clock.due_soon_at) == (T0, DUE, DUE - HOUR)
    assert (clock.known_at, clock.rule_version) == (T0 + MINUTE, 1)
    grouped = (clock.partner, clock.district, clock.unit, clock.category, clock.risk)
    assert grouped == ("council", "east", "team-a", "physical_abuse", "high")


def test_no_start_no_clock() -> None:
    assert clocks_of(told(T0)) == []


def test_the_earliest_start_counts() -> None:
    assert clock_of(contact(T0 + HOUR), contact(T0)).started_at == T0


def test_a_doubtful_time_starts_at_its_first_and_stops_at_its_second_reading() -> None:
    """Law 5: 01:30 on the night the clocks go back is both of its instants."""
    clock = clock_of(contact(T0, until=T0 + HOUR), told(DUE - HOUR, until=DUE + 1))
    assert (clock.started_at, clock.stopped_at) == (T0, DUE + 1)
    assert says(clock) is Verdict.LATE


def test_known_since_the_first_of_several_tellings() -> None:
    """Two feeds told the same contact; that one of them was late makes it no news."""
    prompt = contact(T0, feed="occurrence", received=T0 + MINUTE)
    tardy = contact(T0, feed="command-control", received=T0 + 9 * HOUR)
    assert clock_of(prompt, tardy).known_at == T0 + MINUTE


def test_past_the_calendar_s_end_due_is_unknown_and_says_why() -> None:
    office = rule(threshold="1 working day", calendar="office")
    clock = clock_of(contact("2027-12-31T12:00:00+00:00"), rules=[office])
    assert clock.due_at is None
    assert "office" in clock.due_unknown
    assert says(clock) is Verdict.UNKNOWN


def test_a_time_on_the_event_is_due() -> None:
    carried = rule(threshold="time on the event")
    assert clock_of(contact(review=T0 + 7 * HOUR), rules=[carried]).due_at == T0 + 7 * HOUR
    unsaid = clock_of(contact(), rules=[carried])
    assert (unsaid.due_at, unsaid.due_unknown) == (None, "the event names no time")


@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("2027-10-30T22:00:00+01:00", "2027-10-31T21:00:00+00:00"),
        ("2027-03-27T22:00:00+00:00", "2027-03-28T23:00:00+01:00"),
    ],
)
def test_a_day_of_clock_hours_over_the_change_of_the_clocks(start: str, due: str) -> None:
    clock = clock_of(contact(start), rules=[rule(threshold="24h")])
    assert clock.due_at == parse_instant(due)


# -- stop -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stopped_at", "expected", "breached_at"),
    [(DUE - 1, Verdict.MET, None), (DUE, Verdict.MET, None), (DUE + 1, Verdict.LATE, DUE)],
)
def test_equality_is_in_time_and_one_microsecond_later_is_late(
    stopped_at: int, expected: Verdict, breached_at: int | None
) -> None:
    """Law 6."""
    clock = clock_of(contact(), told(stopped_at))
    assert (says(clock), clock.breached_at) == (expected, breached_at)


def test_the_earliest_stop_counts() -> None:
    assert clock_of(contact(), told(DUE + HOUR), told(DUE - HOUR)).stopped_at == DUE - HOUR


def test_a_stop_before_the_start_does_not_count() -> None:
    assert clock_of(contact(), told(T0 - HOUR)).stopped_at is None


@pytest.mark.parametrize(
    ("before", "stopped_at"), [(5 * MINUTE, T0), (5 * MINUTE + 1, None), (1, T0)]
)
def test_a_stop_before_the_start_counts_within_its_feed_s_tolerance(
    before: int, stopped_at: int | None
) -> None:
    """The clocks of two systems differ: such a stop is read as zero elapsed."""
    assert clock_of(contact(), told(T0 - before)).stopped_at == stopped_at


def test_the_tolerance_is_that_of_the_stop_s_own_feed() -> None:
    assert clock_of(contact(), told(T0 - 1, feed="exact")).stopped_at is None


def test_another_partner_told_does_not_stop_the_council_s_clock() -> None:
    assert clock_of(contact(), told(T0 + HOUR, "health")).stopped_at is None


def test_when_the_stop_was_known_and_recorded_is_kept() -> None:
    """Law 8: told in time and written down late are two truths."""
    stop = told(T0 + HOUR, recorded=DUE + 5 * HOUR, received=DUE + 6 * HOUR)
    clock = clock_of(contact(), stop)
    assert (clock.stop_recorded_at, clock.stop_known_at) == (DUE + 5 * HOUR, DUE + 6 * HOUR)
    assert says(clock) is Verdict.MET


def test_a_bounced_notification_reopens_the_clock_from_its_start() -> None:
    bounced = event("notification_bounced", T0 + 2 * HOUR, retracts="7", partner="council")
    clock = clock_of(contact(), told(T0 + HOUR, id="7"), bounced)
    assert (clock.started_at, clock.stopped_at) == (T0, None)


def test_an_amended_stop_counts_as_amended() -> None:
    clock = clock_of(contact(), told(DUE - HOUR, id="7"), told(DUE + HOUR, id="7", revision=1))
    assert clock.stopped_at == DUE + HOUR


# -- doubt ------------------------------------------------------------------------------------


def test_contradicting_starts_start_at_the_earliest() -> None:
    assert clock_of(contact(T0 + HOUR, id="1"), contact(T0, id="1")).started_at == T0


def test_contradicting_stops_stop_at_the_latest() -> None:
    clock = clock_of(contact(), told(DUE - HOUR, id="7"), told(DUE + HOUR, id="7"))
    assert clock.stopped_at == DUE + HOUR


def test_a_contradiction_with_a_reading_before_the_start_stops_nothing() -> None:
    """Read as told before the contact it would be no stop, so it is none."""
    events = [told(T0 - HOUR, id="7"), told(T0 + HOUR, id="7")]
    assert clock_of(contact(), *events).stopped_at is None


def test_a_contradiction_about_who_was_told_stops_nothing() -> None:
    """Doubt starts a clock and never stops one."""
    clock = clock_of(contact(), told(T0 + HOUR, id="7"), told(T0 + HOUR, "health", id="7"))
    assert clock.stopped_at is None


def test_a_contradiction_about_the_child_counts_both() -> None:
    """The less flattering reading: one child or the other may be owed it."""
    each = rule(for_each=["child"])
    events = [contact(id="1", child="a"), contact(id="1", child="b")]
    assert {c.key.child for c in clocks_of(*events, rules=[each])} == {"a", "b"}


def test_a_contradiction_about_exemption_exempts_nothing() -> None:
    events = [decided(T0 + HOUR, "withheld", id="7"), decided(T0 + HOUR, "shared", id="7")]
    assert clock_of(contact(), *events).exempt_at is None


# -- exempt and void --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "expected", "breached_at"),
    [(DUE, Verdict.EXEMPT, None), (DUE + 1, Verdict.LATE, DUE)],
)
def test_an_exempting_decision_counts_up_to_due_and_closes_late_after(
    at: int, expected: Verdict, breached_at: int | None
) -> None:
    clock = clock_of(contact(), decided(at, "withheld", reason_code="more_detrimental"))
    assert (says(clock), clock.breached_at) == (expected, breached_at)
    assert clock.reason_code == "more_detrimental"


@pytest.mark.parametrize(("at", "breached_at"), [(DUE, None), (DUE + 1, DUE)])
def test_a_withdrawn_notice_is_void_and_keeps_that_it_was_overdue(
    at: int, breached_at: int | None
) -> None:
    clock = clock_of(contact(), event("notice_withdrawn", at, reason_code="made_in_error"))
    assert (says(clock), clock.breached_at) == (Verdict.VOID, breached_at)


def test_a_withdrawn_duplicate_takes_nothing_from_the_notice_it_is_linked_to() -> None:
    """Only when each notice that founds the duty is withdrawn is there none."""
    other = "PPN-2027-004212"
    joined = event("reference_linked", T0 + HOUR, links=other)
    second = contact(T0 + HOUR, id="2")._replace(reference=other)
    withdrawn = event("notice_withdrawn", T0 + 2 * HOUR, reason_code="duplicate")
    both = withdrawn._replace(identity=b"3", reference=other)
    assert says(clock_of(contact(), joined, second, withdrawn)) is Verdict.OVERDUE
    assert clock_of(contact(), joined, second, withdrawn).started_at == T0
    assert says(clock_of(contact(), joined, second, withdrawn, both)) is Verdict.VOID


def test_what_was_shared_first_stays_shared() -> None:
    clock = clock_of(contact(), told(T0 + HOUR), event("notice_withdrawn", T0 + 2 * HOUR))
    assert says(clock) is Verdict.MET


def test_a_decision_for_one_child_exempts_only_that_child() -> None:
    each = rule(for_each=["child"])
    events = [contact(child="a"), contact(child="b"), decided(T0 + HOUR, "withheld", child="a")]
    exempt = {c.key.child: c.exempt_at for c in clocks_of(*events, rules=[each])}
    assert exempt == {"a": T0 + HOUR, "b": None}


@pytest.mark.parametrize(("left_at", "known_at"), [(DUE, DUE + 9 * HOUR), (DUE + 1, T0 + MINUTE)])
def test_a_case_that_left_before_due_is_learnt_of_again_when_it_comes_back(
    left_at: int, known_at: int
) -> None:
    """It is measured from its start; but nobody who had no clock before them let it pass."""
    of_abuse = rule(applies={"category": ["physical_abuse"]})
    back = DUE + 8 * HOUR
    events = [
        contact(),
        regraded(left_at, category="neglect"),
        regraded(back, category="physical_abuse", received=back + HOUR),
    ]
    clock = clock_of(*events, rules=[of_abuse])
    assert (clock.started_at, clock.due_at, clock.known_at) == (T0, DUE, known_at)


AGAIN = [rule(resume=RESUME)]


def run_of(clock: Clock) -> tuple[int, int | None, Verdict]:
    return clock.started_at, clock.due_at, says(clock)


def test_a_decision_to_share_takes_a_withholding_back_and_the_clock_starts_anew() -> None:
    """Nothing was owed while it was withheld: the whole limit runs from the later decision."""
    later = T0 + 30 * HOUR
    events = [contact(), decided(T0 + HOUR, "withheld"), decided(later, "shared", received=later)]
    assert says(clock_of(*events)) is Verdict.EXEMPT, "where the rule does not say so"
    clock = clock_of(*events, rules=AGAIN)
    assert run_of(clock) == (later, later + 4 * HOUR, Verdict.OVERDUE)
    assert (clock.exempt_at, clock.known_at) == (None, later)
    assert says(clock_of(*events, told(later + 4 * HOUR), rules=AGAIN)) is Verdict.MET
    assert says(clock_of(*events, decided(later + HOUR, "withheld"), rules=AGAIN)) is Verdict.EXEMPT


def test_what_was_withheld_after_due_and_shared_after_all_was_overdue_all_the_time() -> None:
    events = [contact(), decided(DUE + HOUR, "withheld"), decided(DUE + 2 * HOUR, "shared")]
    assert run_of(clock_of(*events, rules=AGAIN)) == (T0, DUE, Verdict.OVERDUE)
    assert clock_of(*events, told(DUE + 3 * HOUR), rules=AGAIN).breached_at == DUE


@pytest.mark.parametrize(
    "second",
    [
        decided(T0 + HOUR, "shared"),
        decided(T0 + 2 * HOUR, "shared", child="b"),
        decided(T0 + 2 * HOUR, "shared", partner="health"),
    ],
    ids=["in the same instant", "of another child", "with another partner"],
)
def test_a_withholding_stands_unless_a_later_decision_is_about_the_same(second: Event) -> None:
    first = decided(T0 + HOUR, "withheld", child="a", partner="council")
    of_each = rule(for_each=["child"], resume=RESUME)
    (clock, *_) = clocks_of(contact(child="a"), first, second, rules=[of_each])
    assert clock.exempt_at == T0 + HOUR


def test_to_share_in_general_takes_back_no_withholding_from_one() -> None:
    """It was withheld from the council for a reason that a general decision does not speak of."""
    in_general = decided(T0 + 2 * HOUR, "shared")
    of_one = decided(T0 + HOUR, "withheld", partner="council")
    assert says(clock_of(contact(), of_one, in_general, rules=AGAIN)) is Verdict.EXEMPT
    of_all = decided(T0 + HOUR, "withheld")
    assert clock_of(contact(), of_all, in_general, rules=AGAIN).started_at == T0 + 2 * HOUR


def test_what_was_shared_while_it_was_withheld_is_shared() -> None:
    events = [decided(T0 + HOUR, "withheld"), told(T0 + 2 * HOUR), decided(T0 + DAY, "shared")]
    assert says(clock_of(contact(), *events, rules=AGAIN)) is Verdict.EXEMPT


def test_a_case_that_left_the_rule_while_it_was_withheld_does_not_come_back_by_sharing() -> None:
    of_neglect = rule(applies={"category": ["physical_abuse"]}, resume=RESUME)
    events = [decided(T0 + HOUR, "withheld"), regraded(T0 + 2 * HOUR, category="neglect")]
    clock = clock_of(contact(), *events, decided(T0 + DAY, "shared"), rules=[of_neglect])
    assert says(clock) is Verdict.EXEMPT


def test_a_decision_to_share_ends_a_deferral() -> None:
    deferring = rule(defer=DEFER, resume=RESUME)
    events = [contact(), decided(T0 + HOUR, "deferred"), decided(T0 + 3 * HOUR, "shared")]
    clock = clock_of(*events, rules=[deferring])
    assert (clock.held_from, clock.held_until) == (T0 + HOUR, T0 + 3 * HOUR)
    assert (clock.started_at, clock.due_at) == (T0, DUE)


# -- children and organisations ---------------------------------------------------------------

EACH_CHILD = rule(for_each=["child"])
EACH = rule(for_each=["child", "organisation"])
SIBLINGS = [contact(child=child) for child in ("a", "b", "c")]


def stopped(clocks: list[Clock]) -> set[str]:
    return {c.key.child for c in clocks if c.stopped_at is not None}


def test_three_siblings_are_three_clocks() -> None:
    assert [c.key.child for c in clocks_of(*SIBLINGS, rules=[EACH_CHILD])] == ["a", "b", "c"]


def test_a_send_for_one_child_stops_only_its_own() -> None:
    clocks = clocks_of(*SIBLINGS, told(T0 + HOUR, child="b"), rules=[EACH_CHILD])
    assert stopped(clocks) == {"b"}


def test_a_send_that_names_no_child_stops_none_of_several() -> None:
    assert stopped(clocks_of(*SIBLINGS, told(T0 + HOUR), rules=[EACH_CHILD])) == set()


def test_a_send_that_names_no_child_stops_the_only_one() -> None:
    clocks = clocks_of(contact(child="a"), told(T0 + HOUR), rules=[EACH_CHILD])
    assert stopped(clocks) == {"a"}


def test_while_no_child_is_known_one_placeholder_runs_and_gives_way_later() -> None:
    """Its successors inherit the start: a child named late makes nothing later."""
    (placeholder,) = clocks_of(contact(), rules=[EACH_CHILD])
    assert (placeholder.key.child, placeholder.started_at) == ("", T0)
    named = [event("notice_submitted", T0 + 3 * HOUR, child=child) for child in ("a", "b")]
    clocks = clocks_of(contact(), *named, rules=[EACH_CHILD])
    assert [(c.key.child, c.started_at, c.due_at) for c in clocks] == [
        ("a", T0, DUE),
        ("b", T0, DUE),
    ]


def test_having_told_about_a_child_does_not_make_it_one_to_tell_about() -> None:
    """A stop names nobody who is owed: else a wrong send would open and close its own clock."""
    clocks = clocks_of(contact(child="a"), told(T0 + HOUR, child="z"), rules=[EACH_CHILD])
    assert [(c.key.child, c.stopped_at) for c in clocks] == [("a", None)]


def test_an_unknown_organisation_cannot_be_routed_to() -> None:
    clock = clock_of(contact(child="a"), rules=[EACH])
    assert (clock.key.organisation, clock.cannot_route) == ("", True)


def test_a_known_organisation_can_and_the_start_stays() -> None:
    events = [contact(child="a"), responsible(T0 + 2 * HOUR, "eastshire")]
    clock = clock_of(*events, rules=[EACH])
    assert (clock.key.organisation, clock.cannot_route) == ("eastshire", False)
    assert clock.started_at == T0


def test_found_in_one_council_s_area_and_living_in_another_s_is_two_clocks() -> None:
    events = [
        contact(child="a"),
        responsible(T0, "eastshire"),
        responsible(T0 + HOUR, "westshire"),
        told(T0 + 2 * HOUR, organisation="eastshire"),
    ]
    stops = {c.key.organisation: c.stopped_at for c in clocks_of(*events, rules=[EACH])}
    assert stops == {"eastshire": T0 + 2 * HOUR, "westshire": None}


def test_an_organisation_of_another_partner_owes_nothing_here() -> None:
    events = [contact(child="a"), responsible(T0, "eastshire-icb", "health")]
    assert clock_of(*events, rules=[EACH]).key.organisation == ""


def test_an_organisation_of_one_child_is_not_the_other_s() -> None:
    events = [
        contact(child="a"),
        contact(child="b"),
        responsible(T0, "eastshire", child="a"),
        responsible(T0, "westshire", child="b"),
    ]
    keys = {(c.key.child, c.key.organisation) for c in clocks_of(*events, rules=[EACH])}
    assert keys == {("a", "eastshire"), ("b", "westshire")}


def test_the_wrong_organisation_told_does_not_stop_the_clock() -> None:
    events = [
        contact(child="a"),
        responsible(T0, "eastshire"),
        told(T0 + HOUR, organisation="northshire"),
    ]
    assert clock_of(*events, rules=[EACH]).stopped_at is None


# -- regrades ---------------------------------------------------------------------------------

HIGH = rule(id="high", applies={"risk": ["high"]})
LOW = rule(id="low", threshold="24h", applies={"risk": ["standard", "medium", "none"]})


def graded(*events: Event) -> dict[str, Clock]:
    return {c.key.rule: c for c in clocks_of(*events, rules=[HIGH, LOW])}


def test_raised_at_hour_ten_the_faster_clock_starts_then() -> None:
    clocks = graded(contact(risk="medium"), regraded(T0 + 10 * HOUR, risk="high"))
    high = clocks["high"]
    assert (high.started_at, high.due_at) == (T0 + 10 * HOUR, T0 + 14 * HOUR)
    assert high.raised_after == 10 * HOUR


def test_raised_at_hour_ten_the_slower_clock_goes_on() -> None:
    """Raised at hour 23, the slower one is still due an hour later, not three hours."""
    clocks = graded(contact(risk="medium"), regraded(T0 + 10 * HOUR, risk="high"))
    low = clocks["low"]
    assert (low.started_at, low.due_at, low.superseded_at) == (T0, T0 + 24 * HOUR, None)


@pytest.mark.parametrize("at", [2 * HOUR, 4 * HOUR])
def test_lowered_before_due_the_faster_clock_gives_way(at: int) -> None:
    clocks = graded(contact(risk="high"), regraded(T0 + at, risk="standard"))
    assert clocks["high"].superseded_at == T0 + at
    assert says(clocks["high"]) is Verdict.SUPERSEDED
    assert clocks["low"].started_at == T0
    assert clocks["low"].raised_after is None


def test_lowered_after_due_the_faster_clock_is_measured_until_its_stop() -> None:
    events = [contact(risk="high"), regraded(DUE + 1, risk="standard")]
    high = graded(*events)["high"]
    assert (high.superseded_at, high.regraded_at) == (None, DUE + 1)
    assert says(high, DUE + 1) is Verdict.OVERDUE
    high = graded(*events, told(DUE + HOUR))["high"]
    assert says(high) is Verdict.LATE


def test_lowered_and_raised_again_the_clock_runs_from_its_first_start() -> None:
    """A detour through a lower grade buys no time."""
    detour = [regraded(T0 + HOUR, risk="standard"), regraded(T0 + 2 * HOUR, risk="high")]
    high = graded(contact(risk="high"), *detour)["high"]
    assert (high.started_at, high.superseded_at, high.regraded_at) == (T0, None, None)


def test_stopped_before_it_was_lowered_it_stays_met() -> None:
    events = [contact(risk="high"), told(T0 + HOUR), regraded(T0 + 2 * HOUR, risk="standard")]
    high = graded(*events)["high"]
    assert (says(high), high.regraded_at) == (Verdict.MET, None)


def test_figures_group_by_what_was_known_at_the_start() -> None:
    assert graded(contact(risk="high"), regraded(DUE + 1, risk="standard"))["high"].risk == "high"


# -- versions ---------------------------------------------------------------------------------

MIDNIGHT = parse_instant("2027-03-10T00:00:00+00:00")
OLD = rule(threshold="6h")
NEW = rule(version=2, threshold="5h", effective={"from": "2027-03-10"})


@pytest.mark.parametrize(("at", "version"), [(MIDNIGHT - 1, 1), (MIDNIGHT, 2)])
def test_the_version_in_force_at_the_start_governs(at: int, version: int) -> None:
    """Law 7: contact at 23:58, submitted after midnight, is measured by the old version."""
    clock = clock_of(contact(at), event("notice_submitted", MIDNIGHT + HOUR), rules=[OLD, NEW])
    assert clock.rule_version == version


def test_a_start_that_moves_chooses_its_version_anew() -> None:
    first, moved = contact(MIDNIGHT, id="1"), contact(MIDNIGHT - 1, id="1", revision=1)
    assert clock_of(first, rules=[OLD, NEW]).rule_version == 2
    assert clock_of(first, moved, rules=[OLD, NEW]).rule_version == 1


def test_a_clock_that_starts_with_a_regrade_has_the_version_of_that_day() -> None:
    """Law 7 speaks of the clock's start, not of the contact's."""
    risky = {"applies": {"risk": ["high"]}}
    rules = [rule(threshold="6h", **risky), rule(**{**NEW_WRITTEN, **risky})]
    events = [contact(MIDNIGHT - HOUR, risk="medium"), regraded(MIDNIGHT + HOUR, risk="high")]
    clock = clock_of(*events, rules=rules)
    assert clock.started_at == MIDNIGHT + HOUR
    assert (clock.rule_version, clock.due_at) == (2, MIDNIGHT + 6 * HOUR)


NEW_WRITTEN: dict[str, Any] = {
    "version": 2,
    "threshold": "5h",
    "effective": {"from": "2027-03-10"},
}


def test_an_old_case_is_not_divided_by_child_because_a_newer_version_is() -> None:
    """Law 7: how a rule counts is part of the version that governs the start."""
    rules = [OLD, rule(**NEW_WRITTEN, for_each=["child"])]
    starts = [contact(MIDNIGHT - HOUR, child=child) for child in ("a", "b")]
    assert [c.key.child for c in clocks_of(*starts, rules=rules)] == [""]


def test_before_a_rule_took_effect_nothing_is_measured() -> None:
    assert clocks_of(contact("2025-12-31T12:00:00+00:00")) == []


def test_a_rule_that_has_ended_governs_no_later_start() -> None:
    ended = rule(effective={"from": "2026-01-01", "to": "2027-03-09"})
    assert clocks_of(contact(MIDNIGHT), rules=[ended]) == []
    assert len(clocks_of(contact(MIDNIGHT - 1), rules=[ended])) == 1


# -- each start -------------------------------------------------------------------------------

WRITTEN = rule(
    start=[{"kind": "partner_notified", "method": "verbal"}],
    each_start=True,
    stop=[{"kind": "partner_notified", "method": "email"}],
    threshold="24h",
)


def test_each_start_has_a_clock_of_its_own() -> None:
    calls = [told(T0, method="verbal"), told(T0 + HOUR, method="verbal")]
    clocks = clocks_of(*calls, told(T0 + 30 * MINUTE, method="email"), rules=[WRITTEN])
    assert [(c.started_at, c.stopped_at) for c in clocks] == [
        (T0, T0 + 30 * MINUTE),
        (T0 + HOUR, None),
    ]
    assert len({c.key for c in clocks}) == 2


def test_a_contradicted_start_has_one_clock() -> None:
    """Two readings of one call are one call, begun at the earlier."""
    calls = [told(T0, method="verbal", id="1"), told(T0 + HOUR, method="verbal", id="1")]
    assert [c.started_at for c in clocks_of(*calls, rules=[WRITTEN])] == [T0]


def test_two_feeds_numbers_are_not_mistaken_for_each_other() -> None:
    """Number 1 of one feed is not number 1 of the other."""
    calls = [
        told(T0, method="verbal", id="1"),
        told(T0 + HOUR, method="verbal", id="1", feed="sending-log"),
    ]
    assert len({c.key for c in clocks_of(*calls, rules=[WRITTEN])}) == 2


# -- deferral, claims, stages -----------------------------------------------------------------

DEFERRED = rule(defer=DEFER)


def test_a_deferral_holds_telling_and_not_measurement() -> None:
    decision = decided(T0 + HOUR, "deferred", review=T0 + DAY)
    clock = clock_of(contact(), decision, rules=[DEFERRED])
    assert (clock.held_from, clock.held_until) == (T0 + HOUR, T0 + DAY)
    assert says(clock, DUE + 1) is Verdict.OVERDUE


@pytest.mark.parametrize("review", [None, T0 + 100 * DAY])
def test_a_deferral_lasts_no_longer_than_the_rule_allows(review: int | None) -> None:
    decision = decided(T0 + HOUR, "deferred", review=review)
    clock = clock_of(contact(), decision, rules=[DEFERRED])
    assert clock.held_until == T0 + HOUR + 7 * DAY


def test_a_rule_without_deferral_holds_nothing() -> None:
    clock = clock_of(contact(), decided(T0 + HOUR, "deferred", review=T0 + DAY))
    assert clock.held_from is None


CLAIMED = rule(confirm=CONFIRM)
CLAIM = {"method": "verbal", "id": "7"}


def test_a_claim_recorded_in_time_needs_no_confirmation() -> None:
    clock = clock_of(contact(), told(DUE - HOUR, recorded=DUE, **CLAIM), rules=[CLAIMED])
    assert (says(clock), clock.confirm_by) == (Verdict.MET, None)


def test_a_claim_first_recorded_after_due_counts_until_its_deadline() -> None:
    """Verbal at 02:10, typed at 07:30: in time, to be confirmed, or overdue again."""
    claim = told(DUE - HOUR, recorded=DUE + HOUR, **CLAIM)
    clock = clock_of(contact(), claim, rules=[CLAIMED])
    deadline = DUE + 13 * HOUR
    assert clock.confirm_by == deadline
    assert [says(clock, at) for at in (deadline, deadline + 1)] == [Verdict.MET, Verdict.OVERDUE]


@pytest.mark.parametrize(
    "confirmation",
    [event("notification_confirmed", DUE + 2 * HOUR), told(DUE + 2 * HOUR, method="email")],
)
def test_a_confirmed_claim_is_met_for_good(confirmation: Event) -> None:
    claim = told(DUE - HOUR, recorded=DUE + HOUR, **CLAIM)
    clock = clock_of(contact(), claim, confirmation, rules=[CLAIMED])
    assert (says(clock), clock.confirm_by) == (Verdict.MET, None)


def test_a_claim_recorded_in_time_and_mended_later_was_first_recorded_in_time() -> None:
    first = told(DUE - HOUR, recorded=DUE - MINUTE, **CLAIM)
    mended = told(DUE - HOUR, recorded=DUE + HOUR, unit="team-a", **CLAIM)
    assert clock_of(contact(), first, mended, rules=[CLAIMED]).confirm_by is None


def test_after_an_unconfirmed_claim_a_later_stop_counts_as_late() -> None:
    """The claim is no stop any more, so the next one is; without it, it was overdue for ever."""
    only_confirmed = rule(confirm={**CONFIRM, "by": [{"kind": "notification_confirmed"}]})
    claim = told(DUE - HOUR, recorded=DUE + HOUR, **CLAIM)
    written = told(DUE + 2 * DAY, method="portal")
    clock = clock_of(contact(), claim, written, rules=[only_confirmed])
    assert says(clock, DUE + DAY) is Verdict.OVERDUE
    assert says(clock) is Verdict.LATE


def test_the_last_stage_says_where_the_case_waits() -> None:
    events = [contact(), event("notice_submitted", T0 + HOUR)]
    clock = clock_of(*events)
    assert (clock.stage, clock.stage_at) == ("notice_submitted", T0 + HOUR)


def test_a_case_marked_once_is_restricted() -> None:
    assert clock_of(contact(), event("triaged", T0, restricted="yes")).restricted
    assert not clock_of(contact(), event("triaged", T0, restricted="no")).restricted


# -- laws over generated histories ------------------------------------------------------------


def folded(events: list[Event]) -> list[Clock]:
    clocks = fold(events, GENERATED_BOOK, tolerances=TOLERANCES)
    return sorted(clocks, key=lambda clock: (clock.key, clock.started_at))


@given(histories(), st.data())
def test_law_1_order_and_repetition_do_not_matter(events: list[Event], data: st.DataObject) -> None:
    assert folded(data.draw(st.permutations(events + events[:3]))) == folded(events)


def test_law_1_every_order_of_a_hard_history() -> None:
    """An amendment, a retraction, a conflict and a regrade, in all 720 orders."""
    history = [
        contact(T0, id="1", risk="medium"),
        contact(T0 + HOUR, id="1", risk="medium", revision=1),
        told(T0 + 2 * HOUR, id="2"),
        event("notification_bounced", T0 + 3 * HOUR, id="3", retracts="2"),
        told(T0 + 5 * HOUR, id="4"),
        told(T0 + 7 * HOUR, id="4"),
    ]
    expected = folded(history)
    assert expected
    assert all(folded(list(order)) == expected for order in permutations(history))


@given(histories())
def test_every_clock_has_a_key_of_its_own(events: list[Event]) -> None:
    keys = [clock.key for clock in folded(events)]
    assert len(keys) == len(set(keys))


@given(histories(), st.data())
def test_law_5_a_contradiction_of_a_stop_never_flatters(
    events: list[Event], data: st.DataObject
) -> None:
    """Of two readings of when a partner was told, both must meet a clock for it to be met."""
    spans = st.integers(0, 40).map(lambda hours: T0 + hours * HOUR)
    one, two = (
        told(data.draw(spans), id="contradicted", feed="sending-log", received=T0 + 50 * HOUR)
        for _ in "ab"
    )
    readings = [by_key(_once(folded([*events, reading]))) for reading in (one, two)]
    for key, clock in by_key(_once(folded([*events, one, two]))).items():
        if says(clock) is Verdict.MET:
            assert all(says(reading[key]) is Verdict.MET for reading in readings)


def _once(clocks: list[Clock]) -> list[Clock]:
    """Without clocks of each start, whose keys here would be one."""
    return [clock for clock in clocks if not clock.key.start]


@given(histories(), instants())
def test_law_5_what_is_not_stopped_is_never_in_time(events: list[Event], now: int) -> None:
    """Open and past due is overdue; stopped after due is late; met was stopped by due."""
    for clock in folded(events):
        said = verdict(clock, now=now)
        if said is Verdict.MET:
            assert clock.due_at is not None
            assert clock.stopped_at is not None
            assert clock.stopped_at <= min(clock.due_at, now)
        if said in {Verdict.RUNNING, Verdict.DUE_SOON}:
            assert clock.due_at is not None
            assert now <= clock.due_at


@given(histories())
def test_law_5_only_news_starts_a_clock_later_than_first_knowledge(events: list[Event]) -> None:
    """A clock starts after the case's first contact only where a regrade brought it here."""
    contacts = [
        version.occurred_from
        for fact in live_facts(events).facts
        for version in fact.versions
        if version.kind == "contact"
    ]
    for clock in _once(folded(events)):
        if clock.key.rule == "triage" or clock.key.child:
            continue
        assert clock.started_at == min(contacts) + (clock.raised_after or 0)


@given(st.integers(T0, T0 + 300 * DAY), st.integers(0, 3))
def test_law_6_equality_is_in_time(start: int, after: int) -> None:
    """For any start: the due instant is in time, and any later one is not."""
    due = clock_of(contact(start)).due_at
    assert due is not None
    clock = clock_of(contact(start), told(due + after))
    assert says(clock) is (Verdict.MET if after == 0 else Verdict.LATE)


@given(histories(largest=5))
def test_law_7_the_rule_in_force_at_the_clock_s_start_governs(events: list[Event]) -> None:
    for clock in folded(events):
        duty = GENERATED_BOOK.duty(clock.key.rule, clock.rule_version)
        assert duty.governs(clock.started_at)
