"""What a clock owes now: to whom it is told, what is taken back, what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clocks.agenda import after_hold, agenda
from monitor.clocks.verdicts import is_closed, verdict
from monitor.escalate.decide import (
    IN_TIME_OR_NOT_OWED,
    NOT_YET_DUE,
    FeedHeard,
)
from monitor.escalate.orders import orders
from monitor.model import (
    DAY,
    HOUR,
    MINUTE,
    Alert,
    AlertKind,
    Event,
    Instant,
    KeptClock,
    SaidAlert,
    Verdict,
)
from monitor.rulebook.language import Rung
from tests.clocks.histories import (
    DEFER,
    GENERATED_BOOK,
    LADDER,
    T0,
    book,
    contact,
    decided,
    event,
    histories,
    rule,
    told,
)
from tests.escalate.desk import ROLES, Desk, address, roster
from tests.worktime.shipped import shipped

DUE = T0 + 4 * HOUR
END = T0 + 6 * DAY


def a_desk(**written: Any) -> Desk:
    """A desk with one rule: four hours, holder, inspector an hour and on-call four hours after."""
    return Desk(book(rule(**written)))


def alerts(desk: Desk) -> list[tuple[str, str, str]]:
    """(rung, role, kind) of everything said to somebody so far."""
    return [
        (told.alert.rung, told.alert.role, str(told.alert.kind))
        for told in desk.said
        if told.alert.recipient
    ]


def last(desk: Desk) -> Alert:
    """The newest alert."""
    return desk.said[-1].alert


def at_each(desk: Desk, *instants: Instant) -> None:
    """Sweep and hand over at these instants."""
    for now in instants:
        desk.sweep(now=now)
        desk.hand_over(now=now)


# -- telling ----------------------------------------------------------------------------------


def test_each_step_is_told_when_it_comes_and_once() -> None:
    desk = a_desk()
    desk.learn([contact(T0)], now=T0)
    instants = (DUE - HOUR, DUE, DUE + 1, DUE + 1, DUE + HOUR + 1, DUE + 4 * HOUR + 1)
    at_each(desk, *instants)
    assert alerts(desk) == [
        ("rung 1", "sergeant", "warning"),
        ("rung 2", "sergeant", "overdue"),
        ("rung 3", "inspector", "overdue"),
        ("rung 4", "on_call", "overdue"),
    ]


def test_missed_steps_give_each_person_the_highest_that_person_holds() -> None:
    """The sergeant need not be warned of what is overdue."""
    desk = a_desk()
    desk.learn([contact(T0)], now=T0)
    at_each(desk, DUE + 5 * HOUR)
    assert alerts(desk) == [
        ("rung 2", "sergeant", "overdue"),
        ("rung 3", "inspector", "overdue"),
        ("rung 4", "on_call", "overdue"),
    ]
    assert all("told later than planned" in told.alert.reason for told in desk.said)


@pytest.mark.parametrize(
    ("stage", "holder"),
    [("", "sergeant"), ("notice_submitted", "supervisor"), ("triaged", "mash")],
)
def test_the_holder_is_whoever_has_the_case(stage: str, holder: str) -> None:
    desk = a_desk()
    events = [contact(T0)] + ([event(stage, T0 + HOUR)] if stage else [])
    desk.learn(events, now=T0 + HOUR)
    at_each(desk, DUE - HOUR)
    assert last(desk).recipient == address(holder)


def test_learnt_after_due_it_begins_with_the_holder() -> None:
    typed = DUE + 6 * HOUR
    desk = a_desk()
    desk.learn([contact(T0, received=typed)], now=typed)
    at_each(desk, typed + 1, typed + HOUR, typed + HOUR + 1)
    assert alerts(desk) == [
        ("rung 2", "sergeant", "overdue"),
        ("rung 3", "inspector", "overdue"),
    ]
    assert all("learnt after it was due" in told.alert.reason for told in desk.said)


def test_where_nobody_can_be_told_that_is_kept_and_the_fallback_told() -> None:
    posts = [{"role": role, "address": address(role)} for role in ROLES if role != "inspector"]
    desk = Desk(book(rule()), roster=roster(posts=posts))
    desk.learn([contact(T0)], now=T0)
    at_each(desk, DUE + 1, DUE + HOUR + 1)
    nobody, instead = desk.said[-2].alert, desk.said[-1].alert
    assert (nobody.recipient, nobody.asked_role) == ("", "inspector")
    assert (instead.recipient, instead.asked_role) == (address("desk"), "inspector")
    assert "nobody holds the role" in instead.reason


def on_duty_by_day(*, wakes: bool) -> Desk:
    """The inspector keeps the hub's hours, and the desk answers for them at night."""
    roles: dict[str, dict[str, str]] = {role: {"title": role} for role in ROLES}
    roles["inspector"] |= {"hours": "mash", "out_of_hours": "desk"}
    keeping = replace(roster(roles=roles), hours={"mash": shipped("mash")})
    return Desk(book(rule(wakes=wakes)), roster=keeping)


