"""Clocks stored: written only by whoever read them last, found when something can happen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text, update

from monitor.model import HOUR, MINUTE, Clock, ClockKey, KeptClock
from monitor.store import clocks, rows
from monitor.store.engine import Connection, reading, writing
from monitor.store.tables import clock
from tests.store.world import T0, case_id, take_in, told, until_it_waits


def _clock(rule: str = "tell-council", **changes: Any) -> Clock:
    plain = Clock(
        key=ClockKey(rule), rule_version=1, started_at=T0, due_at=T0 + 4 * HOUR, known_at=T0
    )
    return plain._replace(**changes)


def _insert(
    engine: Engine, *told_clocks: tuple[Clock, int | None], reference: str = "PPN-1"
) -> None:
    """Clocks of one case, each with its next action."""
    take_in(engine, told(reference))
    case = case_id(engine, reference)
    with writing(engine) as connection:
        clocks.insert_clocks(
            connection, [(case, each, (), 0, 1, next_at) for each, next_at in told_clocks]
        )


def _all(engine: Engine) -> list[KeptClock]:
    with reading(engine) as connection:
        return [each for _, each in clocks.all_clocks(connection)]


def test_a_clock_comes_back_as_it_was_written(engine: Engine) -> None:
    """Every field, booleans as booleans, on both databases."""
    whole = Clock(
        key=ClockKey("tell-council", "ab", "eastshire", "0a"),
        rule_version=2,
        calendar_version="3",
        started_at=T0,
        due_at=None,
        due_unknown="past the horizon",
        due_soon_at=T0 + 1,
        stopped_at=T0 + 2,
        exempt_at=T0 + 3,
        void_at=T0 + 4,
        superseded_at=T0 + 5,
        regraded_at=T0 + 6,
        breached_at=T0 + 7,
        known_at=T0 + 8,
        stop_known_at=T0 + 9,
        stop_recorded_at=T0 + 10,
        confirm_by=T0 + 11,
        held_from=T0 + 12,
        held_until=T0 + 13,
        stage="notice_submitted",
        stage_at=T0 + 14,
        partner="council",
        district="north",
        unit="a",
        category="child",
        risk="high",
        restricted=True,
        cannot_route=True,
        raised_after=15,
        reason_code="r1",
    )
    take_in(engine, told("PPN-1"))
    case = case_id(engine, "PPN-1")
    with writing(engine) as connection:
        clocks.insert_clocks(connection, [(case, whole, (4, 9), 2, 3, T0)])
    (kept,) = _all(engine)
    assert kept == KeptClock(
        id=kept.id,
        case_id=case,
        clock=whole,
        episode=3,
        steps_done=2,
        inherits=(4, 9),
        next_action_at=T0,
    )
    assert kept.clock.restricted is True
    with reading(engine) as connection:
        assert clocks.clocks_by_id(connection, [kept.id]) == [kept]
        assert list(clocks.all_clocks(connection, references=["PPN-1"])) == [("PPN-1", kept)]
        assert list(clocks.all_clocks(connection, references=["PPN-2"])) == []


def test_a_decision_holds_only_for_the_revision_it_was_made_on(engine: Engine) -> None:
    """And it writes how far telling has come, never what the events say."""
    _insert(engine, (_clock(), T0), (_clock("other"), T0))
    read = _all(engine)
    decided = [
        replace(each, episode=2, steps_done=1, next_action_at=T0 + 1, waits_for='a "desk"\\')
        for each in read
    ]
    elsewhere = [replace(each, clock=each.clock._replace(due_before=T0)) for each in decided]
    with writing(engine) as connection:
        clocks.write_decided(connection, elsewhere)
        clocks.write_decided(connection, [])
    assert _all(engine) == [replace(each, revision=1) for each in decided]
    late = [replace(read[0], steps_done=9), replace(read[1], steps_done=9, revision=1)]
    with (
        pytest.raises(clocks.LostUpdate, match="1 of 2 clocks"),
        writing(engine) as connection,
    ):
        clocks.write_decided(connection, late)
    assert [each.steps_done for each in _all(engine)] == [1, 1]


def test_a_fold_that_lost_a_clock_to_another_is_not_kept(engine: Engine) -> None:
    _insert(engine, (_clock(), T0), (_clock("other"), T0))
    read = _all(engine)
    with writing(engine) as connection:
        clocks.update_clocks(connection, read[:1])
    with (
        pytest.raises(clocks.LostUpdate, match="1 of 2 clocks"),
        writing(engine) as connection,
    ):
        clocks.update_clocks(connection, [replace(each, steps_done=5) for each in read])
    assert [each.steps_done for each in _all(engine)] == [0, 0]


def test_the_longest_waiting_clocks_come_first(engine: Engine) -> None:
    """Due at the instant itself; not what lies ahead, nor what waits for nothing."""
    instants = [T0 + 3, T0 + 1, None, T0 + 2, T0 + 4, T0 + 1]
    _insert(engine, *((_clock(f"r{n}"), at) for n, at in enumerate(instants)))
    with writing(engine) as connection:
        due = clocks.due_clocks(connection, now=T0 + 3, limit=10)
        assert [each.clock.key.rule for each in due] == ["r1", "r5", "r3", "r0"]
        assert len(clocks.due_clocks(connection, now=T0 + 3, limit=2)) == 2
        assert clocks.due_clocks(connection, now=T0, limit=10) == []
        assert clocks.next_action_at(connection) == T0 + 1


def test_two_sweeps_never_hold_the_same_clock(postgres: Engine) -> None:
    """The second passes over what the first decides, and does not wait for it."""
    _insert(postgres, *((_clock(f"r{n}"), T0 + n) for n in range(6)))
    with writing(postgres) as one, writing(postgres) as other:
        mine = clocks.due_clocks(one, now=T0 + HOUR, limit=4)
        theirs = clocks.due_clocks(other, now=T0 + HOUR, limit=4)
    assert [each.clock.key.rule for each in mine] == ["r0", "r1", "r2", "r3"]
    assert [each.clock.key.rule for each in theirs] == ["r4", "r5"]


def test_a_feed_that_is_heard_wakes_what_waits_for_it(engine: Engine) -> None:
    _insert(engine, (_clock(), T0 + HOUR), (_clock("other"), None))
    with writing(engine) as connection:
        connection.execute(
            update(clock).where(clock.c.rule == "tell-council").values(waits_for="sending-log")
        )
        clocks.wake_waiting_for(connection, "another", now=T0 + MINUTE)
        clocks.wake_waiting_for(connection, "", now=T0 + MINUTE)
        clocks.wake_waiting_for(connection, "sending-log", now=T0 + MINUTE)
    woken, other = _all(engine)
    assert (woken.next_action_at, woken.waits_for, woken.revision) == (T0 + MINUTE, "", 1)
    assert (other.next_action_at, other.revision) == (None, 0)


def test_waking_costs_what_waits_and_not_the_backlog(sqlite: Engine) -> None:
    """The question is answered from the partial index."""
    with reading(sqlite) as connection:
        asked = "SELECT id FROM clock WHERE waits_for = 'desk' AND waits_for <> ''"
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {asked}")).all()
    assert "ix_clock_waits_for" in plan[0].detail


def test_a_fold_waits_for_a_sweep_that_decides(postgres: Engine) -> None:
    """Clocks that are read to be written are locked: neither overwrites the other."""
    _insert(postgres, (_clock(), T0))
    case = case_id(postgres, "PPN-1")

    def fold() -> list[KeptClock]:
        with writing(postgres) as connection:
            return clocks.clocks_of(connection, [case], to_write=True)

    with ThreadPoolExecutor(1) as other:
        with writing(postgres) as connection:
            (due,) = clocks.due_clocks(connection, now=T0, limit=1)
            folded = other.submit(fold)
            until_it_waits(postgres, folded)
            clocks.write_decided(connection, [replace(due, steps_done=3)])
        (read,) = folded.result(timeout=60)
    assert (read.steps_done, read.revision) == (3, 1)


def test_open_clocks_are_those_that_no_fact_ended(engine: Engine) -> None:
    ended = [
        (_clock(name, **{name: T0}), None)
        for name in ("stopped_at", "exempt_at", "void_at", "superseded_at")
    ]
    _insert(engine, (_clock("open"), T0), *ended)
    with reading(engine) as connection:
        assert [each.clock.key.rule for each in clocks.open_clocks(connection)] == ["open"]
        assert dict(clocks.count_clocks(connection)) == {"stored": 5, "open": 1}


def test_the_stream_of_all_clocks_does_not_change_its_connection(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it end early when there are many references to ask for."""
    monkeypatch.setattr(rows, "MOST_VALUES", 2)
    for number in range(5):
        _insert(engine, (_clock(), T0), reference=f"PPN-{number}")
    with reading(engine) as connection:
        before = connection.get_execution_options()
        every = [f"PPN-{number}" for number in range(5)]
        streamed = [reference for reference, _ in clocks.all_clocks(connection, references=every)]
        assert streamed == every
        assert connection.get_execution_options() == before
        _same_connection_still_reads(connection)


def _same_connection_still_reads(connection: Connection) -> None:
    assert connection.execute(text("SELECT 1")).scalar_one() == 1


def test_what_people_do_puts_clocks_before_the_sweep(engine: Engine) -> None:
    """Whoever read them before must not write them; those resting until an instant wake with it."""
    rest = T0 + 9 * HOUR
    second = _clock("tell-health")
    _insert(engine, (_clock(), rest), (second, T0 + HOUR), (_clock("tell-school"), None))
    before = _all(engine)
    with writing(engine) as connection:
        locked = clocks.lock_clocks(connection, [before[1].id])
        assert [each.id for each in locked] == [before[1].id]
        clocks.look_again(connection, [before[1].id], now=T0 + 5)
        assert clocks.wake_resting(connection, rest, now=T0 + 6) == 1
    with pytest.raises(clocks.LostUpdate), writing(engine) as connection:
        clocks.write_decided(connection, [before[1]])
    found = {each.id: each.next_action_at for each in _all(engine)}
    assert [found[each.id] for each in before] == [T0 + 6, T0 + 5, None]
