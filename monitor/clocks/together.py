"""The fold of many cases at once: the same clocks as one by one, in a fraction of the time.

What comes in: the events of many cases, the rulebook and the feeds' tolerances. What goes out: what
`fold` would answer for each. It does not care what was stored before, nor what time it is.

Nearly every case is plain, and nearly every clock of it too: one child, one organisation, an
attribute that is said once, a stop and nothing else. These are measured by column, a rule at a
time. Where anything else was said, the case is folded by itself; so what is hard to get right
stands in one place (`fold`), and what is here must answer the same or nothing (a property test).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Final, NamedTuple, cast

import numpy as np

from monitor.clocks.columns import NONE, Codes, Flags, Histories, histories_of
from monitor.clocks.fold import fold
from monitor.clocks.record import RECORDED_FIELDS
from monitor.model import Clock, ClockKey, Duration, Event, Instant
from monitor.rulebook.book import Duty, Rulebook
from monitor.rulebook.language import Condition
from monitor.worktime.bulk import BulkCalendar, Instants
from monitor.worktime.calendar import Calendar
from monitor.worktime.limits import DayEnd, Unit
from monitor.worktime.zones import end_of_day, start_of_day

_NEVER: Final = int(np.iinfo(np.int64).max)


class Runs(NamedTuple):
    """Clocks of one duty, a row for each; instants are NONE where a clock has none."""

    duty: Duty
    case: Instants
    """Which case, in the order of `Histories`."""
    child: Codes
    organisation: Codes
    started_at: Instants
    known_at: Instants
    due_at: Instants
    due_soon_at: Instants
    stopped_at: Instants
    stop_known_at: Instants
    stop_recorded_at: Instants
    recorded: tuple[Codes, ...]
    """RECORDED_FIELDS as they stood when the clock started."""

    def of(self, rows: Flags) -> Runs:
        """Some of them."""
        return Runs(
            duty=self.duty,
            case=self.case[rows],
            child=self.child[rows],
            organisation=self.organisation[rows],
            started_at=self.started_at[rows],
            known_at=self.known_at[rows],
            due_at=self.due_at[rows],
            due_soon_at=self.due_soon_at[rows],
            stopped_at=self.stopped_at[rows],
            stop_known_at=self.stop_known_at[rows],
            stop_recorded_at=self.stop_recorded_at[rows],
            recorded=tuple(column[rows] for column in self.recorded),
        )


class Measured(NamedTuple):
    """What could be measured by column."""

    runs: list[Runs]
    """In the order of the rulebook; of the cases that are sure, and no others."""
    is_sure: Flags
    """For each case: whether these are all its clocks. Every other is to be folded by itself."""


def fold_together(
    cases: Mapping[int, Sequence[Event]],
    rulebook: Rulebook,
    *,
    tolerances: Mapping[str, Duration],
) -> dict[int, list[Clock]]:
    """Case → its clocks, as `fold` answers for each.

    `tolerances`: feed → how much earlier than its start a stop may be.
    """
    told = list(cases.values())
    histories = histories_of(told, declared=attributes_asked(rulebook))
    measured = measure(histories, rulebook, tolerances=tolerances)
    clocks: list[list[Clock]] = [
        [] if is_sure else fold(events, rulebook, tolerances=tolerances)
        for events, is_sure in zip(told, measured.is_sure.tolist(), strict=True)
    ]
    filled = _Filling(histories, rulebook)
    for runs in measured.runs:
        for case, clock in filled.clocks(runs):
            clocks[case].append(clock)
    return dict(zip(cases, clocks, strict=True))


def attributes_asked(rulebook: Rulebook) -> frozenset[str]:
    """What a rulebook asks of events: fields, and attributes that the vocabulary declares."""
    asked: set[str] = set()
    for versions in rulebook.duties.values():
        for duty in versions:
            rule = duty.rule
            asked.update(rule.case_attributes)
            asked.update(name for condition in _conditions(duty) for name in condition.where)
            asked.update(rule.confirm.where if rule.confirm else ())
    if rulebook.vocabulary.restricted_attribute is not None:
        asked.add(rulebook.vocabulary.restricted_attribute)
    return frozenset(asked)


def _conditions(duty: Duty) -> Iterator[Condition]:
    rule = duty.rule
    yield from (*rule.start, *rule.stop, *rule.exempt, *rule.void, *rule.owed_to)
    yield from rule.defer.when if rule.defer else ()


def measure(
    histories: Histories, rulebook: Rulebook, *, tolerances: Mapping[str, Duration]
) -> Measured:
    """The clocks of the cases of which everything can be measured by column."""
    asked = _Asked(histories, tolerances)
    is_sure = histories.is_plain.copy()
    correction = rulebook.vocabulary.start_correction
    if correction is not None:
        is_sure &= ~histories.having(asked.of_kinds([correction.kind]))
    found: list[Runs] = []
    for duties in rulebook.startable_by(frozenset(histories.words.texts(asked.kinds))):
        ruling = _Ruling(duties, asked)
        found += ruling.runs()
        is_sure &= ~ruling.doubtful
    return Measured([runs.of(is_sure[runs.case]) for runs in found], is_sure)


# -- what is asked of events ------------------------------------------------------------------


class _Asked:
    """What rules ask of many events; what was asked once is kept."""

    def __init__(self, histories: Histories, tolerances: Mapping[str, Duration]) -> None:
        self.histories = histories
        self.kinds: Codes = np.unique(histories.said["kind"])
        self._tables: dict[str, _Only] = {}
        feeds = histories.words.texts(histories.said["feed"]) if tolerances else []
        self.tolerance: Instants = (
            np.fromiter((tolerances.get(feed, 0) for feed in feeds), np.int64, len(feeds))
            if tolerances
            else np.zeros(1, np.int64)
        )

    def of_kinds(self, kinds: Iterable[str]) -> Flags:
        """Which events are of some kinds."""
        return self.histories.words.among(self.histories.said["kind"], kinds)

    def meeting(self, conditions: Iterable[Condition]) -> Flags:
        """Which events meet any of several conditions."""
        found = np.zeros(self.histories.case.size, np.bool_)
        for condition in conditions:
            meets = self.of_kinds(condition.kind)
            for name, values in condition.where.items():
                meets &= self.saying(name, values)
            found |= meets
        return found

    def saying(self, name: str, values: Iterable[str]) -> Flags:
        """Which events say one of some values of an attribute."""
        return self.histories.words.among(self.histories.said[name], values)

    def only(self, name: str) -> _Only:
        """What each case says of an attribute."""
        known = self._tables.get(name)
        if known is None:
            known = self._tables[name] = _Only.of(self.histories, self.histories.said[name])
        return known


class _Only(NamedTuple):
    """What each case says of something, where all that is said is the same."""

    value: Codes
    several: Flags
    """Cases that say more than one thing of it."""
    rows: Instants
    """Events that say anything of it."""

    @classmethod
    def of(cls, histories: Histories, said: Codes, among: Flags | None = None) -> _Only:
        rows = np.flatnonzero(said if among is None else (said != 0) & among)
        least = histories.least(rows, said[rows], start=0)
        greatest = histories.greatest(rows, said[rows], start=0)
        return cls(greatest.astype(np.int32), least != greatest, rows)


# -- one rule ---------------------------------------------------------------------------------


class _Ruling:
    """One rule, with all its versions, over many cases."""

    def __init__(self, duties: Sequence[Duty], asked: _Asked) -> None:
        self._duties = duties
        self._asked = asked
        self._histories = asked.histories
        number = asked.histories.number
        self.doubtful: Flags = np.zeros(number, np.bool_)
        """Cases in which the rule has something to say that only the fold can."""
        self._started_at = np.full(number, _NEVER)
        self._known_at = np.full(number, _NEVER)
        self._version = np.full(number, -1)

    def runs(self) -> list[Runs]:
        """Its clocks; those of doubtful cases among them say nothing."""
        starting = self._histories.having(
            self._asked.of_kinds({kind for duty in self._duties for kind in duty.starts.kinds})
        )
        if not _is_in_columns(self._duties):
            self.doubtful |= starting
            return []
        child, organisation = self._subjects()
        for version, duty in enumerate(self._duties):
            self._start(version, duty, organisation)
        found = [
            runs
            for version, duty in enumerate(self._duties)
            for owed, cases in self._owed(version, duty, organisation)
            for runs in self._measured(owed, cases, child, organisation)
        ]
        self.doubtful &= starting
        return found

    def _subjects(self) -> tuple[Codes, Codes]:
        """The one child and organisation of each case, as `Case.subjects` names them."""
        rule, said = self._duties[0].rule, self._histories.said
        naming = ~self._asked.meeting(rule.stop)
        nobody: Codes = np.zeros(self._histories.number, np.int32)
        child = nobody
        if "child" in rule.for_each:
            child = _Only.of(self._histories, said["child"], naming).value
        if "organisation" not in rule.for_each:
            return child, nobody
        owed = naming & self._asked.saying("partner", [self._duties[0].organisations_of])
        known = _Only.of(self._histories, said["organisation"], owed)
        self.doubtful |= known.several
        if rule.owed_to:
            named = owed & self._asked.meeting(rule.owed_to)
            only = _Only.of(self._histories, said["organisation"], named)
            self.doubtful |= only.value != known.value
        return child, known.value

    def _start(self, version: int, duty: Duty, organisation: Codes) -> None:
        """Where a version's first start is earlier than those of the versions before."""
        histories, asked = self._histories, self._asked
        covered = self._covered(duty)
        starts = asked.meeting(duty.rule.start) & covered[histories.case]
        starts &= _governed(duty, histories.occurred_from)
        starts &= self._concerned(duty, organisation)
        rows = np.flatnonzero(starts)
        first = histories.least(rows, histories.occurred_from[rows], start=_NEVER)
        known = histories.least(rows, histories.received_at[rows], start=_NEVER)
        self._version[first < self._started_at] = version
        self._started_at = np.minimum(first, self._started_at)
        self._known_at = np.minimum(known, self._known_at)
        for conditions in (duty.rule.exempt, duty.rule.void, _deferring(duty)):
            self.doubtful |= histories.having(asked.meeting(conditions))

    def _covered(self, duty: Duty) -> Flags:
        """Cases whose attributes never change and let a duty cover them."""
        covered = np.ones(self._histories.number, np.bool_)
        for name, values in duty.rule.case_attributes.items():
            only = self._asked.only(name)
            self.doubtful |= only.several
            covered &= self._histories.words.among(only.value, values)
        return covered

    def _concerned(self, duty: Duty, organisation: Codes) -> Flags:
        """Which events may start the clock of their case's organisation."""
        said = self._histories.said["organisation"]
        owed = organisation[self._histories.case]
        others = ~self._asked.saying("partner", [duty.organisations_of])
        concerned: Flags = (owed == 0) | others | (said == 0) | (said == owed)
        return concerned

    def _owed(
        self, version: int, duty: Duty, organisation: Codes
    ) -> Iterator[tuple[Duty, Instants]]:
        """A duty by the days and hours of each organisation, and the cases in which it runs."""
        cases = np.flatnonzero(self._version == version)
        if not duty.has_other_hours:
            yield duty, cases
            return
        named = organisation[cases]
        for code in np.unique(named).tolist():
            (name,) = self._histories.words.texts(np.array([code], np.int32))
            yield duty.at(name), cases[named == code]

    def _measured(
        self, duty: Duty, cases: Instants, child: Codes, organisation: Codes
    ) -> Iterator[Runs]:
        if not cases.size:
            return
        started_at = self._started_at[cases]
        bulk = _bulk(duty.calendar)
        rule = duty.rule
        due_at = bulk.due(started_at, rule.threshold, rule.day_ends, rule.closed_day_receipt)
        self.doubtful[cases[due_at == NONE]] = True
        stop = self._stops(duty, cases, due_at, organisation)
        yield Runs(
            duty=duty,
            case=cases,
            child=child[cases],
            organisation=organisation[cases],
            started_at=started_at,
            known_at=self._covering_known(duty)[cases],
            due_at=due_at,
            due_soon_at=_due_soon(duty, bulk, due_at),
            stopped_at=stop.at[cases],
            stop_known_at=stop.known_at[cases],
            stop_recorded_at=stop.recorded_at[cases],
            recorded=tuple(self._recorded(name)[cases] for name in RECORDED_FIELDS),
        )

    def _covering_known(self, duty: Duty) -> Instants:
        """When it could be known that the rule covers a case since its start (`coverage`)."""
        histories, known = self._histories, self._known_at
        for name in duty.rule.case_attributes:
            rows = self._asked.only(name).rows
            said_at = histories.occurred_from[rows]
            first = histories.least(rows, said_at, start=_NEVER)
            governing = said_at <= np.maximum(self._started_at, first)[histories.case[rows]]
            told = histories.received_at[rows[governing]]
            known = np.maximum(known, histories.least(rows[governing], told, start=0))
        return known

    def _recorded(self, name: str) -> Codes:
        """What was on record of an attribute when each clock started (`Record.at`)."""
        only = self._asked.only(name)
        if not only.several.any():
            return only.value
        histories, rows = self._histories, only.rows
        case, said_at = histories.case[rows], histories.occurred_from[rows]
        by_then = rows[said_at <= self._started_at[case]]
        latest = histories.greatest(by_then, histories.occurred_from[by_then], start=NONE)
        earliest = histories.least(rows, said_at, start=_NEVER)
        governing = rows[said_at == np.where(latest == NONE, earliest, latest)[case]]
        found = _Only.of(histories, histories.said[name], histories.flags(governing))
        self.doubtful |= found.several
        return found.value

    def _stops(self, duty: Duty, cases: Instants, due_at: Instants, organisation: Codes) -> _Stops:
        """What first stops the clocks of some cases."""
        histories, asked = self._histories, self._asked
        running = np.zeros(histories.number, np.bool_)
        running[cases] = True
        started_at = self._started_at[histories.case]
        named, owed = histories.said["organisation"], organisation[histories.case]
        stops = asked.meeting(duty.rule.stop) & running[histories.case]
        stops &= (named == 0) | (owed == 0) | (named == owed)
        rows = np.flatnonzero(stops)
        began = started_at[rows]
        tolerance = asked.tolerance[rows] if asked.tolerance.size > 1 else 0
        is_after = histories.occurred_to[rows] >= began - tolerance
        rows, began = rows[is_after], began[is_after]
        at = np.maximum(histories.occurred_to[rows], began)
        first = histories.least(rows, at, start=NONE)
        rows = rows[at == first[histories.case[rows]]]
        self.doubtful |= self._claimed(duty, rows, cases, due_at)
        known_at = self._the_same(rows, histories.received_at)
        return _Stops(first, known_at, self._the_same(rows, histories.recorded_at))

    def _the_same(self, rows: Instants, values: Instants) -> Instants:
        """What the first stops of each case say; doubtful where two of one instant differ."""
        least = self._histories.least(rows, values[rows], start=NONE)
        self.doubtful |= least != self._histories.greatest(rows, values[rows], start=NONE)
        return least

    def _claimed(self, duty: Duty, rows: Instants, cases: Instants, due_at: Instants) -> Flags:
        """Cases that were stopped by a claim first written down after due."""
        histories, confirm = self._histories, duty.rule.confirm
        found = np.zeros(histories.number, np.bool_)
        if confirm is None or not confirm.where:
            return found
        due = np.full(histories.number, NONE)
        due[cases] = due_at
        recorded = histories.recorded_at[rows]
        written = np.where(recorded == NONE, histories.received_at[rows], recorded)
        claims = written > due[histories.case[rows]]
        for name, values in confirm.where.items():
            claims &= self._asked.saying(name, values)[rows]
        found[histories.case[rows[claims]]] = True
        return found


