"""Which versions of events count."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clocks.timeline import Fact, SetAside, Timeline, live_facts
from monitor.model import HOUR, MINUTE, Event
from tests.clocks.histories import T0, contact, event, histories, told


def facts(*events: Event) -> list[Fact]:
    return list(live_facts(events).facts)


def only(*events: Event) -> Fact:
    (fact,) = live_facts(events).facts
    return fact


def test_facts_stand_in_order_of_time() -> None:
    late, early = told(T0 + HOUR), contact(T0)
    assert [fact.event for fact in facts(late, early)] == [early, late]


def test_the_greatest_revision_counts() -> None:
    first = contact(T0, id="1", revision=1)
    second = contact(T0 + HOUR, id="1", revision=2)
    for order in permutations([first, second]):
        timeline = live_facts(order)
        assert [fact.versions for fact in timeline.facts] == [(second,)]
        assert timeline.set_aside == ((first, SetAside.AMENDED),)


def test_of_equal_revisions_the_later_record_counts() -> None:
    first = contact(T0, id="1", recorded=T0 + MINUTE)
    second = contact(T0 + HOUR, id="1", recorded=T0 + 2 * HOUR)
    assert only(second, first).versions == (second,)


def test_the_revision_goes_before_the_record_s_time() -> None:
    newer = contact(T0, id="1", revision=2, recorded=T0 + MINUTE)
    older = contact(T0 + HOUR, id="1", revision=1, recorded=T0 + 2 * HOUR)
    assert only(older, newer).versions == (newer,)


def test_a_tie_of_different_contents_is_a_conflict_and_both_are_kept() -> None:
    early, late = contact(T0, id="1"), contact(T0 + HOUR, id="1")
    assert only(late, early).versions == (early, late)
    assert live_facts([late, early]).set_aside == ()


def test_a_newer_version_ends_a_conflict() -> None:
    early, late = contact(T0, id="1"), contact(T0 + HOUR, id="1")
    settled = contact(T0 + MINUTE, id="1", revision=1)
    assert only(late, settled, early).versions == (settled,)


def test_the_same_identity_in_another_feed_is_another_event() -> None:
    assert len(facts(contact(T0, id="1"), contact(T0, id="1", feed="command-control"))) == 2


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_a_retraction_may_arrive_first(order: tuple[int, ...]) -> None:
    event_ = told(T0, id="1")
    retraction = event("notification_bounced", T0 + HOUR, id="2", retracts="1")
    pair = (event_, retraction)
    timeline = live_facts(pair[place] for place in order)
    assert timeline.facts == ()
    assert dict(timeline.set_aside) == {
        event_: SetAside.RETRACTED,
        retraction: SetAside.RETRACTION,
    }


def test_a_retraction_takes_no_newer_version_out() -> None:
    """The source took revision 1 back and wrote revision 3 afterwards."""
    old = told(T0, id="1", revision=1)
    new = told(T0 + HOUR, id="1", revision=3)
    retraction = event("notification_bounced", T0, id="2", retracts="1", revision=2)
    assert only(old, retraction, new).versions == (new,)


def test_a_retraction_in_another_feed_means_another_event() -> None:
    event_ = told(T0, id="1")
    retraction = event("notification_bounced", T0, id="2", retracts="1", feed="sending-log")
    assert only(event_, retraction).versions == (event_,)


def test_a_retraction_that_is_taken_back_takes_nothing_out() -> None:
    event_ = told(T0, id="1")
    retraction = event("notification_bounced", T0, id="2", retracts="1")
    undone = event("notification_bounced", T0 + HOUR, id="3", retracts="2")
    assert only(undone, retraction, event_).versions == (event_,)


def test_a_circle_of_retractions_ends_and_touches_nothing_else() -> None:
    one = event("notification_bounced", T0, id="1", retracts="2")
    two = event("notification_bounced", T0, id="2", retracts="1")
    other = told(T0, id="3")
    assert only(one, two, other).versions == (other,)


def test_a_retraction_that_was_amended_takes_out_what_its_newest_version_names() -> None:
    """The source first named line 1, and corrected itself: it was line 2 that bounced."""
    one, two = told(T0, id="1"), told(T0 + HOUR, id="2")
    first = event("notification_bounced", T0 + 2 * HOUR, id="3", retracts="1")
    corrected = event("notification_bounced", T0 + 2 * HOUR, id="3", retracts="2", revision=1)
    assert only(one, two, first, corrected).versions == (one,)


def test_an_amended_event_is_known_since_its_start_was_first_told() -> None:
    """A spelling mended at noon does not make the contact news of noon."""
    first = contact(T0, id="1", received=T0 + MINUTE)
    mended = contact(T0, id="1", revision=1, received=T0 + 9 * HOUR, unit="team-a")
    assert only(mended, first).known_at == T0 + MINUTE


def test_a_start_that_was_moved_is_known_since_it_was_moved() -> None:
    first = contact(T0 + HOUR, id="1", received=T0 + 2 * HOUR)
    moved = contact(T0, id="1", revision=1, received=T0 + 9 * HOUR)
    assert only(moved, first).known_at == T0 + 9 * HOUR


def test_told_twice_it_is_known_since_the_first_telling() -> None:
    """Whichever of the two is read first."""
    early = contact(T0, id="1", received=T0 + MINUTE)
    again = early._replace(received_at=T0 + 5 * HOUR)
    for order in permutations([early, again]):
        assert only(*order).known_at == T0 + MINUTE


@given(histories(), st.data())
def test_order_and_repetition_do_not_matter(events: list[Event], data: st.DataObject) -> None:
    """Law 1: the same accepted events give the same facts, and the same is set aside."""
    shuffled = data.draw(st.permutations(events + events[:3]))
    assert _said(live_facts(shuffled)) == _said(live_facts(events))


def _said(timeline: Timeline) -> tuple[tuple[Fact, ...], set[tuple[Event, SetAside]]]:
    return timeline.facts, set(timeline.set_aside)


@given(histories())
def test_every_version_counts_or_is_set_aside(events: list[Event]) -> None:
    """Law 2, within a case: nothing is lost and nothing is in two places."""
    timeline = live_facts(events)
    counting = [version for fact in timeline.facts for version in fact.versions]
    aside = [version for version, _ in timeline.set_aside]
    assert _untimed(counting + aside) == _untimed(set(events))


def _untimed(events: Iterable[Event]) -> list[Event]:
    """Without the time of receipt: what is told again counts as known since it was first told."""
    return sorted(event._replace(received_at=0) for event in events)
