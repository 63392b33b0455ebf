"""What rules would have told in the last weeks, had they been in force: to whom, and at what hour.

What comes in: an installation, the documents that would govern, and which of their rules are
meant. What goes out: how many mails each role would have had, by hour of day, and how many at most
in one shift. It changes nothing. What a person is told at one instant is one mail; that some would
have shared a mail with another is not reckoned with, so the figures are the most it can be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Final

from monitor.model import DAY, HOUR, AlertKind, Duration, Event, Instant
from monitor.replay.replay import Replayer, Told
from monitor.rulebook.book import Documents, Rulebook, build_rulebook
from monitor.rulebook.language import Effective, Rule
from monitor.store import cases, intakes
from monitor.store.engine import Connection, reading
from monitor.worktime.zones import local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.cycle.parts import Monitor

REACH: Final[Duration] = 28 * DAY
SHIFT: Final[Duration] = 8 * HOUR
MOST_IN_A_SHIFT: Final = 10
"""A post that had more than this is too much for one person to read."""

CASES_AT_ONCE: Final = 500

_LONG_AGO: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleLoad:
    """What one role would have been mailed."""

    role: str
    by_hour: tuple[int, ...]
    """Mails by the hour of day, 24 of them, in the zone in which people are told times."""
    most_in_a_shift: int
    """To one address of the role, in any 8 hours."""

    @property
    def mails(self) -> int:
        """All of them."""
        return sum(self.by_hour)

    @property
    def is_too_much(self) -> bool:
        """Whether one post had more in a shift than a person reads."""
        return self.most_in_a_shift > MOST_IN_A_SHIFT


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The mails of the weeks before an instant."""

    since: Instant
    until: Instant
    cases: int
    """How many cases something happened in."""
    roles: tuple[RoleLoad, ...]
    """The busiest first; empty where nobody would have been told anything."""


def preview(
    monitor: Monitor, documents: Documents, rules: Collection[str], *, now: Instant
) -> Preview:
    """The mails of the last 28 days by rules of documents, each in its newest version.

    As if they had been in force all along, every feed had been heard, and each event had been
    received when it was recorded. Restricted cases are counted too: only figures leave.
    """
    since = now - REACH
    with reading(monitor.engine) as connection:
        replayer = Replayer(
            _in_force_all_along(documents, rules), monitor.roster, intakes.tolerances(connection)
        )
        told: list[Told] = []
        count = 0
        for events in _histories(connection, since=since):
            count += 1
            told += (
                each
                for each in replayer.replay(events, until=now).told
                if each.at >= since and each.recipient and each.kind is not AlertKind.STOPPED_LATE
            )
    return Preview(since=since, until=now, cases=count, roles=loads(told, zone=monitor.zone))


def _in_force_all_along(documents: Documents, rules: Collection[str]) -> Rulebook:
    newest: dict[str, Rule] = {}
    for rule in sorted(documents.rules, key=lambda rule: rule.version):
        if rule.id in rules:
            newest[rule.id] = rule
    always = Effective.model_validate({"from": _LONG_AGO})
    return build_rulebook(
        documents.model_copy(
            update={
                "rules": tuple(r.model_copy(update={"effective": always}) for r in newest.values()),
                "trial": (),
            }
        )
    )


def _histories(connection: Connection, *, since: Instant) -> Iterator[Sequence[Event]]:
    """The events of every case in which something happened since, linked cases together."""
    seen: set[int] = set()
    after = 0
    while ids := cases.ids_since(connection, since, after=after, limit=CASES_AT_ONCE):
        after = ids[-1]
        groups = cases.linked_groups(connection, ids)
        joined = frozenset[int]().union(*groups)
        whole = [*groups, *(frozenset({each}) for each in ids if each not in joined)]
        new = [group for group in whole if seen.isdisjoint(group)]
        seen.update(*new)
        events = cases.events_of(connection, frozenset[int]().union(*new))
        for group in new:
            whole_case = chain.from_iterable(events[each] for each in sorted(group))
            yield [_when_recorded(event) for event in whole_case]


def _when_recorded(event: Event) -> Event:
    """As if it had been received when it was recorded, or happened where no record says when.

    Years of history loaded in an evening were not made known in one evening.
    """
    known = max(event.occurred_to, event.recorded_at or event.occurred_to)
    return event._replace(received_at=min(event.received_at, known))


def loads(told: Iterable[Told], *, zone: ZoneInfo) -> tuple[RoleLoad, ...]:
    """What was told, by role: what one address is told at one instant is one mail."""
    mails = sorted({(each.role, each.recipient, each.at) for each in told})
    by_role: dict[str, list[tuple[str, Instant]]] = {}
    for role, recipient, at in mails:
        by_role.setdefault(role, []).append((recipient, at))
    found = [_load(role, some, zone) for role, some in by_role.items()]
    return tuple(sorted(found, key=lambda load: (-load.mails, load.role)))


def _load(role: str, mails: Sequence[tuple[str, Instant]], zone: ZoneInfo) -> RoleLoad:
    hours = Counter(local(at, zone).hour for _, at in mails)
    recipients = {recipient for recipient, _ in mails}
    return RoleLoad(
        role=role,
        by_hour=tuple(hours[hour] for hour in range(24)),
        most_in_a_shift=max(
            _most_in_a_shift([at for to, at in mails if to == recipient])
            for recipient in recipients
        ),
    )


def _most_in_a_shift(instants: Sequence[Instant]) -> int:
    """The most that fall into any 8 hours; the instants are in order."""
    most, first = 0, 0
    for last, at in enumerate(instants):
        while at - instants[first] >= SHIFT:
            first += 1
        most = max(most, last - first + 1)
    return most
