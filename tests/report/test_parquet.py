"""Tables as Parquet, where its library is there; and what is said where it is not."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.report.evidence import Column, Row
from monitor.report.parquet import GROUP, NoParquet, check_parquet, write_parquet

COLUMNS = (
    Column("reference", "Case"),
    Column("alerts", "Alerts", "count"),
    Column("flag", "Flag", "flag"),
    Column("at", "At", "instant"),
)
AT = 1_804_000_000_000_001


@pytest.fixture
def parquet() -> Any:
    """The library that reads it back."""
    return pytest.importorskip(
        "pyarrow.parquet", reason="pyarrow is not installed: it is the extra parquet"
    )


def test_what_was_written_is_read_back(parquet: Any) -> None:
    """Text raw, instants exact to the microsecond in UTC, nothing as nothing."""
    out = io.BytesIO()
    rows: list[Row] = [("=1+1", 3, True, AT), ("", None, None, None)]
    assert write_parquet(out, COLUMNS, rows) == 2
    out.seek(0)
    read = parquet.read_table(out).to_pylist()
    at = datetime(2027, 3, 2, 15, 6, 40, 1, tzinfo=UTC)
    assert read[0] == {"reference": "=1+1", "alerts": 3, "flag": True, "at": at}
    assert read[1] == dict.fromkeys(("reference", "alerts", "flag", "at"))


def test_rows_are_written_group_by_group(parquet: Any) -> None:
    out = io.BytesIO()
    rows = ((f"PPN-{n}", n, False, AT) for n in range(GROUP * 2 + 1))
    assert write_parquet(out, COLUMNS, rows) == GROUP * 2 + 1
    out.seek(0)
    assert parquet.ParquetFile(out).num_row_groups == 3


def test_no_rows_are_a_file_with_columns(parquet: Any) -> None:
    out = io.BytesIO()
    assert write_parquet(out, COLUMNS, []) == 0
    out.seek(0)
    assert parquet.read_table(out).column_names == [column.name for column in COLUMNS]


def test_without_the_library_the_words_name_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NoParquet, match=r"pip install 'safeguarding-timeliness-monitor\[parquet\]"):
        check_parquet()
    with pytest.raises(NoParquet):
        write_parquet(io.BytesIO(), COLUMNS, [])
