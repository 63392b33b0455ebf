"""What is counted of the store is what a plain reckoning over its events and mails says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from monitor.assess.assess import assess_cases
from monitor.clocks.steps import Step, first_done
from monitor.clocks.timeline import live_facts
from monitor.cycle import counting
from monitor.cycle.counting import _steps_done, said, way_of_notices
from monitor.cycle.parts import Monitor
from monitor.escalate.orders import about_case, about_clock, about_rule, about_rule_of_case
from monitor.model import DAY, HOUR, MINUTE, AlertKind, Event, Instant
from monitor.report.periods import Week
from monitor.report.stages import StepNames
from monitor.store import actions, cases, intakes
from monitor.store.engine import Connection, Engine, reading, writing
from monitor.store.tables import alert, case_, clock, message
from tests.clocks.histories import GENERATED_BOOK, T0, generated_events
from tests.replay.stages import emptied
from tests.store import world
from tests.store.weekly_clocks import LONDON

NAMES = StepNames(
    ("contact", "notice_submitted", "triaged"), "partner_notified", "notification_confirmed"
)
SPAN: dict[str, Any] = {"since": T0 - DAY, "until": T0 + 9 * DAY, "where": {}}
REFERENCES = ("PPN-2027-004211", "PPN-2027-004212", "PPN-2027-004213", "PPN-2027-004214")

# -- the way of a notice ----------------------------------------------------------------------


@st.composite
def files(draw: st.DrawFn) -> list[list[Event]]:
    """Files of four cases: amended, taken back, linked, and moved from case to case."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        feed = draw(st.sampled_from(("occurrence", "sending-log")))
        events = draw(st.lists(generated_events(), min_size=1, max_size=8))
        found.append([_placed(draw, each, feed, number) for each in events])
    return found


def _placed(draw: st.DrawFn, each: Event, feed: str, number: int) -> Event:
    reference = draw(st.sampled_from(REFERENCES))
    links = draw(st.sampled_from(("",) * 9 + REFERENCES))
    own = each.identity
    if draw(st.integers(0, 2)):
        own = b"%b-%b-%d" % (reference[-1].encode(), own, draw(st.integers(0, 3)))
    return each._replace(
        feed=feed,
        reference=reference,
        links="" if links == reference else links,
        identity=own,
        content=b"%b-%b-%b-%d" % (each.content[:9], reference[-1:].encode(), own, number),
    )


def _take_in(engine: Engine, told: Iterable[list[Event]], undone: int | None) -> None:
    begun = []
    for place, part in enumerate(told):
        now = T0 + place * HOUR
        with writing(engine) as connection:
            begun.append(world.new_intake(connection, feed=part[0].feed, now=now))
        world.take_in(engine, *part, book=GENERATED_BOOK, intake_id=begun[-1], now=now)
    if undone is None:
        return
    with writing(engine) as connection:
        intake = begun[undone % len(begun)]
        intakes.lock_cases_of(connection, intake)
        number = actions.record_action(
            connection, kind="undo", target=f"intake {intake}", actor="op", now=T0
        )
        changed = intakes.undo_intake(connection, intake, number=number)
        assess_cases(connection, changed, GENERATED_BOOK, tolerances={}, now=T0)


def _by_hand(connection: Connection) -> dict[int, dict[Step, Instant]]:
    """Case with a duty to a partner → its steps, by folding every one."""
    joined: defaultdict[int, list[int]] = defaultdict(list)
    for id_, merged in connection.execute(select(case_.c.id, case_.c.merged_into)):
        joined[merged or id_].append(id_)
    due = {
        case_id
        for case_id, partner, due_at, gone in connection.execute(
            select(clock.c.case_id, clock.c.partner, clock.c.due_at, clock.c.superseded_at)
        )
        if partner and due_at and SPAN["since"] <= due_at < SPAN["until"] and gone is None
    }
    found = {}
    for root in due:
        parts = cases.events_of(connection, joined[root]).values()
        told = [each for part in parts for each in part]
        found[root] = first_done(live_facts(told).facts, NAMES.kinds)
    return {root: steps for root, steps in found.items() if steps}


def _compare_steps(engine: Engine, told: list[list[Event]], undone: int | None) -> bool:
    _take_in(emptied(engine), told, undone)
    with reading(engine) as connection:
        found = _steps_done(connection, NAMES, SPAN)
        assert {case_id: steps for case_id, steps in found.items() if steps} == _by_hand(connection)
        return bool(found)


