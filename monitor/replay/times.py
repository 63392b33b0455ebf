"""Local times as scenarios write them: `Sat 30 Oct 2027 22:00`.

What comes in: the words and a zone. What goes out: instants, or what is wrong with the words; and
instants in the same words. It does not care what happened then.

A time says its weekday, so that a slip shows. Where the date is left out it is that of the line. A
time that clocks show twice may say which is meant: `Sun 31 Oct 2027 01:30 BST`.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.model import Instant
from monitor.worktime.zones import (
    NonexistentTime,
    end_of_day,
    instants_of_local,
    local,
    start_of_day,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_DATE: Final = (
    rf"(?P<weekday>{'|'.join(WEEKDAYS)}) (?P<day>\d{{1,2}}) (?P<month>{'|'.join(MONTHS)})"
    r" (?P<year>\d{4})"
)
_TIME: Final = r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)(?: (?P<offset>[A-Z]{3}))?"
_WHEN: Final = re.compile(rf"(?:{_DATE}(?: |$|(?=[,)])))?(?:{_TIME})?")
_FORM: Final = "a time such as 'Sat 30 Oct 2027 22:00'"


class NotATime(ValueError):
    """The words name no time; it says what was expected."""


class Span(NamedTuple):
    """When something can have happened: two instants, equal where it is one."""

    first: Instant
    last: Instant


def leading_time(text: str) -> str:
    """The time that a line begins with, in the line's own words; empty where there is none."""
    found = _WHEN.match(text)
    return found[0].strip() if found else ""


def read_span(text: str, zone: ZoneInfo, *, on: Instant | None = None) -> Span:
    """When something happened: a time, or a whole day where no time is said. Raises NotATime.

    `on`: whose date it is where none is said.
    """
    found = _WHEN.fullmatch(text)
    if not text or found is None or not (found["day"] or found["hour"]):
        raise NotATime(f"expected {_FORM}")
    day = _day(found, zone, on)
    if not found["hour"]:
        return Span(start_of_day(day, zone), end_of_day(day, zone))
    naive = dt.datetime.combine(day, dt.time(int(found["hour"]), int(found["minute"])))
    try:
        first, last = instants_of_local(naive, zone)
    except NonexistentTime as gone:
        raise NotATime(f"{gone}; a source that says so has its row set aside") from None
    return _meant(found["offset"], Span(first, last), zone)


def read_instant(text: str, zone: ZoneInfo, *, on: Instant | None = None) -> Instant:
    """One instant. Raises NotATime, also where clocks show it twice and the words do not choose."""
    span = read_span(text, zone, on=on)
    if ":" not in text:
        raise NotATime(f"the time of day is missing: expected {_FORM}")
    if span.first != span.last:
        names = " or ".join(local(at, zone).strftime("%Z") for at in span)
        raise NotATime(f"clocks show this time twice: add {names}")
    return span.first


def say(at: Instant, zone: ZoneInfo) -> str:
    """An instant in the words of a scenario, to the minute, and which of two it is."""
    shown = local(at, zone)
    day = f"{WEEKDAYS[shown.weekday()]} {shown.day} {MONTHS[shown.month - 1]} {shown.year}"
    first, last = instants_of_local(shown.replace(tzinfo=None), zone)
    return f"{day} {shown:%H:%M}" if first == last else f"{day} {shown:%H:%M %Z}"


def _day(found: re.Match[str], zone: ZoneInfo, on: Instant | None) -> dt.date:
    if not found["day"]:
        if on is None:
            raise NotATime(f"the date is missing: expected {_FORM}")
        return local(on, zone).date()
    try:
        day = dt.date(int(found["year"]), MONTHS.index(found["month"]) + 1, int(found["day"]))
    except ValueError:
        raise NotATime("there is no such date") from None
    is_one = WEEKDAYS[day.weekday()]
    if is_one != found["weekday"]:
        raise NotATime(f"{found['day']} {found['month']} {found['year']} is a {is_one}")
    return day


def _meant(offset: str | None, span: Span, zone: ZoneInfo) -> Span:
    """Of two readings of a time, the one whose offset is named."""
    if offset is None:
        return span
    for at in span:
        if local(at, zone).strftime("%Z") == offset:
            return Span(at, at)
    right = " or ".join(dict.fromkeys(local(at, zone).strftime("%Z") for at in span))
    raise NotATime(f"that time is in {right}")
