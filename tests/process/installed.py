"""A real installation, driven by the real command in processes of its own, and a real mail sink."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

import monitor

CHECKOUT = Path(monitor.__file__).parents[1]
LONDON = ZoneInfo("Europe/London")
PATIENCE_SECONDS = 60
"""A condition that has not come by then is a failure; a busy machine is slow, not wrong."""

COLUMNS = (
    *("PPN_NO", "CHILD_ID", "ROW_VERSION", "CONCERN_TYPE", "RISK_GRADE", "BCU", "TEAM"),
    *(
        "FIRST_KNOWN",
        "SUBMITTED",
        "SUBMITTED_ENTERED",
        "SUPERVISED",
        "TRIAGED",
        "REGRADED",
        "CHILD_VIEWS",
        "SCHOOL_NAMED",
        "GP_NAMED",
    ),
    *("RISK_AFTER", "DECIDED", "DECISION", "DECISION_REASON", "REVIEW_BY", "REVIEWED"),
    *("COUNCIL_SET", "COUNCIL_CODE", "HEALTH_SET", "HEALTH_CODE", "LINKED", "LINKED_TO", "STATUS"),
    *("CLOSED", "CLOSE_REASON", "PP_FROM", "PP_TO"),
)
KEPT_RULES = ("notice-submitted.yaml", "notice-triaged-high.yaml", "no-notice.yaml")
"""Enough for a mail, and quick to read."""


def eventually(look: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> Any:
    """What `look` answers once that is true; fails when it does not become so."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come to that"
        threading.Event().wait(0.05)
    return found


def notice(reference: str, *, submitted: datetime, triaged: datetime | None = None) -> str:
    """A row of the occurrence system: a high-risk notice, late when nobody triages it."""
    cells = dict.fromkeys(COLUMNS, "")
    cells |= {
        "PPN_NO": reference,
        "CHILD_ID": f"C{reference[-4:]}",
        "ROW_VERSION": "1" if triaged is None else "2",
        "CONCERN_TYPE": "PHYS ABUSE",
        "RISK_GRADE": "H",
        "BCU": "east",
        "TEAM": "response",
        "FIRST_KNOWN": _civil(submitted - timedelta(minutes=30)),
        "SUBMITTED": _civil(submitted),
        "TRIAGED": "" if triaged is None else _civil(triaged),
    }
    return ",".join(cells[column] for column in COLUMNS) + "\n"


def _civil(moment: datetime) -> str:
    return f"{moment.astimezone(LONDON):%d/%m/%Y %H:%M:%S}"


def hours_ago(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


# -- the mail sink ----------------------------------------------------------------------------


class Sink:
    """Takes mails on loopback, in a thread of the test's own process."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        """Recipient and bytes, of what was handed over: accepted or not."""
        self.slow = False
        """Whether a mail's last answer waits for `open_gate`."""
        self._gate = threading.Event()

    def open_gate(self) -> None:
        self._gate.set()

    async def handle_DATA(  # noqa: N802 - the sink library's name
        self, _server: object, _session: object, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.taken.append((envelope.rcpt_tos[0], envelope.content))
        if self.slow:
            await asyncio.to_thread(self._gate.wait, PATIENCE_SECONDS)
        return "250 taken"

    @contextmanager
    def listening(self) -> Iterator[int]:
        controller = Controller(self, hostname="127.0.0.1", port=_free_port())
        controller.start()
        try:
            yield controller.port
        finally:
            self.open_gate()
            controller.stop()

    def mails(self, about: str = "") -> list[EmailMessage]:
        """The mails that name a reference in their subject, as parsed."""
        parsed = [message_from_bytes(raw, policy=policy.default) for _, raw in self.taken]
        return [mail for mail in parsed if about in str(mail["Subject"])]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- the installation -------------------------------------------------------------------------


@dataclass
class Installation:
    """A folder that `monitor init` made, and how to type commands in it."""

    folder: Path
    environment: dict[str, str]
    daemons: list[Running] = field(default_factory=list)

    def type(self, *words: str, expect: int | None = 0, **more: str) -> str:
        """What a command prints on standard output; its exit status must be as expected."""
        ended = subprocess.run(
            [sys.executable, "-m", "monitor", *words],
            cwd=self.folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert expect in (None, ended.returncode), ended.stderr + ended.stdout
        return ended.stdout + (ended.stderr if expect else "")

    def decide(self, **settings: str) -> None:
        """Write settings: name = text of TOML; a name occurs once in the shipped file."""
        file = self.folder / "config" / "monitor.toml"
        text = file.read_text(encoding="utf-8")
        for name, value in settings.items():
            text, found = re.subn(
                rf"(?m)^{name} = (\"[^\"]*\"|\[.*\]|\S+)", f"{name} = {value}", text
            )
            assert found == 1, name
        file.write_text(text, encoding="utf-8")

    def mail_to(self, port: int) -> None:
        """Say everything at once, to a sink on this machine."""
        self.decide(
            alerts='"on"',
            host='"127.0.0.1"',
            port=str(port),
            security='"none-loopback-only"',
            poll_seconds="0.2",
        )

    def drop(self, *rows: str, name: str = "notices-1.csv") -> Path:
        """Drop a file of the occurrence system as a source should: renamed when it is whole."""
        folder = self.folder / "drop" / "occurrence"
        part = folder / f"{name}.part"
        part.write_text(",".join(COLUMNS) + "\n" + "".join(rows), encoding="utf-8")
        return part.rename(folder / name)

    def start(self, *python: str, **more: str) -> Running:
        """`monitor run`; its log goes to a file. `python` runs something else instead."""
        log = self.folder / f"daemon-{len(self.daemons)}.log"
        command = python or ("-m", "monitor", "run")
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=self.folder,
                env=self.environment | more,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        daemon = Running(process, log)
        self.daemons.append(daemon)
        return daemon

    def end_all(self) -> None:
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                daemon.process.kill()
            daemon.process.wait()

    def rows(self, question: str) -> list[dict[str, Any]]:
        """The answer of the database, asked beside the command."""
        address = f"file:{self.folder}/var/monitor.db?mode=ro"
        database = sqlite3.connect(address, uri=True, timeout=30)
        database.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in database.execute(question)]
        finally:
            database.close()


@dataclass
class Running:
    """A daemon and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """The log's lines, or those of one event."""
        whole = re.findall(r"(?m)^\{.*\}$", self.log.read_text(encoding="utf-8"))
        return [line for line in map(json.loads, whole) if event in ("", line["event"])]

    def wait_for(self, event: str, *, times: int = 1) -> dict[str, Any]:
        """The line of an event, once it was logged so often; fails if the process ends first."""

        def look() -> list[dict[str, Any]]:
            found = self.lines(event)
            if len(found) >= times:
                return found
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            return []

        found: list[dict[str, Any]] = eventually(look)
        return found[times - 1]

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit status."""
        self.send(number)
        return self.process.wait(timeout=PATIENCE_SECONDS)