def warned_by_day(*, wakes: bool) -> Desk:
    """The inspector, who keeps the hub's hours, is warned; the sergeant is told when it is due."""
    roles: dict[str, dict[str, str]] = {role: {"title": role} for role in ROLES}
    roles["inspector"] |= {"hours": "mash"}
    keeping = replace(roster(roles=roles), hours={"mash": shipped("mash")})
    rungs = [
        Rung.model_validate({"at": "1h before due", "tell": "inspector"}),
        Rung.model_validate({"at": "when due", "tell": "holder"}),
    ]
    ladder = LADDER.model_copy(update={"rungs": tuple(rungs), "repeat": None})
    return Desk(book(rule(wakes=wakes), ladder=ladder), roster=keeping)


def test_off_duty_a_rule_that_may_wake_tells_the_out_of_hours_role() -> None:
    """T0 is a Monday evening: the rung falls at 23:47."""
    desk = on_duty_by_day(wakes=True)
    desk.learn([contact(T0)], now=T0)
    at_each(desk, DUE + 1, DUE + HOUR + 1)
    assert (last(desk).role, last(desk).asked_role) == ("desk", "inspector")
    assert last(desk).reason.endswith("inspector is off duty")


def test_off_duty_another_rule_waits_and_nobody_above_is_told_before() -> None:
    """The on-call role could be told at 02:47; it comes after the inspector, at 08:00."""
    desk = on_duty_by_day(wakes=False)
    desk.learn([contact(T0)], now=T0)
    at_each(desk, DUE + 1, DUE + HOUR + 1, DUE + 4 * HOUR + 1)
    assert alerts(desk) == [("rung 2", "sergeant", "overdue")]
    opening = desk.next_action_at()
    assert opening == T0 + 13 * HOUR + 13 * MINUTE
    at_each(desk, opening)
    above = [("rung 3", "inspector", "overdue"), ("rung 4", "on_call", "overdue")]
    assert alerts(desk)[1:] == above
    assert "waited for duty hours" in desk.said[1].alert.reason


def test_a_warning_that_waits_for_duty_holds_back_nobody_once_it_is_overdue() -> None:
    """Whoever would have been warned comes on duty on the next day; the holder is on duty now."""
    desk = warned_by_day(wakes=False)
    desk.learn([contact(T0)], now=T0)
    at_each(desk, DUE - HOUR)
    assert alerts(desk) == []
    assert desk.next_action_at() == DUE + 1
    at_each(desk, DUE + 1)
    assert alerts(desk) == [("rung 2", "sergeant", "overdue")]


def test_a_deferral_holds_every_step_and_lapses_into_one_telling() -> None:
    desk = a_desk(defer=DEFER)
    lapse = DUE + 2 * HOUR
    deferred = decided(T0 + HOUR, "deferred", review=lapse)
    desk.learn([contact(T0), deferred], now=T0 + HOUR)
    at_each(desk, DUE - HOUR, DUE + 1, lapse - 1)
    assert alerts(desk) == []
    at_each(desk, lapse)
    assert alerts(desk) == [("rung 2", "sergeant", "overdue"), ("rung 3", "inspector", "overdue")]
    assert all("was deferred" in told.alert.reason for told in desk.said)


# -- waiting for feeds ------------------------------------------------------------------------


