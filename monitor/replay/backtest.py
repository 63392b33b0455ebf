"""The same history under two rulebooks: what each says of every clock, and whom it tells when.

What comes in: the events of cases, and two rulebooks. What goes out: a tally of clocks by what they
say under one and the other, and everything told. Each rule is taken in its newest version, as if it
had been in force throughout: the question is what a rule would have done, not when it began.
It does not care where the cases come from, nor how the tally is shown.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from monitor.clocks.columns import Histories
from monitor.escalate.roster import Roster
from monitor.model import AlertKind, Clock, ClockKey, Duration, Event, Instant, Verdict
from monitor.replay.load import Alerted
from monitor.replay.replay import Replayed, Replayer
from monitor.replay.together import EXAMPLES, as_all_learnt_then, asked_of_events, tried_together
from monitor.rulebook.book import Documents, Rulebook, build_rulebook
from monitor.rulebook.language import Alerts, Effective, Rule

NO_CLOCK: Final = "no clock"
"""What is said of a clock that only the other rulebook has."""

_ALWAYS: Final = dt.date(1900, 1, 1)


class Change(NamedTuple):
    """Clocks that say one thing under one rulebook and another, or the same, under the other."""

    rule: str
    district: str
    category: str
    before: str
    after: str

    @property
    def is_one(self) -> bool:
        """Whether they differ."""
        return self.before != self.after


@dataclass(slots=True)
class Tally:
    """What some cases came to; tallies add up, in any order."""

    cases: int = 0
    clocks: Counter[Change] = field(default_factory=Counter)
    before: list[Alerted] = field(default_factory=list)
    after: list[Alerted] = field(default_factory=list)
    examples: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    """(rule, before, after) → references of a few cases."""

    def add(self, other: Tally) -> None:
        """Take in another."""
        self.cases += other.cases
        self.clocks.update(other.clocks)
        self.before += other.before
        self.after += other.after
        for key, references in other.examples.items():
            kept = self.examples.setdefault(key, [])
            kept[:] = sorted({*kept, *references})[:EXAMPLES]


def as_if_always(documents: Documents, *, only: Collection[str] = ()) -> Documents:
    """Each rule in its newest version, approved and in force from the beginning.

    `only`: of these rules; all, where none is named.
    """
    newest: dict[str, Rule] = {}
    for rule in sorted(documents.rules, key=lambda rule: rule.version):
        newest[rule.id] = rule
    rules = tuple(
        rule.model_copy(update={"effective": Effective.model_validate({"from": _ALWAYS})})
        for rule in newest.values()
        if not only or rule.id in only
    )
    return documents.model_copy(update={"rules": rules, "trial": ()})


class Backtest:
    """Two rulebooks, made ready to be tried on many cases."""

    def __init__(
        self,
        before: Documents,
        after: Documents,
        roster: Roster,
        tolerances: Mapping[str, Duration],
        *,
        since: Instant,
        until: Instant,
        telling: bool = True,
    ) -> None:
        """Clocks that start from `since` on and before `until`, as they stand at `until`.

        What is alike under both is lived through once. `telling`: whether it is asked who would be
        told, too.
        """
        alike, ours, theirs = _apart(before, after)
        self._since, self._until = since, until
        self._tolerances = tolerances
        self._alike, self._before, self._after = (
            _Side(documents, roster, tolerances, telling=telling)
            for documents in (alike, ours, theirs)
        )

    def try_case(self, events: Iterable[Event], tally: Tally) -> None:
        """Live through the events of one case, or of linked ones, under both."""
        learnt = [as_learnt_then(event) for event in events]
        if not any(self._since <= event.occurred_from < self._until for event in learnt):
            return
        tally.cases += 1
        alike = self._live(self._alike, learnt)
        for says in alike.says.values():
            tally.clocks[says.change(says.verdict, says.verdict)] += 1
        before, after = (self._live(side, learnt) for side in (self._before, self._after))
        for key in before.says.keys() | after.says.keys():
            self._compare(before.says.get(key), after.says.get(key), tally)
        tally.before += alike.told + before.told
        tally.after += alike.told + after.told

    @property
    def asked(self) -> frozenset[str]:
        """What must be read of an event for `try_together`, beside its times, kind and subject."""
        asked = asked_of_events(side.rulebook for side in self._sides)
        return asked | {"feed"} if self._tolerances else asked

    @property
    def _sides(self) -> tuple[_Side, _Side, _Side]:
        return self._alike, self._before, self._after

    def try_together(
        self,
        histories: Histories,
        references: Callable[[Sequence[int]], Sequence[str]],
        tally: Tally,
    ) -> list[int]:
        """Tally all of some cases that need not be lived through; the places of those that do.

        `references`: of the cases at some places. Every case has an event in the period.
        """
        alike, before, after = (side.rulebook for side in self._sides)
        found = tried_together(
            as_all_learnt_then(histories),
            alike=alike,
            before=before,
            after=after,
            tolerances=self._tolerances,
            since=self._since,
            until=self._until,
        )
        tally.cases += int(found.is_counted.sum())
        for count in found.counts:
            was, now = (each.value if each else NO_CLOCK for each in (count.before, count.after))
            change = Change(count.rule, count.district, count.category, was, now)
            tally.clocks[change] += count.clocks
            if change.is_one:
                kept = tally.examples.setdefault((count.rule, was, now), [])
                kept += references(count.cases[: EXAMPLES - len(kept)])
        return [place for place, counted in enumerate(found.is_counted.tolist()) if not counted]

    def _live(self, side: _Side, learnt: Iterable[Event]) -> _Came:
        if side.replayer is None:
            return _NOTHING
        lived = side.replayer.replay(learnt, until=self._until)
        return _came(lived, since=self._since, until=self._until)

    def _compare(self, before: _Says | None, after: _Says | None, tally: Tally) -> None:
        known = before or after
        assert known is not None
        was = before.verdict if before else NO_CLOCK
        now = after.verdict if after else NO_CLOCK
        tally.clocks[known.change(was, now)] += 1
        if was != now:
            kept = tally.examples.setdefault((known.clock.key.rule, was, now), [])
            if len(kept) < EXAMPLES and known.reference not in kept:
                kept.append(known.reference)


def as_learnt_then(event: Event) -> Event:
    """An event as if this monitor had been running: told when it was recorded, or when it happened.

    A history that was loaded at once would otherwise all be learnt on that day.
    """
    written = event.occurred_to if event.recorded_at is None else event.recorded_at
    at = max(event.occurred_to, written)
    return event if at >= event.received_at else event._replace(received_at=at)


class _Side:
    """One rulebook's part; none where it has no rule."""

    def __init__(
        self,
        documents: Documents,
        roster: Roster,
        tolerances: Mapping[str, Duration],
        *,
        telling: bool,
    ) -> None:
        limit = Alerts.ON if telling else Alerts.DIGEST
        self.rulebook: Rulebook = build_rulebook(documents, alerts_limit=limit)
        self.replayer = Replayer(self.rulebook, roster, tolerances) if documents.rules else None


