"""A machine that fails: real daemons under a time that jumps, on disks that fill, and so on.

What comes in: an installation. What goes out: the fault, and afterwards the machine as it was.
`python -m tests.faults.machine` is `monitor run` in a process whose sense of time, patience and
mounted file systems are as the environment says; everything else about it is real.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import text

from monitor.model import SECOND
from monitor.store.engine import open_engine, reading
from tests.approved import approve_installed
from tests.postgres import PostgresServer, _ordinary_user, binaries, postgres_folder, running_server
from tests.process.installed import CHECKOUT, Installation, Running, eventually

OFFSET, PAUSE, BUSY, MOUNTS, POLL = (
    "FAULT_OFFSET",
    "FAULT_PAUSE",
    "FAULT_BUSY",
    "FAULT_MOUNTS",
    "FAULT_POLL",
)


# -- in the daemon's process ------------------------------------------------------------------


def run() -> None:
    """Be `monitor run` under what the environment names."""
    import monitor.cli  # noqa: PLC0415 - as above
    import monitor.cycle.delivery  # noqa: PLC0415 - as above
    import monitor.daemon  # noqa: PLC0415 - as above
    import monitor.wiring  # noqa: PLC0415 - as above
    from monitor.store import engine, intakes, places  # noqa: PLC0415 - as above

    given = os.environ
    if file := given.get(OFFSET):
        _shift_time(Path(file))
    if file:
        for name in _SCHEDULERS:
            setattr(import_module(name), "datetime", _Shifted)  # noqa: B010 - a module's name
    if busy := given.get(BUSY):
        engine.BUSY_SECONDS = float(busy)  # type: ignore[assignment]
    if mounts := given.get(MOUNTS):
        places.must_be_local.__defaults__ = (Path(mounts),)
    monitor.daemon.PAUSE_AFTER_FAILURE_SECONDS = float(given.get(PAUSE, "0.2"))  # type: ignore[misc,assignment]
    monitor.daemon.SAFETY_POLL_SECONDS = float(given.get(POLL, "1"))  # type: ignore[misc,assignment]
    for held in (intakes.open_intake, intakes.renew_lease):
        assert held.__kwdefaults__
        held.__kwdefaults__["lease"] = 3 * SECOND  # nobody wants to wait for a minute
    sys.argv[1:] = ["run"]
    monitor.cli.main()


_SCHEDULERS = (
    *("apscheduler.schedulers.base", "apscheduler.triggers.date"),
    *("apscheduler.triggers.interval", "monitor.daemon"),
)
_real_ns = time.time_ns
_offset = Path("/nowhere")


def _shift_time(file: Path) -> None:
    """The time of day of this process is the machine's and so many seconds as a file says."""
    global _offset  # noqa: PLW0603 - one process has one time
    _offset = file
    time.time_ns = lambda: _real_ns() + int(float(_offset.read_text()) * 1e9)
    time.time = lambda: time.time_ns() / 1e9
    _shift_database()


def _shift_database() -> None:
    """A database on the same machine has the same time."""
    from monitor.store import engine  # noqa: PLC0415 - only in the daemon's process

    real = engine.database_now

    def shifted(connection: Any) -> int:
        return real(connection) + int(float(_offset.read_text()) * 1e6)

    for name, module in list(sys.modules.items()):
        if name.startswith("monitor.") and getattr(module, "database_now", None) is real:
            module.database_now = shifted  # type: ignore[attr-defined]


