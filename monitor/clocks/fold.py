"""The fold: a case's live facts under the rulebook give the clocks that it should have.

What comes in: the events of one case (several references where they are linked), the rulebook and
the feeds' tolerances. What goes out: clocks, the same whatever the order the events came in.
It does not care what was stored or said before, nor what time it is.

For one version of one rule and one child and organisation, in this order:
1. the earliest live start that this version governs, as corrected where it was;
2. where the case came under the rule only later, the clock starts then (see `coverage`);
3. due, from the start, the threshold and the calendar;
4. the earliest closing fact at or after the start: a stop, an exemption or a withdrawal;
5. where an exemption was taken back before anything else ended the duty, the clock starts anew
   then; one that was decided after due, and taken back, counts for nothing;
6. where the case left the rule before due, the clock gives way; after due, it is measured on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from monitor.clocks.case import WHOLE_CASE, Case, Subject, same_child
from monitor.clocks.corrections import Correction, corrections, put_right
from monitor.clocks.coverage import Coverage, coverage
from monitor.clocks.endings import EXEMPTED, STOPPED, VOIDED, Endings, Run
from monitor.clocks.record import Record
from monitor.clocks.timeline import Fact, Timeline, live_facts
from monitor.model import Clock, ClockKey, Duration, Event, Instant
from monitor.rulebook.book import Duty, Rulebook
from monitor.worktime.calendar import PastHorizon
from monitor.worktime.limits import shift


class Start(NamedTuple):
    """Why a clock runs: the fact, and the version of the rule that governs it."""

    fact: Fact
    event: Event
    duty: Duty
    known_at: Instant
    """When the monitor was first told of this start."""
    covered: Coverage
    """From when on, and until when, the rule covers the case."""
    uncorrected: Start | None = None
    """What the start would be without corrections, where there are any."""


class Told(NamedTuple):
    """What could start a clock, whether or not its rule covers the case."""

    fact: Fact
    event: Event
    duty: Duty
    known_at: Instant


def fold(
    events: Iterable[Event], rulebook: Rulebook, *, tolerances: Mapping[str, Duration]
) -> list[Clock]:
    """The clocks of one case.

    `tolerances`: feed → how much earlier than its start a stop may be.
    """
    return fold_timeline(live_facts(events), rulebook, tolerances=tolerances)


def fold_timeline(
    timeline: Timeline, rulebook: Rulebook, *, tolerances: Mapping[str, Duration]
) -> list[Clock]:
    """The clocks of one case whose live facts are known already."""
    folding = _Folding(Case(timeline.facts), rulebook, tolerances)
    clocks: list[Clock] = []
    for duties in rulebook.startable_by(frozenset(folding.case.by_kind)):
        for start, subject, among in folding.clocks_to_run(duties):
            clocks.append(folding.clock(start, subject, among))
    return clocks


class _Folding:
    """A case under a rulebook: which clocks run, and each of them."""

    def __init__(self, case: Case, rulebook: Rulebook, tolerances: Mapping[str, Duration]) -> None:
        self.case = case
        self.rulebook = rulebook
        self.tolerances = tolerances
        self._records: dict[str, Record] = {}

    # -- which clocks -------------------------------------------------------------------------

    def clocks_to_run(
        self, duties: Sequence[Duty]
    ) -> Iterable[tuple[Start, Subject, Sequence[Subject]]]:
        """Every (start, subject, all subjects) of one rule, over all its versions."""
        for duty in duties:
            if duty.applies and not self.case.may_cover(duty):
                continue
            subjects = among = self.case.subjects(duty, duty.owed_to)
            if duty.owed_to is not None:
                among = list(dict.fromkeys([*subjects, *self.case.subjects(duty)]))
            for subject in subjects:
                for start in self.starts(duties, subject):
                    if start.duty is duty:
                        yield start, subject, among

    def starts(self, duties: Sequence[Duty], subject: Subject) -> list[Start]:
        """Live starts for a subject that count, each with the version that governs it.

        The earliest, or where a rule counts each start, every one. A version governs by when the
        clock starts, which is later than the event where a regrade brought the case here.
        """
        told = self._told(duties, subject)
        if not told:
            return []
        counting = self._counting(told, subject)
        if told[0].duty.rule.each_start:
            return counting
        if right := self.corrections(subject):
            uncorrected = counting[0] if counting else None
            counting = self._counting(_put_right(told, right), subject)
            counting = [start._replace(uncorrected=uncorrected) for start in counting]
        return [self._known_since_the_first(counting, subject)] if len(counting) > 1 else counting

    def _counting(self, told: Iterable[Told], subject: Subject) -> list[Start]:
        """Of each fact the first reading whose own version governs when its clock starts."""
        found: dict[int, Start] = {}
        for fact, event, duty, known_at in told:
            covered = self.coverage(duty, event, known_at, subject)
            if covered is None or id(fact) in found:
                continue
            if _governs(duty, covered.started_at):
                found[id(fact)] = Start(fact, event, duty, known_at, covered)
        return list(found.values())

    def _known_since_the_first(self, counting: Sequence[Start], subject: Subject) -> Start:
        """The earliest of several starts, known since the monitor was told of any of them."""
        start, known_at = counting[0], min(start.known_at for start in counting)
        if known_at == start.known_at:
            return start
        covered = self.coverage(start.duty, start.event, known_at, subject)
        return start._replace(known_at=known_at, covered=covered or start.covered)

    def corrections(self, subject: Subject) -> Mapping[str, Correction]:
        """What was put right of the starts of a subject; empty in nearly every case."""
        written = self.rulebook.vocabulary.start_correction
        if written is None or written.kind not in self.case.by_kind:
            return {}
        said = self.case.by_kind[written.kind]
        about = [f for f in said if all(same_child(v, subject) for v in f.versions)]
        return corrections(about, written)

    def _told(self, duties: Sequence[Duty], subject: Subject) -> list[Told]:
        """Whatever could start a clock, earliest first."""
        found = [
            Told(fact, version, duty, fact.known_at)
            for duty in duties
            for fact in self.case.having(duty.starts)
            for version in fact.versions
            if duty.starts(version) and (subject is WHOLE_CASE or _concerns(version, subject, duty))
        ]
        if len(found) > 1:
            found.sort(key=_place_of_start)
        return found

    # -- one clock ----------------------------------------------------------------------------

    def clock(self, start: Start, subject: Subject, among: Sequence[Subject]) -> Clock:
        """The clock of one start and subject."""
        duty = start.duty.at(subject.organisation)
        endings = Endings(self.case, duty, subject, among, self.tolerances)
        run = endings.run(start.covered, start.event)
        closing, left_at = run.closing, run.covered.left_at
        if closing is not None and left_at is not None and closing.at <= left_at:
            left_at = None
        gave_way = left_at is not None and (run.due is None or left_at <= run.due)
        if gave_way:
            run = run._replace(closing=None, confirm_by=None)
        before = self._due_before(start.uncorrected, subject) if start.uncorrected else None
        return self._filled(
            duty,
            start.event,
            subject,
            run,
            held=endings.deferral(run.covered.started_at),
            due_before=None if before == run.due else before,
            superseded_at=left_at if gave_way else None,
            regraded_at=None if gave_way else left_at,
        )

    def _due_before(self, uncorrected: Start, subject: Subject) -> Instant | None:
        """When the clock would be due, had its start not been corrected."""
        duty = uncorrected.duty.at(subject.organisation)
        return duty.due(uncorrected.covered.started_at, uncorrected.event)[0]

    def coverage(
        self, duty: Duty, start: Event, known_at: Instant, subject: Subject
    ) -> Coverage | None:
        """From when on a duty covers the case, and until when; None where it never does.

        `known_at`: when the monitor was first told of the start.
        """
        if not duty.applies:
            return Coverage(start.occurred_from, known_at, None, None)
        return coverage(
            start.occurred_from,
            known_at,
            self.case.concerning(subject),
            duty.applies,
            risks=tuple(self.rulebook.vocabulary.risks),
        )

    # -- filling it in ------------------------------------------------------------------------

    def _filled(
        self,
        duty: Duty,
        start: Event,
        subject: Subject,
        run: Run,
        *,
        held: tuple[Instant | None, Instant | None],
        due_before: Instant | None,
        superseded_at: Instant | None,
        regraded_at: Instant | None,
    ) -> Clock:
        """The clock; its fields in their order, since by name they take three times as long."""
        rule = duty.rule
        covered, due_at, due_unknown, closing, confirm_by = run
        at, how, ending = (None, "", None) if closing is None else closing
        stop = ending if how == STOPPED else None
        record = self._record(subject.child)
        district, unit, category, risk = record.at(covered.started_at)
        return Clock(
            ClockKey(
                rule.id,
                subject.child,
                subject.organisation,
                _named(start) if rule.each_start else "",
            ),
            rule.version,
            covered.started_at,
            due_at,
            covered.known_by(due_at) if covered.returns else covered.known_at,
            duty.calendar_version,
            due_unknown,
            _due_soon_at(duty, due_at),
            at if stop is not None else None,  # stopped_at
            at if how == EXEMPTED else None,  # exempt_at
            at if how == VOIDED else None,  # void_at
            superseded_at,
            regraded_at,
            due_at
            if at is not None and due_at is not None and at > due_at
            else None,  # breached_at
            None if ending is None else ending.known_at,  # stop_known_at
            None if stop is None else stop.recorded_at,  # stop_recorded_at
            confirm_by,
            *held,
            record.stage,
            record.stage_at,
            rule.partner,
            district,
            unit,
            category,
            risk,
            record.restricted,
            "organisation" in rule.for_each and not subject.organisation,  # cannot_route
            covered.raised_after,
            ending.event.reason_code if ending is not None and stop is None else "",
            due_before,
        )

    def _record(self, child: str) -> Record:
        """What is on record of a child, or of the whole case: the same for every rule."""
        record = self._records.get(child)
        if record is None:
            record = self._records[child] = Record(
                self.case, Subject(child, ""), self.rulebook.vocabulary
            )
        return record


@lru_cache(maxsize=1 << 14)
def _governs(duty: Duty, start: Instant) -> bool:
    """Kept, since every rule is asked of the same starts, and logs of bare dates repeat them."""
    return duty.governs(start)


def _named(start: Event) -> str:
    """A start event among those of all feeds; each feed numbers its own."""
    feed = hashlib.blake2b(start.feed.encode(), digest_size=16).digest()
    return hashlib.blake2b(start.identity, digest_size=16, key=feed).hexdigest()


def _place_of_start(told: Told) -> tuple[Instant, int]:
    return told.event.occurred_from, told.duty.rule.version


def _put_right(starts: Sequence[Told], right: Mapping[str, Correction]) -> list[Told]:
    """Starts, of which the earliest of each kind that was corrected is moved; earliest first."""
    first = {each.event.kind: each.fact for each in reversed(starts)}
    moved: list[Told] = []
    for start in starts:
        correction = right.get(start.event.kind)
        if correction is not None and start.fact is first[start.event.kind]:
            event, known_at = put_right(start.event, start.known_at, correction)
            start = start._replace(event=event, known_at=known_at)  # noqa: PLW2901 - as corrected
        moved.append(start)
    return sorted(moved, key=_place_of_start)


def _concerns(event: Event, subject: Subject, duty: Duty) -> bool:
    """Whether an event can start the clock of a subject."""
    if not same_child(event, subject):
        return False
    if not subject.organisation or event.partner != duty.organisations_of:
        return True
    return event.organisation in ("", subject.organisation)


def _due_soon_at(duty: Duty, due_at: Instant | None) -> Instant | None:
    """The ladder's earliest warning."""
    if due_at is None or duty.ladder is None:
        return None
    limits = [rung.at.limit for rung in duty.ladder.rungs if rung.is_warning and rung.at.limit]
    try:
        return min((shift(due_at, -limit, duty.calendar) for limit in limits), default=None)
    except PastHorizon:
        return None
