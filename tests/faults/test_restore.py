"""docs/backup-and-restore.md, typed word for word on both databases, with a daemon at work."""

# ruff: noqa: F811
# Fixtures are used under the names that they are imported by.

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitor.store.actions import audit_breaks_at
from monitor.store.engine import open_engine, reading
from tests.faults.machine import Machine
from tests.faults.test_machine import (  # noqa: F401 - fixtures
    EVENTS_TWICE,
    inbox,
    machine,
    made_here,
    works_on,
)
from tests.postgres import PostgresServer, binaries
from tests.process.installed import Running, Sink, eventually, hours_ago, notice

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
"""Many commands, each a process of its own: a busy machine is slow, not wrong."""

PAGE = Path(__file__).resolve().parents[2] / "docs/backup-and-restore.md"
CASE, LOST, LATER = "PPN-2027-004211", "PPN-2027-004212", "PPN-2027-004213"


def block(heading: str, number: int = 0) -> list[str]:
    """The lines of a block of commands under a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"(?ms)^ *```sh\n(.*?)^ *```", section)
    return [line.strip() for line in blocks[number].splitlines()]


@dataclass
class Operator:
    """Types what the page says; services are the test's own processes."""

    machine: Machine
    places: dict[str, str]
    environment: dict[str, str]
    daemon: Running | None = None

    def types(self, lines: list[str]) -> str:
        """What the last of some lines printed."""
        assert lines
        return [self._types(line) for line in lines][-1]

    def _types(self, line: str) -> str:
        for written, here in self.places.items():
            line = line.replace(written, here)
        if line == "systemctl stop monitor":
            assert self.daemon is not None
            assert self.daemon.end() == 0
            return ""
        if line == "systemctl start monitor":
            self.daemon = self.machine.start()
            return ""
        ended = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self.machine.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        needs_a_person = 1 if line.startswith("monitor status") else 0
        assert ended.returncode == needs_a_person, (line, ended.stdout, ended.stderr)
        return ended.stdout


@pytest.fixture(params=["sqlite", "postgresql"])
def operator(
    request: pytest.FixtureRequest, machine: Machine, tmp_path: Path
) -> Iterator[Operator]:
    """Somebody at the installation, on either database."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "safe").mkdir()
    command = tmp_path / "bin/monitor"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m monitor "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    environment = machine.made.environment | {"PATH": path}
    places = {"/safe/place": str(tmp_path / "safe")}
    if request.param == "sqlite":
        yield Operator(machine, places, environment)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with _on_postgresql(server) as (name, more, access):
        machine.on(server.url(name, loopback=True))
        yield Operator(
            machine, places | more, environment | access | {"PATH": f"{binaries()}:{path}"}
        )


@contextmanager
def _on_postgresql(
    server: PostgresServer,
) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    """Databases that nobody else on the shared server has, and who may make them."""
    if not (binaries() / "createdb").exists():
        pytest.skip("this PostgreSQL comes without createdb")
    restored = f"restored_{secrets.token_hex(4)}"
    access = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": "postgres",
        "PGPASSWORD": server.password,
    }
    with server.database() as url:
        name = re.findall(r"/(test_\w+)\?", url)[0]
        places = {'/monitor"': f'/{name}"', "monitor_restored": restored}
        try:
            yield name, places, access
        finally:
            server._drop(restored)


def heading(operator: Operator) -> str:
    return f"Restore, on {'PostgreSQL' if 'monitor_restored' in operator.places else 'SQLite'}"


def times_told(inbox: Sink, case: str) -> int:
    """How many mails tell of a case, by itself or in a bundle."""
    bodies = [mail.get_body(("plain",)) for mail in inbox.mails()]
    return sum(case in body.get_content() for body in bodies if body is not None)


def test_a_database_is_copied_lost_and_restored_as_the_page_says(
    operator: Operator, inbox: Sink
) -> None:
    """What the copy knows is not told again; what it lacks is, after the release alone."""
    machine = operator.machine
    operator.daemon = machine.start()
    works_on(machine, inbox, CASE)
    eventually(lambda: not machine.one("SELECT count(*) AS n FROM message WHERE state = 'queued'"))
    operator.types(block("Make a copy"))
    works_on(machine, inbox, LOST)
    eventually(lambda: list((machine.folder / "var/done").glob(f"*{LOST}*")))

    said = operator.types(block(heading(operator)))
    assert "the database was restored from a copy" in said
    told = {case: times_told(inbox, case) for case in (CASE, LOST)}
    operator.types(block("Restore, on SQLite", 1))
    machine.made.drop(notice(LATER, submitted=hours_ago(5)), name=f"notices-{LATER}.csv")
    waiting = (
        "SELECT count(*) AS n FROM event JOIN case_ ON case_.id = case_id WHERE reference = '{}'"
    )
    eventually(lambda: machine.one(waiting.format(LOST)))
    eventually(lambda: machine.one(waiting.format(LATER)))
    eventually(lambda: machine.one("SELECT count(*) AS n FROM message WHERE state = 'queued'"))
    assert {case: times_told(inbox, case) for case in (CASE, LOST)} == told

    operator.types(block(heading(operator), -1))
    eventually(lambda: times_told(inbox, LATER))
    eventually(lambda: not machine.one("SELECT count(*) AS n FROM message WHERE state = 'queued'"))
    assert times_told(inbox, CASE) == told[CASE]
    assert times_told(inbox, LOST) > told[LOST]
    assert machine.rows(EVENTS_TWICE) == []
    assert operator.daemon.end() == 0
    assert "all mail is held" not in machine.status()


def test_a_copy_goes_from_sqlite_to_postgresql(
    machine: Machine, inbox: Sink, fresh_postgres: str
) -> None:
    """Everything is there, its audit log whole; nothing is told again."""
    daemon = machine.start()
    works_on(machine, inbox, CASE)
    eventually(lambda: not machine.one("SELECT count(*) AS n FROM message WHERE state = 'queued'"))
    assert daemon.end() == 0
    machine.made.type("backup", "../copy.db")
    before = machine.rows("SELECT id, message_id, state, sent_at FROM message ORDER BY id")
    machine.made.decide(url=f'"{fresh_postgres}"')
    machine.made.type("restore", "../copy.db")
    engine = open_engine(fresh_postgres)
    with reading(engine) as connection:
        assert audit_breaks_at(connection) is None
    engine.dispose()
    after = machine.rows("SELECT id, message_id, state FROM message ORDER BY id")
    assert after == [{name: row[name] for name in row if name != "sent_at"} for row in before]
    machine.start()
    machine.made.type("mail", "release")
    works_on(machine, inbox, LATER)
    assert len(inbox.mails(CASE)) == len(before)
