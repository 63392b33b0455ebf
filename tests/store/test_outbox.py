"""The outbox: a mail is one process's while its lease stands, and its bytes never change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import IntegrityError

from monitor.model import HOUR, MINUTE
from monitor.store import actions, outbox
from monitor.store.engine import reading, writing
from monitor.store.outbox import Claimed, Sent
from monitor.store.tables import message
from tests.store.world import T0, until_it_waits


def _queue(engine: Engine, number: int = 1, **changes: Any) -> list[int]:
    written: dict[str, Any] = {
        "kind": "alerts",
        "address": "desk@eastshire.example",
        "role": "inspector",
        "domain": "monitor.example",
        "now": T0,
        "not_before": T0,
    }
    with writing(engine) as connection:
        return [outbox.queue_message(connection, **written | changes) for _ in range(number)]


def _claim(
    engine: Engine, *, limit: int = 1, now: int = T0, lease: int = HOUR, node: str = "one"
) -> list[Claimed]:
    with writing(engine) as connection:
        return outbox.claim_messages(connection, now=now, lease=lease, limit=limit, node=node)


def _row(engine: Engine, message_id: int) -> dict[str, Any]:
    with reading(engine) as connection:
        found = connection.execute(select(message).where(message.c.id == message_id)).mappings()
        return dict(found.one())


def _let_lapse(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(update(message).values(lease_until=0))  # 1970: long ago


def test_a_mail_is_claimed_once(engine: Engine) -> None:
    """In the order of their time; what lies ahead is left."""
    later = _queue(engine, not_before=T0 + MINUTE)
    first, second = _queue(engine, 2)
    claimed = _claim(engine, limit=2)
    assert [each.id for each in claimed] == [first, second]
    assert claimed[0].content is None
    assert claimed[0].message_id.endswith("@monitor.example>")
    assert claimed[0].message_id != claimed[1].message_id
    assert _claim(engine) == []
    assert [each.id for each in _claim(engine, now=T0 + MINUTE)] == later


def test_two_claimers_never_get_the_same_mail(engine: Engine) -> None:
    """Four nodes at once: every mail goes to one of them, and none is left."""
    ids = set(_queue(engine, 40))
    ready = Barrier(4)

    def claim_all(node: str) -> list[int]:
        ready.wait()
        mine: list[int] = []
        while claimed := _claim(engine, limit=3, node=node):
            mine += [each.id for each in claimed]
        return mine

    with ThreadPoolExecutor(4) as nodes:
        claimed = [each for got in nodes.map(claim_all, "abcd") for each in got]
    assert sorted(claimed) == sorted(ids)


def test_a_claimer_passes_over_what_another_is_claiming(postgres: Engine) -> None:
    first, second = _queue(postgres, 2)
    with ThreadPoolExecutor(1) as other:
        with writing(postgres) as connection:
            mine = outbox.claim_messages(connection, now=T0, lease=HOUR, limit=1, node="one")
            theirs = other.submit(_claim, postgres, node="other")
            until_it_waits(postgres, theirs)
            assert theirs.done()
        assert [each.id for each in mine] == [first]
        assert [each.id for each in theirs.result()] == [second]


def test_a_lapsed_lease_is_taken_over_and_the_first_record_refused(engine: Engine) -> None:
    """The second sends the same bytes again; what the first would say comes too late."""
    (id_,) = _queue(engine)
    (first,) = _claim(engine)
    with writing(engine) as connection:
        assert outbox.lock_message(connection, first)
        assert outbox.freeze_message(connection, first, content=b"bytes", subject="s", now=T0)
    _let_lapse(engine)
    (second,) = _claim(engine, node="two")
    assert (second.id, second.content, second.attempts) == (id_, b"bytes", 1)
    assert second.message_id == first.message_id
    with writing(engine) as connection:
        assert not outbox.lock_message(connection, first)
        assert not outbox.count_attempts(connection, [first])
        assert not outbox.record_sent(connection, [Sent(first, "250", T0)])
        assert not outbox.record_retry(connection, first, outcome="4", next_attempt_at=T0)
        assert not outbox.record_dead(connection, first, outcome="5")
        assert not outbox.cancel_message(connection, first)
        assert outbox.count_attempts(connection, [second])
        assert outbox.record_sent(connection, [Sent(second, "250 ok", T0 + 1)])
    row = _row(engine, id_)
    assert (row["state"], row["sent_at"], row["attempts"]) == ("sent", T0 + 1, 2)
    assert row["outcome"] == "250 ok"


def test_an_outcome_is_recorded_though_the_lease_has_lapsed_if_nobody_took_over(
    engine: Engine,
) -> None:
    """Better a late record than a second mail."""
    (id_,) = _queue(engine)
    (claimed,) = _claim(engine)
    _let_lapse(engine)
    with writing(engine) as connection:
        assert outbox.record_sent(connection, [Sent(claimed, "250", T0)])
    assert _row(engine, id_)["state"] == "sent"


def test_a_lease_runs_by_the_database_s_time(engine: Engine) -> None:
    """A node whose own clock is far ahead takes nothing from the others."""
    _queue(engine)
    assert len(_claim(engine, now=T0)) == 1
    assert _claim(engine, now=T0 + 10_000 * HOUR) == []


def test_bytes_are_settled_once(engine: Engine) -> None:
    """Even the holder of the lease cannot change them."""
    (id_,) = _queue(engine)
    (claimed,) = _claim(engine)
    with writing(engine) as connection:
        assert outbox.freeze_message(connection, claimed, content=b"one", subject="1", now=T0)
        assert not outbox.freeze_message(connection, claimed, content=b"two", subject="2", now=T0)
        assert outbox.count_attempts(connection, [claimed])
    row = _row(engine, id_)
    assert (row["content"], row["subject"], row["attempts"]) == (b"one", "1", 2)


def test_bytes_may_be_settled_when_a_mail_is_made(engine: Engine) -> None:
    """A digest is written before it waits."""
    (id_,) = _queue(engine, content=b"digest", subject="week 3", message_id="<week-3@x>")
    (claimed,) = _claim(engine)
    assert (claimed.id, claimed.content, claimed.message_id) == (id_, b"digest", "<week-3@x>")
    with writing(engine) as connection:
        assert not outbox.freeze_message(connection, claimed, content=b"", subject="", now=T0)
    assert _row(engine, id_)["frozen_at"] == T0


def test_a_refused_mail_is_tried_again_and_a_dead_one_is_not(engine: Engine) -> None:
    again, dead = _queue(engine, 2)
    one, two = _claim(engine, limit=2)
    with writing(engine) as connection:
        outbox.count_attempts(connection, [one])
        assert outbox.record_retry(connection, one, outcome="451 later", next_attempt_at=T0 + HOUR)
        assert outbox.record_dead(connection, two, outcome="550 no such person")
        assert outbox.next_message_at(connection) == T0 + HOUR
        assert outbox.count_messages(connection) == {"queued": 1, "dead": 1, "retrying": 1}
        (shown,) = outbox.messages_to(connection, states=("dead",), limit=5)
        assert (shown["id"], shown["outcome"]) == (dead, "550 no such person")
    assert _claim(engine, now=T0 + HOUR - 1) == []
    assert [each.id for each in _claim(engine, now=T0 + HOUR)] == [again]


def test_a_mail_with_nothing_left_to_say_is_cancelled(engine: Engine) -> None:
    (id_,) = _queue(engine)
    (claimed,) = _claim(engine)
    with writing(engine) as connection:
        assert outbox.cancel_message(connection, claimed)
        assert outbox.last_mail_at(connection, "desk@eastshire.example", "alerts") is None
    assert _row(engine, id_)["state"] == "cancelled"
    assert _claim(engine, now=T0 + HOUR) == []


def test_a_node_that_starts_lets_go_what_it_held(engine: Engine) -> None:
    """Its own leases only, whatever its name looks like."""
    _queue(engine, 3)
    mine = _claim(engine, node="node_1")
    _claim(engine, node="node-1")
    _claim(engine, node="node_11")
    with writing(engine) as connection:
        assert outbox.release_leases(connection, "node_1") == 1
        assert not outbox.record_sent(connection, [Sent(mine[0], "250", T0)])
    assert [each.id for each in _claim(engine, limit=5, node="two")] == [mine[0].id]


def test_a_mail_that_is_not_written_yet_can_be_joined(engine: Engine) -> None:
    assert _unwritten(engine) is None
    (id_,) = _queue(engine)
    _queue(engine, kind="withdrawal")
    assert _unwritten(engine) == id_
    claimed = _claim(engine)[0]
    with writing(engine) as connection:
        outbox.freeze_message(connection, claimed, content=b"", subject="", now=T0)
        assert outbox.last_mail_at(connection, "desk@eastshire.example", "alerts") == T0
    assert _unwritten(engine) is None


def _unwritten(engine: Engine) -> int | None:
    with writing(engine) as connection:
        return outbox.unwritten_message(connection, "desk@eastshire.example", "alerts")


# -- holding mail, digests --------------------------------------------------------------------


def test_mail_is_held_until_it_is_released(engine: Engine) -> None:
    def held() -> bool:
        with reading(engine) as connection:
            return outbox.mail_is_held(connection)

    def act(kind: str) -> None:
        with writing(engine) as connection:
            actions.record_action(connection, kind=kind, target="mail", actor="a", now=T0)

    assert not held()
    act("hold mail")
    assert held()
    act("activate rules")
    assert held()
    act("release mail")
    assert not held()


def test_a_digest_goes_once_to_a_person_for_a_period(engine: Engine) -> None:
    (id_,) = _queue(engine)
    run: dict[str, Any] = {"scope": "force", "period": "2027-W02", "recipient": "a@x"}
    with writing(engine) as connection:
        assert not outbox.digest_was_made(connection, **run)
        outbox.record_digest(connection, **run, message_id=id_, known=7, now=T0)
        assert outbox.digest_was_made(connection, **run)
        assert not outbox.digest_was_made(connection, **run | {"period": "2027-W03"})
    with pytest.raises(IntegrityError), writing(engine) as connection:
        outbox.record_digest(connection, **run, message_id=id_, known=8, now=T0)
