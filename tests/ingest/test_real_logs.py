from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.ingest.feeds import Feed
from monitor.ingest.files import open_rows
from monitor.ingest.mapping import compile_mapper, map_rows
from monitor.worktime.instants import parse_instant
from tests.ingest.sources import RECEIVED, SECRET

if TYPE_CHECKING:
    from pathlib import Path

KINDS = (
    "Create Fine",
    "Send Fine",
    "Insert Fine Notification",
    "Add penalty",
    "Payment",
    "Send for Credit Collection",
    "Insert Date Appeal to Prefecture",
    "Send Appeal to Prefecture",
    "Receive Result Appeal from Prefecture",
    "Notify Result Appeal to Offender",
    "Appeal to Judge",
)


@pytest.fixture
def fines() -> Feed:
    """A local police force's fines: no event ids, civil times, dates at midnight."""
    return Feed.model_validate(
        {
            "name": "fines",
            "title": "Road traffic fines",
            "folder": "drop",
            "mode": "append",
            "timezone": "Europe/Rome",
            "bare_date": "midnight",
            "reference_pattern": r"[A-Z]+\d+",
            "identity": "content",
            "columns": {"reference": "case_id"},
            "values": {"kind": {kind: kind.lower().replace(" ", "_") for kind in KINDS}},
            "events": [{"kind_column": "event", "time": "timestamp"}],
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("log", "rows", "distinct"),
    [("road_traffic_100", 390, 390), ("road_traffic_full", 561_470, 561_440)],
)
def test_every_row_is_an_event_and_repeats_are_recognised(
    real_logs: Path, fines: Feed, log: str, rows: int, distinct: int
) -> None:
    """Case, event and time alone tell the rows apart, as far as they differ at all."""
    mapper = compile_mapper(fines, child_secret=SECRET)
    read, identities, references, first = 0, set(), set(), RECEIVED
    with open_rows(real_logs / log / "events.csv.gz", fines) as reader:
        for mapped in map_rows(reader, mapper, received_at=RECEIVED):
            assert not mapped.rejected
            (event,) = mapped.events
            read += 1
            identities.add(event.identity)
            references.add(event.reference)
            first = min(first, event.occurred_from)
    assert (read, len(identities)) == (rows, distinct)
    assert reader.rows_read == rows
    assert reader.rows_rejected == reader.blank_lines == 0
    assert set(reader.dropped).isdisjoint(fines.declared_columns)
    assert set(reader.dropped.values()) == {rows}
    if log == "road_traffic_full":
        assert len(references) == 150_370
        assert first == parse_instant("1999-12-31T23:00:00Z"), "2000 begins in Rome"