def watching(**heard: Instant | None) -> Desk:
    """A desk whose stop may come by a feed that is up to an hour late."""
    desk = a_desk(stop_feeds=["sending_log"])
    desk.feeds = {name: FeedHeard(at, HOUR) for name, at in heard.items()}
    desk.learn([contact(T0)], now=T0)
    return desk


@pytest.mark.parametrize("heard", [None, DUE - 1, DUE])
def test_the_first_step_waits_for_a_feed_that_was_not_heard_past_due(heard: Instant | None) -> None:
    desk = watching(sending_log=heard)
    at_each(desk, DUE - HOUR, DUE + 1, DUE + HOUR - 1)
    assert alerts(desk) == [("rung 1", "sergeant", "warning")]
    (kept,) = desk.kept.values()
    assert (kept.waits_for, kept.next_action_at) == ("sending_log", DUE + HOUR)
    at_each(desk, DUE + HOUR)
    assert last(desk).reason == "overdue; unconfirmed: sending_log not heard since due"


def test_a_feed_heard_past_due_lets_it_go_at_once() -> None:
    desk = watching(sending_log=DUE + 1)
    at_each(desk, DUE + 1)
    assert (last(desk).rung, last(desk).reason) == ("rung 2", "overdue")


def test_higher_steps_wait_six_hours_for_the_feed() -> None:
    """They reach more people."""
    desk = watching(sending_log=T0)
    at_each(desk, DUE - HOUR, DUE + HOUR, DUE + 4 * HOUR + 1, DUE + 6 * HOUR - 1)
    assert alerts(desk)[1:] == [("rung 2", "sergeant", "overdue")]
    at_each(desk, DUE + 6 * HOUR)
    above = [("rung 3", "inspector", "overdue"), ("rung 4", "on_call", "overdue")]
    assert alerts(desk)[2:] == above
    assert all("unconfirmed" in told.alert.reason for told in desk.said[1:])


def test_a_feed_that_the_monitor_does_not_know_is_no_reason_to_wait() -> None:
    desk = watching()
    at_each(desk, DUE + 1)
    assert last(desk).reason == "overdue"


def test_learnt_late_it_waits_for_a_feed_that_was_heard_before_it_was_known() -> None:
    """While a history is read, what stopped the clock may stand in the next file."""
    typed = DUE + 30 * DAY
    desk = a_desk(stop_feeds=["sending_log"])
    desk.feeds = {"sending_log": FeedHeard(typed - 1, HOUR)}
    desk.learn([contact(T0, received=typed)], now=typed)
    at_each(desk, typed + 1, typed + HOUR - 1)
    assert alerts(desk) == []
    desk.feeds = {"sending_log": FeedHeard(typed, HOUR)}
    at_each(desk, typed + HOUR)
    assert last(desk).reason == "overdue; learnt after it was due"


# -- taking back ------------------------------------------------------------------------------


def overdue_desk(*, handed_over: bool = True, **written: Any) -> Desk:
    """The sergeant and the inspector were told; or it was decided, and their mail still waits."""
    desk = a_desk(**written)
    desk.learn([contact(T0)], now=T0)
    for now in (DUE - HOUR, DUE + 1, DUE + HOUR + 1):
        desk.sweep(now=now)
    if handed_over:
        desk.hand_over(now=DUE + HOUR + 1)
    return desk


LATER = DUE + 2 * HOUR


@pytest.mark.parametrize(
    ("fact", "says", "withdrawn"),
    [
        (told(DUE, received=LATER), Verdict.MET, True),
        (told(DUE + 1, received=LATER), Verdict.LATE, False),
        (decided(DUE, "withheld", received=LATER), Verdict.EXEMPT, True),
        (decided(DUE + 1, "withheld", received=LATER), Verdict.LATE, False),
        (event("notice_withdrawn", DUE, received=LATER), Verdict.VOID, True),
        (event("notice_withdrawn", DUE + 1, received=LATER), Verdict.VOID, True),
    ],
)
def test_what_was_false_is_withdrawn_and_what_was_true_is_not(
    fact: Event, says: Verdict, *, withdrawn: bool
) -> None:
    desk = overdue_desk()
    desk.learn([contact(T0), fact], now=LATER)
    at_each(desk, LATER)
    (kept,) = desk.kept.values()
    assert verdict(kept.clock, now=LATER) is says
    taken = [told.alert for told in desk.said if told.alert.kind is AlertKind.WITHDRAWAL]
    expected = {address("sergeant"), address("inspector")} if withdrawn else set()
    assert {alert.recipient for alert in taken} == expected
    assert kept.next_action_at is None


