from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert

from monitor.model import DAY, HOUR, AlertKind, Clock, ClockKey, Instant
from monitor.report.figures import figures
from monitor.report.row import ClockRow
from monitor.report.trust import FeedState, Said, TakenIn
from monitor.store import figures as stored
from monitor.store.clocks import insert_clocks
from monitor.store.engine import open_engine, reading, writing
from monitor.store.tables import (
    alert,
    case_,
    feed,
    intake,
    message,
    metadata,
    quarantine,
)
from monitor.store.tables import clock as clock_table

SINCE: Instant = 1_804_000_000_000_000
UNTIL: Instant = SINCE + 7 * DAY
NOW: Instant = UNTIL + 8 * HOUR
PERIOD: dict[str, Any] = {"since": SINCE, "until": UNTIL}


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of either kind, with three cases."""
    if request.param == "sqlite":
        opened = open_engine(f"sqlite:///{tmp_path / 'monitor.db'}")
    else:
        url: str = request.getfixturevalue("fresh_postgres")
        opened = open_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    metadata.create_all(opened)
    with writing(opened) as connection:
        cases = [{"id": number, "reference": f"PPN-2027-{number:06}"} for number in (1, 2, 3)]
        connection.execute(insert(case_), cases)
    yield opened
    opened.dispose()


def clock(number: int, **changes: Any) -> Clock:
    """A clock of four hours, started on the second day of the week and not stopped."""
    start = changes.get("started_at", SINCE + DAY)
    usual = Clock(
        key=ClockKey("council-4h", child=f"child-{number}"),
        rule_version=1,
        started_at=start,
        due_at=start + 4 * HOUR,
        known_at=start,
        partner="council",
        district="east",
        unit="mash",
        risk="high",
    )
    return usual._replace(**changes)


def put(connection: Connection, *clocks: Clock, case_id: int = 1) -> list[int]:
    """Store clocks; their ids, in order."""
    insert_clocks(connection, [(case_id, told, (), 0, 1, None) for told in clocks])
    return list(connection.scalars(clock_table.select().with_only_columns(clock_table.c.id)))


def rows(connection: Connection, **changes: Any) -> list[ClockRow]:
    """The rows of the week."""
    usual: dict[str, Any] = {**PERIOD, "as_of": NOW, "where": {}}
    found = stored.clock_rows(connection, ClockRow._fields, **(usual | changes))
    return [ClockRow._make(row) for row in found]


def test_every_field_of_a_row_is_a_column() -> None:
    assert set(ClockRow._fields) <= set(clock_table.c.keys())


def test_a_row_holds_what_was_stored(engine: Engine) -> None:
    told = clock(
        1,
        stopped_at=SINCE + 2 * DAY,
        breached_at=SINCE + DAY + 4 * HOUR,
        stop_recorded_at=SINCE + 3 * DAY,
        cannot_route=True,
        reason_code="x",
    )
    with writing(engine) as connection:
        put(connection, told, case_id=2)
    with reading(engine) as connection:
        (row,) = rows(connection)
    assert (row.case_id, row.rule) == (2, "council-4h")
    for name in set(Clock._fields) & set(ClockRow._fields):
        assert getattr(row, name) == getattr(told, name), name
    assert row.cannot_route is True


def test_the_rows_are_those_due_in_the_period_and_those_open_each_once(engine: Engine) -> None:
    dues = {"before": SINCE - 1, "first": SINCE, "last": UNTIL - 1, "after": UNTIL}
    ended = {"stopped_at": SINCE - HOUR}
    with writing(engine) as connection:
        for place, (name, due) in enumerate(dues.items()):
            start = {"started_at": due - 4 * HOUR}
            put(connection, clock(place, rule_version=1, stage=f"{name} open", **start))
            put(connection, clock(place + 10, stage=f"{name} ended", **start, **ended))
        put(connection, clock(20, due_at=None, stage="no due"))
        put(connection, clock(21, started_at=NOW + 1, stage="not begun"))
    with reading(engine) as connection:
        found = sorted(row.stage for row in rows(connection))
    assert found == [
        "after open",
        "before open",
        "first ended",
        "first open",
        "last ended",
        "last open",
        "no due",
    ]


@pytest.mark.parametrize("end", ["stopped_at", "exempt_at", "void_at", "superseded_at"])
def test_what_any_fact_has_ended_is_not_open_unless_the_fact_lies_ahead(
    engine: Engine, end: str
) -> None:
    old = {"started_at": SINCE - 9 * DAY}
    with writing(engine) as connection:
        put(connection, clock(1, **old, **{end: NOW}), clock(2, **old, **{end: NOW + 1}))
    with reading(engine) as connection:
        assert len(rows(connection)) == 1


def test_a_claim_that_was_not_confirmed_in_time_is_open(engine: Engine) -> None:
    old = {"started_at": SINCE - 9 * DAY, "stopped_at": SINCE - 8 * DAY}
    with writing(engine) as connection:
        put(connection, clock(1, **old, confirm_by=NOW - 1), clock(2, **old, confirm_by=NOW))
    with reading(engine) as connection:
        (row,) = rows(connection)
        assert figures([row], **PERIOD, as_of=NOW).backlog.overdue == 1


def test_a_scope_sees_its_own_and_a_restricted_case_never_leaves(engine: Engine) -> None:
    with writing(engine) as connection:
        put(
            connection,
            clock(1),
            clock(2, district="west"),
            clock(3, unit="other"),
            clock(4, restricted=True),
        )
    with reading(engine) as connection:
        assert len(rows(connection)) == 3
        assert len(rows(connection, where={"district": "east"})) == 2
        assert len(rows(connection, where={"unit": "mash"})) == 2
        assert rows(connection, where={"district": "nowhere"}) == []


def test_more_rows_than_are_fetched_at_a_time_all_come(engine: Engine) -> None:
    with writing(engine) as connection:
        put(connection, *(clock(number) for number in range(4_500)))
    with reading(engine) as connection:
        found = figures(rows(connection), **PERIOD, as_of=NOW)
    assert (found.total.open_late, found.backlog.overdue, found.cases) == (4_500, 4_500, 1)


def test_references_are_those_of_the_cases_asked_for(engine: Engine) -> None:
    with reading(engine) as connection:
        assert stored.references(connection, {2, 9}) == {2: "PPN-2027-000002"}
        assert stored.references(connection, ()) == {}


# -- what was said ----------------------------------------------------------------------------


def mail(connection: Connection, number: int, state: str) -> int:
    """A mail in some state."""
    values = {
        "id": number,
        "kind": "alerts",
        "address": "desk@police.example",
        "role": "desk",
        "state": state,
        "created_at": SINCE,
        "message_id": f"<{number}@police.example>",
        "sent_at": SINCE + DAY if state == "sent" else None,
    }
    connection.execute(insert(message).values(**values))
    return number


def say(connection: Connection, clock_id: int, number: int, **changes: Any) -> None:
    """An alert, decided in the week."""
    usual: dict[str, Any] = {
        "clock_id": clock_id,
        "episode": 1,
        "rung": f"rung {number}",
        "repeat": 0,
        "recipient": "desk@police.example",
        "kind": AlertKind.OVERDUE.value,
        "role": "desk",
        "reason": "",
        "rung_at": SINCE,
        "decided_at": SINCE,
        "state": "in message",
        "message_id": None,
    }
    connection.execute(insert(alert).values(**(usual | changes)))


def test_alerts_are_counted_by_what_became_of_them(engine: Engine) -> None:
    with writing(engine) as connection:
        one, hidden, west = put(
            connection, clock(1), clock(2, restricted=True), clock(3, district="west")
        )
        sent, queued, dead = (
            mail(connection, number, state)
            for number, state in enumerate(("sent", "queued", "dead"), start=1)
        )
        withdrawal = AlertKind.WITHDRAWAL.value
        say(connection, one, 1, message_id=sent)
        say(connection, one, 2, message_id=sent)
        say(connection, one, 3, message_id=queued)
        say(connection, one, 4, state="pending")
        say(connection, one, 5, message_id=dead)
        say(connection, one, 6, state="cancelled")
        say(connection, one, 7, kind=withdrawal, message_id=sent)
        say(connection, one, 8, recipient="", state="pending")
        say(connection, one, 9, message_id=sent, decided_at=UNTIL)
        say(connection, hidden, 1, message_id=sent)
        say(connection, west, 1, message_id=sent)
    with reading(engine) as connection:
        east = stored.alert_counts(connection, **PERIOD, where={"district": "east"})
        force = stored.alert_counts(connection, **PERIOD, where={})
    assert Said(**east) == Said(
        told=2, mails=1, waiting=2, undelivered=1, cancelled=1, withdrawals=1, nobody=1
    )
    assert Said(**force).told == 3


def test_where_nothing_was_said_every_count_is_nought(engine: Engine) -> None:
    with reading(engine) as connection:
        assert Said(**stored.alert_counts(connection, **PERIOD, where={})) == Said()


# -- what came in -----------------------------------------------------------------------------


def took_in(connection: Connection, number: int, **changes: Any) -> None:
    """An intake of the week."""
    usual: dict[str, Any] = {
        "id": number,
        "feed": "desk",
        "file_name": "a.csv",
        "file_digest": number.to_bytes(16, "big"),
        "mapping_digest": "",
        "state": "done",
        "started_at": SINCE,
        "dropped_columns": {},
    }
    connection.execute(insert(intake).values(**(usual | changes)))


def set_aside(connection: Connection, row: bytes, field: str, **changes: Any) -> None:
    """A row set aside in the week."""
    usual: dict[str, Any] = {
        "feed": "desk",
        "row_digest": row,
        "field": field,
        "intake_id": 1,
        "reason": "",
        "expected": "",
        "declared": {},
        "state": "open",
        "first_seen_at": SINCE,
        "last_seen_at": SINCE,
    }
    connection.execute(insert(quarantine).values(**(usual | changes)))


def test_what_came_in_is_counted_by_the_row_and_not_by_the_field(engine: Engine) -> None:
    with writing(engine) as connection:
        took_in(connection, 1, events_new=7, events_conflicting=1)
        took_in(connection, 2, events_new=5, started_at=UNTIL)
        took_in(connection, 3, events_new=5, state="undone")
        took_in(connection, 4, state="set aside")
        set_aside(connection, b"1" * 16, "risk")
        set_aside(connection, b"1" * 16, "kind")
        set_aside(connection, b"2" * 16, "risk", state="mended")
        set_aside(connection, b"3" * 16, "risk", first_seen_at=SINCE - 1)
    with reading(engine) as connection:
        found = TakenIn(**stored.taken_in(connection, **PERIOD))
    assert found == TakenIn(events=7, conflicting=1, files_set_aside=1, set_aside=2, unmended=1)


def test_where_nothing_came_in_every_count_is_nought(engine: Engine) -> None:
    with reading(engine) as connection:
        assert set(stored.taken_in(connection, **PERIOD).values()) == {0}


def test_a_feed_was_first_heard_at_its_first_intake_that_counts(engine: Engine) -> None:
    with writing(engine) as connection:
        known = {"last_heard_at": NOW, "heard_through": NOW, "trusted_until": NOW + HOUR}
        connection.execute(insert(feed).values(name="desk", **known))
        connection.execute(insert(feed).values(name="quiet"))
        took_in(connection, 1, state="undone", started_at=SINCE - DAY)
        took_in(connection, 2, started_at=SINCE + 2)
        took_in(connection, 3, started_at=SINCE + 1)
    with reading(engine) as connection:
        found = [FeedState(**row) for row in stored.feeds_heard(connection)]
        assert stored.trusted_until(connection) == {"desk": NOW + HOUR}
    assert found == [
        FeedState("desk", SINCE + 1, NOW, has_timetable=True),
        FeedState("quiet", None, None, has_timetable=False),
    ]


# -- the two together -------------------------------------------------------------------------

instants = st.none() | st.integers(SINCE - 2 * DAY, NOW + DAY)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "due_at": instants,
                "stopped_at": instants,
                "exempt_at": instants,
                "confirm_by": instants,
                "district": st.sampled_from(["east", "west"]),
                "restricted": st.booleans(),
            }
        ),
        max_size=8,
    ),
    st.integers(SINCE - DAY, NOW + DAY),
)
def test_what_is_left_in_the_database_would_have_changed_no_figure(
    written: list[dict[str, Any]], as_of: Instant
) -> None:
    """Against reading every clock there is, and judging it in Python alone."""
    clocks = [
        clock(number, started_at=SINCE - 3 * DAY, **fields_)
        for number, fields_ in enumerate(written)
    ]
    engine = open_engine("sqlite:///:memory:")
    metadata.create_all(engine)
    with writing(engine) as connection:
        connection.execute(insert(case_).values(id=1, reference="PPN-2027-000001"))
        put(connection, *clocks)
        asked = rows(connection, as_of=as_of, where={"district": "east"})
        every = clock_table.select().where(clock_table.c.district == "east")
        naive = [
            ClockRow._make(row[name] for name in ClockRow._fields)
            for row in connection.execute(every).mappings()
        ]
    engine.dispose()
    assert figures(asked, **PERIOD, as_of=as_of) == figures(naive, **PERIOD, as_of=as_of)
