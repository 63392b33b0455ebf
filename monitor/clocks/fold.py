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

from monitor.clocks.case import Case, Subject, same_child
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
    """When the monitor was first told of this start, or of another that had started it too."""
    uncorrected: Start | None = None
    """What the start would be without corrections, where there are any."""


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
    for duties in rulebook.duties.values():
        for start, subject, among in folding.clocks_to_run(duties):
            if clock := folding.clock(start, subject, among):
                clocks.append(clock)
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
        if not self.has_start(duties):
            return
        for duty in duties:
            if not self.case.may_cover(duty):
                continue
            subjects = among = self.case.subjects(duty, duty.owed_to)
            if duty.owed_to is not None:
                among = list(dict.fromkeys([*subjects, *self.case.subjects(duty)]))
            for subject in subjects:
                for start in self.starts(duties, subject):
                    if start.duty is duty:
                        yield start, subject, among

    def has_start(self, duties: Sequence[Duty]) -> bool:
        """Whether any fact is of a kind that can start the rule; most rules end here."""
        for duty in duties:
            for kind in duty.starts.kinds:
                if kind in self.case.by_kind:
                    return True
        return False

    def starts(self, duties: Sequence[Duty], subject: Subject) -> list[Start]:
        """Live starts for a subject that count, each with the version that governs it.

        The earliest, or where a rule counts each start, every one. A version governs by when the
        clock starts, which is later than the event where a regrade brought the case here.
        """
        recorded = self._starting(duties, subject)
        counting = self._counting(recorded, subject)
        if recorded and recorded[0].duty.rule.each_start:
            return counting
        if recorded and (right := self.corrections(subject)):
            uncorrected = counting[0] if counting else None
            counting = self._counting(_put_right(recorded, right), subject)
            counting = [start._replace(uncorrected=uncorrected) for start in counting]
        if not counting:
            return []
        return [counting[0]._replace(known_at=min(start.known_at for start in counting))]

    def _counting(self, starts: Iterable[Start], subject: Subject) -> list[Start]:
        """Of each fact the first reading whose own version governs when its clock starts."""
        found: dict[int, Start] = {}
        for start in starts:
            started_at = self._started_at(start, subject)
            if started_at is None or id(start.fact) in found:
                continue
            if _governs(start.duty, started_at):
                found[id(start.fact)] = start
        return list(found.values())

    def corrections(self, subject: Subject) -> Mapping[str, Correction]:
        """What was put right of the starts of a subject; empty in nearly every case."""
        written = self.rulebook.vocabulary.start_correction
        if written is None or written.kind not in self.case.by_kind:
            return {}
        said = self.case.by_kind[written.kind]
        about = [f for f in said if all(same_child(v, subject) for v in f.versions)]
        return corrections(about, written)

    def _started_at(self, start: Start, subject: Subject) -> Instant | None:
        """When the clock of a start begins; None where its rule never covers the case."""
        if not start.duty.applies:
            return start.event.occurred_from
        covered = self.coverage(start, subject)
        return None if covered is None else covered.started_at

    def _starting(self, duties: Sequence[Duty], subject: Subject) -> list[Start]:
        """Whatever could start a clock, earliest first."""
        found = [
            Start(fact, version, duty, fact.known_at)
            for duty in duties
            for fact in self.case.having(duty.starts)
            for version in fact.versions
            if duty.starts(version) and _concerns(version, subject, duty)
        ]
        if len(found) > 1:
            found.sort(key=_place_of_start)
        return found

    # -- one clock ----------------------------------------------------------------------------

    def clock(self, start: Start, subject: Subject, among: Sequence[Subject]) -> Clock | None:
        """The clock of one start and subject; None where its rule never covers the case."""
        start = start._replace(duty=start.duty.at(subject.organisation))
        covered = self.coverage(start, subject)
        if covered is None:
            return None
        endings = Endings(self.case, start.duty, subject, among, self.tolerances)
        run = endings.run(covered, start.event)
        covered, closing = run.covered, run.closing
        left_at = covered.left_at
        if closing is not None and left_at is not None and closing.at <= left_at:
            left_at = None
        gave_way = left_at is not None and (run.due is None or left_at <= run.due)
        if gave_way:
            run = run._replace(closing=None, confirm_by=None)
        before = self._due_before(start.uncorrected, subject)
        return self._filled(
            start=start,
            subject=subject,
            run=run,
            held=endings.deferral(run.covered.started_at),
            due_before=None if before == run.due else before,
            superseded_at=left_at if gave_way else None,
            regraded_at=None if gave_way else left_at,
        )

    def _due_before(self, uncorrected: Start | None, subject: Subject) -> Instant | None:
        """When the clock would be due, had its start not been corrected."""
        covered = self.coverage(uncorrected, subject) if uncorrected else None
        if uncorrected is None or covered is None:
            return None
        duty = uncorrected.duty.at(subject.organisation)
        return duty.due(covered.started_at, uncorrected.event)[0]

    def coverage(self, start: Start, subject: Subject) -> Coverage | None:
        """From when on the rule covers the case, and until when."""
        if not start.duty.applies:
            return Coverage(start.event.occurred_from, start.known_at, None, None)
        return coverage(
            start.event.occurred_from,
            start.known_at,
            self.case.concerning(subject),
            start.duty.applies,
            risks=tuple(self.rulebook.vocabulary.risks),
        )

    # -- filling it in ------------------------------------------------------------------------

    def _filled(
        self,
        *,
        start: Start,
        subject: Subject,
        run: Run,
        held: tuple[Instant | None, Instant | None],
        due_before: Instant | None,
        superseded_at: Instant | None,
        regraded_at: Instant | None,
    ) -> Clock:
        duty, rule = start.duty, start.duty.rule
        covered, due_at, closing = run.covered, run.due, run.closing
        how, at = (closing.how, closing.at) if closing else ("", None)
        stop = closing.fact if closing and how == STOPPED else None
        record = self._record(subject.child)
        district, unit, category, risk = record.at(covered.started_at)
        return Clock(
            key=ClockKey(
                rule.id,
                subject.child,
                subject.organisation,
                _named(start.event) if rule.each_start else "",
            ),
            rule_version=rule.version,
            calendar_version=duty.calendar_version,
            started_at=covered.started_at,
            due_at=due_at,
            due_unknown=run.due_unknown,
            due_soon_at=_due_soon_at(duty, due_at),
            stopped_at=at if how == STOPPED else None,
            exempt_at=at if how == EXEMPTED else None,
            void_at=at if how == VOIDED else None,
            superseded_at=superseded_at,
            regraded_at=regraded_at,
            breached_at=due_at if at is not None and due_at is not None and at > due_at else None,
            known_at=covered.known_by(due_at),
            stop_known_at=closing.fact.known_at if closing else None,
            stop_recorded_at=stop.recorded_at if stop else None,
            confirm_by=run.confirm_by,
            held_from=held[0],
            held_until=held[1],
            stage=record.stage,
            stage_at=record.stage_at,
            partner=rule.partner,
            restricted=record.restricted,
            cannot_route="organisation" in rule.for_each and not subject.organisation,
            raised_after=covered.raised_after,
            reason_code=closing.fact.event.reason_code if closing and not stop else "",
            due_before=due_before,
            district=district,
            unit=unit,
            category=category,
            risk=risk,
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


def _place_of_start(start: Start) -> tuple[Instant, int]:
    return start.event.occurred_from, start.duty.rule.version


def _put_right(starts: Sequence[Start], right: Mapping[str, Correction]) -> list[Start]:
    """Starts, of which the earliest of each kind that was corrected is moved; earliest first."""
    first = {each.event.kind: each.fact for each in reversed(starts)}
    moved: list[Start] = []
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