def test_what_nobody_was_told_yet_is_cancelled_and_not_withdrawn() -> None:
    desk = overdue_desk(handed_over=False)
    desk.learn([contact(T0), told(DUE, received=LATER)], now=LATER)
    at_each(desk, LATER)
    assert {told.state for told in desk.said} == {"cancelled"}


def test_a_stop_that_is_taken_back_is_told_of_anew() -> None:
    """Whether the first alerts were sent and withdrawn, or never left."""
    stop = told(DUE, received=LATER, id="1")
    back = event("partner_notified", DUE, received=LATER + HOUR, id="2", retracts="1", revision=1)
    for handed_over in (True, False):
        desk = overdue_desk(handed_over=handed_over)
        desk.learn([contact(T0), stop], now=LATER)
        at_each(desk, LATER)
        desk.learn([contact(T0), stop, back], now=LATER + HOUR)
        at_each(desk, LATER + HOUR)
        (kept,) = desk.kept.values()
        assert kept.episode == 2
        again = [told.alert for told in desk.said if told.alert.episode == 2]
        assert {alert.recipient for alert in again} == {address("sergeant"), address("inspector")}


def test_a_due_time_that_moves_ahead_is_withdrawn_and_told_anew() -> None:
    desk = overdue_desk()
    moved = T0 + 4 * HOUR
    desk.learn([contact(moved, id="x", received=T0 + MINUTE)], now=LATER)
    at_each(desk, LATER)
    assert [told.alert.kind for told in desk.said[-2:]] == [AlertKind.WITHDRAWAL] * 2
    at_each(desk, moved + 3 * HOUR, moved + 4 * HOUR + 1)
    episodes = [(told.alert.rung, told.alert.episode) for told in desk.said[-2:]]
    assert episodes == [("rung 1", 2), ("rung 2", 2)]


def test_what_was_said_of_an_unknown_council_is_withdrawn_by_the_clock_of_the_known_one() -> None:
    """The placeholder takes nothing back itself."""
    desk = a_desk(for_each=["organisation"])
    desk.learn([contact(T0)], now=T0)
    at_each(desk, T0 + MINUTE, DUE + 1)
    known = event("organisation_responsible", T0, partner="council", organisation="eastshire")
    desk.learn([contact(T0), known], now=DUE + HOUR)
    at_each(desk, DUE + HOUR)
    assert AlertKind.WITHDRAWAL not in [told.alert.kind for told in desk.said]
    stop = told(DUE, organisation="eastshire", received=LATER)
    desk.learn([contact(T0), known, stop], now=LATER)
    at_each(desk, LATER)
    heir = desk.kept[2]
    assert [(told.alert.clock_id, told.alert.kind) for told in desk.said[-1:]] == [
        (heir.id, AlertKind.WITHDRAWAL)
    ]


# -- whatever happens -------------------------------------------------------------------------


class Acted(NamedTuple):
    """Something that a person does about whatever can be done so."""

    at: Instant
    what: str
    hours: int
    """Until when, for a take or a silence."""


@st.composite
def told_stories(draw: st.DrawFn) -> tuple[list[Event], Instant, Instant, list[Acted]]:
    """A generated history, a span in which mail is held, and what people do meanwhile."""
    held_from = T0 + draw(st.integers(0, 96)) * HOUR
    acts = st.builds(
        Acted,
        at=st.integers(0, 120).map(lambda hours: T0 + hours * HOUR + 7 * MINUTE),
        what=st.sampled_from(
            ["take", "pass", "pass to desk", "silence", "silence rule", "close", "end"]
        ),
        hours=st.integers(1, 30),
    )
    people = draw(st.lists(acts, max_size=6))
    held_until = held_from + draw(st.integers(0, 24)) * HOUR
    return draw(histories()), held_from, held_until, sorted(people)