def _at(kind: str, hours: int, reference: str = REFERENCES[0], **said: Any) -> Event:
    usual = {"category": "physical_abuse", "feed": "occurrence"}
    return world.told(reference, kind, T0 + hours * HOUR, **(usual | said))


_LINKED = [
    [_at("contact", 0), _at("contact", 1, REFERENCES[1], links=REFERENCES[0])],
    [_at("triaged", 3, REFERENCES[1]), _at("partner_notified", 4, partner="council")],
    [_at("partner_notified", 2, REFERENCES[1], partner="council")],
]
_TOLD_TWICE_IN_JOINED_CASES = [
    [_at("contact", 5, identity=b"1"), _at("contact", 1, REFERENCES[1], links=REFERENCES[0])],
    [_at("contact", 9, REFERENCES[1], identity=b"1", revision=1)],
]


def test_steps_by_the_set_are_those_of_every_case_folded(empty: Engine) -> None:
    """Amended, contradicted, taken back, linked, moved and undone."""
    some = 0

    @given(told=files(), undone=st.none() | st.integers(0, 3))
    @example(told=_LINKED, undone=None)
    @example(told=_LINKED, undone=2)
    @example(told=_TOLD_TWICE_IN_JOINED_CASES, undone=None)
    def compare(told: list[list[Event]], undone: int | None) -> None:
        nonlocal some
        some += _compare_steps(empty, told, undone)

    compare()
    assert some > 10  # else hardly any history had a duty


