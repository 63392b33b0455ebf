"""What leaves the process: the relay, the database, the name service and the switch; nothing else.

A real daemon runs a whole journey. Before anything of it is imported an audit hook is laid into its
process, which writes down every connection, datagram and name that is asked for, and every program
that is started.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.approved import approve_all
from tests.postgres import PostgresServer
from tests.process.installed import Installation, Sink, eventually, hours_ago, notice

pytestmark = pytest.mark.slow

CASE = "PPN-2027-004211"
FORTY = 40

LAUNCHER = """
import json, os, sys

out = os.open(os.environ["OUTBOUND_RECORD"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
watched = (
    *("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"),
    *("socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"),
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "urllib.Request"),
    *("smtplib.connect", "http.client.connect", "ftplib.connect", "ctypes.dlopen"),
)

def hook(event, args):
    if event in watched:
        told = [repr(each) if hasattr(each, "family") else each for each in args]
        if event.startswith("socket.") and len(args) > 1 and hasattr(args[0], "family"):
            told = args[1:]
        os.write(out, (json.dumps([event, told], default=repr) + "\\n").encode())

sys.addaudithook(hook)
from monitor.cli import main
main(["run"])
"""


ELSEWHERE = """
import socket
try:
    socket.create_connection(("192.0.2.1", 9), timeout=0.01)
except OSError:
    pass
os._exit(0)
"""


class Switch:
    """A switch outside, on this machine."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = 200

    @contextmanager
    def listening(self) -> Iterator[int]:
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                told.asked.append(self.path)
                self.send_response(told.answer)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@pytest.fixture
def switch(installation: Installation) -> Iterator[Switch]:
    switch = Switch()
    with switch.listening() as port:
        file = installation.folder / "config/monitor.toml"
        text = file.read_text(encoding="utf-8")
        asked = f'switch_url = "http://127.0.0.1:{port}/ping"\nevery_seconds = 1\n'
        text = text.replace("every_seconds = 60", f"{asked}#")
        file.write_text(text, encoding="utf-8")
        yield switch


def recorded(file: Path) -> list[tuple[str, list[Any]]]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [(event, args) for event, args in map(json.loads, lines)]


def outward(found: list[tuple[str, list[Any]]], *, ports: set[int], also: set[str]) -> list[Any]:
    """What goes anywhere but to these ports of this machine; local sockets of `also` are ours."""
    return [
        (event, args)
        for event, args in found
        if not _is_allowed(event, args, ports=ports, also=also)
    ]


def _is_allowed(event: str, args: list[Any], *, ports: set[int], also: set[str]) -> bool:
    if event in {"socket.connect", "socket.sendto"}:
        address = args[-1]
        if isinstance(address, str):
            return any(name in address for name in also)
        return address[0] in {"127.0.0.1", "::1"} and address[1] in ports
    if event == "socket.getaddrinfo":
        return args[0] in {"127.0.0.1", "localhost", None} and args[1] in ports
    return event in {"ctypes.dlopen", "socket.gethostbyaddr"}


def journey(installation: Installation, sink: Sink, switch: Switch, tmp_path: Path) -> list[Any]:
    """Files in, clocks, alerts, mail, digests, upkeep, a reload, and the end."""
    record = tmp_path / "outbound.jsonl"
    installation.drop(notice(CASE, submitted=hours_ago(5)))
    daemon = installation.start("-c", LAUNCHER, OUTBOUND_RECORD=str(record))
    daemon.wait_for("mail_outcome")
    eventually(lambda: sink.mails(CASE))
    eventually(lambda: switch.asked)
    assert daemon.end() == 0
    return recorded(record)


def test_nothing_is_reached_but_the_relay_and_the_switch(
    installation: Installation, sink: Sink, switch: Switch, tmp_path: Path
) -> None:
    """Every connection of a whole journey on SQLite, and no program is started."""
    found = journey(installation, sink, switch, tmp_path)
    ports = {args[-1][1] for event, args in found if event == "socket.connect"}
    relay = _port(installation, "port")
    asked = _port(installation, "switch_url")
    assert ports == {relay, asked}
    assert outward(found, ports={relay, asked}, also=set()) == []
    assert set(switch.asked) == {"/ping"}


def test_on_postgresql_the_database_is_reached_too(
    installation: Installation,
    sink: Sink,
    switch: Switch,
    tmp_path: Path,
    postgres_server: PostgresServer,
) -> None:
    """Through its own library, which this hook does not see: what Python itself opens is seen."""
    with postgres_server.database() as url:
        installation.environment["MONITOR_DATABASE_URL"] = url
        installation.type("migrate")
        approve_all(installation.folder / "rules", url)
        found = journey(installation, sink, switch, tmp_path)
    allowed = {_port(installation, "port"), _port(installation, "switch_url")}
    assert outward(found, ports=allowed, also={"PGSQL"}) == []


def test_the_hook_sees_a_connection_elsewhere(
    installation: Installation, sink: Sink, tmp_path: Path
) -> None:
    """The test can fail: a name is asked for and a connection tried, and both are recorded."""
    assert not sink.taken
    record = tmp_path / "outbound.jsonl"
    planted = LAUNCHER.replace('main(["run"])', ELSEWHERE)
    daemon = installation.start("-c", planted, OUTBOUND_RECORD=str(record))
    daemon.process.wait(timeout=FORTY)
    found = outward(recorded(record), ports={25}, also=set())
    assert {event for event, _ in found} == {"socket.getaddrinfo", "socket.connect"}


def execute(installation: Installation, statement: str) -> None:
    database = sqlite3.connect(installation.folder / "var/monitor.db", timeout=30)
    database.execute(statement)
    database.commit()
    database.close()


def _port(installation: Installation, name: str) -> int:
    text = (installation.folder / "config/monitor.toml").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith(f"{name} ="))
    if name == "port":
        return int(line.split("=")[1].split("#")[0])
    return int(line.rsplit(":", 1)[1].split("/")[0])