@given(told_stories())
def test_whatever_happens_every_step_is_decided_once_and_every_falsehood_taken_back(
    story: tuple[list[Event], Instant, Instant, list[Acted]],
) -> None:
    """Laws 1, 3, 5 and 9 over whole histories, learnt in the order of their receipt.

    After every pass: no key was decided twice (the desk refuses it), deciding again tells nothing,
    nobody holds a false alert, and nobody lacks one that is due, unless somebody took it on,
    silenced or closed it; and what was passed on was told. What people do changes no verdict.
    """
    events, held_from, held_until, people = story
    desk = Desk(GENERATED_BOOK)
    for now in _passes(desk, events, held_until, people):
        desk.learn([e for e in events if e.received_at <= now], now=now)
        before = _verdicts(desk, now=now)
        for act in people:
            if act.at == now:
                _do(desk, act, now=now)
        desk.sweep(now=now)
        assert _verdicts(desk, now=now) == before
        if not held_from <= now < held_until:
            desk.hand_over(now=now)
            desk.sweep(now=now)
        _nothing_is_left_to_decide(desk, now=now)
        _nobody_holds_a_false_alert(desk, now=now)
        _nobody_lacks_an_alert(desk, now=now)
        _no_pass_is_lost(desk)


def _do(desk: Desk, act: Acted, *, now: Instant) -> None:
    """What a person can do now, done to every clock that it can be done to."""
    if act.what.startswith("silence"):
        rule = "council" if act.what == "silence rule" else ""
        desk.silence(now=now, until=now + act.hours * HOUR, rule=rule)
    if act.what == "end" and desk.actions:
        desk.end(desk.actions[-1], now=now)
    for kept in list(desk.kept.values()):
        says = verdict(kept.clock, now=now)
        if is_closed(kept.clock) or kept.clock.regraded_at is not None or _is_shut(desk, kept):
            continue
        if act.what == "take" and says is Verdict.OVERDUE:
            desk.take(kept, now=now, until=now + act.hours * HOUR)
        elif act.what == "close" and says is Verdict.OVERDUE:
            desk.close(kept, now=now)
        elif act.what.startswith("pass") and says in {Verdict.OVERDUE, *NOT_YET_DUE}:
            desk.pass_on(kept, now=now, to="desk" if act.what == "pass to desk" else "")


def _is_shut(desk: Desk, kept: KeptClock) -> bool:
    return orders(kept, desk.asked(kept), desk.about(kept)).closed is not None


def _verdicts(desk: Desk, *, now: Instant) -> list[Verdict]:
    return [verdict(kept.clock, now=now) for kept in desk.kept.values()]


def _no_pass_is_lost(desk: Desk) -> None:
    for kept in desk.kept.values():
        if is_closed(kept.clock) or kept.clock.regraded_at is not None or _is_shut(desk, kept):
            continue
        asked = orders(kept, desk.asked(kept), desk.about(kept))
        assert asked.to_tell(desk.about(kept)) == []


def _passes(
    desk: Desk, events: list[Event], held_until: Instant, people: Sequence[Acted] = ()
) -> Any:
    """Every instant at which something is learnt or happens by itself, as it comes up."""
    acted = (act.at for act in people)
    facts = sorted({held_until, *(e.received_at for e in events), *acted})
    now = T0 - 1
    while now < END:
        ahead = [at for at in facts if at > now]
        by_itself = desk.next_action_at()
        if by_itself is not None:
            assert by_itself > now, "the sweep left something undone"
            ahead.append(by_itself)
        now = min([*ahead, END])
        yield now


def _nothing_is_left_to_decide(desk: Desk, *, now: Instant) -> None:
    for kept in desk.kept.values():
        again = desk.decision(kept, now=now).alerts
        assert [alert for alert in again if alert.kind is not AlertKind.WITHDRAWAL] == []


def _nobody_holds_a_false_alert(desk: Desk, *, now: Instant) -> None:
    for kept in desk.kept.values():
        says = verdict(kept.clock, now=now)
        if says in IN_TIME_OR_NOT_OWED | NOT_YET_DUE and kept.id not in desk.inherited():
            assert [one for one in desk.standing(kept) if not _is_true(desk, one, now=now)] == []


