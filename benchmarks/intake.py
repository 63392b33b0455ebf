"""Taking in a real log: the monitor beside the bare script, in one run, in turn.

    python benchmarks/intake.py FOLDER_OF_THE_LOG [REPEATS]

The folder holds `events.csv.gz` of the road traffic log (see docs/map-your-own-log.md). Rules R1 to
R5, SQLite, synchronous writes, the whole command from start to end. Prints each pair's seconds and
ratio, the median, the peak memory of either, and the load of the machine beside them.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "tests" / "real_log"
RULES = ("r1", "r2", "r3", "r4", "r5")
RECIPIENTS = """fallback = "operator"
[roles.operator]
title = "operator"
[[posts]]
role = "operator"
address = "operator@eastshire.police.example"
"""


def main(log: Path, repeats: int) -> None:
    pairs = []
    for number in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            ours = seconds(monitor_command(Path(folder) / "fines", log), Path(folder) / "fines")
            bare = seconds([sys.executable, str(HERE / "bare_intake.py"), str(log)], HERE)
        pairs.append((ours, bare))
        ratio = ours / bare
        print(f"pair {number + 1}: monitor {ours:.1f} s, bare {bare:.1f} s, {ratio:.2f} times")
    ratios = [ours / bare for ours, bare in pairs]
    median = statistics.median(ratios)
    print(f"median: {median:.2f} times ({min(ratios):.2f} to {max(ratios):.2f})")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"peak memory of either: {peak:.0f} MB; load of the machine: {os.getloadavg()[0]:.1f}")


def monitor_command(folder: Path, log: Path) -> list[str]:
    """An installation for the log, and the command that takes it in."""
    monitor = [sys.executable, "-m", "monitor"]
    subprocess.run([*monitor, "init", str(folder)], check=True, capture_output=True)
    for name in ("rules", "config/feeds"):
        shutil.rmtree(folder / name)
    shutil.copytree(SAMPLE / "rules", folder / "rules")
    shutil.copytree(SAMPLE / "feeds", folder / "config" / "feeds")
    for rule in (folder / "rules").glob("r*.yaml"):
        if rule.stem not in RULES:
            rule.unlink()
    (folder / "config" / "recipients.toml").write_text(RECIPIENTS)
    (folder / "config" / "partners.toml").write_text("")
    settings = folder / "config" / "monitor.toml"
    settings.write_text(settings.read_text().replace('"council-england"', '"rome"'))
    return [*monitor, "ingest", str(log), "--feed", "fines"]


def seconds(command: list[str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve()
    main(folder / "events.csv.gz", int(sys.argv[2]) if sys.argv[2:] else 3)
