"""How many mails fall on whom, at which hour: what was told, put into mails as people would get it.

What comes in: who was told when, and the window within which alerts to a person are bundled. What
goes out: mails by role and hour of the day, and the busiest shift. It does not care what they say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.model import HOUR, Duration, Instant
from monitor.worktime.zones import local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

SHIFT_BEGINS: Final = (6, 14, 22)
"""Hours at which shifts of eight hours begin; response shifts differ by force, and this is near."""

MANY_A_SHIFT: Final = 10
"""More mails to one role in one shift than anybody reads with care."""


class Alerted(NamedTuple):
    """One alert or withdrawal to one person."""

    recipient: str
    """An address; empty where nobody could be told."""
    at: Instant
    role: str


class RoleLoad(NamedTuple):
    """What one role would have got."""

    role: str
    alerts: int
    mails: int
    by_hour: tuple[int, ...]
    """Mails by local hour of the day, from midnight."""
    busiest_shift: int
    """Most mails to one holder in one shift of eight hours."""
    busiest_on: str
    """The local date on which that shift began; empty without a mail."""

    @property
    def at_night(self) -> int:
        """Mails between 22:00 and 06:00."""
        return sum(self.by_hour[22:]) + sum(self.by_hour[:6])

    @property
    def is_too_many(self) -> bool:
        """Whether some shift had more than anybody reads with care."""
        return self.busiest_shift > MANY_A_SHIFT


def loads(told: Iterable[Alerted], *, window: Duration, zone: ZoneInfo) -> list[RoleLoad]:
    """What each role would have got, by name. Times are local to `zone`.

    The first alert to a person is a mail at once; what comes up in the window after it goes
    together when the window ends. A person that holds two roles gets one mail for both: it counts
    for the role of its first alert.
    """
    alerts: Counter[str] = Counter()
    hours: dict[str, list[int]] = {}
    shifts: dict[str, Counter[tuple[str, str, int]]] = {}
    in_order = sorted(told)
    for one in in_order:
        alerts[one.role] += 1
        hours.setdefault(one.role, [0] * 24)
        shifts.setdefault(one.role, Counter())
    for mail in _mails((one for one in in_order if one.recipient), window):
        day, hour, shift = _when(mail.at, zone)
        hours[mail.role][hour] += 1
        shifts[mail.role][mail.recipient, day, shift] += 1
    return [_load(role, alerts[role], hours[role], shifts[role]) for role in sorted(alerts)]


def _load(
    role: str, alerts: int, hours: list[int], shifts: Counter[tuple[str, str, int]]
) -> RoleLoad:
    busiest, most = max(shifts.items(), key=itemgetter(1), default=(("", "", 0), 0))
    return RoleLoad(role, alerts, sum(hours), tuple(hours), most, busiest[1])


def _mails(told: Iterable[Alerted], window: Duration) -> Iterator[Alerted]:
    """`told`: by recipient, then time."""
    for _, mine in groupby(told, key=itemgetter(0)):
        planned: Instant | None = None
        for one in mine:
            if planned is None or one.at > planned:
                at = one.at if planned is None else max(one.at, planned + window)
                planned = at
                yield one._replace(at=at)


def _when(at: Instant, zone: ZoneInfo) -> tuple[str, int, int]:
    """Local date on which the shift began, local hour, and the hour at which the shift began."""
    shown = local(at, zone)
    begun = [begins for begins in SHIFT_BEGINS if begins <= shown.hour]
    day = shown if begun else local(at - (shown.hour + 1) * HOUR, zone)
    return f"{day:%Y-%m-%d}", shown.hour, begun[-1] if begun else SHIFT_BEGINS[-1]