class _Shifted(dt.datetime):
    """What the scheduler asks for the time of day."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
        return dt.datetime.fromtimestamp(time.time(), tz)


# -- in the test's process --------------------------------------------------------------------


@dataclass
class Machine:
    """An installation on a machine that can be made to fail."""

    made: Installation

    @property
    def folder(self) -> Path:
        return self.made.folder

    def start(self, **more: str) -> Running:
        """A daemon under the faults that are asked for; waits until it turns."""
        daemon = self.begin(**more)
        daemon.wait_for("daemon_started")
        return daemon

    def begin(self, **more: str) -> Running:
        """The same, without waiting."""
        return self.made.start("-m", "tests.faults.machine", **more)

    def on(self, url: str) -> None:
        """Work on another database than the one that `monitor init` made."""
        self.made.decide(url=f'"{url}"')
        self.made.type("migrate")
        approve_installed(self.made.folder)

    def put_time(self, seconds: float) -> dict[str, str]:
        """Set the time of daemons that were started with what this answers."""
        file = self.folder / "offset"
        part = file.with_suffix(".part")
        part.write_text(str(seconds), encoding="ascii")
        part.replace(file)
        return {OFFSET: str(file)}

    def rows(self, question: str) -> list[Mapping[str, Any]]:
        """The answer of the database, of whichever sort, as it is now."""
        written = (self.folder / "config/monitor.toml").read_text(encoding="utf-8")
        (url,) = [line.split('"')[1] for line in written.splitlines() if line.startswith("url = ")]
        if url.startswith("sqlite"):
            return list(self.made.rows(question))
        engine = open_engine(url)
        try:
            with reading(engine) as connection:
                return [dict(row) for row in connection.execute(text(question)).mappings()]
        finally:
            engine.dispose()

    def one(self, question: str) -> Any:
        """The one value of an answer."""
        ((value,),) = [tuple(row.values()) for row in self.rows(question)]
        return value

    def status(self) -> str:
        """What the operator sees."""
        return self.made.type("status", "--service", expect=None)


def stopped(daemon: Running) -> None:
    """A machine that is suspended runs nothing."""
    daemon.send(signal.SIGSTOP)
    state = Path(f"/proc/{daemon.process.pid}/stat")
    eventually(lambda: state.read_text().rpartition(")")[2].split()[0] == "T")


@contextlib.contextmanager
def mounted(*words: str, at: Path) -> Iterator[None]:
    """Something mounted at a place; where it is not permitted, the test is skipped."""
    import pytest  # noqa: PLC0415 - the daemon's process needs none of it

    at_place = ["mount", *words, str(at)]
    tried = subprocess.run(at_place, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"nothing may be mounted here: {tried.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


@contextlib.contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """A folder in which nothing can be made, changed or removed, not even by root."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)
        return
    with mounted("--bind", str(folder), at=folder):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield


@contextlib.contextmanager
def unreadable(file: Path) -> Iterator[None]:
    """A regular file that opens, or does not, and cannot be read, not even by root."""
    if os.geteuid() != 0:
        file.chmod(0)
        try:
            yield
        finally:
            file.chmod(0o600)
        return
    # The first page of a process's memory is never there: reading it is an input/output error.
    with mounted("--bind", f"/proc/{os.getpid()}/mem", at=file):
        yield


class OwnPostgres:
    """A PostgreSQL server of one test, which may break it."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self.folder = folder
        self.server = server

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator[OwnPostgres]:
        with postgres_folder() as folder:
            own = cls(folder, running_server(folder))
            with (folder / "data/postgresql.conf").open("a", encoding="utf-8") as file:
                file.write("synchronous_commit = 'on'\n")
            own.break_off()
            own.come_back()
            try:
                yield own
            finally:
                own.break_off()

    def break_off(self) -> None:
        """End as with the power: no transaction is finished, nothing is written out."""
        pid_file = self.folder / "data/postmaster.pid"
        if not pid_file.exists():
            return
        pid = int(pid_file.read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        eventually(lambda: not Path(f"/proc/{pid}").exists() or not pid_file.exists())

    def come_back(self) -> None:
        """Started again until it answers: what it was may not have let go of its memory yet."""
        eventually(lambda: self.answers() or self._starts())

    def _starts(self) -> bool:
        command = '"$1/postgres" -D "$2/data" >>"$2/server.log" 2>&1 &'
        run_as = _ordinary_user(self.folder, binaries())
        run_as.run("sh", "-c", command, "start", str(binaries()), str(self.folder), cwd=self.folder)
        time.sleep(0.5)
        return self.answers()

    def answers(self) -> bool:
        import psycopg  # noqa: PLC0415 - as above

        try:
            psycopg.connect(self.server.url()).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill_connections(self) -> int:
        """End every other session of the server, whatever it is doing; answers how many."""
        import psycopg  # noqa: PLC0415 - as above

        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            asked = (
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            row = connection.execute(asked).fetchone()
        return int(row[0]) if row else 0


def environment(bare: dict[str, str]) -> dict[str, str]:
    """Commands import the package that is under test, wherever they run."""
    return bare | {"PYTHONPATH": str(CHECKOUT)}


def nobody_listens() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    run()
