"""Row 12: what the daemon costs while nothing happens, and how long a command takes to start.

The processor's share is counted by the system, over a minute, of a daemon whose feeds are heard
and which has nothing to tell.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.daemon import daemon
from benchmarks.force import hear, installed
from benchmarks.measure import Bench, Comparison, Sample, environment, timed

_SETTLES_S = 5


def measure(bench: Bench) -> list[Comparison]:
    folder = bench.folder / "force"
    now = time.time_ns() // 1000
    monitor = installed(folder, now=now)
    hear(monitor, now=now)
    monitor.engine.dispose()
    seconds, starts = (3.0, 3) if bench.is_smoke else (60.0, 30)
    shares, sizes = [], []
    with daemon(folder) as process:
        time.sleep(0 if bench.is_smoke else _SETTLES_S)
        for _ in range(bench.repeats):
            shares.append(_share_of_a_core(process.pid, seconds))
            sizes.append(_resident_mb(process.pid))
    return [
        _shown(
            bench,
            "daemon at rest: processor",
            Sample("processor", "% of a core", tuple(shares)),
            0.3,
        ),
        _shown(bench, "daemon at rest: memory", Sample("memory", "MB", tuple(sizes)), 100),
        _shown(bench, "monitor --help", Sample("start to end", "s", _helps(starts)), 0.3),
    ]


def _shown(bench: Bench, work: str, ours: Sample, most: float) -> Comparison:
    return Comparison(
        row=12,
        work=work,
        ours=ours,
        others=(),
        ratio=None,
        ratio_says="",
        target=f"≤{most} {ours.unit}",
        is_met=None if bench.is_smoke else ours.median <= most,
    )


def _share_of_a_core(pid: int, seconds: float) -> float:
    used, began = _processor_seconds(pid), time.perf_counter()
    time.sleep(seconds)
    return 100 * (_processor_seconds(pid) - used) / (time.perf_counter() - began)


def _processor_seconds(pid: int) -> float:
    """Of the program and of the system for it; what stands in brackets may hold blanks."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _helps(times: int) -> tuple[float, ...]:
    command = [sys.executable, "-m", "monitor", "--help"]

    def once() -> None:
        subprocess.run(command, env=environment(), check=True, capture_output=True)

    once()
    return tuple(timed(once) for _ in range(times))
