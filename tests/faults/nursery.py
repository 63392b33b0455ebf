"""Begins daemons at once: `python -m tests.faults.nursery` has loaded the program and forks.

What comes in: a line of JSON for each process wanted, on standard input. What goes out: its number
on standard output, and its status in a file when it has ended. Loading the program anew would cost
a second of the machine for each of hundreds of starts; what runs is the same.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tests.process.installed import CHECKOUT

_DIE_WITH_PARENT: Final = 1


class Process:
    """A process that was begun by the nursery."""

    def __init__(self, pid: int, status: Path) -> None:
        """`status`: the file that tells how it ended."""
        self.pid = pid
        self._status = status

    def poll(self) -> int | None:
        """How it ended, as a status or minus a signal; None while it runs."""
        with suppress(FileNotFoundError):
            if text := self._status.read_text("utf-8"):
                return int(text)
        return None

    def wait(self, patience_seconds: float = 60) -> int:
        """How it ended, once it has."""
        give_up = time.monotonic() + patience_seconds
        while (status := self.poll()) is None:
            assert time.monotonic() < give_up, f"process {self.pid} does not end"
            time.sleep(0.005)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens where it has ended."""
        with suppress(ProcessLookupError):
            if self.poll() is None:
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it without a word."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that has loaded the program, as those see it who want another."""

    def __init__(self) -> None:
        """Start it; it ends when nobody holds it any more."""
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=CHECKOUT,
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, folder: Path, *, home: Path, log: Path, environment: dict[str, str]) -> Process:
        """A daemon of a run's folder, in its installation."""
        wanted = {
            "folder": str(folder),
            "home": str(home),
            "log": str(log),
            "environment": environment,
        }
        with self._turn:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(wanted) + "\n")
            self._process.stdin.flush()
            pid = int(self._process.stdout.readline())
        return Process(pid, folder / f"status-{pid}")

    def close(self) -> None:
        """End it; what it began is not ended."""
        self._process.communicate()


# -- the nursery itself -----------------------------------------------------------------------


def main() -> None:
    """Fork for each line, tell of whoever has ended, until the input ends."""
    _load()
    folders: dict[int, str] = {}
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], 0.01)
        if ready:
            line = sys.stdin.readline()
            if not line:
                return
            wanted = json.loads(line)
            pid = os.fork()
            if pid == 0:
                _be(wanted)
            folders[pid] = wanted["folder"]
            print(pid, flush=True)  # noqa: T201 - this is how it answers
        _tell_of_the_dead(folders)


def _load() -> None:
    """Everything that a daemon needs: it would be loaded by each of them."""
    import apscheduler.schedulers.asyncio  # noqa: F401, PLC0415 - to have it loaded
    import psycopg  # noqa: F401, PLC0415 - as above
    import sqlalchemy.dialects.postgresql.psycopg  # noqa: PLC0415 - as above
    import sqlalchemy.dialects.sqlite.pysqlite  # noqa: F401, PLC0415 - as above

    import monitor.cli.working  # noqa: PLC0415 - as above
    import monitor.store.schema  # noqa: F401, PLC0415 - as above
    from tests.faults import node  # noqa: F401, PLC0415 - as above


def _be(wanted: dict[str, Any]) -> None:
    """This process is a daemon from here on, and ends as one."""
    from tests.faults import node  # noqa: PLC0415 - loaded before

    # Linux: whatever ends the nursery ends its children, so that none outlives a campaign.
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    _redirect(wanted["log"])
    os.chdir(wanted["home"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    status = 1
    try:
        node.run(Path(wanted["folder"]))
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException:  # noqa: BLE001 - whatever it is, it must not become a second nursery
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


def _redirect(log: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for number, stream in ((0, nothing), (1, out), (2, out)):
        os.dup2(stream, number)
    sys.stdin = _reopened(0, "r")
    sys.stdout, sys.stderr = _reopened(1, "w"), _reopened(2, "w")


def _reopened(number: int, mode: str) -> Any:
    return os.fdopen(number, mode, encoding="utf-8", buffering=1, closefd=False)


def _tell_of_the_dead(folders: dict[int, str]) -> None:
    for pid in list(folders):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            file = Path(folders.pop(pid)) / f"status-{pid}"
            with suppress(FileNotFoundError):
                part = file.with_suffix(".part")
                part.write_text(str(os.waitstatus_to_exitcode(status)), "utf-8")
                part.rename(file)


if __name__ == "__main__":
    main()
