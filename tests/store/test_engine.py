"""The connection: private, durable, and transactions that see one state of the world."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest
from sqlalchemy import Connection, Engine, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

import monitor.store.engine
from monitor.store.at_once import insert_rows
from monitor.store.engine import (
    ATTEMPTS,
    WrongOwner,
    database_now,
    in_transaction,
    is_unusable,
    open_engine,
    reading,
    share_turn,
    take_stock,
    take_turn,
    writing,
)
from monitor.store.tables import case_, event, feed

_ADDS_ONE = """
import sys
from sqlalchemy import text
from monitor.store.engine import open_engine, writing
engine = open_engine(sys.argv[1])
for _ in range(25):
    with writing(engine) as connection:
        before = connection.execute(text("SELECT lag FROM feed")).scalar_one()
        connection.execute(text("UPDATE feed SET lag = :n"), {"n": before + 1})
"""


def _add_feed(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(feed.insert().values(name="desk"))


def _lag(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.execute(select(feed.c.lag)).scalar_one())


def test_a_deadlock_is_tried_again_and_both_are_kept(postgres: Engine) -> None:
    """Two transactions take two rows in opposite orders: one gives way, and then goes on."""
    with writing(postgres) as connection:
        connection.execute(case_.insert(), [{"reference": "a"}, {"reference": "b"}])
    meet, tried = Barrier(2), []

    def cross(first: str, second: str) -> None:
        def work(connection: Connection) -> None:
            tried.append(first)
            for place, reference in enumerate((first, second)):
                asked = update(case_).where(case_.c.reference == reference)
                connection.execute(asked.values(dirty=case_.c.dirty + 1))
                if place == 0 and len(tried) <= 2:
                    meet.wait(timeout=30)

        in_transaction(postgres, work)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(cross, "a", "b"), pool.submit(cross, "b", "a")]:
            done.result(timeout=60)
    assert len(tried) == 3
    with reading(postgres) as connection:
        assert set(connection.scalars(select(case_.c.dirty))) == {2}


def test_a_real_fault_is_not_tried_again(engine: Engine) -> None:
    """Nor one that gives way for ever."""
    tried = []

    def twice(connection: Connection) -> None:
        tried.append(1)
        connection.execute(case_.insert(), [{"reference": "a"}, {"reference": "a"}])

    with pytest.raises(IntegrityError):
        in_transaction(engine, twice)
    assert len(tried) == 1

    class Victim(Exception):
        sqlstate = "40P01"

    def always(_connection: Connection) -> None:
        tried.append(1)
        raise OperationalError("", {}, Victim())

    with pytest.raises(OperationalError):
        in_transaction(engine, always)
    assert len(tried) == 1 + ATTEMPTS


def test_nobody_waits_for_long_on_one_who_stands_still(
    fresh_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suspended machine holds a lock: the other goes on, and it does its work again later."""
    monkeypatch.setattr(monitor.store.engine, "STANDS_STILL_SECONDS", 1)
    engine, locked, went_on, tried = open_engine(fresh_postgres), Event(), Event(), []

    def stand_still(connection: Connection) -> int:
        tried.append(1)
        take_turn(connection, "this")
        if len(tried) == 1:
            locked.set()
            assert went_on.wait(timeout=60)
        connection.execute(insert(case_).values(reference=f"late {len(tried)}"))
        return len(tried)

    def go_on() -> None:
        assert locked.wait(timeout=60)
        with writing(engine) as connection:
            take_turn(connection, "this")
        went_on.set()

    with ThreadPoolExecutor(2) as pool:
        late, other = pool.submit(in_transaction, engine, stand_still), pool.submit(go_on)
        other.result(timeout=90)
        assert late.result(timeout=90) == 2
    with reading(engine) as connection:
        assert list(connection.scalars(select(case_.c.reference))) == ["late 2"]
    engine.dispose()


