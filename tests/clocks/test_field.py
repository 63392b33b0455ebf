"""Facts of the field under the rules that are shipped: what happens, and what the clocks say."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clocks.fold import fold
from monitor.clocks.verdicts import verdict
from monitor.model import DAY, HOUR, MINUTE, Clock, Event, Instant, Verdict
from monitor.rulebook.book import Rulebook, build_rulebook
from monitor.rulebook.files import read_documents
from tests.clocks.histories import (
    T0,
    TOLERANCES,
    book,
    contact,
    decided,
    event,
    regraded,
    responsible,
    rule,
    told,
)

SHIPPED = build_rulebook(read_documents(Path(__file__).parents[2] / "rules"))
LATER = T0 + 400 * DAY


def clocks(id: str, *events: Event, rulebook: Rulebook = SHIPPED) -> list[Clock]:  # noqa: A002 — as rules say it
    """The clocks of one shipped rule."""
    found = fold(events, rulebook, tolerances=TOLERANCES)
    return [clock for clock in found if clock.key.rule == id]


def clock(id: str, *events: Event) -> Clock:  # noqa: A002 — as rules say it
    (only,) = clocks(id, *events)
    return only


def says(found: Clock, at: Instant = LATER) -> Verdict:
    return verdict(found, now=at)


# -- two councils -----------------------------------------------------------------------------

FOUND, RESIDENT = "police-protection-council", "police-protection-resident-council"
TAKEN = event("police_protection_started", T0, child="a")
FOUND_IN = responsible(T0, "eastshire", basis="found")
LIVES_IN = responsible(T0 + 30 * MINUTE, "westshire", basis="resident", lives_elsewhere="yes")


def test_found_in_one_area_and_living_in_another_is_a_clock_for_each_council() -> None:
    found, resident = (clock(each, TAKEN, FOUND_IN, LIVES_IN) for each in (FOUND, RESIDENT))
    assert (found.key.organisation, found.due_at) == ("eastshire", T0 + HOUR)
    assert (resident.key.organisation, resident.due_at) == ("westshire", T0 + 2 * HOUR)
    assert resident.known_at == LIVES_IN.received_at


def test_residence_unknown_the_council_where_found_is_the_one_to_be_told() -> None:
    assert clock(FOUND, TAKEN, FOUND_IN).key.organisation == "eastshire"
    assert clocks(RESIDENT, TAKEN, FOUND_IN) == []


def test_a_council_of_which_no_record_says_why_is_where_the_child_was_found() -> None:
    assert clock(FOUND, TAKEN, responsible(T0, "eastshire")).key.organisation == "eastshire"


def test_living_elsewhere_and_nobody_knows_where_cannot_be_routed() -> None:
    elsewhere = event("police_protection_started", T0, child="a", lives_elsewhere="yes")
    assert clock(RESIDENT, elsewhere, FOUND_IN).cannot_route


def test_a_send_to_one_council_stops_only_its_own() -> None:
    sent = told(T0 + 40 * MINUTE, organisation="eastshire", child="a")
    assert says(clock(FOUND, TAKEN, FOUND_IN, LIVES_IN, sent)) is Verdict.MET
    assert says(clock(RESIDENT, TAKEN, FOUND_IN, LIVES_IN, sent)) is Verdict.OVERDUE


def test_a_send_that_names_no_council_stops_neither_of_two() -> None:
    """Though each rule has one clock: law 5 counts every council that is on the record."""
    sent = told(T0 + 40 * MINUTE, child="a")
    for each in (FOUND, RESIDENT):
        assert says(clock(each, TAKEN, FOUND_IN, LIVES_IN, sent)) is Verdict.OVERDUE


def test_a_send_to_the_one_is_none_to_the_other_that_is_not_known_yet() -> None:
    elsewhere = event("police_protection_started", T0, child="a", lives_elsewhere="yes")
    sent = told(T0 + 40 * MINUTE, child="a")
    assert says(clock(RESIDENT, elsewhere, FOUND_IN, sent)) is Verdict.OVERDUE


def test_a_missing_child_in_care_is_owed_to_the_host_and_to_the_placing_council() -> None:
    history = (
        event("missing_reported", T0, child="a", risk="high", in_care="yes"),
        responsible(T0, "eastshire", basis="host"),
        responsible(T0, "westshire", basis="placing"),
    )
    assert clock("missing-care-host-council", *history).key.organisation == "eastshire"
    assert clock("missing-care-placing-council", *history).key.organisation == "westshire"
    assert clocks("missing-high-council", *history) == []


def test_a_missing_child_of_whom_no_record_says_that_it_is_in_care_is_measured_all_the_same() -> (
    None
):
    history = (event("missing_reported", T0, child="a"), responsible(T0, "eastshire"))
    assert clock("missing-council", *history).due_at == T0 + DAY
    assert clocks("missing-care-host-council", *history) == []


# -- laws of whom a duty is owed to -------------------------------------------------------------

_OWED = (
    rule(
        id="found",
        for_each=["child", "organisation"],
        owed_to=[{"kind": "organisation_responsible", "basis": ["found", "none"]}],
    ),
    rule(
        id="resident",
        for_each=["child", "organisation"],
        owed_to=[{"kind": "organisation_responsible", "basis": "resident"}],
    ),
)
OWED = book(*_OWED, rule(id="all", for_each=["child", "organisation"]))
_NAMINGS = st.lists(
    st.builds(
        lambda minutes, organisation, basis, child: responsible(
            T0 + minutes * MINUTE, organisation, basis=basis, child=child
        ),
        st.integers(0, 90),
        st.sampled_from(["eastshire", "westshire", "northshire"]),
        st.sampled_from(["found", "resident", ""]),
        st.sampled_from(["", "a", "b"]),
    ),
    max_size=4,
)
_SENDS = st.lists(
    st.builds(
        lambda minutes, organisation, child: told(
            T0 + minutes * MINUTE, organisation=organisation, child=child
        ),
        st.integers(0, 600),
        st.sampled_from(["", "eastshire", "westshire"]),
        st.sampled_from(["", "a", "b"]),
    ),
    max_size=3,
)


def _owed(events: list[Event]) -> dict[tuple[str, str, str], Clock]:
    found = fold(events, OWED, tolerances=TOLERANCES)
    return {(c.key.rule, c.key.child, c.key.organisation): c for c in found}


@given(_NAMINGS, _SENDS, st.data())
def test_law_1_whom_a_duty_is_owed_to_does_not_hang_on_the_order(
    namings: list[Event], sends: list[Event], data: st.DataObject
) -> None:
    history = list(dict.fromkeys([contact(), *namings, *sends]))
    assert _owed(data.draw(st.permutations(history))) == _owed(history)


@given(_NAMINGS, _SENDS)
def test_law_5_narrowing_whom_a_duty_is_owed_to_stops_no_clock_that_would_not_stop(
    namings: list[Event], sends: list[Event]
) -> None:
    """Its clock is stopped only where that of a rule for all is, and then alike."""
    found = _owed(list(dict.fromkeys([contact(), *namings, *sends])))
    for (id_, child, organisation), each in found.items():
        if id_ == "all" or not organisation or each.stopped_at is None:
            continue
        assert found["all", child, organisation].stopped_at == each.stopped_at


# -- online abuse -------------------------------------------------------------------------------


def online(kind: str, at: Instant = T0, **said: Any) -> Event:
    return event(kind, at, category="online_abuse", **said)


def test_the_package_starts_the_clock_and_not_the_child_s_becoming_known() -> None:
    history = (online("package_received"), online("child_identified", T0 + 5 * DAY, child="a"))
    assert clock("online-abuse-council", *history).started_at == T0
    assert says(clock("online-abuse-address-check", *history)) is Verdict.LATE


def test_without_a_package_on_record_the_child_s_becoming_known_starts_it() -> None:
    assert clock("online-abuse-council", online("child_identified", child="a")).started_at == T0


def test_a_check_that_found_no_child_exempts_and_one_that_found_one_does_not() -> None:
    package = online("package_received")
    checked = online("address_checked", T0 + 3 * HOUR, child_at_address="no")
    assert says(clock("online-abuse-council", package, checked)) is Verdict.EXEMPT
    child = online("address_checked", T0 + 3 * HOUR, child_at_address="yes")
    assert says(clock("online-abuse-council", package, child)) is Verdict.OVERDUE
    assert says(clock("online-abuse-address-check", package, child)) is Verdict.MET


def test_telling_is_put_off_for_a_day_at_most_and_measurement_is_not() -> None:
    decision = decided(T0 + HOUR, "deferred", review=T0 + 30 * DAY)
    found = clock("online-abuse-council", online("package_received"), decision)
    assert found.held_until == T0 + 25 * HOUR
    assert says(found, T0 + 25 * HOUR) is Verdict.OVERDUE


@pytest.mark.parametrize(
    ("category", "rule_id", "most"),
    [("online_abuse", "review-held-online-abuse", DAY), ("neglect", "review-held", 7 * DAY)],
)
def test_a_review_is_due_when_the_decision_says_and_within_the_longest_time(
    category: str, rule_id: str, most: int
) -> None:
    for review, expected in ((T0 + HOUR, HOUR), (None, most), (T0 + 90 * DAY, most)):
        decision = decided(T0, "deferred", review=review, category=category)
        assert clock(rule_id, decision).due_at == T0 + expected
        other = {"review-held-online-abuse", "review-held"} - {rule_id}
        assert clocks(other.pop(), decision) == []


def test_a_review_that_was_held_or_a_decision_to_share_ends_it() -> None:
    decision = decided(T0, "withheld", review=T0 + DAY)
    for ending in (event("review_held", T0 + HOUR), decided(T0 + HOUR, "shared")):
        assert says(clock("review-held", decision, ending)) is Verdict.MET


# -- transfer, custody, and what measures a council ---------------------------------------------


def test_a_transfer_counts_once_it_was_accepted_in_writing() -> None:
    made = event("case_transferred", T0)
    spoken = event("transfer_accepted", T0 + HOUR, method="verbal")
    written = event("transfer_accepted", T0 + 2 * HOUR, method="email")
    assert says(clock("transfer-accepted", made, spoken)) is Verdict.OVERDUE
    assert clock("transfer-accepted", made, spoken, written).stopped_at == T0 + 2 * HOUR


def test_a_transfer_ends_no_other_clock() -> None:
    """Whoever hands a case over stays responsible."""
    made = event("case_transferred", T0 + HOUR)
    accepted = event("transfer_accepted", T0 + 2 * HOUR, method="email")
    found = clock("significant-harm-council", contact(), made, accepted)
    assert says(found) is Verdict.OVERDUE


def test_a_child_in_care_who_is_in_custody_is_owed_to_the_council() -> None:
    arrived = event("custody_arrived", T0, child="a", in_care="yes")
    assert clock("custody-council", arrived).due_at == T0 + 2 * HOUR
    assert clocks("custody-council", event("custody_arrived", T0, child="a")) == []


def test_a_council_is_measured_from_the_first_sending_to_its_answer() -> None:
    sent = told(T0, organisation="eastshire")
    again = told(T0 + DAY, organisation="eastshire")
    answer = event(
        "partner_acknowledged", T0 + 2 * HOUR, partner="council", organisation="eastshire"
    )
    assert clock("acknowledged-council", sent, again).started_at == T0
    assert says(clock("acknowledged-council", sent, again, answer)) is Verdict.MET


def test_a_decision_that_no_strategy_discussion_is_needed_exempts() -> None:
    harm = (contact(), told(T0 + HOUR))
    none = event("strategy_not_needed", T0 + 2 * HOUR)
    assert says(clock("strategy-significant-harm", *harm)) is Verdict.OVERDUE
    assert says(clock("strategy-significant-harm", *harm, none)) is Verdict.EXEMPT


def test_an_unborn_child_needs_no_child_on_record() -> None:
    concern = contact(category="unborn_child")
    assert clock("unborn-child-council", concern, responsible(T0, "eastshire")).key.child == ""


# -- links, siblings, regrades, bounces ---------------------------------------------------------

NOTICE = "PPN-2027-004299"


def test_linked_references_are_one_case_with_the_earliest_start_and_the_earliest_stop() -> None:
    """Two officers at one incident; which reference a fact stands under does not matter."""
    second = contact(T0 + HOUR)._replace(reference=NOTICE)
    sent = told(T0 + 2 * HOUR)._replace(reference=NOTICE)
    (together,) = clocks("significant-harm-council", contact(), second, sent)
    assert (together.started_at, together.stopped_at) == (T0, T0 + 2 * HOUR)


def test_parted_again_each_has_what_it_had() -> None:
    """A fold knows only the facts it is given: a link that is taken back leaves nothing behind."""
    first, second = contact(), contact(T0 + HOUR)._replace(reference=NOTICE)
    alone = [clock("significant-harm-council", first), clock("significant-harm-council", second)]
    clocks("significant-harm-council", first, second)
    assert [each.started_at for each in alone] == [T0, T0 + HOUR]


def test_three_siblings_in_one_notice_are_a_clock_each_and_a_send_stops_one() -> None:
    siblings = [contact(child=child) for child in "abc"]
    found = clocks("significant-harm-council", *siblings, told(T0 + HOUR, child="b"))
    assert {c.key.child: says(c) for c in found} == {
        "a": Verdict.OVERDUE,
        "b": Verdict.MET,
        "c": Verdict.OVERDUE,
    }


def test_raised_and_lowered_the_case_is_owed_under_both_grades() -> None:
    """Raised: the faster from then on, beside the slower. Lowered: the slower from the start."""
    high, other = "domestic-abuse-high-council", "domestic-abuse-council"
    medium = contact(category="domestic_abuse", risk="medium")
    raised = regraded(T0 + 10 * HOUR, risk="high")
    assert clock(high, medium, raised).started_at == T0 + 10 * HOUR
    assert clock(high, medium, raised).raised_after == 10 * HOUR
    assert says(clock(other, medium, raised)) is Verdict.OVERDUE
    grave = contact(category="domestic_abuse", risk="high")
    lowered = regraded(T0 + 5 * HOUR, risk="standard")
    assert says(clock(high, grave, lowered)) is Verdict.SUPERSEDED
    assert clock(other, grave, lowered).started_at == T0


def test_a_hard_case_of_the_field_says_the_same_in_any_order() -> None:
    """Siblings, two councils, a bounce, a correction without evidence, a transfer."""
    history = [
        TAKEN,
        FOUND_IN,
        LIVES_IN,
        told(T0 + 20 * MINUTE, id="9", organisation="eastshire", child="a"),
        event("notification_bounced", T0 + HOUR, retracts="9"),
        event("case_transferred", T0 + 2 * HOUR),
    ]
    found = {
        frozenset(fold(order, SHIPPED, tolerances=TOLERANCES)) for order in permutations(history)
    }
    assert len(found) == 1
    assert {says(c) for c in found.pop()} == {Verdict.OVERDUE}
