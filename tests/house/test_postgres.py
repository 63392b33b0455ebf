"""The PostgreSQL of the tests is real, shared, and gives each test a database of its own."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests import postgres

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import PostgresServer


def _one(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row and row[0]


def test_it_answers_by_socket_and_on_loopback(postgres_server: PostgresServer) -> None:
    """Both addresses reach one server."""
    started = "SELECT pg_postmaster_start_time()"
    by_socket = _one(postgres_server.url(), started)
    assert by_socket == _one(postgres_server.url(loopback=True), started)


def test_it_does_not_run_as_root(postgres_server: PostgresServer) -> None:
    """A statement cannot run programs as root, whoever runs the tests."""
    with psycopg.connect(postgres_server.url()) as connection:
        connection.execute("CREATE TEMP TABLE who (uid text)")
        connection.execute("COPY who FROM PROGRAM 'id -u'")
        row = connection.execute("SELECT uid FROM who").fetchone()
    assert row is not None
    assert row[0] == str(os.geteuid() or 65534)


def test_a_password_is_asked_for(postgres_server: PostgresServer) -> None:
    """Others on the machine cannot use the server to act as us."""
    address = f"postgresql://postgres:wrong@127.0.0.1:{postgres_server.port}/postgres"
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(address)


@pytest.mark.parametrize("_turn", [1, 2])
def test_each_test_has_a_database_of_its_own(fresh_postgres: str, _turn: int) -> None:
    """What one test leaves, another does not find."""
    with psycopg.connect(fresh_postgres) as connection:
        connection.execute("CREATE TABLE left_behind (n int)")


def test_a_template_is_furnished_once_and_copied(postgres_server: PostgresServer) -> None:
    """Twenty copies of one furnished database, side by side."""
    furnished: list[str] = []

    def furnish(url: str) -> None:
        furnished.append(url)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE chair AS SELECT 4 AS legs")

    for _ in range(2):
        template = postgres_server.template("test_furnished", furnish)
    with ExitStack() as kept:
        copies = [kept.enter_context(postgres_server.database(template)) for _ in range(20)]
        assert [_one(copy, "SELECT legs FROM chair") for copy in copies] == [4] * 20
    assert len(furnished) <= 1


def test_without_binaries_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without a server is named wrongly; nothing else is tried behind one's back."""
    monkeypatch.setenv("TIMELINESS_PG_BIN", str(tmp_path))
    with pytest.raises(postgres.NoPostgres, match="make setup"):
        postgres.binaries()
