"""A step is done when it was first done, and of doubt the later reading counts."""

from __future__ import annotations

from hypothesis import given

from monitor.clocks.steps import Step, first_done
from monitor.clocks.timeline import live_facts
from monitor.model import HOUR, Event, Instant
from tests.clocks.histories import T0, contact, event, histories, told

KINDS = ("contact", "notice_submitted", "triaged", "partner_notified", "notification_confirmed")


def done(*events: Event) -> dict[Step, Instant]:
    return first_done(live_facts(events).facts, KINDS)


def test_a_step_done_twice_was_done_the_first_time() -> None:
    found = done(told(T0 + 3 * HOUR, id="a"), told(T0 + HOUR, id="b"))
    assert found == {Step("partner_notified", "council"): T0 + HOUR}


def test_partners_are_told_each_for_themselves() -> None:
    found = done(contact(), told(T0 + HOUR), told(T0 + 2 * HOUR, "health"))
    assert found == {
        Step("contact", ""): T0,
        Step("partner_notified", "council"): T0 + HOUR,
        Step("partner_notified", "health"): T0 + 2 * HOUR,
    }


def test_of_a_doubtful_time_the_later_reading_counts() -> None:
    assert done(told(T0, until=T0 + HOUR)) == {Step("partner_notified", "council"): T0 + HOUR}


def test_of_a_fact_told_in_two_ways_the_last_counts() -> None:
    found = done(told(T0 + HOUR, id="a"), told(T0 + 4 * HOUR, id="a"))
    assert found == {Step("partner_notified", "council"): T0 + 4 * HOUR}


def test_what_was_amended_or_taken_back_is_no_step() -> None:
    amended = told(T0 + HOUR, id="a"), told(T0 + 2 * HOUR, id="a", revision=1)
    assert done(*amended) == {Step("partner_notified", "council"): T0 + 2 * HOUR}
    back = told(T0 + HOUR, id="a"), event("notice_withdrawn", id="b", retracts="a")
    assert done(*back) == {}


def test_other_kinds_are_no_steps() -> None:
    assert done(event("regraded"), event("share_decision", decision="withheld")) == {}


@given(histories())
def test_no_step_is_earlier_than_any_of_its_tellings_says(events: list[Event]) -> None:
    """Every step is of a live fact of its kind and partner, and none of these is wholly earlier."""
    facts = live_facts(events).facts
    found = first_done(facts, KINDS)
    assert set(found) == {
        Step(fact.event.kind, fact.event.partner) for fact in facts if fact.event.kind in KINDS
    }
    for (kind, partner), at in found.items():
        last = [
            max(version.occurred_to for version in fact.versions)
            for fact in facts
            if (fact.event.kind, fact.event.partner) == (kind, partner)
        ]
        assert at == min(last)
