"""Feeds and rows for the tests of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from monitor.ingest.feeds import Feed
from monitor.ingest.mapping import MappedRow, Mapper, compile_mapper
from monitor.worktime.instants import parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET: Final = b"a secret of tests" * 2
RECEIVED: Final = parse_instant("2028-01-01T12:00:00Z")

LOG: Final[dict[str, Any]] = {
    "name": "log",
    "title": "A sending log",
    "folder": "drop",
    "mode": "append",
    "timezone": "Europe/London",
    "bare_date": "day",
    "times": ["iso", "%d/%m/%Y %H:%M"],
    "reference_pattern": r"PPN-\d{4}-\d{6}",
    "identity": ["ID"],
    "columns": {"reference": "REF", "organisation": "ORG"},
    "events": [{"kind": "partner_notified", "time": "SENT"}],
}
"""One row, one fact."""

WIDE: Final[dict[str, Any]] = {
    **LOG,
    "name": "wide",
    "title": "A wide extract",
    "mode": "snapshot",
    "columns": {"reference": "REF", "child": "CHILD", "category": "CAT", "revision": "VERSION"},
    "identity": ["REF", "CHILD"],
    "values": {"category": {"NEG": "neglect", "DA": "domestic_abuse"}},
    "events": [
        {"kind": "contact", "time": "KNOWN"},
        {"kind": "notice_submitted", "time": "SUBMITTED"},
        {"kind": "notice_withdrawn", "time": "CLOSED", "when": {"STATUS": ["VOID"]}},
    ],
}
"""One row, several facts, sent again whole."""

WIDE_ROW: Final = {
    "REF": "PPN-2027-004211",
    "CHILD": "N-77001",
    "CAT": "NEG",
    "VERSION": "3",
    "KNOWN": "2027-03-08 18:47",
    "SUBMITTED": "08/03/2027 20:05",
    "CLOSED": "",
    "STATUS": "OPEN",
}

LOG_ROW: Final = {
    "REF": "PPN-2027-004211",
    "ORG": "EASTSHIRE",
    "SENT": "2027-03-08T22:30:00Z",
    "ID": "71",
}


def feed_of(base: Mapping[str, Any], **changes: Any) -> Feed:
    """A feed like the base, with some settings changed."""
    return Feed.model_validate({**base, **changes})


def mapper_of(base: Mapping[str, Any], **changes: Any) -> Mapper:
    """A mapper for such a feed."""
    return compile_mapper(feed_of(base, **changes), child_secret=SECRET)


def map_cells(mapper: Mapper, row: Mapping[str, str], *, received_at: int = RECEIVED) -> MappedRow:
    """Map one row given by column names; what is not given is empty."""
    return mapper.map_row([row.get(name, "") for name in mapper.columns], 2, received_at)
