"""Migrations: from the first schema with rows in it, and so that an older program can go on."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text

from monitor.model import HOUR, MINUTE
from monitor.rulebook.approval import content_digest
from monitor.store import cases, intakes, nodes, outbox, rulebooks, schema
from monitor.store.engine import open_engine, reading, writing
from monitor.store.schema import is_current, migrate, waiting_migrations
from monitor.worktime.instants import to_datetime
from tests.postgres import PostgresServer
from tests.store.world import T0, documents, kept, rule, rulebook, take_in, told

VERSIONS = sorted(schema.MIGRATIONS.glob("versions/[0-9]*.py"))


@pytest.fixture
def empty(request: pytest.FixtureRequest, sort: str, tmp_path: Path) -> Iterator[Engine]:
    """A database in which there is nothing yet."""
    if sort == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")
        yield engine
        engine.dispose()
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as url:
        engine = open_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture
def as_of(tmp_path: Path) -> Callable[[Engine, int], None]:
    """Migrates a database as the program did that knew so many migrations."""

    def migrate_to(engine: Engine, many: int) -> None:
        folder = tmp_path / f"as of {many}"
        shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("versions"))
        (folder / "versions").mkdir()
        for version in VERSIONS[:many]:
            shutil.copy(version, folder / "versions")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", folder)
            migrate(engine)

    return migrate_to


# -- from the first schema --------------------------------------------------------------------

_BOOK = rulebook()
_ROWS: dict[str, list[dict[str, Any]]] = {
    "case_": [
        {"id": 1, "reference": "PPN-1", "dirty": 1, "assessed": 1},
        {"id": 2, "reference": "PPN-2", "merged_into": 1, "dirty": 3, "assessed": 2},
    ],
    "feed": [{"id": 1, "name": "desk", "last_heard_at": T0, "lag": 7, "red": "a bad file"}],
    "feed_gap": [{"id": 1, "feed": "desk", "silent_from": T0, "silent_to": T0 + HOUR}],
    "intake": [
        {
            "id": 1,
            "feed": "desk",
            "file_name": "a.csv",
            "file_digest": b"a",
            "mapping_digest": "m",
            "state": "done",
            "started_at": T0,
            "finished_at": T0,
            "rows_read": 3,
            "events_new": 2,
            "dropped_columns": '{"notes": 3}',
        },
        {
            "id": 2,
            "feed": "desk",
            "file_name": "b.csv",
            "file_digest": b"b",
            "mapping_digest": "m",
            "state": "reading",
            "started_at": T0,
            "rows_read": 40,
            "dropped_columns": "{}",
        },
    ],
    "batch": [{"id": 1, "intake_id": 1, "number": 1, "received_at": T0 + MINUTE}],
    "event": [
        {
            "id": n,
            "case_id": n,
            "batch_id": 1,
            "line": 1 + n,
            "feed": "desk",
            "identity": b"%d" % n,
            "revision": 0,
            "content": b"c%d" % n,
            "kind": "contact",
            "occurred_from": T0,
            "occurred_to": T0,
            "received_at": T0 + HOUR,
            "links": "PPN-1" if n == 2 else "",
            "named": True,
        }
        for n in (1, 2)
    ],
    "clock": [
        {
            "id": 1,
            "case_id": 1,
            "rule": "tell-council",
            "child": "",
            "organisation": "",
            "start": "",
            "rule_version": 1,
            "calendar_version": "v",
            "started_at": T0,
            "due_at": T0 + 4 * HOUR,
            "known_at": T0 + HOUR,
            "stage": "contact",
            "stage_at": T0,
            "partner": "council",
            "steps_done": 2,
            "revision": 5,
            "waits_for": "desk",
            "next_action_at": T0 + 5 * HOUR,
        },
        {
            "id": 2,
            "case_id": 2,
            "rule": "tell-council",
            "child": "",
            "organisation": "",
            "start": "",
            "rule_version": 1,
            "started_at": T0,
            "known_at": T0,
            "superseded_at": T0 + HOUR,
            "waits_for": "desk",
            "inherits": "[1]",
        },
    ],
    "message": [
        {
            "id": n,
            "kind": "alerts",
            "address": "a@eastshire.police.example",
            "role": "inspector",
            "state": state,
            "created_at": T0,
            "message_id": f"<{n}@x>",
            "content": b"Subject: x\n\nbytes",
            "frozen_at": T0,
            "attempts": 1,
            "next_attempt_at": T0,
            "sent_at": T0 if state == "sent" else None,
        }
        for n, state in ((1, "sent"), (2, "queued"))
    ],
    "alert": [
        {
            "id": n,
            "clock_id": n,
            "episode": 1,
            "rung": "when due",
            "repeat": 0,
            "recipient": "a@eastshire.police.example",
            "kind": "overdue",
            "role": "inspector",
            "reason": "due passed",
            "rung_at": T0,
            "decided_at": T0,
            "state": "in message",
            "message_id": n,
        }
        for n in (1, 2)
    ],
    "digest_run": [
        {
            "id": 1,
            "scope": "force",
            "period": "2027-W02",
            "recipient": "a",
            "message_id": 1,
            "known": 1,
            "made_at": T0,
        }
    ],
    "quarantine": [
        {
            "id": 1,
            "feed": "desk",
            "row_digest": b"r",
            "field": "risk",
            "intake_id": 1,
            "line": 4,
            "reason": "unknown",
            "expected": "a risk",
            "declared": '{"R": "X"}',
            "state": "open",
            "first_seen_at": T0,
            "last_seen_at": T0,
        }
    ],
    "activation": [
        {
            "id": 1,
            "digest": _BOOK.digest,
            "documents": documents().as_json(),
            "activated_at": T0,
            "actor": "role:operator",
        }
    ],
    "action": [
        {
            "id": 1,
            "number": 2,
            "kind": "hold mail",
            "target": "mail",
            "actor": "role:operator",
            "from_at": T0,
        }
    ],
    "known_number": [{"id": 1, "last": 2}],
    "loop_turn": [{"node": "one", "loop": "sweep", "turned_at": T0, "outcome": "0 clocks"}],
    "audit": [
        {
            "id": 1,
            "at": T0,
            "operation": "collection",
            "actor": "system:intake",
            "subject": "intake 1",
            "detail": "{}",
            "sealed": 1,
            "chain": b"chain",
        }
    ],
    "rule_version": [
        {
            "id": 1,
            "rule": "tell-council",
            "version": 1,
            "measuring_digest": "d",
            "content": documents().rules[0].model_dump_json(by_alias=True),
            "accepted_at": T0,
        }
    ],
}
"""What a database of the first schema may hold, in an order in which parents come first."""


def _furnish(engine: Engine) -> None:
    """Plain SQL: today's tables and today's program have no part in it."""
    types = {
        (name, column["name"]): str(column["type"])
        for name in _ROWS
        for column in inspect(engine).get_columns(name)
    }
    with writing(engine) as connection:
        for name, rows in _ROWS.items():
            for row in rows:
                values = {
                    column: _zoned(value) if types[name, column].startswith("TIMESTAMP") else value
                    for column, value in row.items()
                }
                named, marked = ", ".join(f'"{c}"' for c in row), ", ".join(f":{c}" for c in row)
                statement = f'INSERT INTO "{name}" ({named}) VALUES ({marked})'
                connection.execute(text(statement), values)
            if engine.dialect.name == "postgresql" and "id" in rows[0] and name != "known_number":
                number = f"setval(pg_get_serial_sequence('{name}', 'id'), 100)"
                connection.execute(text(f"SELECT {number}"))


def _zoned(value: int | None) -> dt.datetime | None:
    return None if value is None else to_datetime(value)


def _stored(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    with reading(engine) as connection:
        return {
            name: [
                dict(row)
                for row in connection.execute(text(f'SELECT * FROM "{name}" ORDER BY 1, 2'))
                .mappings()
                .all()
            ]
            for name in _ROWS
        }


def test_every_row_of_the_first_schema_is_there_at_the_newest(
    empty: Engine, as_of: Callable[[Engine, int], None]
) -> None:
    """With all it held. SQLite builds some tables anew: what refers to them stays."""
    as_of(empty, 1)
    _furnish(empty)
    before = _stored(empty)
    assert all(before.values())
    planned = waiting_migrations(empty)
    assert len(planned) == len(VERSIONS) - 1
    assert migrate(empty) == planned
    assert is_current(empty)
    before["clock"][1]["waits_for"] = ""  # mended by 0002: it would have waited for ever
    after = _stored(empty)
    for name, rows in before.items():
        kept_rows = [
            {column: now[column] for column in row}
            for row, now in zip(rows, after[name], strict=True)
        ]
        assert kept_rows == rows, name
    if empty.dialect.name == "sqlite":
        with reading(empty) as connection:
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []


def test_every_table_of_the_first_schema_is_tried(
    empty: Engine, as_of: Callable[[Engine, int], None]
) -> None:
    as_of(empty, 1)
    assert set(inspect(empty).get_table_names()) == {*_ROWS, "alembic_version"}


def test_today_s_program_works_on_what_was_migrated(
    empty: Engine, as_of: Callable[[Engine, int], None]
) -> None:
    """A file half read is read on, a stop ends an old clock, a mail waits, the rules are known."""
    as_of(empty, 1)
    _furnish(empty)
    migrate(empty)
    with writing(empty) as connection:
        opened = intakes.open_intake(
            connection,
            feed_name="desk",
            file_name="b.csv",
            file_digest=b"b",
            mapping_digest="m",
            now=T0,
            node="one",
        )
        assert (opened.id, opened.state, opened.rows_read) == (2, "reading", 40)
        assert nodes.governing(connection).rulebook == _BOOK.digest
        active = rulebooks.active_rulebook(connection)
        assert active is not None
        assert active.digest == _BOOK.digest
        assert not rulebooks.spread(connection), "its cases were folded under it long ago"
        (claimed,) = outbox.claim_messages(connection, now=T0, lease=MINUTE, limit=9, node="one")
        assert (claimed.id, claimed.content) == (2, b"Subject: x\n\nbytes")
        assert cases.dirty_case_ids(connection, limit=9) == [2]
        assert outbox.mail_is_held(connection)
    stop = told("PPN-1", "partner_notified", T0 + HOUR, partner="council")
    take_in(empty, stop, told("PPN-9"), book=_BOOK, now=T0 + 6 * HOUR)
    stopped = {key.rule: each for key, each in kept(empty, "PPN-1").items()}["tell-council"]
    assert (stopped.id, stopped.clock.stopped_at) == (1, T0 + HOUR)
    assert len(kept(empty, "PPN-9")) == 3


def test_what_was_in_force_counts_as_approved(
    empty: Engine, as_of: Callable[[Engine, int], None]
) -> None:
    """A force that runs does not fall silent: every version accepted, and the active ladders."""
    as_of(empty, 1)
    _furnish(empty)
    as_of(empty, 2)
    older = rule("tell-health", version=7, title="Nobody's file any more")
    with writing(empty) as connection:
        connection.execute(
            text(
                "INSERT INTO rule_version (rule, version, measuring_digest, content, accepted_at)"
                " SELECT 'tell-health', 7, 'd', :content, accepted_at FROM rule_version"
            ),
            {"content": older.model_dump_json(by_alias=True)},
        )
    migrate(empty)
    with reading(empty) as connection:
        kept_ones = rulebooks.approvals(connection)
        found = rulebooks.governed(connection, documents())
    assert {(each.kind, each.id, each.version) for each in kept_ones} == {
        *(("rule", each.id, each.version) for each in (*documents().rules, older)),
        *(("ladder", each.id, each.version) for each in documents().ladders),
    }
    assert {(each.role, each.approved_at, each.number) for each in kept_ones} == {("", T0, 0)}
    assert found.waiting == ()
    assert found.documents.trial == ()
    digests = {each.id: each.digest for each in kept_ones if each.version == 1}
    assert digests["tell-council"] == content_digest(documents().rules[0])


def test_the_wording_in_force_is_what_counts_as_approved(
    empty: Engine, as_of: Callable[[Engine, int], None]
) -> None:
    """A title changed since its version was accepted: the active rulebook has today's."""
    as_of(empty, 1)
    _furnish(empty)
    reworded = documents(rule(title="Another title")).as_json()
    with writing(empty) as connection:
        connection.execute(text("UPDATE activation SET documents = :it"), {"it": reworded})
    migrate(empty)
    with reading(empty) as connection:
        found = rulebooks.governed(connection, documents(rule(title="Another title")))
    assert found.waiting == ()


