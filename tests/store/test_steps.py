"""Which cases fell due, whether they wait, and which of their steps need no weighing."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, select

from monitor.model import DAY, HOUR, Instant
from monitor.store import rows, steps
from monitor.store.engine import reading, writing
from monitor.store.steps import DueCase, FirstDone, due_cases, first_done, members_of, weighed
from monitor.store.tables import clock
from tests.store.world import T0, case_id, rulebook, take_in, told

BOOK = rulebook()
KINDS = ("contact", "notice_submitted", "partner_notified")
SPAN: dict[str, Any] = {"since": T0, "until": T0 + DAY, "where": {}}


def _due(engine: Engine, *, as_of: Instant = T0 + 30 * DAY, **changes: Any) -> list[DueCase]:
    with reading(engine) as connection:
        return sorted(due_cases(connection, **(SPAN | changes), as_of=as_of))


def _done(engine: Engine, **changes: Any) -> list[FirstDone]:
    with reading(engine) as connection:
        apart = weighed(connection, **(SPAN | changes))
        return sorted(first_done(connection, KINDS, **(SPAN | changes), weighed=apart))


def _weighed(engine: Engine) -> set[int]:
    with reading(engine) as connection:
        return weighed(connection, **SPAN)


# -- what fell due ----------------------------------------------------------------------------


def test_a_case_has_a_line_for_each_partner_and_none_for_its_own_steps(engine: Engine) -> None:
    take_in(engine, told("a"), book=BOOK)
    here = case_id(engine, "a")
    assert _due(engine, until=T0 + DAY + 1) == [
        DueCase(here, "council", T0 + 4 * HOUR, is_open=True),
        DueCase(here, "health", T0 + DAY, is_open=True),
    ]


def test_the_first_due_of_several_to_a_partner_counts(engine: Engine) -> None:
    """Of two children the health board is told each; one after the other fell due."""
    take_in(engine, told("a", child="x"), told("a", at=T0 + HOUR, child="y"), book=BOOK)
    found = _due(engine, until=T0 + 9 * DAY)
    assert [each.first_due_at for each in found if each.partner == "health"] == [T0 + DAY]


def test_due_at_its_end_is_of_the_next_span(engine: Engine) -> None:
    take_in(engine, told("a"), book=BOOK)
    due = T0 + 4 * HOUR
    assert _due(engine, since=due, until=due) == []
    assert [each.partner for each in _due(engine, since=due, until=due + 1)] == ["council"]


def test_it_waits_where_nothing_ended_it_and_its_due_has_passed(engine: Engine) -> None:
    take_in(engine, told("a"), book=BOOK)
    due = T0 + 4 * HOUR
    (council,) = _due(engine, as_of=due)
    assert not council.is_open
    (council,) = _due(engine, as_of=due + 1)
    assert council.is_open


@pytest.mark.parametrize("kind", ["partner_notified", "withdrawn"])
def test_what_was_told_or_void_does_not_wait_from_then_on(engine: Engine, kind: str) -> None:
    take_in(engine, told("a"), told("a", kind, T0 + 9 * HOUR, partner="council"), book=BOOK)
    assert _due(engine, as_of=T0 + 8 * HOUR)[0].is_open
    assert not _due(engine, as_of=T0 + 9 * HOUR)[0].is_open


def test_restricted_cases_and_other_districts_are_nowhere(engine: Engine) -> None:
    for reference, district in (("a", "east"), ("b", "west"), ("c", "east")):
        take_in(engine, told(reference, district=district), book=BOOK)
    hidden = case_id(engine, "c")
    with writing(engine) as connection:
        connection.execute(clock.update().where(clock.c.case_id == hidden).values(restricted=True))
    east = {"district": "east"}
    assert {each.case_id for each in _due(engine, where=east)} == {case_id(engine, "a")}
    assert {each.case_id for each in _done(engine, where=east)} == {case_id(engine, "a")}
    assert hidden not in {each.case_id for each in _due(engine)}


# -- what was done ----------------------------------------------------------------------------


def test_the_first_of_each_kind_and_partner(engine: Engine) -> None:
    take_in(
        engine,
        told("a"),
        told("a", "partner_notified", T0 + 3 * HOUR, partner="council"),
        told("a", "partner_notified", T0 + 2 * HOUR, partner="council"),
        told("a", "partner_notified", T0 + HOUR, partner="health"),
        told("a", "note", T0 + HOUR),
        book=BOOK,
    )
    here = case_id(engine, "a")
    assert _done(engine) == [
        FirstDone(here, "contact", "", T0),
        FirstDone(here, "partner_notified", "council", T0 + 2 * HOUR),
        FirstDone(here, "partner_notified", "health", T0 + HOUR),
    ]


def test_a_doubtful_time_counts_as_its_end(engine: Engine) -> None:
    take_in(engine, told("a", occurred_to=T0 + HOUR), book=BOOK)
    assert _done(engine) == [FirstDone(case_id(engine, "a"), "contact", "", T0 + HOUR)]


def test_a_case_of_no_duty_due_then_has_no_steps(engine: Engine) -> None:
    take_in(engine, told("a"), told("b", at=T0 + 9 * DAY), book=BOOK)
    assert {each.case_id for each in _done(engine)} == {case_id(engine, "a")}


def test_duties_of_rules_of_which_nothing_is_said_are_left_out(engine: Engine) -> None:
    take_in(engine, told("a"), book=BOOK)
    with reading(engine) as connection:
        rules = set(connection.scalars(select(clock.c.rule).where(clock.c.partner == "council")))
    assert [each.partner for each in _due(engine, until=T0 + DAY + 1, left_out=rules)] == ["health"]
    assert _done(engine, left_out=rules) == []


def test_what_is_told_again_or_taken_back_is_weighed_and_not_here(engine: Engine) -> None:
    take_in(engine, told("plain"), book=BOOK)
    take_in(engine, told("again", identity=b"1"), book=BOOK)
    take_in(engine, told("again", at=T0 + 1, identity=b"1", revision=1), book=BOOK)
    take_in(engine, told("back", identity=b"2"), told("back", identity=b"3"), book=BOOK)
    take_in(engine, told("back", "note", identity=b"4", retracts=b"3"), book=BOOK)
    ids = {name: case_id(engine, name) for name in ("plain", "again", "back")}
    assert _weighed(engine) == {ids["again"], ids["back"]}
    assert {each.case_id for each in _done(engine)} == {ids["plain"]}


def test_what_two_joined_cases_tell_of_one_event_is_weighed_too(engine: Engine) -> None:
    take_in(engine, told("a", identity=b"1"), book=BOOK)
    take_in(engine, told("b", identity=b"2", links="a"), book=BOOK)
    root = min(case_id(engine, "a"), case_id(engine, "b"))
    assert {each.case_id for each in _done(engine)} == {root}
    assert [each.at for each in _done(engine)] == [T0]
    with reading(engine) as connection:
        members = members_of(connection, [root])
    assert members == {case_id(engine, "a"): root, case_id(engine, "b"): root}


def test_members_are_asked_in_parts_that_a_statement_can_hold(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a condition holds, and links across the parts."""
    monkeypatch.setattr(rows, "MOST_VALUES", 2)
    for reference in "abcde":
        take_in(engine, told(reference, links="a" if reference == "e" else ""), book=BOOK)
    ids = {reference: case_id(engine, reference) for reference in "abcde"}
    roots = [ids[reference] for reference in "abcd"]
    with reading(engine) as connection:
        assert members_of(connection, roots) == {
            **{each: each for each in roots},
            ids["e"]: ids["a"],
        }


def test_a_hundred_and_forty_thousand_cases_are_no_statement_too_long(engine: Engine) -> None:
    with reading(engine) as connection:
        assert steps.members_of(connection, range(140_000)) == {}
