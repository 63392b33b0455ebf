"""An installation for the road traffic log: its feed, six of its rules, and its commands.

What comes in: a folder. What goes out: the installation in it, driven by the real command. Where
no real log is at hand, a log of the same shape is made up.
"""

from __future__ import annotations

import csv
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.measure import ROOT, environment
from monitor.installation import install
from monitor.store.engine import open_engine
from monitor.store.schema import migrate

RULES = ("r1", "r2", "r3", "r4", "r5", "r7")
EVENTS_A_CASE = 4
_SAMPLE = ROOT / "tests" / "real_log"
_RECIPIENTS = """fallback = "operator"
[roles.operator]
title = "operator"
[[posts]]
role = "operator"
address = "operator@eastshire.police.example"
"""
_SKIPPED_HOUR = 2
"""On a day in March it does not exist where the log comes from, and a row in it is set aside."""

_WAYS = (
    ("Create Fine", "Send Fine", "Insert Fine Notification", "Add penalty"),
    ("Create Fine", "Send Fine", "Insert Fine Notification", "Payment"),
    ("Create Fine", "Payment", "Payment", "Payment"),
    (
        *("Create Fine", "Insert Fine Notification"),
        *("Insert Date Appeal to Prefecture", "Send Appeal to Prefecture"),
    ),
)


@dataclass(frozen=True, slots=True)
class Fines:
    """An installation; `database` is the address of a PostgreSQL, or its own SQLite file."""

    folder: Path
    database: str = ""

    def monitor(self, *arguments: str) -> float:
        """The seconds that a command takes, from start to end; raises where it fails."""
        named = {"MONITOR_DATABASE_URL": self.database} if self.database else {}
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "monitor", *arguments],
            cwd=self.folder,
            env=environment(**named),
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.perf_counter() - began
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)
        return took

    @property
    def file(self) -> Path:
        """Its SQLite database."""
        return self.folder / "var" / "monitor.db"


def install_fines(folder: Path, *, rules: Sequence[str] = RULES, database: str = "") -> Fines:
    """A fresh installation with the log's feed and some of its rules."""
    install(folder)
    for name in ("rules", "config/feeds"):
        shutil.rmtree(folder / name)
    shutil.copytree(_SAMPLE / "rules", folder / "rules")
    shutil.copytree(_SAMPLE / "feeds", folder / "config" / "feeds")
    for rule in (folder / "rules").glob("r*.yaml"):
        if rule.stem not in rules:
            rule.unlink()
    (folder / "config" / "recipients.toml").write_text(_RECIPIENTS, encoding="utf-8")
    (folder / "config" / "partners.toml").write_text("", encoding="utf-8")
    settings = folder / "config" / "monitor.toml"
    written = settings.read_text(encoding="utf-8").replace('"council-england"', '"rome"')
    settings.write_text(written, encoding="utf-8")
    if database:
        engine = open_engine(database)
        migrate(engine)
        engine.dispose()
    return Fines(folder, database)


def write_log(path: Path, references: Iterable[str], *, seed: int = 1) -> int:
    """A log of made-up cases of four events each; returns how many events."""
    dice, rows = random.Random(seed), 0
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("case_id", "event", "timestamp"))
        for reference in references:
            at = datetime(2009, 1, 1) + timedelta(minutes=dice.randrange(1_500_000))  # noqa: DTZ001 - the log's times are civil
            for kind in dice.choice(_WAYS):
                if at.hour == _SKIPPED_HOUR:
                    at += timedelta(hours=1)
                lines.writerow((reference, kind, f"{at:%Y-%m-%d %H:%M:%S}"))
                at += timedelta(minutes=dice.randrange(1, 120_000))
                rows += 1
    return rows
