"""Copies: whole, safe and private; and the way back from one into either sort of database."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, Integer, LargeBinary, Table, insert, select, update

from monitor.model import HOUR, MINUTE
from monitor.store import actions, backup, intakes, outbox, schema
from monitor.store.backup import Account, CannotCopy, make_copy, portable_rows, restore_copy
from monitor.store.engine import Engine, open_engine, reading, writing
from monitor.store.identity import RELEASE, hold_mail, identify, standing, word_on_mail
from monitor.store.schema import SchemaNotCurrent, is_current
from monitor.store.tables import (
    InstantType,
    action,
    audit,
    case_,
    clock,
    installation,
    intake,
    known_number,
    loop_turn,
    message,
    metadata,
    node,
)
from tests.postgres import PostgresServer
from tests.store.world import T0, case_id, rulebook, take_in, told

NOW = T0 + 5 * HOUR
ODD = 123_457
"""Microseconds that no rounding would leave as they are."""

MakeDatabase = Callable[[str], Engine]


@pytest.fixture
def database(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_template: str, sqlite_template: Path
) -> Iterator[MakeDatabase]:
    """Makes migrated, empty databases of either sort."""
    numbers = count(1)
    with ExitStack() as held:

        def make(sort: str) -> Engine:
            if sort == "sqlite":
                file = tmp_path / f"{next(numbers)}.db"
                shutil.copy(sqlite_template, file)
                url = f"sqlite:///{file}"
            else:
                server: PostgresServer = request.getfixturevalue("postgres_server")
                url = held.enter_context(server.database(postgres_template))
            engine = open_engine(url)
            held.callback(engine.dispose)
            return engine

        yield make


@pytest.fixture
def source(database: MakeDatabase, sort: str) -> Engine:
    """A database of either sort with rows in every table."""
    engine = database(sort)
    fill(engine)
    return engine


def copied(engine: Engine, folder: Path, name: str = "copy.db") -> Path:
    file = folder / name
    make_copy(engine, file, actor="operator", now=NOW)
    return file


def restored(file: Path, engine: Engine, scratch: Path) -> Account:
    return restore_copy(file, engine, scratch=scratch, actor="operator", now=NOW + MINUTE)


# -- what is in it ----------------------------------------------------------------------------

CHOSEN: dict[str, dict[str, Any]] = {
    "approval": {"kind": "rule"},
    "intake": {"state": "done"},
    "quarantine": {"state": "open"},
    "message": {"state": "queued", "sent_at": None, "lease_token": "one/1"},
    "alert": {"state": "in message"},
    "mail_in": {"kind": "bounce"},
    "watch_fault": {"ended_at": T0},
    "clock": {"waits_for": ""},
}
"""What the tables' conditions ask for; everything else is made up by its type."""

BY_HAND = ("audit", "known_number", "installation")


def fill(engine: Engine) -> None:
    """Events as intake and assess leave them, and rows in every table with awkward values."""
    take_in(engine, told("PPN-2"), told("PPN-1", "notice_submitted"), book=rulebook())
    take_in(engine, told("PPN-1", links="PPN-2", child="c" * 64), book=rulebook())
    with writing(engine) as connection:
        for table in metadata.sorted_tables:
            if table.name not in BY_HAND:
                for number in (1, 2):
                    connection.execute(insert(table).values(**made_up(table, number)))
        connection.execute(update(clock).where(clock.c.id == 1).values(inherits=None))
        identify(connection)
        for number in range(5):
            actions.write_audit(
                connection,
                operation="consultation",
                actor="analyst",
                subject=f"PPN-{number}",
                now=T0 + number,
                detail={"rule": "ü", "n": [number, None]},
            )
        actions.seal_audit(connection, limit=3)
    # The later of two cases is the one that the earlier was merged into.
    first, later = sorted((case_id(engine, "PPN-1"), case_id(engine, "PPN-2")))
    with writing(engine) as connection:
        connection.execute(update(case_).where(case_.c.id == first).values(merged_into=later))


