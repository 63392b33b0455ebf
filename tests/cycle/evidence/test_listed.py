"""The inspector's list is read as people write it, and every fault has its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.cycle.evidence.listed import read_list
from monitor.faults import FaultsFound

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, text: str, name: str = "cases.txt") -> tuple[str, ...]:
    """What a file of this text names."""
    (folder / name).write_text(text, "utf-8")
    return read_list(folder / name)


def test_one_reference_a_line_with_remarks(tmp_path: Path) -> None:
    text = "\ufeff# asked on Monday\nPPN-2027-000002\n\n PPN-2027-000001  # the second\n"
    assert read(tmp_path, text) == ("PPN-2027-000002", "PPN-2027-000001")


@pytest.mark.parametrize("name", ["cases.csv", "cases.txt"])
def test_a_csv_file_has_a_column_of_that_name(tmp_path: Path, name: str) -> None:
    text = 'why,Reference\r\n"late, twice",PPN-2027-000002\r\n\r\nasked,"PPN-2027-000001"\r\n'
    assert read(tmp_path, text, name) == ("PPN-2027-000002", "PPN-2027-000001")


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("# nothing\n", "cases.txt", "cases.txt: at least one reference"),
        ("A\nB\nA\n", "cases.txt", "cases.txt:3: found 'A', it stands in line 1 already"),
        ("A\nx\x07\n", "cases.txt", "cases.txt:2: found 'x\\x07', a reference of at most 100"),
        ("A\n" + "y" * 101, "cases.txt", "cases.txt:2:"),
        ("why,who\nx,y\n", "cases.csv", "cases.csv:1: found why, who, a header with a column"),
        ("reference,why\n,late\n", "cases.csv", "cases.csv:2: found '', a reference"),
        ("\n".join(map(str, range(1_001))), "cases.txt", "1,001 references, at most 1,000"),
    ],
)
def test_a_fault_names_its_line(tmp_path: Path, text: str, name: str, said: str) -> None:
    with pytest.raises(FaultsFound) as raised:
        read(tmp_path, text, name)
    assert said in str(raised.value)


def test_every_fault_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FaultsFound) as raised:
        read(tmp_path, "A\nA\nA\n")
    assert [fault.line for fault in raised.value.faults] == [2, 3]


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(FaultsFound, match="can be read"):
        read_list(tmp_path / "none.txt")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FaultsFound, match="UTF-8"):
        read_list(tmp_path / "bytes.txt")
