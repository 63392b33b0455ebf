"""What is stored is tested on both databases: each test has one of its own, at today's schema."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.store.engine import Engine, open_engine
from monitor.store.schema import migrate
from tests.postgres import PostgresServer


def _furnish(url: str) -> None:
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()  # a database can be copied only while nobody is connected


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """A migrated database."""
    return postgres_server.template("migrated", _furnish)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file."""
    path = tmp_path_factory.mktemp("template") / "monitor.db"
    _furnish(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The address of a migrated file for this test alone."""
    path = tmp_path / "var" / "monitor.db"
    path.parent.mkdir()
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def sort(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on."""
    return str(request.param)


@pytest.fixture
def url(request: pytest.FixtureRequest, sort: str) -> str:
    """The address of a migrated database for this test alone, of either sort."""
    return str(request.getfixturevalue("sqlite_url" if sort == "sqlite" else "fresh_postgres"))


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A migrated database of either sort."""
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres(fresh_postgres: str) -> Iterator[Engine]:
    """A migrated PostgreSQL database, for what only several writers at once can show."""
    engine = open_engine(fresh_postgres)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Engine]:
    """A migrated SQLite file, for what is its own."""
    engine = open_engine(sqlite_url)
    yield engine
    engine.dispose()
