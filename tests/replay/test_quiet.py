"""What is folded at once comes out as what is lived through receipt by receipt."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from monitor.model import HOUR, MINUTE, Event
from monitor.replay.hearing import ALWAYS_HEARD
from monitor.replay.quiet import NEVER, NOT_SURE, Quiet
from monitor.replay.replay import Replayed, Replayer, _Life
from tests.clocks.histories import (
    GENERATED_BOOK,
    T0,
    TOLERANCES,
    book,
    contact,
    event,
    generated_events,
    regraded,
    responsible,
    rule,
    told,
)
from tests.escalate.desk import EVERYBODY

UNTIL = T0 + 96 * HOUR
EACH = book(rule(for_each=["child", "organisation"]), rule(id="each", each_start=True))
BOOKS = (GENERATED_BOOK, EACH, book(rule(applies={"risk": ["medium", "none"]})))


@st.composite
def growing_histories(draw: st.DrawFn) -> list[Event]:
    """Histories that mostly grow and never turn, so that much of them may be folded at once."""
    events = [contact(T0, child="a", organisation="eastshire", partner="council")]
    for number, each in enumerate(draw(st.lists(generated_events(), max_size=6))):
        plain = each._replace(identity=b"own %d" % number, revision=0, retracts=b"")
        if draw(st.integers(0, 9)):
            organisation = plain.organisation and "eastshire"
            plain = plain._replace(child=plain.child and "a", organisation=organisation)
        if draw(st.integers(0, 4)):
            plain = plain._replace(risk=plain.risk and "medium", category="")
        if draw(st.integers(0, 2)):
            early = plain.occurred_from % (3 * HOUR)
            plain = plain._replace(received_at=T0 + MINUTE + early)
        events.append(plain)
    return events


@given(events=growing_histories(), rules=st.sampled_from(BOOKS))
@example([contact(T0, id="1"), told(T0 + HOUR, id="2")], BOOKS[0])
def test_what_is_folded_at_once_comes_out_the_same(events: list[Event], rules: object) -> None:
    assert rules in BOOKS
    rulebook = next(each for each in BOOKS if each is rules)
    at_once = Replayer(rulebook, EVERYBODY, TOLERANCES).replay(events, until=UNTIL)
    life = _Life(rulebook, EVERYBODY, TOLERANCES, ALWAYS_HEARD)
    received = sorted(events, key=lambda each: each.received_at)
    each_by_each = life.live([e for e in received if e.received_at <= UNTIL], until=UNTIL)
    assert _comparable(at_once) == _comparable(each_by_each)


def _comparable(lived: Replayed) -> tuple[object, ...]:
    clocks = [
        (each.reference, replace(each.kept, id=0, inherits=()), each.verdict)
        for each in lived.clocks
    ]
    # What is told in one instant comes in the order in which clocks were first known.
    told_of = sorted(lived.told, key=lambda each: (each.at, each.clock, each.rung, each.recipient))
    return told_of, clocks


def _until(*events: Event) -> int:
    return Quiet(EACH).until(sorted(events, key=lambda each: each.received_at))


NAMED = contact(T0, child="a"), responsible(T0, "eastshire", received=T0 + MINUTE)


def test_nobody_is_told_before_the_first_warning() -> None:
    assert _until(*NAMED, told(T0 + HOUR)) == T0 + 3 * HOUR


def test_nobody_is_told_of_what_starts_nothing() -> None:
    assert _until(told(T0)) == NEVER


def test_a_history_that_turns_is_lived_through() -> None:
    """Amended, retracted, linked, regraded, or a child or an organisation named later."""
    asking = Quiet(book(rule(applies={"risk": ["high"]})))
    assert asking.until([contact(risk="high"), regraded(T0 + HOUR, risk="medium")]) == NOT_SURE
    again = contact(T0, id="1"), contact(T0 + HOUR, id="1", revision=1)
    assert _until(*again) == NOT_SURE
    assert _until(contact(T0, id="1"), event("contact", T0, id="2", retracts="1")) == NOT_SURE
    assert _until(contact(T0), contact(T0, links="PPN-2027-004212")) == NOT_SURE
    assert _until(*NAMED, contact(T0 + HOUR, child="b")) == NOT_SURE
    assert _until(*NAMED, responsible(T0 + HOUR, "westshire")) == NOT_SURE
