"""The monitor's daemon in a process of its own, as a service manager runs it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from benchmarks.measure import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_SECONDS: Final = 60


@contextlib.contextmanager
def daemon(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon of an installation that has started, ended afterwards."""
    log = folder / "daemon.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "run"],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while b"daemon_started" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(log.read_text("utf-8"))
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait()
