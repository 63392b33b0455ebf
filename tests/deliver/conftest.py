"""What is delivered is kept in a real database, SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from monitor.cycle.parts import Monitor
from monitor.installation import install
from monitor.settings import read_settings
from monitor.store.engine import Engine, open_engine
from monitor.store.schema import migrate
from monitor.wiring import ready
from tests.approved import approve_installed
from tests.deliver.office import Office
from tests.store import conftest as store

postgres_template = store.postgres_template
sqlite_template = store.sqlite_template
sqlite_url = store.sqlite_url
sort = store.sort
url = store.url
engine = store.engine


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Monitor:
    """One installation for the whole run; its database is nobody's."""
    folder = tmp_path_factory.mktemp("installed") / "force"
    install(folder)
    (folder / "var").mkdir(exist_ok=True)
    settings = read_settings(folder / "config/monitor.toml")
    elsewhere = SecretStr(f"sqlite:///{folder}/var/monitor.db")
    settings = settings.model_copy(
        update={"database": settings.database.model_copy(update={"url": elsewhere})}
    )
    empty = open_engine(f"sqlite:///{folder}/var/monitor.db")
    migrate(empty)
    empty.dispose()
    approve_installed(folder)
    monitor = ready(settings, now=0, actor="test", activate=True)
    monitor.engine.dispose()
    return monitor


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """The event loop of one test."""
    with asyncio.Runner() as runner:
        yield runner
        runner.run(asyncio.sleep(0))  # sockets are closed when the loop next turns


@pytest.fixture
def port() -> int:
    """A port at which nobody listens yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def office(installed: Monitor, engine: Engine, port: int, tmp_path: Path) -> Office:
    """An installation with a database of its own, whose mails go to `port`."""
    return Office(replace(installed, engine=engine), port=port, folder=tmp_path)
