"""An installation knows its database again; another one, or an older state of it, is held."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import delete, insert, update

from monitor.cycle.parts import Monitor
from monitor.cycle.registration import (
    BEHIND,
    OTHER,
    UNKNOWN,
    VOUCHES_FOR,
    in_words,
    register,
    registration_faults,
    release,
)
from monitor.model import HOUR, MINUTE, SECOND
from monitor.store import outbox
from monitor.store.actions import record_action
from monitor.store.engine import Engine, database_now, open_engine, reading, writing
from monitor.store.identity import RELEASE, identify, standing, word_on_mail
from monitor.store.schema import migrate
from monitor.store.tables import installation, known_number, node
from tests.postgres import PostgresServer


def _furnish(url: str) -> None:
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A migrated database that no daemon has worked with."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/monitor.db"
        _furnish(url)
        made = open_engine(url)
        yield made
        made.dispose()
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(server.template("migrated", _furnish)) as url:
        made = open_engine(url)
        yield made
        made.dispose()


@pytest.fixture
def now(engine: Engine) -> int:
    """The present, of which the database knows too."""
    with reading(engine) as connection:
        return database_now(connection)


def place(folder: Path, engine: Engine, name: str = "one") -> Monitor:
    """An installation, as far as registration looks at it."""
    settings = SimpleNamespace(path=lambda written: folder / written)
    made = SimpleNamespace(settings=settings, engine=engine, node=name)
    return cast("Monitor", made)


def mailed(engine: Engine, *, now: int) -> None:
    with writing(engine) as connection:
        outbox.queue_message(
            connection,
            kind="alert",
            address="a@eastshire.example",
            role="r",
            domain="x",
            now=now,
            not_before=now,
        )


def went_on(engine: Engine, *, now: int) -> None:
    with writing(engine) as connection:
        record_action(connection, kind="activate", target="rules", actor="x", now=now)


def put_back(engine: Engine, number: int) -> None:
    """An older state, as far as can be told from outside."""
    with writing(engine) as connection:
        connection.execute(update(known_number).values(last=number))


def released(engine: Engine, *, now: int) -> None:
    with writing(engine) as connection:
        record_action(connection, kind=RELEASE, target="mail", actor="operator", now=now)


def is_held(engine: Engine) -> bool:
    with reading(engine) as connection:
        return outbox.mail_is_held(connection)


# -- one that is known ------------------------------------------------------------------------


def test_the_first_start_names_the_database_and_remembers_it(
    engine: Engine, tmp_path: Path, now: int
) -> None:
    """In a file that only the service can read; nothing is held."""
    went_on(engine, now=now)
    assert register(place(tmp_path, engine), now=now) == ""
    file = tmp_path / "var/registered.json"
    with reading(engine) as connection:
        found = standing(connection)
    assert found.identity
    remembered = json.loads(file.read_text())
    assert remembered == {"identity": found.identity, "last_number": 1, "seen_at": now}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not is_held(engine)


def test_it_is_known_again_and_followed(engine: Engine, tmp_path: Path, now: int) -> None:
    one = place(tmp_path, engine)
    register(one, now=now)
    mailed(engine, now=now)
    went_on(engine, now=now)
    went_on(engine, now=now)
    assert register(one, now=now + SECOND) == ""
    assert json.loads((tmp_path / "var/registered.json").read_text())["last_number"] == 2
    assert not is_held(engine)


def test_what_did_not_change_is_not_written(engine: Engine, tmp_path: Path, now: int) -> None:
    one = place(tmp_path, engine)
    register(one, now=now)
    before = (tmp_path / "var/registered.json").stat()
    register(one, now=now + HOUR)
    assert (tmp_path / "var/registered.json").stat().st_ino == before.st_ino


def test_nodes_in_one_folder_never_take_each_other_for_a_step_back(
    engine: Engine, tmp_path: Path, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reads the file, the other goes on and writes it, the first then asks the database."""
    one, two = place(tmp_path, engine), place(tmp_path, engine, "two")
    register(one, now=now)

    def meanwhile(connection: Any) -> Any:
        monkeypatch.undo()
        went_on(engine, now=now)
        register(two, now=now)
        return standing(connection)

    monkeypatch.setattr("monitor.cycle.registration.standing", meanwhile)
    assert register(one, now=now) == ""
    assert not is_held(engine)


