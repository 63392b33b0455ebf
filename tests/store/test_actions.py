"""What people and loops did: numbered, shown, and logged in a chain that cannot be mended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.exc import IntegrityError

from monitor.model import HOUR
from monitor.store import actions
from monitor.store.engine import reading, writing
from monitor.store.tables import action, audit
from tests.store.world import T0


def _log(engine: Engine, number: int) -> None:
    with writing(engine) as connection:
        for n in range(number):
            actions.write_audit(
                connection,
                operation="consultation",
                actor="role:analyst",
                subject=f"case {n}",
                now=T0 + n,
                detail={"why": "é", "n": n, "nested": {"b": [1, None], "a": True}},
            )


def _seal(engine: Engine, limit: int = 1000) -> int:
    with writing(engine) as connection:
        return actions.seal_audit(connection, limit=limit)


def _breaks_at(engine: Engine) -> int | None:
    with reading(engine) as connection:
        return actions.audit_breaks_at(connection)


def test_actions_are_numbered_with_everything_that_becomes_known(engine: Engine) -> None:
    with writing(engine) as connection:
        numbers = [
            actions.record_action(
                connection,
                kind="take",
                target="clock 4",
                actor="role:inspector",
                now=T0,
                on_behalf_of="role:sergeant",
                reason_code="r1",
                until=T0 + HOUR,
            )
            for _ in range(2)
        ]
        row = connection.execute(select(action).where(action.c.number == 1)).mappings().one()
    assert numbers == [1, 2]
    assert (row["from_at"], row["until_at"], row["reason_code"]) == (T0, T0 + HOUR, "r1")


def test_a_loop_s_last_turn_is_kept_and_no_other(engine: Engine) -> None:
    with writing(engine) as connection:
        for node, at in (("b", 1), ("a", 2), ("b", 3)):
            actions.record_turn(connection, node=node, loop="sweep", outcome=f"{at}", now=T0 + at)
        turns = actions.list_turns(connection)
    assert [(each["node"], each["turned_at"], each["outcome"]) for each in turns] == [
        ("a", T0 + 2, "2"),
        ("b", T0 + 3, "3"),
    ]


def test_the_audit_log_is_sealed_in_passes_and_holds(engine: Engine) -> None:
    _log(engine, 5)
    assert _breaks_at(engine) is None
    assert [_seal(engine, limit=3), _seal(engine, limit=3), _seal(engine)] == [3, 2, 0]
    _log(engine, 2)
    assert _seal(engine) == 2
    assert _breaks_at(engine) is None


@pytest.mark.parametrize(
    "change", [{"actor": "role:other"}, {"detail": {}}, {"at": T0 - 1}, {"operation": "erasure"}]
)
def test_a_changed_row_breaks_the_chain(engine: Engine, change: dict[str, Any]) -> None:
    _log(engine, 4)
    _seal(engine)
    with writing(engine) as connection:
        ids = list(connection.scalars(select(audit.c.id).order_by(audit.c.id)))
        connection.execute(update(audit).where(audit.c.id == ids[1]).values(**change))
    assert _breaks_at(engine) == ids[1]


def test_a_row_taken_out_breaks_the_chain(engine: Engine) -> None:
    _log(engine, 4)
    _seal(engine)
    with writing(engine) as connection:
        ids = list(connection.scalars(select(audit.c.id).order_by(audit.c.id)))
        connection.execute(delete(audit).where(audit.c.id == ids[1]))
    assert _breaks_at(engine) == ids[2]


def test_several_sealers_make_one_chain(engine: Engine) -> None:
    """A fork would break it for ever."""
    _log(engine, 60)
    with ThreadPoolExecutor(4) as nodes:
        sealed = list(nodes.map(lambda _: _seal(engine, limit=10), range(8)))
    assert sum(sealed) == 60
    assert _breaks_at(engine) is None


def test_what_is_committed_late_is_sealed_late(postgres: Engine) -> None:
    """Its id is smaller than one already sealed, and the chain holds all the same."""
    with writing(postgres) as slow:
        actions.write_audit(slow, operation="erasure", actor="a", subject="late", now=T0, detail={})
        _log(postgres, 1)
        assert _seal(postgres) == 1
    assert _seal(postgres) == 1
    assert _breaks_at(postgres) is None


def test_only_the_six_operations_are_logged(engine: Engine) -> None:
    with pytest.raises(IntegrityError), writing(engine) as connection:
        actions.write_audit(
            connection, operation="reading", actor="a", subject="s", now=T0, detail={}
        )


def _act(engine: Engine, kind: str, target: str, at: int, **more: Any) -> int:
    with writing(engine) as connection:
        return actions.record_action(
            connection, kind=kind, target=target, actor="account", now=T0 + at, **more
        )


def test_actions_are_found_by_what_they_are_about_with_their_end(engine: Engine) -> None:
    take = _act(engine, "take", "clock 4", 0, until=T0 + HOUR, detail='{"episode": "1"}')
    other = _act(engine, "silence", "case PPN-1", 1, until=T0 + HOUR)
    _act(engine, "end", f"action {take}", 2)
    newest = _act(engine, "silence", "rule council", 3)
    with reading(engine) as connection:
        found = actions.actions_about(connection, ["clock 4", "case PPN-1", "clock 5"])
        assert [(each.number, each.ended_at) for each in found] == [(take, T0 + 2), (other, None)]
        assert found[0].detail == '{"episode": "1"}'
        silences = actions.actions_of_kind(connection, ["silence"])
        assert [each.number for each in silences] == [other, newest]
        (last,) = actions.newest_actions(connection, ["silence", "take"], limit=1)
        assert last.number == newest
        assert actions.action_by_number(connection, take) == found[0]
        assert actions.action_by_number(connection, 99) is None
        about = actions.newest_about(connection, "rule council")
        assert about is not None
        assert about.number == newest
        assert actions.newest_about(connection, "rule other") is None
