"""Instants, durations and counts as a reader of a mail says them.

What comes in: instants and durations in microseconds, and a zone. What goes out: short English.
It does not care what the moments mean. The names of days and months are written out here, so that
the machine's own language settings change no mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from monitor.model import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    from datetime import tzinfo

    from monitor.model import Duration, Instant

_UNIT_AT_ONCE: Final = re.compile(r"(?<=\d)(?=[a-z])")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_SAME_NIGHT: Final = 20 * HOUR
"""Within so long before, a bare time of day can only mean one moment to a reader."""
_NEAREST: Final = 3
"""So many names that were perhaps meant are named."""
_NAMED_DAYS: Final = 6
"""Within so many dates, the name of a weekday can only mean one date."""


def time_of_day(instant: Instant, *, zone: tzinfo) -> str:
    """`02:47`, in the zone; an hour that occurs twice bears its name: `01:30 BST`."""
    local = _local(instant, zone)
    clock = f"{local.hour:02}:{local.minute:02}"
    return f"{clock} {local.tzname()}" if _occurs_twice(local) else clock


def moment(instant: Instant, *, zone: tzinfo) -> str:
    """`02:47 on Tue 9 March 2027`: says everything, for the time the mail itself speaks of."""
    local = _local(instant, zone)
    return f"{time_of_day(instant, zone=zone)} on {_day(local)} {local.year}"


def when(instant: Instant, *, at: Instant, zone: tzinfo) -> str:
    """A moment as said at another: `18:47 today`, `22:47 on Mon 8 March`, with a year if needed."""
    local, said = _local(instant, zone), _local(at, zone)
    clock = time_of_day(instant, zone=zone)
    if local.date() == said.date():
        return f"{clock} today"
    if local.date() == said.date() + timedelta(days=1):
        return f"{clock} tomorrow, {_day(local)}"
    year = f" {local.year}" if local.year != said.year else ""
    return f"{clock} on {_day(local)}{year}"


def briefly(instant: Instant, *, at: Instant, zone: tzinfo) -> str:
    """The shortest that cannot mislead: `21:20` of this night, `Fri 20:20`, else as `when`."""
    local, said = _local(instant, zone), _local(at, zone)
    if local.date() == said.date() or 0 <= at - instant <= _SAME_NIGHT:
        return time_of_day(instant, zone=zone)
    if abs((local.date() - said.date()).days) <= _NAMED_DAYS:
        return f"{_DAYS[local.weekday()]} {time_of_day(instant, zone=zone)}"
    return when(instant, at=at, zone=zone)


def lasting(duration: Duration) -> str:
    """`27 min`, `4 h 00`, `2 d 10 h 40`, `3 d`: whole minutes that have passed; a day is 24 h."""
    if duration < MINUTE:
        return "less than a minute"
    days, rest = divmod(duration, DAY)
    hours, minutes = rest // HOUR, rest % HOUR // MINUTE
    if not days:
        return f"{hours} h {minutes:02}" if hours else f"{minutes} min"
    if minutes:
        return f"{days} d {hours} h {minutes:02}"
    return f"{days} d {hours} h" if hours else f"{days} d"


def said_of(instant: Instant, *, at: Instant, zone: tzinfo) -> str:
    """`16:20 on Fri 5 March`, with its year where it is not that of `at`."""
    return f"{time_of_day(instant, zone=zone)} on {day_said(instant, at=at, zone=zone)}"


def day_said(instant: Instant, *, at: Instant, zone: tzinfo) -> str:
    """`Wed 3 March`, with its year where it is not that of `at`."""
    then, said = _local(instant, zone), _local(at, zone)
    return f"{_day(then)}{f' {then.year}' if then.year != said.year else ''}"


def lasting_about(duration: Duration) -> str:
    """As `lasting`; beyond a day, whole hours that passed: `2 d 10 h`."""
    return lasting(duration - duration % HOUR if duration >= DAY else duration)


def hours(duration: Duration) -> str:
    """`168 h`, `162 h 40`: never in days, so that a week's hours compare at a glance."""
    whole, minutes = divmod(duration // MINUTE, 60)
    return f"{whole} h {minutes:02}" if minutes else f"{whole} h"


def limit(written: str) -> str:
    """`4 h` for a rule's `4h`; other limits read as they are written."""
    return _UNIT_AT_ONCE.sub(" ", written)


def stretch(start: Instant, end: Instant, *, zone: tzinfo) -> str:
    """`Wed 14:00 to 19:20`, `Thu 18:05 to Tue 07:10`: within a week a weekday is enough."""
    first, last = _local(start, zone), _local(end, zone)
    day = "" if first.date() == last.date() else f"{_DAYS[last.weekday()]} "
    begins = f"{_DAYS[first.weekday()]} {time_of_day(start, zone=zone)}"
    return f"{begins} to {day}{time_of_day(end, zone=zone)}"


def period(start: Instant, *, end: Instant, zone: tzinfo) -> str:
    """`1-7 March 2027`: the dates from `start` up to, and not with, the instant `end`."""
    return dates(_local(start, zone).date(), _local(end - 1, zone).date())


def dates(first: date, last: date) -> str:
    """`2-8 November 2026`, `30 November - 6 December 2026`: what both share is said once."""
    if first == last:
        return _date(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}-{_date(last)}"
    if first.year == last.year:
        return f"{first.day} {_MONTHS[first.month - 1]} - {_date(last)}"
    return f"{_date(first)} - {_date(last)}"


def count(number: int, one: str, many: str = "") -> str:
    """`1 case`, `6 duties`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(parts: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return f" {last} ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def capital(text: str) -> str:
    """The text with its first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]


def without_article(role: str) -> str:
    """A role as it stands after an article: `head of safeguarding` for `the head of …`."""
    return re.sub(r"^the\s+(?=\S)", "", role.strip(), flags=re.IGNORECASE)


def nearest(name: str, known: Iterable[str], *, list_all: str) -> str:
    """What may have been meant: `nearest: a, b; all: COMMAND`. `list_all`: the command."""
    close = get_close_matches(name, sorted(set(known)), _NEAREST, cutoff=0.4)
    return "; ".join([f"nearest: {', '.join(close)}"] * bool(close) + [f"all: {list_all}"])


def _local(instant: Instant, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=instant)).astimezone(zone)


def _occurs_twice(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _day(local: datetime) -> str:
    return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]}"


def _date(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
