"""Cases folded anew from what was known up to a number, where they do not stand as they are stored.

What comes in: an installation, an open transaction, a number and the instant at which it was the
last one. What goes out: which cases do not stand, and the clocks that they had instead. It does not
care what is asked of them (`known_then`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.assess.assess import fold_each
from monitor.assess.links import joined_cases
from monitor.clocks.timeline import live_facts
from monitor.cycle.asked import case_of
from monitor.cycle.explaining_measure import (
    PastRulebooks,
    measured_then,
    restatements,
    rulebook_then,
)
from monitor.escalate.orders import ActionKind
from monitor.model import Action, Clock, Event, Instant, KeptClock
from monitor.rulebook.book import Rulebook, measuring_digest
from monitor.store import actions, cases, clocks, intakes, known, known_since
from monitor.store.rows import CLOCK_KEY_COLUMNS

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.store.engine import Connection


class StoodThen(NamedTuple):
    """A clock as it stood then."""

    case_id: int
    clock: Clock


class Then(NamedTuple):
    """What did not stand then as it is stored."""

    rulebook: Rulebook
    cases: frozenset[int]
    """Of these no stored clock is as it was."""
    clocks: Sequence[StoodThen]
    """Those that they had instead; none of a case that is hidden."""
    hidden: frozenset[int]
    """Those among them that are restricted, then or now."""
    group_of: Mapping[int, int]
    """Of a case that was ever linked: the same number for all that it was linked to."""


class Anew:
    """Cases folded anew: as known up to numbers that are asked one after another."""

    def __init__(self, monitor: Monitor, connection: Connection) -> None:
        self._monitor = monitor
        self._connection = connection
        self._tolerances = intakes.tolerances(connection)
        self._restated = actions.actions_of_kind(connection, [ActionKind.RESTATE])
        self._books: dict[str, Rulebook] = {}

    def then(
        self,
        told_of: Collection[int],
        *,
        number: int,
        as_of: Instant,
        received: Mapping[int, Sequence[known.Received]] | None = None,
    ) -> Then:
        """What stood otherwise than it is stored. `told_of`: cases of which more was told since.

        `received`: every event of every case that this can come to, where they are at hand.
        """
        rulebook = self.rulebook(as_of)
        touched = self.touched(told_of, rulebook, number=number, as_of=as_of)
        groups = known_since.groups_ever_linked(self._connection, touched)
        touched = touched.union(*groups.values())
        if received is None:
            told = known.received_events(self._connection, touched, up_to=number)
            received = by_case(told)
        return self.fold(touched, groups, rulebook, received=received, number=number, as_of=as_of)

    def rulebook(self, as_of: Instant) -> Rulebook:
        """Kept by what it is of, so that one that is asked for again is not built again."""
        was = known.rulebook_active_at(self._connection, as_of)
        digest = "" if was is None else was.digest
        if digest not in self._books:
            self._books[digest] = rulebook_then(self._monitor, self._connection, as_of=as_of)
        return self._books[digest]

    # -- which cases --------------------------------------------------------------------------

    def touched(
        self, told_of: Collection[int], rulebook: Rulebook, *, number: int, as_of: Instant
    ) -> frozenset[int]:
        """Cases that do not stand as they are stored, without those linked to them."""
        restated = self.cases_restated_since(number)
        return frozenset(told_of).union(restated, self._otherwise(rulebook, as_of))

    def cases_restated_since(self, number: int) -> frozenset[int]:
        """Cases that were measured anew on purpose since a number."""
        named = {case_of(each.target) for each in self._restated if each.number > number}
        found = cases.known_ids(self._connection, named - {""}) if named else {}
        return frozenset(found.values())

    def _otherwise(self, then: Rulebook, as_of: Instant) -> frozenset[int]:
        """Cases that a rulebook made active since measures, or may measure, otherwise."""
        now = self._monitor.rulebook
        if then is now:
            return frozenset()
        new = _measured_otherwise(then, now)
        if new is None:
            return known_since.all_case_ids(self._connection)
        measured = known_since.measures(self._connection) & new
        return known_since.cases_measured_by(
            self._connection, measured
        ) | known_since.cases_given_way_since(self._connection, as_of)

    # -- what they had ------------------------------------------------------------------------

    def fold(
        self,
        touched: frozenset[int],
        groups: Mapping[int, frozenset[int]],
        rulebook: Rulebook,
        *,
        received: Mapping[int, Sequence[known.Received]],
        number: int,
        as_of: Instant,
    ) -> Then:
        """Cases folded from their events up to a number."""
        events = {
            case_id: [one.event for one in received.get(case_id, ()) if one.is_known(number)]
            for case_id in touched
        }
        folded = self._folded(events, groups, rulebook)
        hidden = known_since.restricted_among(self._connection, touched)
        hidden = hidden.union(*(groups[each] for each in hidden if each in groups))
        hidden |= {case for case, told in folded.items() if any(c.restricted for c in told)}
        standing = [
            StoodThen(case, clock)
            for case, told in folded.items()
            if case not in hidden
            for clock in told
        ]
        measuring = _Measuring(self, rulebook, events, groups, number=number, as_of=as_of)
        return Then(
            rulebook=rulebook,
            cases=touched,
            clocks=measuring.as_measured(standing),
            hidden=hidden,
            group_of={case_id: min(group) for case_id, group in groups.items()},
        )

    def _folded(
        self,
        events: Mapping[int, Sequence[Event]],
        groups: Mapping[int, frozenset[int]],
        rulebook: Rulebook,
    ) -> dict[int, list[Clock]]:
        references = cases.references_of(self._connection, groups.keys() & events.keys())
        joined = [
            each
            for group in sorted({min(group): group for group in groups.values()}.items())
            if group[0] in events
            for each in joined_cases({case_id: events[case_id] for case_id in group[1]}, references)
        ]
        alone = {case_id for case_id, told in events.items() if told and case_id not in groups}
        return fold_each(alone, joined, events, rulebook, self._tolerances)

    # -- by what it was measured --------------------------------------------------------------

    @property
    def connection(self) -> Connection:
        """The transaction that everything is read in."""
        return self._connection

    @property
    def monitor(self) -> Monitor:
        """The installation."""
        return self._monitor

    @property
    def tolerances(self) -> Mapping[str, int]:
        """Feed → how much earlier than its start a stop may be."""
        return self._tolerances

    def restated_since(self, references: Collection[str], number: int) -> list[Action]:
        """Each time that a case, under one of some references, was measured anew since a number."""
        return [
            each
            for each in self._restated
            if each.number > number and case_of(each.target) in references
        ]


def values_of(each: StoodThen, fields: Iterable[str]) -> Iterator[Any]:
    """A clock as the named columns of its table hold it."""
    key = each.clock.key
    for name in fields:
        if name == "case_id":
            yield each.case_id
        else:
            yield getattr(key if name in CLOCK_KEY_COLUMNS else each.clock, name)


def by_case(received: Iterable[known.Received]) -> dict[int, list[known.Received]]:
    """Events by the case that they were told of."""
    found: defaultdict[int, list[known.Received]] = defaultdict(list)
    for one in received:
        found[one.case_id].append(one)
    return found


def _measured_otherwise(then: Rulebook, now: Rulebook) -> frozenset[known_since.MeasuredBy] | None:
    """What measures now and did not then; None where anything may be measured otherwise."""
    were, are = _measures(then), _measures(now)
    if _words_that_measure(then) != _words_that_measure(now) or were.keys() - are.keys():
        return None
    return frozenset(
        (rule, version, calendar)
        for (rule, version), (digest, calendars) in are.items()
        for calendar in calendars
        if (rule, version) not in were
        or were[rule, version][0] != digest
        or calendar not in were[rule, version][1]
    )


def _measures(rulebook: Rulebook) -> dict[tuple[str, int], tuple[str, frozenset[str]]]:
    return {
        (rule, duty.rule.version): (measuring_digest(duty.rule), duty.calendar_versions)
        for rule, duties in rulebook.duties.items()
        for duty in duties
    }


def _words_that_measure(rulebook: Rulebook) -> tuple[object, ...]:
    words = rulebook.vocabulary
    stages = tuple(stage.kind for stage in words.stages)
    return tuple(words.risks), stages, words.restricted_attribute, words.start_correction


class _Place(NamedTuple):
    """A clock in a case."""

    case_id: int
    rule: str
    child: str
    organisation: str
    start: str


_PLACED: Final = ("case_id", *CLOCK_KEY_COLUMNS, "rule_version", "calendar_version")


class _Measuring:
    """Gives clocks that had ended the measure by which they ended."""

    def __init__(
        self,
        anew: Anew,
        rulebook: Rulebook,
        events: Mapping[int, Sequence[Event]],
        groups: Mapping[int, frozenset[int]],
        *,
        number: int,
        as_of: Instant,
    ) -> None:
        self._anew, self._rulebook = anew, rulebook
        self._events, self._groups = events, groups
        self._number = number
        self._past = PastRulebooks(anew.connection, as_of)

    def as_measured(self, folded: Sequence[StoodThen]) -> list[StoodThen]:
        """The same clocks; those that are measured otherwise today as they were measured then."""
        differing = self._differing(folded) | self._restated(folded)
        if not differing:
            return list(folded)
        twins = self._twins(differing)
        references = cases.references_of(self._anew.connection, self._all(differing))
        return [
            StoodThen(each.case_id, self._measured(each, twins, references))
            if each.case_id in differing
            else each
            for each in folded
        ]

    def _differing(self, folded: Iterable[StoodThen]) -> set[int]:
        """Cases with a clock that is measured by another version or calendar today."""
        today: dict[_Place, set[tuple[int, str]]] = {}
        rows = known_since.clocks_of_cases(self._anew.connection, _PLACED, self._events.keys())
        for case_id, *key, version, calendar in rows:
            root = self._root(case_id)
            today.setdefault(_Place(root, *key), set()).add((version, calendar))
        found = set()
        for case_id, clock in folded:
            measured = today.get(_Place(self._root(case_id), *clock.key))
            if measured is not None and measured != {(clock.rule_version, clock.calendar_version)}:
                found.add(case_id)
        return found

    def _restated(self, folded: Iterable[StoodThen]) -> set[int]:
        """Cases that were measured anew since: what they say today is no witness of then."""
        restated = set(map(self._root, self._anew.cases_restated_since(self._number)))
        return {each.case_id for each in folded if self._root(each.case_id) in restated}

    def _root(self, case_id: int) -> int:
        group = self._groups.get(case_id)
        return case_id if group is None else min(group)

    def _all(self, case_ids: Iterable[int]) -> set[int]:
        return {each for id_ in case_ids for each in self._groups.get(id_, (id_,))}

    def _twins(self, case_ids: Collection[int]) -> dict[_Place, KeptClock]:
        """The same clocks today: of several in cases that were ever one, the one that stands."""
        kept = clocks.clocks_of(self._anew.connection, self._all(case_ids))
        kept.sort(key=lambda each: each.clock.superseded_at is None)
        return {_Place(self._root(each.case_id), *each.clock.key): each for each in kept}

    def _measured(
        self,
        each: StoodThen,
        twins: Mapping[_Place, KeptClock],
        references: Mapping[int, str],
    ) -> Clock:
        clock = each.clock
        twin = twins.get(_Place(self._root(each.case_id), *clock.key))
        named = {references[id_] for id_ in self._all([each.case_id])}
        asked = self._anew.restated_since(named, self._number)
        told = live_facts(event for id_ in self._all([each.case_id]) for event in self._events[id_])
        return measured_then(
            clock,
            twin,
            told,
            self._past,
            tolerances=self._anew.tolerances,
            restated_since=next(restatements(self._anew.monitor, clock.key, asked), None),
        )
