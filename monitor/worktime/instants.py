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
_EPOCH_DAY: Final = _EPOCH.toordinal()


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime; its `fold` counts. ValueError for a naive one."""
    offset = moment.utcoffset()
    if offset is None:
        msg = f"{moment.isoformat()} has no offset from UTC, so it is not one instant"
        raise ValueError(msg)
    # Whole numbers and no subtraction of datetimes, which asks the zone a second time.
    minutes = moment.hour * 60 + moment.minute
    days = moment.toordinal() - _EPOCH_DAY - offset.days
    seconds = days * 86_400 + minutes * 60 + moment.second - offset.seconds
    return seconds * SECOND + moment.microsecond - offset.microseconds


def to_datetime(instant: Instant, zone: tzinfo = UTC) -> datetime:
    """The aware datetime of an instant in a zone; ValueError outside the years 1 to 9999."""
    try:
        return (_EPOCH + timedelta(0, 0, instant)).astimezone(zone)
    except OverflowError as error:
        msg = f"{instant} is no instant of the years 1 to 9999"
        raise ValueError(msg) from error


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