def test_a_transaction_without_a_second_try_says_that_the_database_failed_it(
    fresh_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no fault of the program; and one that only reads may think for as long as it likes."""
    monkeypatch.setattr(monitor.store.engine, "STANDS_STILL_SECONDS", 1)
    engine = open_engine(fresh_postgres)
    with reading(engine) as connection:
        time.sleep(2)
        assert connection.scalar(text("SELECT 1")) == 1

    def stand_still() -> None:
        with writing(engine) as connection:
            connection.execute(text("SELECT 1"))
            time.sleep(2)

    with pytest.raises(DBAPIError) as stood_still:
        stand_still()
    assert is_unusable(stood_still.value)
    with writing(engine) as connection:
        assert connection.scalar(text("SELECT 1")) == 1, "the next has a connection that lives"
    engine.dispose()


def test_a_turn_waits_for_those_who_share_it_and_they_for_it(postgres: Engine) -> None:
    def take() -> None:
        with writing(postgres) as connection:
            take_turn(connection, "this")

    with ThreadPoolExecutor(1) as pool, writing(postgres) as one, writing(postgres) as two:
        share_turn(one, "this")
        share_turn(two, "this")
        share_turn(two, "another")
        taking = pool.submit(take)
        one.commit()
        assert not taking.done()
        two.commit()
        taking.result(timeout=60)


def test_a_new_file_and_its_folder_are_private(tmp_path: Path) -> None:
    """Nobody else reads pseudonymised data about children."""
    path = tmp_path / "new" / "monitor.db"
    engine = open_engine(f"sqlite:///{path}")
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE t (a)"))
        modes = [each.stat().st_mode & 0o777 for each in path.parent.iterdir()]
    engine.dispose()
    assert len(modes) == 3  # the database, its log of writes and the index of that
    assert set(modes) == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    path.touch(mode=0o644)
    open_engine(f"sqlite:///{path}").dispose()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_another_user_s_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    """The message says whose it is and what to type."""
    path = tmp_path / "monitor.db"
    path.touch(mode=0o640)
    os.chown(path, 12345, -1)
    with pytest.raises(WrongOwner, match=r"user number 12345, and you are 0.*sudo -u '#12345'"):
        open_engine(f"sqlite:///{path}")
    assert path.stat().st_mode & 0o777 == 0o640


def test_every_sqlite_connection_is_durable_and_checked(sqlite: Engine) -> None:
    """WAL, every commit on disk, foreign keys held: on each connection of the pool."""
    with sqlite.connect() as one, sqlite.connect() as other:
        for connection in (one, other):
            for pragma, expected in (
                ("journal_mode", "wal"),
                ("synchronous", 2),
                ("foreign_keys", 1),
            ):
                asked = text(f"PRAGMA {pragma}")
                driver = connection.connection.driver_connection
                assert driver is not None
                assert driver.execute(asked.text).fetchone()[0] == expected


def test_a_child_needs_its_parent(engine: Engine) -> None:
    values = {"case_id": 1, "batch_id": 1, "feed": "desk", "identity": b"1", "content": b"c"}
    orphan = event.insert().values(
        **values,
        revision=0,
        kind="contact",
        occurred_from=0,
        occurred_to=0,
        received_at=0,
        retracts=b"",
    )
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(orphan)


def test_what_fails_is_not_kept(engine: Engine) -> None:

    def write_and_fail() -> None:
        with writing(engine) as connection:
            connection.execute(case_.insert().values(reference="PPN-1"))
            raise OSError("stop")

    with pytest.raises(OSError, match="stop"):
        write_and_fail()
    with reading(engine) as connection:
        assert connection.execute(select(case_.c.reference)).all() == []


def test_a_reader_sees_one_state_while_others_write(engine: Engine) -> None:
    """Two questions of one reading agree, whatever is committed in between."""
    _add_feed(engine)
    with reading(engine) as connection:
        assert connection.execute(select(feed.c.lag)).scalar_one() == 0
        with writing(engine) as other:
            other.execute(update(feed).values(lag=1))
        assert connection.execute(select(feed.c.lag)).scalar_one() == 0
    assert _lag(engine) == 1


def test_threads_that_read_and_then_write_lose_nothing_on_sqlite(sqlite: Engine) -> None:
    """A transaction takes the lock when it begins, not when it first writes."""
    _add_feed(sqlite)

    def add_many() -> None:
        for _ in range(25):
            with writing(sqlite) as connection:
                before = connection.execute(select(feed.c.lag)).scalar_one()
                connection.execute(update(feed).values(lag=before + 1))

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(add_many) for _ in range(4)]:
            done.result()
    assert _lag(sqlite) == 100


def test_processes_that_read_and_then_write_lose_nothing_on_sqlite(
    sqlite: Engine, sqlite_url: str
) -> None:
    _add_feed(sqlite)
    command = [sys.executable, "-c", _ADDS_ONE, sqlite_url]
    running = [subprocess.Popen(command, cwd=Path(__file__).parents[2]) for _ in range(4)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0, 0]
    assert _lag(sqlite) == 100


def test_the_database_s_time_goes_on_between_two_questions(engine: Engine) -> None:
    """A lease is measured by it, to well under a second."""
    with reading(engine) as connection:
        first = database_now(connection)
        second = database_now(connection)
    assert 0 <= second - first < 60_000_000
    assert first > 1_700_000_000_000_000


def test_stock_is_taken_of_tables_that_grew(engine: Engine) -> None:
    """PostgreSQL knows afterwards how many rows there are; SQLite needs no telling."""
    with writing(engine) as connection:
        insert_rows(connection, case_, ("reference",), [(f"PPN-{n}",) for n in range(500)])
    take_stock(engine, "case_", "event")
    if engine.dialect.name == "postgresql":
        with reading(engine) as connection:
            asked = text("SELECT reltuples FROM pg_class WHERE relname = 'case_'")
            assert connection.scalar(asked) == 500
