"""Tables as Parquet: the one door of pyarrow, which is an extra and is loaded only when asked.

What comes in: columns, rows as they come, and a binary file. What goes out: Parquet, a group of
rows at a time. It does not care what the rows say. Instants are timestamps in microseconds UTC.
"""

# ruff: noqa: PLC0415
# pyarrow is imported inside the functions: an installation without the extra has none.

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Protocol

from monitor.report.evidence import Column, Row

GROUP: Final = 20_000
"""Rows that are held until they are written together."""


class BinarySink(Protocol):
    """As much of a binary file as is needed."""

    @property
    def closed(self) -> bool:
        """Whether no more can be written."""

    def write(self, content: bytes, /) -> int:
        """Take some bytes."""

    def tell(self) -> int:
        """How many there were."""

    def flush(self) -> None:
        """Pass them on."""


class NoParquet(Exception):
    """pyarrow is not installed; the words say how it is."""


def write_parquet(out: BinarySink, columns: Sequence[Column], rows: Iterable[Row]) -> int:
    """Write rows; returns how many there were. Raises NoParquet."""
    schema = _schema(columns)
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    written = 0
    with ParquetWriter(out, schema, compression="zstd") as writer:
        for group in _groups(rows):
            cells = zip(*group, strict=True)
            arrays = [
                pa.array([None if cell == "" else cell for cell in column], type=field.type)
                for column, field in zip(cells, schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            written += len(group)
    return written


def check_parquet() -> None:
    """Raises NoParquet where it cannot be written here."""
    try:
        import pyarrow.parquet  # noqa: F401 - whether it is there
    except ImportError:
        msg = (
            "Parquet needs pyarrow: type"
            " pip install 'safeguarding-timeliness-monitor[parquet]', or take csv or jsonl"
        )
        raise NoParquet(msg) from None


def _schema(columns: Sequence[Column]) -> Any:
    check_parquet()
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "date": pa.string(),
        "number": pa.int64(),
        "count": pa.int64(),
        "share": pa.float64(),
        "flag": pa.bool_(),
        "instant": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([(column.name, types[column.kind]) for column in columns])


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rows = iter(rows)
    while group := list(islice(rows, GROUP)):
        yield group
