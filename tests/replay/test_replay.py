"""A replay tells and measures what the stages do over a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.escalate.roster import Roster
from monitor.model import DAY, HOUR, MINUTE, AlertKind, Event, Instant, KeptClock, Verdict
from monitor.replay.hearing import ALWAYS_HEARD, Hearing, Silence, Source
from monitor.replay.replay import Replayed, replay
from monitor.store.engine import Engine
from tests.clocks.histories import (
    RULES,
    T0,
    TOLERANCES,
    book,
    contact,
    event,
    histories,
    responsible,
    rule,
    told,
)
from tests.escalate.desk import EVERYBODY, ROLES, roster
from tests.replay.stages import Stages, database, emptied

BOOK = book(*(each.model_copy(update={"stop_feeds": ("sending-log",)}) for each in RULES))
UNTIL = T0 + 6 * DAY
HEARING = Hearing(
    sources={
        "sending-log": Source(
            every=HOUR,
            first_at=T0 + 30 * MINUTE,
            lag=70 * MINUTE,
            silences=(Silence(T0 + 10 * HOUR, T0 + 30 * HOUR),),
        )
    }
)
FEWER = settings(max_examples=max(20, settings().max_examples // 3))
"""Each example is lived through twice, once over a database."""

REFERENCES = ("PPN-2027-004211", "PPN-2027-004212", "PPN-2027-004213")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with database() as engine:
        yield engine


OFFICE_HOURS = {
    "roles": {
        **{role: {"title": role} for role in ROLES},
        "sergeant": {"title": "sergeant", "hours": "office", "out_of_hours": "inspector"},
        "inspector": {"title": "inspector", "hours": "office"},
    }
}
HALF_ON_DUTY = replace(roster(**OFFICE_HOURS), hours=BOOK.calendars)


def _agree(
    engine: Engine,
    events: Iterable[Event],
    *,
    hearing: Hearing = ALWAYS_HEARD,
    posts: Roster = EVERYBODY,
) -> Replayed:
    """Live through events in both ways, and hold every clock and everything told to each other."""
    events = list(events)
    stages = Stages(emptied(engine), BOOK, posts, dict(TOLERANCES), hearing)
    stages.live(events, until=UNTIL)
    lived = replay(
        stages.stored({each.reference for each in events}),
        rulebook=BOOK,
        roster=posts,
        tolerances=TOLERANCES,
        hearing=hearing,
        until=UNTIL,
    )
    assert sorted(lived.told) == sorted(stages.told())
    stored = {(reference, kept.clock.key): kept for reference, kept in stages.kept()}
    for reference, kept, _ in lived.clocks:
        real = stored.pop((reference, kept.clock.key))
        assert _without_ids(kept) == _without_ids(real)
    assert all(left.clock.superseded_at is not None for left in stored.values())
    return lived


def _without_ids(kept: KeptClock) -> KeptClock:
    """Numbers are given by who keeps it."""
    return replace(kept, id=0, case_id=0, revision=0, inherits=())


@FEWER
@given(events=histories())
def test_one_case_comes_out_as_in_the_stages(engine: Engine, events: list[Event]) -> None:
    _agree(engine, events)


@FEWER
@given(events=histories())
def test_feeds_that_are_late_or_silent_come_out_as_in_the_stages(
    engine: Engine, events: list[Event]
) -> None:
    """What waits for a feed goes when it is heard, or says that it is unconfirmed."""
    _agree(engine, events, hearing=HEARING)


@FEWER
@given(events=histories())
def test_duty_hours_come_out_as_in_the_stages(engine: Engine, events: list[Event]) -> None:
    _agree(engine, events, posts=HALF_ON_DUTY)


@st.composite
def linked_histories(draw: st.DrawFn) -> list[Event]:
    """Three references, joined and parted now and then."""
    events = [
        each._replace(reference=reference, identity=reference.encode() + each.identity)
        for reference in REFERENCES
        for each in draw(histories(largest=5))
    ]
    for number in range(draw(st.integers(0, 3))):
        one, other = draw(st.permutations(REFERENCES))[:2]
        at = T0 + draw(st.integers(0, 48)) * HOUR
        link = event("contact", at, id=f"link {number}", links=other, risk="medium")
        events.append(link._replace(reference=one, kind="reference_linked"))
        if draw(st.booleans()):
            parted = event("contact", at + 3 * HOUR, id=f"parted {number}")
            events.append(parted._replace(reference=one, retracts=link.identity))
    return events


@FEWER
@given(events=linked_histories())
def test_linked_cases_come_out_as_in_the_stages(engine: Engine, events: list[Event]) -> None:
    """What was said of one reference passes on to that which stands for all, and back."""
    _agree(engine, events)


# -- what a replay says -----------------------------------------------------------------------


def _lived(*events: Event, until: Instant = UNTIL, hearing: Hearing = ALWAYS_HEARD) -> Replayed:
    return replay(
        events,
        rulebook=book(rule(stop_feeds=["sending-log"])),
        roster=EVERYBODY,
        tolerances=TOLERANCES,
        hearing=hearing,
        until=until,
    )


def _kinds(lived: Replayed) -> list[tuple[str, str, int]]:
    """(kind, role, minutes after the first contact) of everything told."""
    return [(str(each.kind), each.role, (each.at - T0) // MINUTE) for each in lived.told]


def test_what_was_told_is_told_in_the_order_of_time() -> None:
    assert _kinds(_lived(contact(), until=T0 + 8 * HOUR)) == [
        ("warning", "sergeant", 180),
        ("overdue", "sergeant", 240),
        ("overdue", "inspector", 300),
    ]


def test_nothing_that_lies_ahead_is_looked_at() -> None:
    """At due itself it is not overdue; one microsecond later it is."""
    due = T0 + 4 * HOUR
    before = _lived(contact(), told(due + HOUR), until=due)
    assert [each.verdict for each in before.clocks] == [Verdict.DUE_SOON]
    after = _lived(contact(), told(due + HOUR), until=due + 1)
    assert [each.verdict for each in after.clocks] == [Verdict.OVERDUE]
    assert len(after.told) == len(before.told) + 1


def test_a_stop_that_is_recorded_later_takes_the_alert_back() -> None:
    """In time, learnt an hour after due: everybody who was told is told so."""
    stop = told(T0 + 3 * HOUR, received=T0 + 5 * HOUR)
    lived = _lived(contact(), stop)
    assert [each.verdict for each in lived.clocks] == [Verdict.MET]
    assert ("withdrawal", "sergeant", 300) in _kinds(lived)


def test_a_silent_feed_is_unknown() -> None:
    silent = Hearing(sources={"sending-log": Source(silences=(Silence(T0 + HOUR, None),))})
    lived = _lived(contact(), until=T0 + 5 * HOUR, hearing=silent)
    assert [each.verdict for each in lived.clocks] == [Verdict.UNKNOWN]
    assert lived.told[1].reason.startswith("overdue; unconfirmed")


def test_no_event_is_no_clock() -> None:
    assert _lived() == Replayed((), ())


def test_a_clock_that_ended_late_is_told_so_with_no_mail_of_its_own() -> None:
    lived = _lived(contact(), told(T0 + 6 * HOUR))
    assert {kind for kind, _, at in _kinds(lived) if at > 5 * 60} == {AlertKind.STOPPED_LATE}


def test_an_organisation_that_becomes_known_inherits_what_was_said() -> None:
    """The placeholder gave way, and is no clock that the events fold into."""
    each = rule(for_each=["organisation"])
    lived = replay(
        [contact(), responsible(T0 + 5 * HOUR, "eastshire")],
        rulebook=book(each),
        roster=EVERYBODY,
        tolerances={},
        until=T0 + 6 * HOUR,
    )
    assert [standing.kept.clock.key.organisation for standing in lived.clocks] == ["eastshire"]
    assert [str(one.kind) for one in lived.told].count("overdue") == 2