class _Stops(NamedTuple):
    at: Instants
    known_at: Instants
    recorded_at: Instants


def _is_in_columns(duties: Sequence[Duty]) -> bool:
    """Whether a rule can be measured by column: it runs once, by a length of its own."""
    first = duties[0].rule
    return all(
        not duty.rule.each_start
        and duty.rule.threshold.unit is not Unit.EVENT_TIME
        and (duty.rule.for_each, duty.rule.stop, duty.rule.owed_to, duty.rule.partner)
        == (first.for_each, first.stop, first.owed_to, first.partner)
        and duty.organisations_of == duties[0].organisations_of
        for duty in duties
    )


def _deferring(duty: Duty) -> Sequence[Condition]:
    return duty.rule.defer.when if duty.rule.defer else ()


def _governed(duty: Duty, starts: Instants) -> Flags:
    """Which starts lie on the dates for which a version is in force (`Duty.governs`)."""
    first, last = duty.in_force
    governed = starts >= start_of_day(first, duty.zone)
    if last is not None:
        governed &= starts <= end_of_day(last, duty.zone)
    return governed


def _due_soon(duty: Duty, bulk: BulkCalendar, due_at: Instants) -> Instants:
    """The ladder's earliest warning; NONE where one cannot be reckoned."""
    ladder = duty.ladder
    limits = [r.at.limit for r in ladder.rungs if r.is_warning and r.at.limit] if ladder else []
    if not limits:
        return np.full(due_at.size, NONE)
    # NONE is less than any instant: where one warning is not known, none is said.
    warnings = [bulk.due(due_at, -limit, DayEnd.SAME_TIME) for limit in limits]
    earliest: Instants = np.minimum.reduce(warnings)
    return earliest