def test_a_database_in_which_nothing_was_in_force_approves_nothing(empty: Engine) -> None:
    migrate(empty)
    with reading(empty) as connection:
        assert rulebooks.approvals(connection) == []


# -- an older program goes on -----------------------------------------------------------------

DECIDED_ONLY = frozenset({"clock"})
"""Tables that no older program writes to while it is held back, but for waking a clock: they may be
given new conditions. See docs/decisions/0011."""


def _shape(engine: Engine) -> dict[str, dict[str, Any]]:
    look = inspect(engine)
    return {
        name: {
            "columns": {column["name"]: column for column in look.get_columns(name)},
            "conditions": {
                *(f"check {c['name']}" for c in look.get_check_constraints(name)),
                *(f"unique {c['column_names']}" for c in look.get_unique_constraints(name)),
                *(f"unique {i['column_names']}" for i in look.get_indexes(name) if i["unique"]),
                *(f"to {c['referred_table']}" for c in look.get_foreign_keys(name)),
            },
        }
        for name in look.get_table_names()
    }


def _broken_column(name: str, was: dict[str, Any], now: dict[str, Any] | None) -> Iterator[str]:
    if now is None:
        yield f"{name} is gone"
    elif (str(now["type"]), now["default"]) != (str(was["type"]), was["default"]):
        yield f"{name} is of another type or default"
    elif was["nullable"] and not now["nullable"]:
        yield f"{name} must be given now"


