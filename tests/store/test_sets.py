"""Rows written by the set are those that would be written one by one, on both databases."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from monitor.model import Alert, AlertKind
from monitor.store import alerts, sets
from monitor.store.engine import reading, writing
from monitor.store.tables import action, alert
from tests.store.world import T0, kept, rulebook, take_in, told

CHECKED = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
INSTANTS = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)
"""From the year 1 to the end of 9999: more than a float can tell apart."""


def _clock_id(engine: Engine) -> int:
    take_in(engine, told("PPN-1"), book=rulebook())
    return min(each.id for each in kept(engine, "PPN-1").values())


@CHECKED
@example(reasons=["due", ""], at=253_402_300_799_999_999, repeat=0)
@example(reasons=["due"], at=-62_135_596_799_999_999, repeat=0)
@given(reasons=st.lists(WORDS, min_size=1, max_size=5), at=INSTANTS, repeat=st.integers(0, 9))
def test_alerts_come_back_as_they_were_stored_in_their_order(
    engine: Engine, reasons: list[str], at: int, repeat: int
) -> None:
    """Whatever stands in them, and to the microsecond."""
    clock_id = _clock_id(engine)
    with writing(engine) as connection:
        connection.execute(alert.delete())
        new = [
            _alert(clock_id, f"{place}@x", reason, at, repeat)
            for place, reason in enumerate(reasons)
        ]
        assert alerts.insert_alerts(connection, new) == len(new)
        assert alerts.insert_alerts(connection, new[:1]) == 0
        assert [said.alert for said in alerts.said_about(connection, [clock_id, 0])] == new


def _alert(clock_id: int, recipient: str, reason: str, at: int, repeat: int) -> Alert:
    return Alert(
        clock_id=clock_id,
        episode=1,
        rung="rung 1",
        repeat=repeat,
        recipient=recipient,
        kind=AlertKind.OVERDUE,
        role="inspector",
        asked_role="holder",
        reason=reason,
        rung_at=at,
        decided_at=at,
    )


@CHECKED
@given(stored=st.sets(WORDS, max_size=6), asked=st.sets(WORDS, max_size=6))
def test_what_is_among_some_values_is_found_and_nothing_else(
    engine: Engine, stored: set[str], asked: set[str]
) -> None:
    """Quotes, braces, commas, backslashes and NULL in words are words."""
    with writing(engine) as connection:
        connection.execute(action.delete())
        for number, target in enumerate(sorted({*stored, "NULL", '{"a","b"}', "\\"}), start=1):
            connection.execute(action.insert().values(number=number, **_action(target)))
    wanted = asked | {"\\", '{"a","b"}'}
    with reading(engine) as connection:
        found = connection.scalars(
            select(action.c.target).where(sets.among(connection, action.c.target, wanted))
        )
        assert set(found) == wanted & {*stored, "NULL", '{"a","b"}', "\\"}
        none = select(action.c.target).where(sets.among(connection, action.c.target, ()))
        assert connection.scalars(none).all() == []


def _action(target: str) -> dict[str, Any]:
    empty = dict.fromkeys(("actor", "on_behalf_of", "reason_code", "detail"), "")
    return {"kind": "take", "target": target, "from_at": T0, **empty}
