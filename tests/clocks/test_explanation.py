"""What is said of each fact agrees with what the fold made of it, and no fact is passed over."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings

from monitor.clocks.explanation import Considered, Part, considered, part_of, says_the_same
from monitor.clocks.fold import fold_timeline
from monitor.clocks.timeline import live_facts
from monitor.model import HOUR, MINUTE, Clock, Event
from tests.clocks.histories import (
    CONFIRM,
    GENERATED_BOOK,
    RESUME,
    T0,
    TOLERANCES,
    book,
    contact,
    decided,
    event,
    histories,
    regraded,
    responsible,
    rule,
    told,
)

ENDINGS = {Part.STOP, Part.EXEMPTION, Part.WITHDRAWAL}


def explained(
    events: Sequence[Event], rulebook: object = GENERATED_BOOK
) -> list[tuple[Clock, list[Considered]]]:
    """Every clock of a history with what is said of its facts."""
    timeline = live_facts(events)
    clocks = fold_timeline(timeline, rulebook, tolerances=TOLERANCES)  # type: ignore[arg-type]
    return [
        (
            clock,
            considered(
                clock,
                timeline,
                rulebook.duty(clock.key.rule, clock.rule_version),  # type: ignore[attr-defined]
                tolerances=TOLERANCES,
                among=[each.key for each in clocks if each.key.rule == clock.key.rule],
            ),
        )
        for clock in clocks
    ]


def why(facts: Sequence[Considered], kind: str) -> list[str]:
    return [each.why for each in facts if each.event.kind == kind]


# -- it agrees with the fold --------------------------------------------------------------------


@given(histories())
@settings(deadline=None)
def test_every_clock_has_one_start_that_counts(events: list[Event]) -> None:
    for clock, facts in explained(events):
        (start,) = [each for each in facts if each.part is Part.START and each.counts]
        again = [each for each in facts if each.part is Part.RESUMPTION and each.counts]
        if clock.started_at not in [each.at for each in again]:
            assert start.event.occurred_from == clock.started_at - (clock.raised_after or 0)


@given(histories())
@settings(deadline=None)
def test_what_is_said_to_end_a_clock_is_what_ended_it(events: list[Event]) -> None:
    for clock, facts in explained(events):
        ends = {
            Part.STOP: clock.stopped_at,
            Part.EXEMPTION: clock.exempt_at,
            Part.WITHDRAWAL: clock.void_at,
        }
        said = {each.part for each in facts if each.part in ENDINGS and each.counts}
        assert said == {part for part, at in ends.items() if at is not None}


@given(histories())
@settings(deadline=None)
def test_no_fact_that_a_rule_asks_for_is_passed_over(events: list[Event]) -> None:
    """Each version is named, but for a row sent again and what is about another child."""
    timeline = live_facts(events)
    live = [version for fact in timeline.facts for version in fact.versions]
    for clock, facts in explained(events):
        duty = GENERATED_BOOK.duty(clock.key.rule, clock.rule_version)
        named = [each.event for each in facts]
        for told_event, _ in [*timeline.set_aside, *((each, None) for each in live)]:
            if told_event.retracts or part_of(told_event, duty) is None:
                continue
            if clock.key.child and told_event.child not in ("", clock.key.child):
                continue
            again = any(says_the_same(told_event, each) for each in live)
            assert told_event in named or again


def test_what_a_clock_starts_anew_from_is_said_and_what_it_took_back() -> None:
    events = [
        contact(),
        decided(T0 + HOUR, "withheld", id="1"),
        decided(T0 + 2 * HOUR, "withheld", id="2"),
        decided(T0 + 5 * HOUR, "shared", id="3"),
        decided(T0 + 6 * HOUR, "shared", id="4"),
    ]
    ((clock, facts),) = explained(events, book(rule(resume=RESUME)))
    assert clock.started_at == T0 + 5 * HOUR
    assert why(facts, "contact") == [
        "the concern was first known here; this clock starts where sharing was decided"
    ]
    assert why(facts, "share_decision") == [
        "a later decision to share took it back",
        "a later decision to share took it back",
        "the duty is on again from here: the clock starts anew",
        "it takes the decision before it back",
    ]


def test_a_decision_to_share_in_general_says_that_it_does_not_name_whom_the_other_names() -> None:
    events = [
        contact(),
        decided(T0 + HOUR, "withheld", partner="council", id="1"),
        decided(T0 + 2 * HOUR, "shared", id="2"),
    ]
    ((_, facts),) = explained(events, book(rule(resume=RESUME)))
    assert why(facts, "share_decision") == [
        "the clock ends here",
        "it does not name whom the decision before it names",
    ]


# -- what is said ---------------------------------------------------------------------------------


def test_a_later_start_and_a_stop_after_the_end_are_listed_as_not_counted() -> None:
    late = contact(T0 + HOUR, id="2")
    (found,) = explained(
        [contact(id="1"), late, told(T0 + 2 * HOUR), told(T0 + 3 * HOUR)], book(rule())
    )
    assert why(found[1], "contact") == ["the clock starts here", "a start, but not the earliest"]
    assert why(found[1], "partner_notified") == [
        "the clock ends here",
        "the clock had ended by then",
    ]


def test_of_an_interval_a_start_reads_the_first_end_and_a_stop_the_last() -> None:
    events = [contact(until=T0 + HOUR), told(T0 + HOUR, until=T0 + 2 * HOUR)]
    ((_, facts),) = explained(events, book(rule()))
    assert [(each.part, each.at) for each in facts] == [
        (Part.START, T0),
        (Part.STOP, T0 + 2 * HOUR),
    ]


def test_a_stop_before_the_start_is_within_tolerance_or_does_not_count() -> None:
    events = [contact(), told(T0 - 5 * MINUTE, id="1"), told(T0 - HOUR, id="2")]
    ((_, facts),) = explained(events, book(rule()))
    assert why(facts, "partner_notified") == [
        "it lies before the start and does not count",
        "the clock ends here, read as at its start: within its feed's tolerance",
    ]


def test_what_took_a_stop_back_is_named_beside_it() -> None:
    events = [
        contact(),
        told(T0 + HOUR, id="1"),
        event("notification_bounced", T0 + 2 * HOUR, id="2", retracts="1"),
    ]
    ((clock, facts),) = explained(events, book(rule()))
    assert clock.stopped_at is None
    assert why(facts, "partner_notified") == ["it came back undelivered, so it is out"]
    assert why(facts, "notification_bounced") == ["it takes back a partner notified"]


def test_a_source_that_tells_two_things_at_once_is_said_to() -> None:
    events = [contact(id="1"), contact(T0 + HOUR, id="1")]
    ((_, facts),) = explained(events, book(rule()))
    assert all("in two ways, and the less flattering is read" in each.why for each in facts)


def test_a_row_sent_again_is_not_listed_anew() -> None:
    events = [contact(id="1"), contact(id="1", revision=1, received=T0 + HOUR)]
    ((_, facts),) = explained(events, book(rule()))
    assert [(each.part, each.counts) for each in facts] == [(Part.START, True)]


def test_grades_are_listed_where_they_changed() -> None:
    events = [contact(risk="medium"), regraded(T0 + 10 * HOUR, risk="high")]
    ((clock, facts),) = explained(events, book(rule(applies={"risk": ["high"]})))
    assert clock.raised_after == 10 * HOUR
    grades = [(each.why, each.counts) for each in facts if each.part is Part.GRADE]
    assert grades == [
        ("risk medium: this rule does not cover that", False),
        ("risk high: the clock starts here", True),
    ]


def test_a_stop_that_names_nobody_could_mean_several() -> None:
    events = [contact(child="a", id="1"), contact(child="b", id="2"), told(T0 + HOUR)]
    found = explained(events, book(rule(for_each=["child"])))
    assert len(found) == 2
    for _, facts in found:
        assert why(facts, "partner_notified") == [
            "it names no child or organisation and could mean several"
        ]


def test_the_one_to_tell_is_shown_with_what_named_it() -> None:
    events = [contact(), responsible(T0, "eastshire")]
    ((_, facts),) = explained(events, book(rule(for_each=["organisation"])))
    assert why(facts, "organisation_responsible") == ["it names eastshire as the one to tell"]


def test_a_claim_that_nobody_confirmed_ends_nothing() -> None:
    """The next ending after it lapsed does."""
    claim = told(T0 + HOUR, method="verbal", recorded=T0 + 6 * HOUR, received=T0 + 6 * HOUR)
    later = told(T0 + 30 * HOUR, method="email")
    ((_, facts),) = explained([contact(), claim, later], book(rule(confirm=CONFIRM)))
    assert why(facts, "partner_notified") == [
        "a claim recorded after due that nobody confirmed in time: it ends nothing",
        "the clock ends here",
    ]