def _holding(about: Sequence[SaidAlert]) -> set[str]:
    """Addresses whose last word on a clock is, or is about to be, that it is overdue."""
    holding: set[str] = set()
    for one in about:
        says_overdue = one.alert.kind is AlertKind.OVERDUE
        if says_overdue and (one.attempted or one.state == "pending"):
            holding.add(one.alert.recipient)
        elif one.attempted and one.alert.kind in (AlertKind.WITHDRAWAL, AlertKind.STOPPED_LATE):
            holding.discard(one.alert.recipient)
    return holding


def _is_true(desk: Desk, told: SaidAlert, *, now: Instant) -> bool:
    """Whether the clock that an alert was about first stands again, and is overdue."""
    return verdict(desk.kept[told.alert.clock_id].clock, now=now) is Verdict.OVERDUE


def _nobody_lacks_an_alert(desk: Desk, *, now: Instant) -> None:
    for kept in desk.kept.values():
        is_told = not is_closed(kept.clock) and kept.clock.regraded_at is None
        if verdict(kept.clock, now=now) is not Verdict.OVERDUE or not is_told:
            continue
        about = desk.about(kept)
        asked = orders(kept, desk.asked(kept), about)
        if asked.closed is not None or asked.resting(now) is not None:
            continue
        holding = _holding(about)
        duty = desk.rulebook.duty(kept.clock.key.rule, kept.clock.rule_version)
        for step in agenda(kept.clock, duty):
            if step.at is None or step.kind is not AlertKind.OVERDUE or step.role == "holder":
                continue
            if after_hold(kept.clock, step.at) <= now:
                assert address(step.role) in holding, step


# -- people -----------------------------------------------------------------------------------


def test_a_take_rests_what_waits_for_a_feed_too_and_says_so_afterwards() -> None:
    """Taken before the first alert could go: nothing until its end, then confirmed as it is."""
    desk = watching(sending_log=T0)
    at_each(desk, DUE - HOUR, DUE + HOUR)
    (kept,) = desk.kept.values()
    desk.take(kept, now=DUE + HOUR, until=DUE + 7 * HOUR)
    at_each(desk, DUE + HOUR, DUE + 7 * HOUR - 1)
    assert len(alerts(desk)) == 2
    at_each(desk, DUE + 7 * HOUR)
    assert [role for _, role, _ in alerts(desk)[2:]] == ["inspector", "on_call"]
    assert all(told.alert.reason.endswith("was taken") for told in desk.said[2:])


def test_the_latest_of_two_takes_counts() -> None:
    """Whoever takes it for a shorter time has it for a shorter time."""
    desk = overdue_desk()
    (kept,) = desk.kept.values()
    desk.take(kept, now=LATER, until=LATER + 9 * HOUR)
    desk.take(desk.kept[1], now=LATER, until=LATER + HOUR)
    at_each(desk, LATER)
    assert desk.next_action_at() == LATER + HOUR


def test_a_pass_leaves_out_the_role_that_passes() -> None:
    """The inspector says it is not for the inspector: the on-call role is told."""
    desk = a_desk()
    desk.learn([contact(T0)], now=T0)
    at_each(desk, DUE + 1)
    desk.pass_on(desk.kept[1], now=DUE + MINUTE, by="east inspector")
    at_each(desk, DUE + MINUTE)
    assert (last(desk).role, last(desk).rung) == ("on_call", "passed")
    at_each(desk, DUE + HOUR + 1, DUE + 4 * HOUR + 1)
    assert "rung 4" not in [rung for rung, _, _ in alerts(desk)]


def test_a_pass_after_the_last_step_reaches_the_fallback() -> None:
    desk = a_desk()
    desk.learn([contact(T0)], now=T0)
    at_each(desk, DUE + 200 * HOUR)
    desk.pass_on(desk.kept[1], now=DUE + 200 * HOUR)
    at_each(desk, DUE + 200 * HOUR)
    assert last(desk).role == "desk"