def made_up(table: Table, number: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in table.c:
        if column.name == "id":
            continue
        if column.foreign_keys:
            values[column.name] = None if column.nullable and number == 1 else 1
        elif isinstance(column.type, InstantType):
            values[column.name] = None if column.nullable and number == 1 else T0 + ODD * number
        elif isinstance(column.type, JSON):
            values[column.name] = {"ä": [1, None, "'\"\\"], "n": number}
        elif isinstance(column.type, LargeBinary):
            values[column.name] = b"\x00\xff'%s\n" + bytes([number])
        elif isinstance(column.type, Boolean):
            values[column.name] = number == 1
        elif isinstance(column.type, Integer):  # BigInteger is one
            values[column.name] = number if type(column.type) is Integer else 2**40 + number
        else:
            values[column.name] = f"{table.name} {number} é ✓ '%s \"\\"
    return values | CHOSEN.get(table.name, {})


def rows_of(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    with reading(engine) as connection:
        return {
            table.name: [row for part in portable_rows(connection, table) for row in part]
            for table in metadata.sorted_tables
        }


CHANGED_BY_COPYING = {"action", "known_number", "audit", "node", "loop_turn", "message", "intake"}


def test_every_table_has_rows_and_they_go_out_and_back_as_they_are(
    source: Engine, database: MakeDatabase, tmp_path: Path
) -> None:
    """Bytes, JSON as written, odd microseconds, truth: from either sort into either."""
    before = rows_of(source)
    assert all(before.values())
    assert {None, "null"} < {row[0] for row in only(clock, ["inherits"], before)}
    file = copied(source, tmp_path)
    for sort in ("sqlite", "postgresql"):
        target = database(sort)
        account = restored(file, target, tmp_path)
        after = rows_of(target)
        same = {name: rows for name, rows in before.items() if name not in CHANGED_BY_COPYING}
        assert {name: after[name] for name in same} == same
        assert account.rows == {name: len(rows) for name, rows in after.items()} | {
            "audit": len(after["audit"]) - 1  # that of the restoring itself
        }


def test_what_a_copy_changes_is_leases_daemons_and_the_hold(
    source: Engine, database: MakeDatabase, tmp_path: Path
) -> None:
    before, target = rows_of(source), database("sqlite")
    restored(copied(source, tmp_path), target, tmp_path)
    after = rows_of(target)
    assert after["node"] == after["loop_turn"] == []
    (held,) = after["action"][len(before["action"]) :]
    assert after["action"][:-1] == before["action"]
    assert held[1:4] == (before["known_number"][0][1] + 1, "hold mail", "mail")
    for table in (message, intake):
        leases = [table.c.lease_token.name, table.c.lease_until.name]
        assert without(table, leases, after) == without(table, leases, before)
        assert {row[:2] for row in only(table, leases, after)} == {("", None)}
    assert after["audit"][: len(before["audit"])] == before["audit"]
    operations = [row[2] for row in after["audit"][len(before["audit"]) :]]
    assert operations == ["consultation", "alteration"], "the copying and the restoring"


def without(table: Table, names: list[str], rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    return only(table, [each.name for each in table.c if each.name not in names], rows)


def only(table: Table, names: list[str], rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    places = [list(table.c.keys()).index(name) for name in names]
    return [tuple(row[place] for place in places) for row in rows[table.name]]


# -- afterwards -------------------------------------------------------------------------------


def test_new_rows_are_numbered_on(source: Engine, database: MakeDatabase, tmp_path: Path) -> None:
    """PostgreSQL counts apart from the keys, and would begin at one."""
    target = database(source.dialect.name)
    restored(copied(source, tmp_path), target, tmp_path)
    with writing(target) as connection:
        for table in metadata.sorted_tables:
            if "id" in table.c and table.name not in BY_HAND:
                greatest = max(row[0] for row in rows_of(target)[table.name])
                again = {"reference": "PPN-9"} if table is case_ else made_up(table, 3)
                made = insert(table).values(**again).returning(table.c.id)
                assert connection.scalar(made) == greatest + 1, table.name


def test_a_restored_database_goes_on(
    source: Engine, database: MakeDatabase, tmp_path: Path
) -> None:
    """Numbers follow, the audit log is sealed on, intake takes in, and what was told is known."""
    before = rows_of(source)
    target = database(source.dialect.name)
    account = restored(copied(source, tmp_path), target, tmp_path)
    assert account.audit_breaks_at is None
    again = take_in(target, told("PPN-2"), told("PPN-7"), book=rulebook())
    assert (again.known, again.new) == (1, 1)
    with writing(target) as connection:
        assert standing(connection).last_number == before["known_number"][0][1] + 2
        actions.seal_audit(connection)
        assert actions.audit_breaks_at(connection) is None
        assert connection.scalar(select(audit.c.id).where(audit.c.sealed.is_(None))) is None


def test_a_broken_audit_log_is_restored_and_said(
    source: Engine, database: MakeDatabase, tmp_path: Path
) -> None:
    """Whoever needs the copy needs it all the more."""
    with writing(source) as connection:
        connection.execute(update(audit).where(audit.c.sealed == 2).values(subject="PPN-x"))
    account = restored(copied(source, tmp_path), database("sqlite"), tmp_path)
    assert account.audit_breaks_at == rows_of(source)["audit"][1][0]


def test_an_older_copy_is_brought_up_and_a_newer_refused(
    sqlite: Engine,
    database: MakeDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(sqlite)
    file = copied(sqlite, tmp_path)
    steps = tmp_path / "migrations"
    steps.mkdir()
    (steps / "env.py").write_bytes((schema.MIGRATIONS / "env.py").read_bytes())
    (steps / "versions").mkdir()
    for step in (schema.MIGRATIONS / "versions").glob("*.py"):
        (steps / "versions" / step.name).write_bytes(step.read_bytes())
    (newest,) = schema._scripts().get_heads()
    (steps / "versions" / "9000_next.py").write_text(
        '"""The next step."""\nfrom alembic import op\n'
        f'revision = "9000"\ndown_revision = "{newest}"\n\n\n'
        "def upgrade():\n    op.execute(\"UPDATE feed SET red = 'brought up'\")\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    target = database("sqlite")
    restored(file, target, tmp_path)
    assert is_current(target)
    assert {row[-1] for row in rows_of(target)["feed"]} == {"brought up"}
    newer = copied(target, tmp_path, "newer.db")
    monkeypatch.undo()
    with pytest.raises(SchemaNotCurrent, match="newer than this program"):
        restored(newer, database("sqlite"), tmp_path)


def test_a_database_that_waits_for_a_migration_is_not_copied(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/monitor.db")
    with pytest.raises(CannotCopy, match="monitor migrate"):
        copied(engine, tmp_path)
    engine.dispose()


# -- safe in anybody's hands ------------------------------------------------------------------


def test_mail_is_held_in_the_copy_itself(source: Engine, tmp_path: Path) -> None:
    """Also where somebody only puts the file in the place of a database."""
    file = copied(source, tmp_path)
    in_place = open_engine(f"sqlite:///{file}")
    with reading(in_place) as connection:
        assert word_on_mail(connection)[:2] == (True, "restored")
        assert outbox.mail_is_held(connection)
    with reading(source) as connection:
        assert not outbox.mail_is_held(connection), "and nothing is held where it came from"
    in_place.dispose()


def test_a_hold_in_the_copy_is_told_apart_from_a_person_s(sqlite: Engine, tmp_path: Path) -> None:
    """Whoever held mail before the copy was made did not think of a restored database."""
    with writing(sqlite) as connection:
        hold_mail(connection, reason_code="", actor="operator", now=T0)
    in_place = open_engine(f"sqlite:///{copied(sqlite, tmp_path)}")
    with reading(in_place) as connection:
        assert word_on_mail(connection).reason_code == "restored"
    in_place.dispose()


def test_a_copy_of_a_released_copy_is_held_again(
    sqlite: Engine, database: MakeDatabase, tmp_path: Path
) -> None:
    target = database("sqlite")
    restored(copied(sqlite, tmp_path), target, tmp_path)
    with writing(target) as connection:
        actions.record_action(connection, kind=RELEASE, target="mail", actor="operator", now=NOW)
        assert not outbox.mail_is_held(connection)
    again = database("sqlite")
    restored(copied(target, tmp_path, "second.db"), again, tmp_path)
    with reading(again) as connection:
        assert outbox.mail_is_held(connection)


def test_it_is_one_private_file_and_bears_the_same_identity(source: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "safe"
    folder.mkdir()
    umask = os.umask(0)
    try:
        file = copied(source, folder)
    finally:
        os.umask(umask)
    assert [path.name for path in folder.iterdir()] == ["copy.db"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    plain = sqlite3.connect(file)
    assert plain.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
    ((identity,),) = plain.execute("SELECT identity FROM installation").fetchall()
    plain.close()
    with reading(source) as connection:
        assert identity == connection.scalar(select(installation.c.identity))


# -- whole or not at all ----------------------------------------------------------------------


def test_nothing_is_overwritten(source: Engine, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    file.write_text("mine")
    with pytest.raises(CannotCopy, match="overwrites nothing"):
        copied(source, tmp_path)
    assert file.read_text() == "mine"


def test_nor_a_file_that_came_meanwhile(
    source: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = backup._settled

    def and_another_comes(*args: Any, **named: Any) -> Account:
        (tmp_path / "copy.db").write_text("theirs")
        return settled(*args, **named)

    monkeypatch.setattr(backup, "_settled", and_another_comes)
    with pytest.raises(CannotCopy, match="overwrites nothing"):
        copied(source, tmp_path)
    assert (tmp_path / "copy.db").read_text() == "theirs"
    assert not list(tmp_path.glob(".copy*"))


@pytest.mark.parametrize("step", ["_copy_pages", "_copy_rows", "_settled", "_finish"])
def test_a_copy_that_fails_leaves_nothing(
    source: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    if step == ("_copy_rows" if source.dialect.name == "sqlite" else "_copy_pages"):
        pytest.skip("it is the other database's way")
    does: Callable[..., Any] = getattr(backup, step)

    def fails(*args: Any, **named: Any) -> None:
        if step != "_finish":
            does(*args, **named)
        raise OSError(28, "No space left on device")

    folder = tmp_path / "safe"
    folder.mkdir()
    monkeypatch.setattr(backup, step, fails)
    with pytest.raises(CannotCopy, match="No space left"):
        copied(source, folder)
    assert list(folder.iterdir()) == []


def test_a_copy_that_is_broken_off_has_no_name(
    source: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed process leaves is hidden, ends on .part, and is refused."""
    seen: list[Path] = []

    def killed(unfinished: Path, _file: Path) -> None:
        part = tmp_path / "left-behind.part"
        part.write_bytes(unfinished.read_bytes()[:5000])
        seen.append(unfinished)
        raise KeyboardInterrupt

    monkeypatch.setattr(backup, "_finish", killed)
    with pytest.raises(KeyboardInterrupt):
        copied(source, tmp_path)
    assert not (tmp_path / "copy.db").exists()
    assert seen[0].name.startswith(".copy.db.")
    assert seen[0].suffix == ".part"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no copy of a monitor's database"),
        (b"reference,at\n" * 999, "no whole copy"),
        (None, "no whole copy|damaged"),
    ],
)
def test_what_is_no_whole_copy_is_refused(
    sqlite: Engine,
    database: MakeDatabase,
    tmp_path: Path,
    content: bytes | None,
    says: str,
) -> None:
    fill(sqlite)
    file = copied(sqlite, tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if content is None else content)
    target = database("sqlite")
    with pytest.raises(CannotCopy, match=says):
        restored(file, target, tmp_path)
    assert not any(rows_of(target).values())
    assert not list(tmp_path.glob(".restoring-*"))


def test_a_database_in_use_is_no_copy(sqlite: Engine, tmp_path: Path) -> None:
    """Its newest rows lie in the file beside it."""
    file = Path(str(sqlite.url.database))
    with reading(sqlite), pytest.raises(CannotCopy, match="in use"):
        restored(file, sqlite, tmp_path)


def test_only_an_empty_database_is_filled(source: Engine, tmp_path: Path) -> None:
    """One row is enough; and nothing of it is changed."""
    file = copied(source, tmp_path)
    before = rows_of(source)
    with pytest.raises(CannotCopy, match="not empty"):
        restored(file, source, tmp_path)
    assert rows_of(source) == before


def test_a_restoring_that_fails_changes_nothing(
    source: Engine, database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be typed again."""
    file, target = copied(source, tmp_path), database(source.dialect.name)
    number_on = backup._number_on

    def fails(_connection: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_number_on", fails)
    with pytest.raises(OSError, match="No space"):
        restored(file, target, tmp_path)
    assert not any(rows_of(target).values())
    monkeypatch.setattr(backup, "_number_on", number_on)
    assert restored(file, target, tmp_path).rows["event"]


# -- while others write -----------------------------------------------------------------------


def test_it_is_one_state_of_the_world_and_holds_up_no_writer(
    source: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer goes on all the while; each of its transactions is in the copy whole or not."""
    stop, written = threading.Event(), []

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with writing(source) as connection:
                hold_mail(connection, reason_code="x", actor=f"w{number}", now=T0)
                actions.record_turn(connection, node="w", loop="x", outcome=f"w{number}", now=T0)
                connection.execute(update(case_).values(dirty=number))
            written.append(number)

    def during() -> int:
        """Wait until the writer has written on, while the copy is being made."""
        begun = len(written)
        while len(written) < begun + 3:
            assert writer.is_alive()
            stop.wait(0.01)
        return len(written)

    settled, seen = backup._make_safe, []

    def look(connection: Any, **named: Any) -> None:
        during()
        dirty = set(connection.scalars(select(case_.c.dirty)))
        by_writer = select(action.c.actor).where(action.c.actor.regexp_match("^w[0-9]+$"))
        newest = connection.scalar(by_writer.order_by(action.c.number.desc()).limit(1))
        turn = connection.scalar(select(loop_turn.c.outcome).where(loop_turn.c.node == "w"))
        last = connection.scalar(select(known_number.c.last))
        seen.append((dirty, newest, turn, last))
        settled(connection, **named)

    carry = backup._carry

    def carry_while_others_write(*args: Any) -> None:
        if args[2] in (case_, action):
            during()
        carry(*args)

    monkeypatch.setattr(backup, "_make_safe", look)
    monkeypatch.setattr(backup, "_carry", carry_while_others_write)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not written:
            stop.wait(0.01)
        copied(source, tmp_path)
    finally:
        stop.set()
        writer.join()
    ((dirty, newest, turn, last),) = seen
    (number,) = dirty
    assert (newest, turn) == (f"w{number}", f"w{number}")
    with reading(source) as connection:
        mine = select(action.c.number).where(action.c.actor == newest)
        assert connection.scalar(mine) == last


def test_the_other_sort_s_file_system_is_of_no_matter(
    source: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a disk knows no second name for a file, the copy is renamed."""

    def no_links(*_args: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert copied(source, tmp_path).stat().st_size
    assert not list(tmp_path.glob(".copy*"))


def test_intakes_of_a_lost_daemon_are_taken_up(
    source: Engine, database: MakeDatabase, tmp_path: Path
) -> None:
    """A file that was being read, and a mail that was leased, wait for nobody."""
    with writing(source) as connection:
        connection.execute(
            update(intake).values(state="reading", lease_token="gone/1", lease_until=T0 + HOUR)
        )
        connection.execute(insert(node).values(**made_up(node, 3)))
    target = database("sqlite")
    restored(copied(source, tmp_path), target, tmp_path)
    with writing(target) as connection:
        claimed = outbox.claim_messages(connection, now=2**60, lease=HOUR, limit=9, node="new")
        assert claimed
        assert {row["lease_token"] for row in connection.execute(select(intake)).mappings()} == {""}
        assert intakes.last_number(connection)