# -- the switch -------------------------------------------------------------------------------


def test_the_switch_is_asked_only_while_all_is_well(
    installation: Installation, sink: Sink, switch: Switch
) -> None:
    """Held back by a fault that stands; asked again when it is over; unreached is said, no more."""
    daemon = installation.start()
    eventually(lambda: len(switch.asked) >= 2)
    execute(
        installation, "INSERT INTO watch_fault (what, detail, since) VALUES ('late', '3 clocks', 1)"
    )
    why = "SELECT outcome FROM loop_turn WHERE loop = 'switch'"
    eventually(lambda: installation.rows(why)[0]["outcome"] == "not asked: a fault stands")
    asked = len(switch.asked)
    execute(installation, "UPDATE watch_fault SET ended_at = 2")
    eventually(lambda: len(switch.asked) > asked)
    switch.answer = 500
    eventually(lambda: installation.rows(why)[0]["outcome"] == "not reached: it answered 500")
    said = installation.type("status", "--service", expect=1)
    assert "loop switch on" in said
    assert "not reached: it answered 500" in said
    installation.drop(notice(CASE, submitted=hours_ago(5)))
    eventually(lambda: sink.mails(CASE))
    assert len(daemon.lines("switch_not_reached")) == 1
    assert daemon.end() == 0


# -- the database is out of reach -------------------------------------------------------------


def test_a_database_that_is_gone_is_told_without_it(installation: Installation, sink: Sink) -> None:
    """By a process that is started anew again and again: since when is known, and told hourly."""
    file = installation.folder / "config/monitor.toml"
    text = file.read_text(encoding="utf-8")
    text = text.replace("unreachable_minutes = 5 ", "unreachable_minutes = 0.01 ")
    file.write_text(text, encoding="utf-8")
    database = installation.folder / "var/monitor.db"
    away = database.rename(database.with_name("away.db"))
    assert "there is no database" in installation.type("run", expect=2)
    threading.Event().wait(0.7)
    for _ in range(2):
        installation.type("run", expect=2)
    (mail,) = sink.mails("the database cannot be used")
    assert mail["To"] == "monitor-operator@eastshire.police.example"
    said = mail.get_body(("plain",))
    assert said is not None
    assert "there is no database at" in said.get_content()
    noted = installation.folder / "var/out-of-reach.json"
    assert noted.stat().st_mode & 0o077 == 0

    away.rename(database)
    daemon = installation.start()
    eventually(lambda: not noted.exists())
    assert daemon.end() == 0


def test_a_database_taken_from_under_a_daemon_is_told(
    installation: Installation, sink: Sink
) -> None:
    """It does not write on into a file that nobody will ever see."""
    file = installation.folder / "config/monitor.toml"
    text = file.read_text(encoding="utf-8")
    text = text.replace("unreachable_minutes = 5 ", "unreachable_minutes = 0.01 ")
    file.write_text(text, encoding="utf-8")
    daemon = installation.start()
    daemon.wait_for("daemon_started")
    eventually(lambda: installation.rows("SELECT * FROM loop_turn WHERE loop = 'upkeep'"))
    database = installation.folder / "var/monitor.db"
    away = database.rename(database.with_name("away.db"))
    (mail,) = eventually(lambda: sink.mails("the database cannot be used"))
    said = mail.get_body(("plain",))
    assert said is not None
    assert "taken away or replaced" in " ".join(said.get_content().split())
    assert not database.exists()
    away.rename(database)
    daemon.end()
