"""What rules would have told in the last weeks, had they been in force: to whom, and at what hour.

What comes in: an installation, the documents that would govern, and which of their rules are
meant. What goes out: how many mails each role would have had, by hour of day, and how many at most
in one shift. It changes nothing, and reckons as a back-test does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

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


class RoleChange(NamedTuple):
    """One role's mails as they are to come, and as the rules that govern now would have them."""

    role: str
    now: RoleLoad | None
    """None where it would have had none."""
    then: RoleLoad | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The mails of the weeks before an instant."""

    since: Instant
    until: Instant
    cases: int
    """How many cases something happened in."""
    roles: tuple[RoleChange, ...]
    """The busiest first; empty where nobody would have been told anything."""

    @property
    def is_compared(self) -> bool:
        """Whether anybody is told by these rules as they govern now."""
        return any(each.now for each in self.roles)


def preview(
    monitor: Monitor,
    documents: Documents,
    rules: Collection[str],
    *,
    before: Documents,
    now: Instant,
) -> Preview:
    """The mails of the last 28 days by rules of documents, each in its newest version.

    Beside them those by the same rules of `before`, without what is on trial there.

    As if they had been in force all along, every feed had been heard, and each event had been
    received when it was recorded. Restricted cases are counted too: only figures leave.
    """
    since = now - REACH
    with reading(monitor.engine) as connection:
        tolerances = intakes.tolerances(connection)
        sides = [
            Replayer(build_rulebook(as_if_always(side, only=rules)), monitor.roster, tolerances)
            for side in (_approved(before), documents)
        ]
        told: tuple[list[Alerted], list[Alerted]] = ([], [])
        count = 0
        for events in _histories(connection, since=since):
            count += 1
            for replayer, mine in zip(sides, told, strict=True):
                mine.extend(_told(replayer, events, since=since, until=now))
    window = monitor.settings.telling.bundle_minutes * MINUTE
    today, then = ({e.role: e for e in loads(t, window=window, zone=monitor.zone)} for t in told)
    roles = [RoleChange(role, today.get(role), then.get(role)) for role in today.keys() | then]
    return Preview(since=since, until=now, cases=count, roles=tuple(sorted(roles, key=_busiest)))


def _approved(documents: Documents) -> Documents:
    trial = set(documents.trial)
    rules = (rule for rule in documents.rules if (rule.id, rule.version) not in trial)
    return documents.model_copy(update={"rules": tuple(rules)})


def _told(
    replayer: Replayer, events: Sequence[Event], *, since: Instant, until: Instant
) -> Iterator[Alerted]:
    for each in replayer.replay(events, until=until).told:
        if each.at >= since and each.recipient and each.kind is not AlertKind.STOPPED_LATE:
            yield Alerted(each.recipient, each.at, each.role)


def _busiest(change: RoleChange) -> tuple[int, str]:
    return -(change.then.mails if change.then else 0), change.role


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
