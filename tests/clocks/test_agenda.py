"""When something can happen to a clock by itself."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given

from monitor.clocks.agenda import Step, after_hold, agenda, next_step_at
from monitor.clocks.fold import fold
from monitor.model import DAY, HOUR, AlertKind, Clock, ClockKey, Event
from monitor.rulebook.book import Duty
from monitor.rulebook.language import Ladder
from monitor.worktime.instants import parse_instant
from tests.clocks.histories import GENERATED_BOOK, LADDER, T0, TOLERANCES, book, histories, rule

DUE = T0 + 4 * HOUR
LATE = DUE + 1


def duty(ladder: Ladder = LADDER, **written: Any) -> Duty:
    return book(rule(**written), ladder=ladder).newest("council")


def clock(**facts: Any) -> Clock:
    plain = Clock(key=ClockKey("council"), rule_version=1, started_at=T0, due_at=DUE, known_at=T0)
    return plain._replace(**facts)


def times(clock: Clock, duty: Duty) -> dict[str, int | None]:
    return {
        step.rung if not step.repeat else f"repeat {step.repeat}": step.at
        for step in agenda(clock, duty)
    }


def test_rungs_hang_on_due_and_overdue_begins_a_microsecond_after() -> None:
    assert agenda(clock(), duty()) == [
        Step(None, "cannot route", 0, "holder", AlertKind.CANNOT_ROUTE),
        Step(DUE - HOUR, "rung 1", 0, "holder", AlertKind.WARNING),
        Step(LATE, "rung 2", 0, "holder", AlertKind.OVERDUE),
        Step(LATE + HOUR, "rung 3", 0, "inspector", AlertKind.OVERDUE),
        Step(LATE + 4 * HOUR, "rung 4", 0, "on_call", AlertKind.OVERDUE),
        Step(LATE + 16 * HOUR, "repeat", 1, "on_call", AlertKind.OVERDUE),
        Step(LATE + 28 * HOUR, "repeat", 2, "on_call", AlertKind.OVERDUE),
        Step(LATE + 40 * HOUR, "repeat", 3, "on_call", AlertKind.OVERDUE),
        Step(LATE + 52 * HOUR, "repeat", 4, "on_call", AlertKind.OVERDUE),
    ]


def test_learnt_late_it_begins_with_its_holder_and_the_delays_run_from_then() -> None:
    """Typed at 06:00 for a contact at 20:00 with 4 h: holder at 06:00, then 07:00, then 10:00."""
    typed = DUE + 6 * HOUR
    found = times(clock(known_at=typed), duty())
    assert (found["rung 1"], found["rung 2"]) == (None, typed)
    assert (found["rung 3"], found["rung 4"]) == (typed + HOUR, typed + 4 * HOUR)


def test_known_at_due_is_not_late_news() -> None:
    assert times(clock(known_at=DUE), duty())["rung 2"] == LATE


def test_a_lapsed_claim_begins_when_it_lapses() -> None:
    found = times(clock(stopped_at=T0 + HOUR, confirm_by=DUE + 12 * HOUR), duty())
    assert found["rung 2"] == DUE + 12 * HOUR + 1


def test_where_no_route_is_known_the_holder_is_told_at_once() -> None:
    assert times(clock(cannot_route=True), duty())["cannot route"] == T0


@pytest.mark.parametrize("alerts", ["off", "digest"])
def test_a_rule_that_may_not_alert_has_no_agenda(alerts: str) -> None:
    assert agenda(clock(), duty(alerts=alerts)) == []


def test_no_due_no_agenda() -> None:
    assert agenda(clock(due_at=None), duty()) == []


def test_rungs_never_fall_before_those_beneath_them() -> None:
    """A working day after due on a Friday is longer than ten hours: the order stays."""
    ladder = Ladder.model_validate(
        {
            "id": "urgent",
            "title": "Mixed",
            "version": 1,
            "rungs": [
                {"at": "1 working day after due", "tell": "holder"},
                {"at": "10h after due", "tell": "inspector"},
            ],
        }
    )
    friday = parse_instant("2027-03-12T17:00:00+00:00")
    office = duty(ladder, calendar="office", threshold="1 working day")
    found = times(clock(due_at=friday), office)
    monday = parse_instant("2027-03-15T17:00:00+00:00") + 1
    assert (found["rung 1"], found["rung 2"]) == (monday, monday)


def test_a_rung_past_the_calendar_s_end_does_not_fall_and_keeps_its_place() -> None:
    """A count of decided steps keeps its meaning."""
    ladder = Ladder.model_validate(
        {
            "id": "urgent",
            "title": "Long",
            "version": 1,
            "rungs": [
                {"at": "when due", "tell": "holder"},
                {"at": "3 working days after due", "tell": "inspector"},
            ],
        }
    )
    office = duty(ladder, calendar="office", threshold="1 working day")
    last = parse_instant("2027-12-31T17:00:00+00:00")
    steps = agenda(clock(due_at=last, known_at=T0), office)
    assert [(step.rung, step.at) for step in steps] == [
        ("cannot route", None),
        ("rung 1", last + 1),
        ("rung 2", None),
    ]


def test_the_next_step_is_the_first_that_was_not_decided() -> None:
    steps = agenda(clock(), duty())
    found = [next_step_at(clock(), steps, done) for done in (0, 1, 2, 3, len(steps))]
    assert found == [DUE - HOUR, DUE - HOUR, LATE, LATE + HOUR, None]


@pytest.mark.parametrize("ended", ["stopped_at", "exempt_at", "void_at", "superseded_at"])
def test_nothing_happens_to_a_closed_clock(ended: str) -> None:
    closed = clock(**{ended: T0})
    assert next_step_at(closed, agenda(closed, duty()), 0) is None


def test_nothing_happens_to_a_clock_that_was_regraded_after_due() -> None:
    left = clock(regraded_at=DUE + HOUR)
    assert next_step_at(left, agenda(left, duty()), 0) is None


@pytest.mark.parametrize(
    ("at", "told_at"),
    [(T0 - 1, T0 - 1), (T0, DUE), (DUE - 1, DUE), (DUE, DUE), (DUE + 1, DUE + 1)],
)
def test_a_deferral_moves_what_it_covers_to_its_end(at: int, told_at: int) -> None:
    assert after_hold(clock(held_from=T0, held_until=DUE), at) == told_at


def test_at_the_lapse_of_a_deferral_what_was_missed_is_told_once() -> None:
    """Every step it covered falls at its end; the next one keeps its own time."""
    held = clock(held_from=T0, held_until=LATE + 2 * HOUR)
    steps = agenda(held, duty())
    assert next_step_at(held, steps, 0) == LATE + 2 * HOUR
    assert next_step_at(held, steps, 4) == LATE + 4 * HOUR


@given(histories())
def test_steps_stand_in_order_of_time(events: list[Event]) -> None:
    """Whatever the case, nobody is told of a higher rung before a lower one."""
    for each in fold(events, GENERATED_BOOK, tolerances=TOLERANCES):
        governing = GENERATED_BOOK.duty(each.key.rule, each.rule_version)
        rungs = [s for s in agenda(each, governing) if s.rung != "cannot route"]
        timed = [step.at for step in rungs if step.at is not None]
        assert all(earlier <= later for earlier, later in pairwise(timed))


@given(histories())
def test_the_agenda_s_places_are_fixed_by_the_ladder(events: list[Event]) -> None:
    """Up to the repeats, every clock of a rule has the same steps."""
    for each in fold(events, GENERATED_BOOK, tolerances=TOLERANCES):
        governing = GENERATED_BOOK.duty(each.key.rule, each.rule_version)
        if each.due_at is not None:
            rungs = [step.rung for step in agenda(each, governing) if not step.repeat]
            assert rungs == ["cannot route", *(f"rung {number}" for number in range(1, 5))]


@given(histories())
def test_a_clock_that_can_still_be_told_of_has_a_next_step(events: list[Event]) -> None:
    """Open, with a due time and not out of its rule: something will happen by itself."""
    for each in fold(events, GENERATED_BOOK, tolerances=TOLERANCES):
        governing = GENERATED_BOOK.duty(each.key.rule, each.rule_version)
        ended = (each.stopped_at, each.exempt_at, each.void_at, each.superseded_at)
        is_open = each.due_at is not None and each.regraded_at is None
        if is_open and all(at is None for at in ended):
            at = next_step_at(each, agenda(each, governing), 0)
            assert at is not None
            assert at < each.due_at + 60 * DAY if each.due_at else False
