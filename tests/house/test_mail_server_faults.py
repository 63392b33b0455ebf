"""The page on mail servers and the tests name the same faults."""

from __future__ import annotations

import re
from pathlib import Path

import monitor
from tests.deliver.test_faults import MAIL_FAULTS, SERVER_FAULTS

PAGE = Path(monitor.__file__).parents[1] / "docs" / "mail-server-faults.md"


def _rows(heading: str) -> list[str]:
    """The first cell of each row of the table under a heading."""
    section = PAGE.read_text("utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"(?m)^\| ([^|]+) \|", section)
    return [cell for cell in cells if cell != "fault"]


def test_every_fault_that_is_described_is_tested_and_every_tested_one_described() -> None:
    assert _rows("The server") == list(SERVER_FAULTS)
    assert _rows("The mail or its recipient") == list(MAIL_FAULTS)