@lru_cache(maxsize=64)
def _bulk(calendar: Calendar) -> BulkCalendar:
    return BulkCalendar(calendar)


# -- clocks -----------------------------------------------------------------------------------


class _Filling:
    """Rows of columns become clocks."""

    def __init__(self, histories: Histories, rulebook: Rulebook) -> None:
        self._words = histories.words
        self._stage, self._stage_at = _stages(histories, rulebook)
        self._restricted = _restricted(histories, rulebook)

    def clocks(self, runs: Runs) -> Iterator[tuple[int, Clock]]:
        """(case, clock) of each row."""
        rule, case = runs.duty.rule, runs.case
        words = self._words.texts
        is_late = (runs.stopped_at != NONE) & (runs.stopped_at > runs.due_at)
        named = zip(
            *(repeat(rule.id), words(runs.child), words(runs.organisation), repeat("")),
            strict=False,
        )
        # As `_make` does it, without a call in Python for each.
        keys = map(tuple.__new__, repeat(ClockKey), named)
        by_organisation = "organisation" in rule.for_each
        columns: tuple[Iterable[object], ...] = (
            keys,
            repeat(rule.version),
            runs.started_at.tolist(),
            runs.due_at.tolist(),
            runs.known_at.tolist(),
            repeat(runs.duty.calendar_version),
            repeat(""),  # due_unknown
            _or_none(runs.due_soon_at),
            _or_none(runs.stopped_at),
            repeat(None),  # exempt_at
            repeat(None),  # void_at
            repeat(None),  # superseded_at
            repeat(None),  # regraded_at
            _or_none(np.where(is_late, runs.due_at, NONE)),  # breached_at
            _or_none(runs.stop_known_at),
            _or_none(runs.stop_recorded_at),
            repeat(None),  # confirm_by
            repeat(None),  # held_from
            repeat(None),  # held_until
            words(self._stage[case]),
            _or_none(self._stage_at[case]),
            repeat(rule.partner),
            *map(words, runs.recorded),
            self._restricted[case].tolist(),
            (by_organisation & (runs.organisation == 0)).tolist(),  # cannot_route
            repeat(None),  # raised_after
            repeat(""),  # reason_code
            repeat(None),  # due_before
        )
        # Those that repeat one value have no end of their own.
        clocks = map(tuple.__new__, repeat(Clock), zip(*columns, strict=False))
        return zip(case.tolist(), cast("Iterator[Clock]", clocks), strict=False)


def _or_none(instants: Instants) -> Iterable[Instant | None]:
    is_none = instants == NONE
    if is_none.all():
        return repeat(None)
    values: list[Instant | None] = instants.tolist()
    if is_none.any():
        return [None if value == NONE else value for value in values]
    return values


def _stages(histories: Histories, rulebook: Rulebook) -> tuple[Codes, Instants]:
    """The furthest completed stage of each case, and when it was completed (`Record`)."""
    stage: Codes = np.zeros(histories.number, np.int32)
    stage_at = np.full(histories.number, NONE)
    for known in rulebook.vocabulary.stages:
        rows = np.flatnonzero(histories.words.among(histories.said["kind"], [known.kind]))
        if rows.size:
            at = histories.greatest(rows, histories.occurred_to[rows], start=NONE)
            reached = at != NONE
            stage[reached] = histories.said["kind"][rows[0]]
            stage_at[reached] = at[reached]
    return stage, stage_at


def _restricted(histories: Histories, rulebook: Rulebook) -> Flags:
    name = rulebook.vocabulary.restricted_attribute
    if name is None:
        return np.zeros(histories.number, np.bool_)
    return histories.having(histories.words.among(histories.said[name], ["yes"]))