def test_a_folder_that_cannot_be_written_ends_no_service(
    engine: Engine, tmp_path: Path, now: int
) -> None:
    (tmp_path / "var").write_text("in the way")
    assert register(place(tmp_path, engine), now=now) == ""
    assert not is_held(engine)


# -- one that is not --------------------------------------------------------------------------


def test_an_older_state_is_held(engine: Engine, tmp_path: Path, now: int) -> None:
    """Once, with the reason; and it stays held when new facts have caught up."""
    one = place(tmp_path, engine)
    for _ in range(5):
        went_on(engine, now=now)
    register(one, now=now)
    put_back(engine, 2)
    with writing(engine) as connection:
        connection.exec_driver_sql("DELETE FROM action WHERE number > 2")
    assert register(one, now=now + MINUTE) == BEHIND
    assert register(one, now=now + MINUTE) == BEHIND
    with reading(engine) as connection:
        assert standing(connection).last_number == 3, "one hold"
        assert word_on_mail(connection)[:2] == (True, BEHIND)
    for _ in range(5):
        went_on(engine, now=now)
    assert register(one, now=now + 2 * MINUTE) == ""
    assert is_held(engine)


def test_another_database_is_held(engine: Engine, tmp_path: Path, now: int) -> None:
    """Though it is empty: everything dropped again would be told again."""
    one = place(tmp_path, engine)
    register(one, now=now)
    with writing(engine) as connection:
        connection.execute(delete(installation))
    assert register(one, now=now) == OTHER
    assert is_held(engine)
    with writing(engine) as connection:
        identify(connection)
    assert register(one, now=now) == OTHER


def test_a_hold_of_a_person_is_given_its_reason_too(
    engine: Engine, tmp_path: Path, now: int
) -> None:
    """Whoever held mail for another reason must not release it unwarned."""
    one = place(tmp_path, engine)
    register(one, now=now)
    with writing(engine) as connection:
        connection.execute(delete(installation))
        record_action(connection, kind="hold mail", target="mail", actor="operator", now=now)
    register(one, now=now)
    with reading(engine) as connection:
        assert word_on_mail(connection)[:2] == (True, OTHER)


def test_a_release_says_that_it_is_the_right_one(engine: Engine, tmp_path: Path, now: int) -> None:
    one = place(tmp_path, engine)
    for _ in range(3):
        went_on(engine, now=now)
    register(one, now=now)
    put_back(engine, 2)
    with writing(engine) as connection:
        connection.exec_driver_sql("DELETE FROM action WHERE number > 2")
    register(one, now=now + SECOND)
    released(engine, now=now + MINUTE)
    release(one.settings, engine, now=now + MINUTE)
    assert register(one, now=now + HOUR) == ""
    assert not is_held(engine)


def test_a_release_at_one_node_holds_for_the_others(
    engine: Engine, tmp_path: Path, now: int
) -> None:
    """Each has a file of its own; one person's look is enough."""
    one, two = (place(tmp_path / name, engine, name) for name in ("one", "two"))
    for _ in range(3):
        went_on(engine, now=now)
    register(one, now=now)
    register(two, now=now)
    put_back(engine, 1)
    with writing(engine) as connection:
        connection.exec_driver_sql("DELETE FROM action WHERE number > 1")
    assert register(one, now=now + SECOND) == BEHIND
    released(engine, now=now + MINUTE)
    release(one.settings, engine, now=now + MINUTE)
    put_back(engine, 2)
    assert register(two, now=now + HOUR) == ""
    assert not is_held(engine)