def _apart(before: Documents, after: Documents) -> tuple[Documents, Documents, Documents]:
    """What is alike under both, and what only the one or the other has."""
    ours, theirs = as_if_always(before), as_if_always(after)
    same = {rule.id for rule in ours.rules} & {
        rule.id for rule in theirs.rules if _lives_alike(rule.id, ours, theirs)
    }
    return (
        ours.model_copy(update={"rules": tuple(r for r in ours.rules if r.id in same)}),
        ours.model_copy(update={"rules": tuple(r for r in ours.rules if r.id not in same)}),
        theirs.model_copy(update={"rules": tuple(r for r in theirs.rules if r.id not in same)}),
    )


def _lives_alike(rule_id: str, ours: Documents, theirs: Documents) -> bool:
    return _all_of(rule_id, ours) == _all_of(rule_id, theirs)


def _all_of(rule_id: str, documents: Documents) -> object:
    """Everything that decides what a rule measures and tells; None where there is no such rule."""
    rule = next((rule for rule in documents.rules if rule.id == rule_id), None)
    if rule is None:
        return None
    unsaid: dict[str, object] = {"version": 1, "title": "", "authority": rule.authority}
    calendars = [each for each in documents.calendars if each.id == rule.calendar]
    return (
        rule.model_copy(update=unsaid | {"authority": None}),
        [ladder for ladder in documents.ladders if ladder.id == rule.ladder],
        calendars,
        [documents.holidays.get(each.holidays or "") for each in calendars],
        documents.vocabulary,
    )


# -- what one life came to --------------------------------------------------------------------


class _Says(NamedTuple):
    """One clock and its verdict."""

    reference: str
    clock: Clock
    verdict: str

    def change(self, before: str, after: str) -> Change:
        return Change(self.clock.key.rule, self.clock.district, self.clock.category, before, after)


class _Came(NamedTuple):
    says: Mapping[tuple[str, ClockKey], _Says]
    told: list[Alerted]


_NOTHING: Final = _Came({}, [])


def _came(lived: Replayed, *, since: Instant, until: Instant) -> _Came:
    """Clocks that start in the period and stand, and what was told of them."""
    says = {
        (standing.reference, standing.kept.clock.key): _Says(
            standing.reference, standing.kept.clock, standing.verdict.value
        )
        for standing in lived.clocks
        if since <= standing.kept.clock.started_at < until
        and standing.verdict is not Verdict.SUPERSEDED
    }
    told = [
        Alerted(told.recipient, told.at, told.role)
        for told in lived.told
        if told.kind is not AlertKind.STOPPED_LATE and since <= told.at < until
    ]
    return _Came(says, told)
