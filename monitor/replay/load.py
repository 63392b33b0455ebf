"""How many mails fall on whom, at which hour: what was told, put into mails as people would get it.

What comes in: who was told when, and the window within which alerts to a person are bundled. What
goes out: mails by role and hour of the day, and the busiest shift. It does not care what they say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.model import HOUR, Duration, Instant
from monitor.worktime.zones import local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

SHIFT: Final[Duration] = 8 * HOUR
"""How long one person is at work; of any length of eight hours the fullest counts."""

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
    """Most mails to one address in any eight hours."""
    busiest_on: str
    """The local date on which these began; empty without a mail."""

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
    in_order = sorted(told)
    alerts = Counter(one.role for one in in_order)
    mails: dict[str, list[Alerted]] = {role: [] for role in alerts}
    for mail in _mails((one for one in in_order if one.recipient), window):
        mails[mail.role].append(mail)
    return [_load(role, alerts[role], mails[role], zone) for role in sorted(alerts)]


def _load(role: str, alerts: int, mails: Sequence[Alerted], zone: ZoneInfo) -> RoleLoad:
    hours = Counter(local(mail.at, zone).hour for mail in mails)
    by_recipient = [
        [mail.at for mail in mine] for _, mine in groupby(sorted(mails), key=itemgetter(0))
    ]
    busiest, begins = max(map(_busiest, by_recipient), default=(0, 0))
    return RoleLoad(
        role=role,
        alerts=alerts,
        mails=len(mails),
        by_hour=tuple(hours[hour] for hour in range(24)),
        busiest_shift=busiest,
        busiest_on=f"{local(begins, zone):%Y-%m-%d}" if busiest else "",
    )


def _busiest(instants: Sequence[Instant]) -> tuple[int, Instant]:
    """The most that fall into eight hours, and when these begin; the instants are in order."""
    most, begins, first = 0, 0, 0
    for last, at in enumerate(instants):
        while at - instants[first] >= SHIFT:
            first += 1
        if last - first + 1 > most:
            most, begins = last - first + 1, instants[first]
    return most, begins


def _mails(told: Iterable[Alerted], window: Duration) -> Iterator[Alerted]:
    """`told`: by recipient, then time."""
    for _, mine in groupby(told, key=itemgetter(0)):
        planned: Instant | None = None
        for one in mine:
            if planned is None or one.at > planned:
                at = one.at if planned is None else max(one.at, planned + window)
                planned = at
                yield one._replace(at=at)
