"""Instants and the ways in and out of them.

What comes in: aware datetimes, or ISO 8601 text. What goes out: integer microseconds since
1970-01-01T00:00Z, and back. Everything is integer arithmetic: a float cannot hold these exactly.
It does not care about local times without an offset: `zones` turns those into instants.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from monitor.model import SECOND, Instant

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime; its `fold` counts. ValueError for a naive one."""
    if moment.utcoffset() is None:
        msg = f"{moment.isoformat()} has no offset from UTC, so it is not one instant"
        raise ValueError(msg)
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(instant: Instant, zone: tzinfo = UTC) -> datetime:
    """The aware datetime of an instant in a zone; ValueError outside the years 1 to 9999."""
    seconds, rest = divmod(instant, SECOND)
    moment = datetime.fromtimestamp(seconds, zone)
    return moment.replace(microsecond=rest) if rest else moment


def parse_instant(text: str) -> Instant:
    """The instant that ISO 8601 text names; it must carry `Z` or an offset.

    Digits beyond the microsecond are dropped. ValueError says what was expected.
    """
    try:
        return from_datetime(datetime.fromisoformat(text))
    except ValueError:
        msg = (
            f"{text!r} is not an instant: expected ISO 8601 date and time with Z or an offset, "
            "such as 2027-03-28T23:00:00+01:00"
        )
        raise ValueError(msg) from None


def isoformat(instant: Instant, zone: tzinfo = UTC) -> str:
    """ISO 8601 with offset: to the second, and to the microsecond only where one is left."""
    return to_datetime(instant, zone).isoformat()