@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
def test_that_it_would_find_steps_that_were_not_weighed(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.store.steps.weighed", lambda *_, **__: set())

    @settings(max_examples=300, phases=[Phase.generate], database=None)
    @given(told=files())
    def compare(told: list[list[Event]]) -> None:
        _compare_steps(empty, told, None)

    with pytest.raises(AssertionError):
        compare()


_SETTINGS: Any = SimpleNamespace(
    told="partner_notified",
    acknowledged="notification_confirmed",
    notice="notice_submitted",
    quality={"child_views": "what the child says"},
)
_INSTALLED: Any = SimpleNamespace(
    rulebook=world.rulebook(), zone=LONDON, settings=SimpleNamespace(digest=_SETTINGS)
)
MONITOR = cast("Monitor", _INSTALLED)
BOOK = world.rulebook()
MONDAY = Week.parse("2027-W02").first(LONDON)
WEEK = Week.parse("2027-W02")


def test_the_way_of_a_week_is_of_the_cases_whose_first_duty_fell_due_in_it(empty: Engine) -> None:
    """The council's duty of four hours before midnight on Sunday is of that week; after, of none.

    A notice quickens nothing: what it records is counted beside.
    """
    yes: dict[str, Any] = {"attributes": (("child_views", "yes"),)}
    no: dict[str, Any] = {"attributes": (("child_views", "no"),)}
    sunday = WEEK.end(LONDON)
    for reference, start, said_of_child in (
        ("before", MONDAY - 5 * HOUR, yes),  # its council duty is of the week before
        ("first", MONDAY - 4 * HOUR, yes),
        ("last", sunday - 4 * HOUR - 1, no),
        ("after", sunday - 4 * HOUR, yes),
    ):
        world.take_in(
            empty,
            world.told(reference, at=start),
            world.told(reference, "notice_submitted", start + HOUR, **said_of_child),
            book=BOOK,
        )
    with reading(empty) as connection:
        found = way_of_notices(MONITOR, connection, WEEK, now=sunday + DAY, where={})
    assert found.cases == 2
    assert (found.completeness.notices, found.completeness.recorded) == (
        2,
        (("what the child says", 1),),
    )
    submitted, *waiting = found.steps
    assert (submitted.step, submitted.span.number) == (Step("notice_submitted", ""), 2)
    assert submitted.span.longest == HOUR
    # Nobody told the council of either; only the first's duty to the board fell due by Sunday.
    assert {each.step: each.span.number for each in waiting} == {
        Step("partner_notified", "council"): 2,
        Step("partner_notified", "health"): 1,
    }


# -- taken within two hours -------------------------------------------------------------------

SENT = world.T0 + 10 * HOUR
PERIOD: dict[str, Any] = {"since": world.T0, "until": world.T0 + DAY, "where": {}}


def _sent(engine: Engine, reference: str = "a") -> int:
    """A case whose council clock somebody was told of; the clock's number."""
    world.take_in(engine, world.told(reference, feed="desk"), book=BOOK)
    kept = {key.rule: each for key, each in world.kept(engine, reference).items()}
    clock_id = kept["tell-council"].id
    with writing(engine) as connection:
        _say(connection, clock_id, SENT, reference)
    return clock_id


def _say(connection: Connection, clock_id: int, sent: Instant | None, name: str) -> None:
    (message_id,) = connection.execute(
        insert(message)
        .values(
            kind="alerts",
            address="desk@force.example",
            role="desk",
            message_id=f"<{name}@force.example>",
            state="sent" if sent else "queued",
            sent_at=sent,
            created_at=SENT,
        )
        .returning(message.c.id)
    ).one()
    connection.execute(
        insert(alert).values(
            clock_id=clock_id,
            episode=1,
            rung=f"rung {name}",
            repeat=0,
            recipient="desk@force.example",
            kind=AlertKind.OVERDUE.value,
            role="desk",
            reason="",
            rung_at=SENT,
            decided_at=SENT - MINUTE,
            state="in message",
            message_id=message_id,
        )
    )


def _take(engine: Engine, target: str, at: Instant, kind: str = "take") -> None:
    with writing(engine) as connection:
        actions.record_action(connection, kind=kind, target=target, actor="op", now=at)


def _taken(engine: Engine, **changes: Any) -> int:
    with reading(engine) as connection:
        return said(connection, **(PERIOD | changes)).taken


@pytest.mark.parametrize(
    ("after", "counts"),
    [(-1, 0), (0, 1), (2 * HOUR, 1), (2 * HOUR + 1, 0)],
    ids=["before", "at once", "two hours", "later"],
)
def test_a_take_counts_within_two_hours_of_the_mail(empty: Engine, after: int, counts: int) -> None:
    clock_id = _sent(empty)
    _take(empty, about_clock(clock_id), SENT + after)
    assert _taken(empty) == counts


@pytest.mark.parametrize(
    ("target", "counts"),
    [
        (about_case("a"), 1),
        (about_rule_of_case("a", "tell-council"), 1),
        (about_rule_of_case("a", "tell-health"), 0),
        (about_case("b"), 0),
        (about_rule("tell-council"), 0),
        (about_clock(10_000), 0),
    ],
)
def test_whoever_takes_the_case_or_its_rule_takes_the_clock(
    empty: Engine, target: str, counts: int
) -> None:
    _sent(empty)
    _take(empty, target, SENT + HOUR)
    assert _taken(empty) == counts


def test_taking_a_joined_case_by_its_own_reference_counts(empty: Engine) -> None:
    world.take_in(empty, world.told("b", links="a", feed="desk"), book=BOOK)
    _sent(empty)
    _take(empty, about_case("b"), SENT + HOUR)
    assert _taken(empty) == 1


def test_what_a_clock_carries_on_is_taken_with_it(empty: Engine) -> None:
    """A clock that another replaced was taken: whoever took it answers for this one."""
    clock_id = _sent(empty)
    with writing(empty) as connection:
        this = update(clock).where(clock.c.id == clock_id)
        connection.execute(this.values(inherits=[777]))
    _take(empty, about_clock(777), SENT + HOUR)
    assert _taken(empty) == 1


def test_an_alert_is_taken_once_however_often_somebody_says_so(empty: Engine) -> None:
    clock_id = _sent(empty)
    for target in (about_clock(clock_id), about_case("a"), about_case("a")):
        _take(empty, target, SENT + HOUR)
    assert _taken(empty) == 1


def test_each_mail_has_two_hours_of_its_own(empty: Engine) -> None:
    clock_id = _sent(empty)
    with writing(empty) as connection:
        _say(connection, clock_id, SENT + 3 * HOUR, "second")
        _say(connection, clock_id, None, "not yet sent")
    _take(empty, about_clock(clock_id), SENT + 4 * HOUR)
    assert _taken(empty) == 1
    _take(empty, about_clock(clock_id), SENT + HOUR)
    assert _taken(empty) == 2


def test_other_actions_other_districts_and_other_weeks_take_nothing(empty: Engine) -> None:
    clock_id = _sent(empty)
    _take(empty, about_clock(clock_id), SENT + HOUR, kind="snooze")
    assert _taken(empty) == 0
    _take(empty, about_clock(clock_id), SENT + HOUR)
    assert _taken(empty) == 1
    assert _taken(empty, where={"district": "west"}) == 0
    assert _taken(empty, until=SENT - MINUTE) == 0


def test_a_longer_while_is_found(empty: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """That this can fail."""
    monkeypatch.setattr(counting, "TAKEN_SOON", 3 * HOUR)
    clock_id = _sent(empty)
    _take(empty, about_clock(clock_id), SENT + 2 * HOUR + 1)
    assert _taken(empty) == 1
