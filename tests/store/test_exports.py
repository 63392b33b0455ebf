"""What is stored as rows: all of it, in its order, in a span, and nothing of a restricted case."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, insert, update

from monitor.model import HOUR, Instant
from monitor.store import actions
from monitor.store.engine import reading, writing
from monitor.store.exports import (
    Span,
    about_how_many,
    export_alerts,
    export_clocks,
    export_events,
    export_messages,
    restricted_cases,
)
from monitor.store.tables import alert, clock, message
from tests.store.world import T0, kept, rulebook, take_in, told

LATER: Instant = T0 + 1000 * HOUR
OPEN, SECRET, LINKED = "PPN-1", "PPN-2", "PPN-3"


def clocks_of(engine: Engine, *span: Instant | None) -> list[str]:
    with reading(engine) as connection:
        found = export_clocks(connection, Span(*span), started_by=LATER)
        return [f"{reference} {each.clock.key.rule}" for reference, each in found]


def events_of(engine: Engine, *span: Instant | None) -> list[str]:
    with reading(engine) as connection:
        found = export_events(connection, Span(*span), restricted_attribute="restricted")
        return [f"{row[0]} {row[3]}" for row in found]


def test_clocks_are_those_due_in_a_span(engine: Engine) -> None:
    """One to its end and the other from it: none twice."""
    take_in(engine, told(OPEN), book=rulebook())
    due = T0 + 4 * HOUR
    everything = clocks_of(engine)
    assert [f"{OPEN} tell-council" in everything, len(everything)] == [True, 3]
    assert f"{OPEN} tell-council" in clocks_of(engine, due, None)
    assert f"{OPEN} tell-council" not in clocks_of(engine, None, due)
    halves = clocks_of(engine, None, due) + clocks_of(engine, due, None)
    assert sorted(halves) == sorted(everything)


def test_a_clock_that_has_not_begun_is_not_there(engine: Engine) -> None:
    take_in(engine, told(OPEN, at=LATER + 1), book=rulebook())
    assert clocks_of(engine) == []


def test_a_restricted_case_is_in_no_export(engine: Engine) -> None:
    """Nor one that is linked to it, nor one whose mark was taken back."""
    take_in(engine, told(OPEN), book=rulebook())
    take_in(engine, told(SECRET, attributes=(("restricted", "yes"),)), book=rulebook())
    take_in(engine, told(LINKED, kind="note", links=SECRET), book=rulebook())
    assert {each.split()[0] for each in events_of(engine)} == {OPEN}
    with writing(engine) as connection:
        ids = {each.id for each in kept(engine, SECRET).values()}
        connection.execute(update(clock).where(clock.c.id.in_(ids)).values(restricted=True))
    assert {each.split()[0] for each in clocks_of(engine)} <= {OPEN, LINKED}
    with reading(engine) as connection:
        assert len(restricted_cases(connection, "")) == 2
        assert restricted_cases(connection, "nothing_of_the_kind") == restricted_cases(
            connection, ""
        )


def test_a_mark_of_restriction_counts_whatever_the_case_is_now(engine: Engine) -> None:
    """Another that says `no` later does not bring it back."""
    take_in(engine, told(SECRET, attributes=(("restricted", "yes"),)), book=rulebook())
    take_in(
        engine,
        told(SECRET, kind="note", at=T0 + HOUR, attributes=(("restricted", "no"),)),
        book=rulebook(),
    )
    assert events_of(engine) == []


def test_events_are_those_received_in_a_span(engine: Engine) -> None:
    take_in(engine, told(OPEN, received_at=T0))
    take_in(engine, told(OPEN, kind="note", received_at=T0 + HOUR))
    assert events_of(engine) == [f"{OPEN} contact", f"{OPEN} note"]
    assert events_of(engine, None, T0 + HOUR) == [f"{OPEN} contact"]
    assert events_of(engine, T0 + HOUR, None) == [f"{OPEN} note"]


# -- alerts -----------------------------------------------------------------------------------


def tell(engine: Engine, *, kind: str = "overdue", at: Instant = T0, **changes: Any) -> int:
    """Decide an alert about the council's clock; its id."""
    about = next(each for key, each in kept(engine, OPEN).items() if key.rule == "tell-council")
    row = {
        "clock_id": about.id,
        "episode": 1,
        "rung": f"{kind} {at}",
        "repeat": 0,
        "recipient": "east.duty-inspector@police.example",
        "kind": kind,
        "role": "duty_inspector",
        "reason": "overdue",
        "rung_at": at,
        "decided_at": at,
        "state": "pending",
    }
    with writing(engine) as connection:
        connection.execute(insert(alert).values(row | changes))
    return about.id


def test_an_alert_says_who_took_the_clock_on_after_it(engine: Engine) -> None:
    """Not one who had taken it before, and of several the first."""
    take_in(engine, told(OPEN), book=rulebook())
    clock_id = tell(engine, at=T0 + HOUR)
    for at, role in ((T0, "early"), (T0 + 3 * HOUR, "second"), (T0 + 2 * HOUR, "first")):
        with writing(engine) as connection:
            actions.record_action(
                connection,
                kind="take",
                target=f"clock {clock_id}",
                actor="x",
                now=at,
                on_behalf_of=role,
            )
    with reading(engine) as connection:
        (one,) = export_alerts(connection, known_by=LATER)
        assert one.taken is not None
        assert (one.taken.at, one.taken.role) == (T0 + 2 * HOUR, "first")
        (then,) = export_alerts(connection, known_by=T0 + 2 * HOUR)
        assert then.taken is None, "nobody had, by then"


def test_an_alert_that_was_withdrawn_says_when(engine: Engine) -> None:
    take_in(engine, told(OPEN), book=rulebook())
    tell(engine, at=T0)
    tell(engine, kind="withdrawal", at=T0 + HOUR)
    with reading(engine) as connection:
        first, back = export_alerts(connection, known_by=LATER)
        assert (first.withdrawn_at, back.withdrawn_at) == (T0 + HOUR, None)
        (then,) = export_alerts(connection, Span(None, T0 + 1), known_by=T0 + HOUR)
        assert then.withdrawn_at is None


def test_messages_are_those_made_in_a_span(engine: Engine) -> None:
    with writing(engine) as connection:
        for number in range(3):
            connection.execute(
                insert(message).values(
                    kind="alerts",
                    address="duty-inspector@police.example",
                    role="duty_inspector",
                    state="queued",
                    created_at=T0 + number,
                    message_id=f"<{number}@x>",
                    subject="PPN-1",
                )
            )
    with reading(engine) as connection:
        rows = list(export_messages(connection, Span(T0 + 1, T0 + 2)))
        assert [row[4] for row in rows] == [T0 + 1]
        assert "duty-inspector@police.example" not in rows[0]
        assert about_how_many(connection, "messages", Span(), started_by=LATER) == 3
        for what in ("clocks", "events", "alerts"):
            assert about_how_many(connection, what, Span(T0, LATER), started_by=LATER) == 0