def test_before_due_a_pass_warns_and_the_ladder_keeps_its_steps() -> None:
    """Nobody is told that something is overdue which is not."""
    desk = a_desk()
    desk.learn([contact(T0)], now=T0)
    at_each(desk, DUE - HOUR)
    desk.pass_on(desk.kept[1], now=DUE - HOUR, to="supervisor")
    at_each(desk, DUE - HOUR, DUE + 1)
    assert alerts(desk) == [
        ("rung 1", "sergeant", "warning"),
        ("passed", "supervisor", "warning"),
        ("rung 2", "supervisor", "overdue"),
    ]


def test_a_case_that_moves_on_leaves_whoever_it_was_passed_to() -> None:
    desk = a_desk()
    desk.learn([contact(T0)], now=T0)
    desk.pass_on(desk.kept[1], now=T0 + HOUR, to="supervisor")
    at_each(desk, T0 + HOUR)
    desk.learn([contact(T0), event("triaged", T0 + 2 * HOUR)], now=T0 + 2 * HOUR)
    at_each(desk, DUE - HOUR)
    assert last(desk).role == "mash"


def test_a_late_stop_waits_for_the_next_mail_of_each_who_was_told() -> None:
    desk = overdue_desk()
    desk.learn([contact(T0), told(LATER, received=LATER)], now=LATER)
    at_each(desk, LATER)
    over = [one for one in desk.said if one.alert.kind is AlertKind.STOPPED_LATE]
    assert {one.alert.recipient for one in over} == {address("sergeant"), address("inspector")}
    assert {one.state for one in over} == {"pending"}


def test_before_due_a_pass_on_warns_the_next_and_takes_no_step_off_the_ladder() -> None:
    """The sergeant passes a warning on: the inspector is warned, both are told in their turn."""
    desk = a_desk()
    desk.learn([contact(T0)], now=T0)
    at_each(desk, DUE - HOUR)
    desk.pass_on(desk.kept[1], now=DUE - HOUR, by="sergeant")
    at_each(desk, DUE - HOUR, DUE + 1, DUE + HOUR + 1)
    assert alerts(desk)[1:] == [
        ("passed", "inspector", "warning"),
        ("rung 2", "sergeant", "overdue"),
        ("rung 3", "inspector", "overdue"),
    ]


def test_a_closed_telling_says_nothing_more_until_the_close_is_taken_back() -> None:
    desk = overdue_desk()
    before = len(desk.said)
    desk.close(desk.kept[1], now=LATER)
    at_each(desk, LATER, LATER + 50 * HOUR)
    assert len(desk.said) == before
    assert desk.next_action_at() is None
    desk.end(desk.actions[-1], now=LATER + 51 * HOUR)
    at_each(desk, LATER + 51 * HOUR)
    assert {told.alert.role for told in desk.said[before:]} == {"on_call"}


def test_a_closed_telling_takes_back_what_proves_false_all_the_same() -> None:
    """Law 9."""
    desk = overdue_desk()
    desk.close(desk.kept[1], now=LATER)
    at_each(desk, LATER)
    desk.learn([contact(T0), told(DUE, received=LATER + HOUR)], now=LATER + HOUR)
    at_each(desk, LATER + HOUR)
    assert last(desk).kind is AlertKind.WITHDRAWAL


@pytest.mark.parametrize("was_read", [True, False])
def test_a_late_stop_that_is_taken_back_tells_those_anew_who_had_read_it(was_read: bool) -> None:
    """They believe it done; whoever was not told yet holds the alert of before."""
    desk = overdue_desk()
    stop = told(LATER, received=LATER, id="1")
    back = event("partner_notified", LATER, received=LATER + HOUR, id="2", retracts="1", revision=1)
    desk.learn([contact(T0), stop], now=LATER)
    at_each(desk, LATER)
    for place, one in enumerate(desk.said):
        if one.alert.kind is AlertKind.STOPPED_LATE and was_read:
            desk.said[place] = one._replace(state="in message", attempted=True, sent_at=LATER)
    before = len(desk.said)
    desk.learn([contact(T0), stop, back], now=LATER + HOUR)
    at_each(desk, LATER + HOUR)
    anew = {one.alert.role for one in desk.said[before:]}
    assert anew == ({"sergeant", "inspector"} if was_read else set())
    states = {one.state for one in desk.said if one.alert.kind is AlertKind.STOPPED_LATE}
    assert states == ({"in message"} if was_read else {"cancelled"})
