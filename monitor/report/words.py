"""Dates, durations, counts and lists as a digest says them.

What comes in: dates, instants with a zone, durations, numbers. What goes out: short English.
It does not care what they mean. Names of days and months are written out here, so that the
machine's own language settings change no mail.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

from monitor.model import DAY, HOUR, MINUTE, Duration, Instant
from monitor.worktime.zones import local

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_UNIT_AT_ONCE: Final = re.compile(r"(?<=\d)(?=[a-z])")


def dates(first: dt.date, last: dt.date) -> str:
    """`2-8 November 2026`, `30 November - 6 December 2026`: what both share is said once."""
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}-{last.day} {_month(last)} {last.year}"
    year = f" {first.year}" if first.year != last.year else ""
    return f"{first.day} {_month(first)}{year} - {last.day} {_month(last)} {last.year}"


def date(instant: Instant, *, at: Instant, zone: ZoneInfo) -> str:
    """`Wed 3 March`, with its year where it is not that of `at`."""
    then, said = local(instant, zone), local(at, zone)
    year = f" {then.year}" if then.year != said.year else ""
    return f"{_DAYS[then.weekday()]} {then.day} {_month(then)}{year}"


def moment(instant: Instant, *, at: Instant, zone: ZoneInfo) -> str:
    """`16:20 on Fri 5 March`."""
    return f"{time_of_day(instant, zone)} on {date(instant, at=at, zone=zone)}"


def stretch(start: Instant, end: Instant, zone: ZoneInfo) -> str:
    """`Wed 14:00 to 19:20`, `Thu 18:05 to Tue 07:10`: within a week a weekday is enough."""
    first, last = local(start, zone), local(end, zone)
    day = "" if first.date() == last.date() else f"{_DAYS[last.weekday()]} "
    return f"{_DAYS[first.weekday()]} {time_of_day(start, zone)} to {day}{time_of_day(end, zone)}"


def time_of_day(instant: Instant, zone: ZoneInfo) -> str:
    """`02:47`."""
    then = local(instant, zone)
    return f"{then.hour:02}:{then.minute:02}"


def lasting(duration: Duration) -> str:
    """`27 min`, `4 h 00`, `2 d 10 h`, `3 d`: a day is 24 h; beyond one, whole hours that passed."""
    if duration < MINUTE:
        return "less than a minute"
    days, rest = divmod(duration, DAY)
    hours, minutes = rest // HOUR, rest % HOUR // MINUTE
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    return f"{hours} h {minutes:02}" if hours else f"{minutes} min"


def hours(duration: Duration) -> str:
    """`168 h`, `162 h 40`: never in days, so that a week's hours compare at a glance."""
    whole, minutes = divmod(duration // MINUTE, 60)
    return f"{whole} h {minutes:02}" if minutes else f"{whole} h"


def limit(written: str) -> str:
    """`4 h` for a rule's `4h`; other limits read as they are written."""
    return _UNIT_AT_ONCE.sub(" ", written)


def counted(number: int, one: str, many: str = "") -> str:
    """`1 duty`, `1,204 duties`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(parts: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return f" {last} ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def capital(text: str) -> str:
    """The text with its first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]


def _month(day: dt.date) -> str:
    return _MONTHS[day.month - 1]
