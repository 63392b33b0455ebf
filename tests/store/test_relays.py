"""Relays at fault: one node at a time tries them, and only when their wait is over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import Engine

from monitor.model import HOUR, MINUTE, SECOND
from monitor.store import actions, relays
from monitor.store.engine import reading, writing
from monitor.store.relays import RelayFault
from tests.store.world import T0


def _fail(engine: Engine, *, at: int = T0, reason: str = "not now") -> RelayFault:
    with writing(engine) as connection:
        return relays.record_fault(
            connection, "relay", reason=reason, now=at, wait=lambda times: times * MINUTE
        )


def _begin(engine: Engine, *, at: int) -> bool:
    with writing(engine) as connection:
        return relays.begin_probe(connection, "relay", now=at, until=at + HOUR)


def test_a_fault_is_counted_and_its_beginning_kept(engine: Engine) -> None:
    _fail(engine)
    second = _fail(engine, at=T0 + MINUTE, reason="still not")
    assert second == RelayFault("relay", "still not", 2, T0, T0 + MINUTE, T0 + MINUTE + 2 * MINUTE)
    with reading(engine) as connection:
        assert relays.relay_faults(connection) == [second]


def test_it_is_over_when_a_mail_went(engine: Engine) -> None:
    _fail(engine)
    with writing(engine) as connection:
        assert relays.record_recovery(connection, "relay")
        assert not relays.record_recovery(connection, "relay")
        assert relays.relay_faults(connection) == []
    assert _fail(engine, at=T0 + HOUR).since == T0 + HOUR


def test_one_of_four_nodes_tries_it_when_the_wait_is_over(engine: Engine) -> None:
    _fail(engine)
    assert not _begin(engine, at=T0 + MINUTE - 1)
    ready = Barrier(4)

    def begin(_node: int) -> bool:
        ready.wait()
        return _begin(engine, at=T0 + MINUTE)

    with ThreadPoolExecutor(4) as nodes:
        assert sorted(nodes.map(begin, range(4))) == [False, False, False, True]
    assert _begin(engine, at=T0 + MINUTE + HOUR), "one that died while it tried is taken over"


def test_releasing_mail_ends_the_wait_once(engine: Engine) -> None:
    _fail(engine)
    with writing(engine) as connection:
        actions.record_action(
            connection, kind="release mail", target="mail", actor="a", now=T0 + SECOND
        )
    assert _begin(engine, at=T0 + 2 * SECOND)
    assert not _begin(engine, at=T0 + 3 * SECOND)


def test_four_nodes_that_fail_at_once_are_one_fault_of_four_failures(engine: Engine) -> None:
    ready = Barrier(4)

    def fail(_node: int) -> int:
        ready.wait()
        return _fail(engine).failures

    with ThreadPoolExecutor(4) as nodes:
        assert sorted(nodes.map(fail, range(4))) == [1, 2, 3, 4]