def _broken_promises(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """What an older program could stumble over."""
    for name, old in before.items():
        if name not in after:
            yield f"{name} is gone"
            continue
        new = after[name]
        for column, was in old["columns"].items():
            yield from _broken_column(f"{name}.{column}", was, new["columns"].get(column))
        for column in new["columns"].keys() - old["columns"].keys():
            added = new["columns"][column]
            if not added["nullable"] and added["default"] is None:
                yield f"{name}.{column} has no server default"
        if name not in DECIDED_ONLY:
            for condition in sorted(new["conditions"] - old["conditions"]):
                yield f"{name} has a new condition: {condition}"


def test_a_migration_only_adds(empty: Engine, as_of: Callable[[Engine, int], None]) -> None:
    """A program that knows none of it goes on taking in and delivering."""
    as_of(empty, 1)
    before = _shape(empty)
    for many, version in enumerate(VERSIONS[1:], start=2):
        as_of(empty, many)
        after = _shape(empty)
        assert list(_broken_promises(before, after)) == [], version.name
        before = after


@pytest.mark.parametrize(
    ("does", "broken"),
    [
        ("ALTER TABLE intake DROP COLUMN why", "intake.why is gone"),
        ("ALTER TABLE intake RENAME COLUMN why TO reason", "intake.why is gone"),
        ("ALTER TABLE message RENAME TO mail", "message is gone"),
        ("CREATE UNIQUE INDEX one ON message (subject)", "message has a new condition"),
        ("ALTER TABLE event ADD COLUMN x TEXT NOT NULL DEFAULT ''", ""),
        ("ALTER TABLE event ADD COLUMN x TEXT", ""),
        ("CREATE UNIQUE INDEX one ON clock (district)", ""),
    ],
)
def test_one_that_does_more_is_found(engine: Engine, does: str, broken: str) -> None:
    before = _shape(engine)
    with writing(engine) as connection:
        connection.execute(text(does))
    found = list(_broken_promises(before, _shape(engine)))
    assert any(one.startswith(broken) for one in found) if broken else found == []
