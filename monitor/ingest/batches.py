"""A file, read and mapped in parts that are each stored by one transaction.

What comes in: an open file and a mapper. What goes out: batches of events and refusals, with where
to take up again after each. It does not care how they are stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from monitor.ingest.files import RowReader, open_rows
from monitor.ingest.mapping import MappedRow, Mapper
from monitor.ingest.rejected import Rejected
from monitor.model import Event, Instant

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.ingest.feeds import Feed

FEWEST_ROWS_TO_JUDGE = 10
"""A file of fewer rows is never set aside whole: a share of so few says nothing."""

ROWS_JUDGED_FIRST = 20_000
"""So many rows are judged before anything is stored; a longer file is judged again at its end."""


@dataclass(slots=True)
class Batch:
    """Some rows of a file, mapped."""

    told: list[tuple[Event, int]] = field(default_factory=list)
    """Events, each with the line that told it."""
    rejected: list[Rejected] = field(default_factory=list)
    cleared: list[tuple[bytes, str]] = field(default_factory=list)
    """Identities and kinds of facts that a snapshot does not hold, or no longer."""
    rows: int = 0
    rows_without_event: int = 0
    bytes_read: int = 0


def batches(
    reader: RowReader, mapper: Mapper, *, received_at: Instant, rows: int
) -> Iterator[Batch]:
    """Batches of at most so many rows each, until the file ends."""
    while True:
        before = reader.rows_read
        batch = Batch()
        for read in islice(reader, rows):
            if isinstance(read, Rejected):
                batch.rejected.append(read)
            else:
                line, cells = read
                _add(batch, mapper.map_row(cells, line, received_at), line)
        batch.rows = reader.rows_read - before
        if not batch.rows and not batch.rejected:
            return
        batch.bytes_read = reader.bytes_read
        yield batch


def _add(batch: Batch, mapped: MappedRow, line: int) -> None:
    for event in mapped.events:
        batch.told.append((event, line))
    if mapped.rejected:
        batch.rejected.extend(mapped.rejected)
    elif not mapped.events:
        batch.rows_without_event += 1
    if mapped.cleared:
        batch.cleared.extend(mapped.cleared)


def share_of_bad_rows(path: Path, feed: Feed, mapper: Mapper, *, received_at: Instant) -> float:
    """Which share of a file's first rows cannot be read.

    They are read once for this before anything of the file is stored: what is stored counts at
    once, and an alert from a file that turns out to be unbelievable would have to be withdrawn.
    """
    bad = 0
    with open_rows(path, feed) as reader:
        for read in islice(reader, ROWS_JUDGED_FIRST):
            if isinstance(read, Rejected):
                bad += 1
            else:
                line, cells = read
                bad += bool(mapper.map_row(cells, line, received_at).rejected)
        return bad_share(bad, of=reader.rows_read)


def bad_share(bad: int, *, of: int) -> float:
    """A share of bad rows; 0 where there are too few rows to say."""
    return bad / of if of >= FEWEST_ROWS_TO_JUDGE else 0.0
