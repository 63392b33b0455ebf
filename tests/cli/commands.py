"""Commands typed in this process, and what tests of them need again and again."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from monitor import cli
from tests.process.installed import COLUMNS

DONE, NEEDS_A_PERSON, WRONG_USE = 0, 1, 2
LATE = "PPN-2027-004211"
IN_TIME = "PPN-2027-004207"
HIGH, OTHER = "notice-triaged-high", "no-notice"
LADDER = "urgent-triage"
"""By which the first of them tells; the other's has its own name."""
ROLE = "head of safeguarding"


def typed(*words: str | Path, expect: int = DONE, answer: str = "") -> Result:
    """What a command said; its exit status must be as expected. `answer`: to what it asks."""
    result = CliRunner().invoke(cli.main, [str(word) for word in words], input=answer)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


def extract(folder: Path, *rows: str) -> Path:
    """A file of the occurrence system."""
    path = folder / "notices-1.csv"
    path.write_text(",".join(COLUMNS) + "\n" + "".join(rows), encoding="utf-8")
    return path


def change(force: Path, file: str, before: str, after: str) -> None:
    """Edit a file of the rules at one place."""
    path = force / "rules" / file
    text = path.read_text("utf-8")
    assert text.count(before) == 1, before
    path.write_text(text.replace(before, after), "utf-8")


def edit_high(force: Path, *, begins: str = "") -> None:
    """Another limit, as a new version; it begins when the one before did, or on a date."""
    change(force, f"{HIGH}.yaml", "version: 1\n", "version: 2\n")
    change(force, f"{HIGH}.yaml", "threshold: 4h", "threshold: 3h")
    if begins:
        change(force, f"{HIGH}.yaml", "from: 2026-01-01", f"from: {begins}")


def rows(force: Path, asked: str) -> list[tuple[Any, ...]]:
    """What the database answers."""
    with sqlite3.connect(force / "var/monitor.db") as database:
        found = database.execute(asked).fetchall()
    database.close()
    return found