def test_an_earlier_release_is_no_excuse(engine: Engine, tmp_path: Path, now: int) -> None:
    one = place(tmp_path, engine)
    released(engine, now=now - HOUR)
    register(one, now=now)
    with writing(engine) as connection:
        connection.execute(update(installation).values(identity="another"))
    assert register(one, now=now + HOUR) == OTHER


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"identity": 1'])
def test_a_file_that_says_nothing_is_as_none(
    engine: Engine, tmp_path: Path, now: int, content: str
) -> None:
    one = place(tmp_path, engine)
    register(one, now=now)
    mailed(engine, now=now)
    (tmp_path / "var/registered.json").write_text(content)
    assert register(one, now=now) == UNKNOWN


# -- an installation that remembers nothing ---------------------------------------------------


def test_mails_that_it_never_saw_are_held(engine: Engine, tmp_path: Path, now: int) -> None:
    """Somebody put a database into a new installation."""
    register(place(tmp_path / "old", engine), now=now)
    mailed(engine, now=now)
    assert register(place(tmp_path / "new", engine), now=now) == UNKNOWN
    assert is_held(engine)


def test_without_mails_there_is_nothing_to_repeat(engine: Engine, tmp_path: Path, now: int) -> None:
    register(place(tmp_path / "old", engine), now=now)
    assert register(place(tmp_path / "new", engine), now=now) == ""


def test_a_database_of_before_registration_is_adopted(
    engine: Engine, tmp_path: Path, now: int
) -> None:
    """An upgrade silences nobody."""
    mailed(engine, now=now)
    assert register(place(tmp_path, engine), now=now) == ""
    assert not is_held(engine)


def seen(engine: Engine, name: str, ago: int) -> None:
    with writing(engine) as connection:
        at = database_now(connection) - ago
        connection.execute(
            insert(node).values(name=name, started_at=at, seen_at=at, rulebook="r", schema="s")
        )


@pytest.mark.parametrize(
    ("name", "ago", "vouches"),
    [
        ("other", MINUTE, True),
        ("other", VOUCHES_FOR + MINUTE, False),
        ("new", MINUTE, False),
    ],
)
def test_a_new_node_silences_no_force(
    engine: Engine, tmp_path: Path, now: int, name: str, ago: int, vouches: bool
) -> None:
    """Another that works with the same PostgreSQL database vouches for it; a file has no other."""
    register(place(tmp_path / "old", engine, "other"), now=now)
    mailed(engine, now=now)
    seen(engine, name, ago)
    held = not (vouches and engine.dialect.name == "postgresql")
    assert bool(register(place(tmp_path / "new", engine, "new"), now=now)) is held
    assert is_held(engine) is held


def test_a_release_lately_vouches_for_a_shared_database(
    engine: Engine, tmp_path: Path, now: int
) -> None:
    """The second node of a restored database, started before the first was seen."""
    register(place(tmp_path / "old", engine), now=now)
    mailed(engine, now=now)
    released(engine, now=now - HOUR)
    shared = engine.dialect.name == "postgresql"
    assert (register(place(tmp_path / "new", engine, "new"), now=now) == "") is shared


# -- said -------------------------------------------------------------------------------------

Check = Callable[[], list[str]]


def test_check_says_it_before_and_after_a_start(engine: Engine, tmp_path: Path, now: int) -> None:
    """In words, with what to type; and nothing of a hold that a person wanted."""
    one = place(tmp_path, engine)

    def said() -> list[str]:
        return [str(each) for each in registration_faults(one.settings, engine, node="one")]

    assert said() == []
    register(one, now=now)
    assert said() == []
    with writing(engine) as connection:
        record_action(connection, kind="hold mail", target="mail", actor="operator", now=now)
    assert said() == []
    with writing(engine) as connection:
        connection.execute(update(installation).values(identity="another"))
    (fault,) = said()
    assert in_words(OTHER) in fault
    assert "monitor mail release" in fault
    register(one, now=now)
    assert said() == [fault]
    released(engine, now=now + MINUTE)
    release(one.settings, engine, now=now + MINUTE)
    assert said() == []
