"""What rules would have told in the last weeks, had they been in force: to whom, and at what hour.

What comes in: an installation, the documents that would govern, and which of their rules are
meant. What goes out: how many mails each role would have had, by hour of day, and how many at most
in one shift. It changes nothing, and reckons as a back-test does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from monitor.model import DAY, MINUTE, AlertKind, Duration, Event, Instant
from monitor.replay.backtest import as_if_always, as_learnt_then
from monitor.replay.load import Alerted, RoleLoad, loads
from monitor.replay.replay import Replayer
from monitor.rulebook.book import Documents, build_rulebook
from monitor.store import cases, intakes
from monitor.store.engine import Connection, reading

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

REACH: Final[Duration] = 28 * DAY

CASES_AT_ONCE: Final = 500


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
        rulebook = build_rulebook(as_if_always(documents, only=rules))
        tolerances = intakes.tolerances(connection)
        replayer = Replayer(rulebook, monitor.roster, tolerances)
        told: list[Alerted] = []
        count = 0
        for events in _histories(connection, since=since):
            count += 1
            told += (
                Alerted(each.recipient, each.at, each.role)
                for each in replayer.replay(events, until=now).told
                if each.at >= since and each.recipient and each.kind is not AlertKind.STOPPED_LATE
            )
    window = monitor.settings.telling.bundle_minutes * MINUTE
    found = loads(told, window=window, zone=monitor.zone)
    busiest_first = sorted(found, key=lambda load: (-load.mails, load.role))
    return Preview(since=since, until=now, cases=count, roles=tuple(busiest_first))


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
            yield [as_learnt_then(event) for event in whole_case]
