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
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import NamedTuple

from monitor.clocks.corrections import Correction, corrections, put_right
from monitor.clocks.coverage import Coverage, coverage
from monitor.clocks.timeline import Fact, Timeline, live_facts
from monitor.model import Clock, ClockKey, Duration, Event, Instant
from monitor.rulebook.book import Duty, Rulebook
from monitor.rulebook.match import Matcher, ReadAttribute, attribute_reader
from monitor.worktime.calendar import PastHorizon
from monitor.worktime.limits import shift

FactsByKind = Mapping[str, Sequence[Fact]]

RECORDED_FIELDS = ("district", "unit", "category", "risk")
"""What figures group by: each as it stood when the clock started."""


class Subject(NamedTuple):
    """Whom a clock is about, where its rule counts by child or organisation."""

    child: str
    organisation: str


WHOLE_CASE = Subject("", "")


class Start(NamedTuple):
    """Why a clock runs: the fact, and the version of the rule that governs it."""

    fact: Fact
    event: Event
    duty: Duty
    known_at: Instant
    """When the monitor was first told of this start, or of another that had started it too."""
    uncorrected: Start | None = None
    """What the start would be without corrections, where there are any."""


class Closing(NamedTuple):
    """What ended a clock, and when."""

    at: Instant
    how: str
    fact: Fact


class Run(NamedTuple):
    """From when a clock ran, until when it had time, and what ended it."""

    covered: Coverage
    due: Instant | None
    due_unknown: str
    closing: Closing | None
    confirm_by: Instant | None
    """Until when what ended it is a claim to be confirmed."""


STOPPED, EXEMPTED, VOIDED = "stopped", "exempted", "voided"


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
    case = _Case(timeline.facts, rulebook, tolerances)
    clocks: list[Clock] = []
    for duties in rulebook.duties.values():
        for start, subject, among in case.clocks_to_run(duties):
            if clock := case.clock(start, subject, among):
                clocks.append(clock)
    return clocks


class _Case:
    """One case while it is folded: its facts, indexed by kind."""

    def __init__(
        self, facts: Sequence[Fact], rulebook: Rulebook, tolerances: Mapping[str, Duration]
    ) -> None:
        self.facts = facts
        self.rulebook = rulebook
        self.tolerances = tolerances
        self.by_kind: dict[str, list[Fact]] = {}
        self._records: dict[str, _Record] = {}
        self._said: dict[str, AbstractSet[str]] = {}
        self._concerning: dict[str, Sequence[Event]] = {}
        self._children: Mapping[str, AbstractSet[str]] | None = None
        for fact in facts:
            for kind in dict.fromkeys(version.kind for version in fact.versions):
                self.by_kind.setdefault(kind, []).append(fact)

    # -- which clocks -----------------------------------------------------------------------

    def clocks_to_run(
        self, duties: Sequence[Duty]
    ) -> Iterable[tuple[Start, Subject, Sequence[Subject]]]:
        """Every (start, subject, all subjects) of one rule, over all its versions."""
        if not self.has_start(duties):
            return
        for duty in duties:
            if not self.may_cover(duty):
                continue
            subjects = among = self.subjects(duty, duty.owed_to)
            if duty.owed_to is not None:
                among = list(dict.fromkeys([*subjects, *self.subjects(duty)]))
            for subject in subjects:
                for start in self.starts(duties, subject):
                    if start.duty is duty:
                        yield start, subject, among

    def has_start(self, duties: Sequence[Duty]) -> bool:
        """Whether any fact is of a kind that can start the rule; most rules end here."""
        for duty in duties:
            for kind in duty.starts.kinds:
                if kind in self.by_kind:
                    return True
        return False

    def may_cover(self, duty: Duty) -> bool:
        """Whether anything that was said of the case lets a rule cover it at any time."""
        for name, read, values in duty.applies:
            if "" not in values and values.isdisjoint(self.said(name, read)):
                return False
        return True

    def said(self, name: str, read: ReadAttribute) -> AbstractSet[str]:
        """Every value that any fact gives an attribute."""
        known = self._said.get(name)
        if known is None:
            known = self._said[name] = {read(v) for fact in self.facts for v in fact.versions}
        return known

    def concerning(self, subject: Subject) -> Sequence[Event]:
        """What was said of a subject's child, or of no child in particular."""
        known = self._concerning.get(subject.child)
        if known is None:
            known = self._concerning[subject.child] = [
                version
                for fact in self.facts
                for version in fact.versions
                if _same_child(version, subject)
            ]
        return known

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
        if written is None or written.kind not in self.by_kind:
            return {}
        said = self.by_kind[written.kind]
        about = [f for f in said if all(_same_child(v, subject) for v in f.versions)]
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
            for fact in self.having(duty.starts)
            for version in fact.versions
            if duty.starts(version) and _concerns(version, subject, duty)
        ]
        if len(found) > 1:
            found.sort(key=_place_of_start)
        return found

    def having(self, matcher: Matcher) -> list[Fact]:
        """Facts of any kind that a matcher asks for."""
        if len(matcher.kinds) == 1:
            return self.by_kind.get(matcher.kinds[0], [])
        found = {id(fact): fact for kind in matcher.kinds for fact in self.by_kind.get(kind, ())}
        return list(found.values())

    def subjects(self, duty: Duty, owed_to: Matcher | None = None) -> list[Subject]:
        """The children and organisations that a rule counts by; one with "" where unknown.

        Only a fact that is no stop makes a child or organisation known: having told somebody does
        not show that they were the ones to tell. `owed_to`: which of them name an organisation.
        """
        by_child = "child" in duty.rule.for_each
        by_organisation = "organisation" in duty.rule.for_each
        if not by_child and not by_organisation:
            return [WHOLE_CASE]
        naming = [
            version
            for fact in self.facts
            if not any(duty.stops(version) for version in fact.versions)
            for version in fact.versions
        ]
        children = sorted({event.child for event in naming if event.child}) if by_child else []
        subjects: list[Subject] = []
        for child in children or [""]:
            owed = naming if owed_to is None else [e for e in naming if owed_to(e)]
            known = _organisations(owed, child, duty) if by_organisation else []
            subjects += [Subject(child, organisation) for organisation in known or [""]]
        return subjects

    # -- one clock --------------------------------------------------------------------------

    def clock(self, start: Start, subject: Subject, among: Sequence[Subject]) -> Clock | None:
        """The clock of one start and subject; None where its rule never covers the case."""
        start = start._replace(duty=start.duty.at(subject.organisation))
        covered = self.coverage(start, subject)
        if covered is None:
            return None
        run = self.run(covered, start, subject, among)
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
            due_before=None if before == run.due else before,
            superseded_at=left_at if gave_way else None,
            regraded_at=None if gave_way else left_at,
        )

    def run(
        self, covered: Coverage, start: Start, subject: Subject, among: Sequence[Subject]
    ) -> Run:
        """When a clock is due and what ends it, of the last time that the duty was on."""
        duty = start.duty
        taken_back: set[int] = set()
        while True:
            due, due_unknown = duty.due(covered.started_at, start.event)
            endings = self.endings(covered.started_at, subject, among, duty)
            endings = [ending for ending in endings if id(ending.fact) not in taken_back]
            closing, confirm_by = self.closing(endings, duty, due, subject)
            again = self._resumption(closing, endings, duty, subject)
            if closing is None or again is None or _is_left_by(covered, again.at):
                return Run(covered, due, due_unknown, closing, confirm_by)
            if due is None or closing.at <= due:
                covered = Coverage(again.at, again.fact.known_at, covered.left_at, None)
            taken_back |= {id(e.fact) for e in endings if e.how == EXEMPTED and e.at < again.at}

    def _resumption(
        self, exempted: Closing | None, endings: Iterable[Closing], duty: Duty, subject: Subject
    ) -> Closing | None:
        """What took an exemption back, before the duty had ended otherwise."""
        if exempted is None or exempted.how != EXEMPTED or not duty.resumes.kinds:
            return None
        again = self._taken_back(exempted.fact.event, duty, subject, after=exempted.at)
        if again is None:
            return None
        ended = (e.at for e in endings if e.how != EXEMPTED and e.at >= exempted.at)
        return None if any(at <= again.at for at in ended) else again

    def _taken_back(
        self, decision: Event, duty: Duty, subject: Subject, *, after: Instant
    ) -> Closing | None:
        """The first later decision by which a duty is on again that another had put off."""
        found = [
            Closing(version.occurred_from, "resumed", fact)
            for fact in self.having(duty.resumes)
            for version in fact.versions
            if duty.resumes(version)
            and version.occurred_from > after
            and _may_end(version, subject, ())
            and not self.is_of_others(version, subject)
            and is_as_particular(version, decision)
        ]
        return min(found, key=lambda each: each.at, default=None)

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
            self.concerning(subject),
            start.duty.applies,
            risks=tuple(self.rulebook.vocabulary.risks),
        )

    def endings(
        self, started_at: Instant, subject: Subject, among: Sequence[Subject], duty: Duty
    ) -> list[Closing]:
        """Every fact that could end the clock, earliest first; a stop wins a tie."""
        found = self._ending(duty.stops, STOPPED, started_at, subject, among)
        if duty.exempts.kinds:
            found += self._ending(duty.exempts, EXEMPTED, started_at, subject, ())
        if duty.voids.kinds:
            found += self._ending(duty.voids, VOIDED, started_at, subject, ())
        if len(found) > 1:
            found.sort(key=lambda closing: (closing.at, closing.how != STOPPED))
        return found

    def closing(
        self, endings: Sequence[Closing], duty: Duty, due: Instant | None, subject: Subject
    ) -> tuple[Closing | None, Instant | None]:
        """What ends the clock; and until when that is a claim to be confirmed.

        A claim that was not confirmed in time ends nothing: the clock was overdue again when it
        lapsed, and the first ending after that counts.
        """
        for closing in endings:
            confirm_by = self._confirm_by(duty, closing, due, subject)
            if confirm_by is None:
                return closing, None
            later = [other for other in endings if other.at > confirm_by]
            return (later[0], None) if later else (closing, confirm_by)
        return None, None

    def _ending(
        self,
        matcher: Matcher,
        how: str,
        started_at: Instant,
        subject: Subject,
        among: Sequence[Subject],
    ) -> list[Closing]:
        found: list[Closing] = []
        for fact in self.having(matcher):
            if subject.child and self.is_of_others(fact.event, subject):
                continue
            meant = [one for one in among if not self.is_of_others(fact.event, one)]
            at = _ends_at(fact, matcher, subject, meant)
            if at is None:
                continue
            earliest = min(version.occurred_to for version in fact.versions)
            if earliest >= started_at - self.tolerances.get(fact.event.feed, 0):
                found.append(Closing(max(at, started_at), how, fact))
        return found

    def is_of_others(self, ending: Event, subject: Subject) -> bool:
        """Whether an ending that names no child stands under a notice of other children.

        Notices that were linked keep their own: what was sent about one is not about the other's.
        """
        if ending.child or not subject.child:
            return False
        named = self.children_under().get(ending.reference, frozenset())
        return bool(named) and subject.child not in named

    def children_under(self) -> Mapping[str, AbstractSet[str]]:
        """Reference → the children that are named under it; empty unless several are one case."""
        if self._children is None:
            named: dict[str, set[str]] = {}
            for fact in self.facts:
                for version in fact.versions:
                    named.setdefault(version.reference, set()).add(version.child)
            several = len(named) > 1
            self._children = {r: c - {""} for r, c in named.items()} if several else {}
        return self._children

    # -- filling it in ----------------------------------------------------------------------

    def _filled(
        self,
        *,
        start: Start,
        subject: Subject,
        run: Run,
        due_before: Instant | None,
        superseded_at: Instant | None,
        regraded_at: Instant | None,
    ) -> Clock:
        duty, rule = start.duty, start.duty.rule
        covered, due_at, closing = run.covered, run.due, run.closing
        how, at = (closing.how, closing.at) if closing else ("", None)
        stop = closing.fact if closing and how == STOPPED else None
        held_from, held_until = self._deferral(duty, subject, covered.started_at)
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
            held_from=held_from,
            held_until=held_until,
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

    def _record(self, child: str) -> _Record:
        """What is on record of a child, or of the whole case: the same for every rule."""
        record = self._records.get(child)
        if record is None:
            record = self._records[child] = _Record(self, Subject(child, ""))
        return record

    def _deferral(
        self, duty: Duty, subject: Subject, started_at: Instant
    ) -> tuple[Instant | None, Instant | None]:
        """From and until when telling is held by the latest deferral; (None, None) without one."""
        if duty.rule.defer is None:
            return None, None
        decided = [
            fact
            for fact in self.having(duty.defers)
            if all(duty.defers(version) for version in fact.versions)
            and _may_end(fact.event, subject, ())
            and fact.event.occurred_to >= started_at
        ]
        if not decided:
            return None, None
        latest = max(decided, key=lambda fact: fact.event.occurred_to).event
        longest = shift(latest.occurred_to, duty.rule.defer.at_most, duty.calendar)
        until = longest if latest.review_at is None else min(latest.review_at, longest)
        again = self._taken_back(latest, duty, subject, after=latest.occurred_to)
        until = until if again is None else min(until, again.at)
        return latest.occurred_to, max(until, latest.occurred_to)

    def _confirm_by(
        self, duty: Duty, closing: Closing, due_at: Instant | None, subject: Subject
    ) -> Instant | None:
        """Until when a claim first recorded after due counts; None where it needs nothing."""
        confirm, claim = duty.rule.confirm, closing.fact
        if confirm is None or due_at is None or closing.how != STOPPED:
            return None
        if not duty.is_claim(claim.event) or claim.event.occurred_to > due_at:
            return None
        written_at = claim.known_at if claim.recorded_at is None else claim.recorded_at
        if written_at <= due_at:
            return None
        confirm_by = shift(written_at, confirm.within, duty.calendar)
        return None if self._is_confirmed(duty, claim, confirm_by, subject) else confirm_by

    def _is_confirmed(self, duty: Duty, claim: Fact, confirm_by: Instant, subject: Subject) -> bool:
        """Whether a claim was confirmed after it was made and before it lapsed."""
        return any(
            claim.event.occurred_to <= fact.event.occurred_to <= confirm_by
            and all(duty.confirms(version) for version in fact.versions)
            and _may_end(fact.event, subject, ())
            for fact in self.having(duty.confirms)
            if fact is not claim
        )


class _Record:
    """What is on record of a child: the stage reached, the attributes figures group by."""

    def __init__(self, case: _Case, subject: Subject) -> None:
        self.stage, self.stage_at = _last_stage(case, subject)
        self.restricted = _is_restricted(case)
        telling = [
            event
            for fact in case.facts
            for event in fact.versions
            if (event.district or event.unit or event.category or event.risk)
            and _same_child(event, subject)
        ]
        self._said = [_History(telling, read) for read in _RECORDED_READERS]

    def at(self, instant: Instant) -> list[str]:
        """RECORDED_FIELDS at an instant: of each the latest said by then, else the first after."""
        return [history.at(instant) for history in self._said]


class _History:
    """What was said of one attribute, in order of time."""

    __slots__ = ("_said", "_times")

    def __init__(self, events: Iterable[Event], read: ReadAttribute) -> None:
        self._said = sorted((e.occurred_from, value) for e in events if (value := read(e)))
        self._times = [at for at, _ in self._said]

    def at(self, instant: Instant) -> str:
        if not self._said:
            return ""
        by_then = bisect_right(self._times, instant)
        return self._said[by_then - 1 if by_then else 0][1]


def _last_stage(case: _Case, subject: Subject) -> tuple[str, Instant | None]:
    """The furthest completed stage of the notice's way, and when it was completed."""
    for stage in reversed(case.rulebook.vocabulary.stages):
        done = [
            fact.event.occurred_to
            for fact in case.by_kind.get(stage.kind, ())
            if _same_child(fact.event, subject)
        ]
        if done:
            return stage.kind, max(done)
    return "", None


def _is_restricted(case: _Case) -> bool:
    name = case.rulebook.vocabulary.restricted_attribute
    if name is None:
        return False
    read = attribute_reader(name)
    return any(read(version) == "yes" for fact in case.facts for version in fact.versions)


_RECORDED_READERS: tuple[ReadAttribute, ...] = tuple(map(attribute_reader, RECORDED_FIELDS))


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


def is_as_particular(event: Event, decision: Event) -> bool:
    """Whether an event names whatever a decision named.

    To share in general does not speak of health, from which it was withheld for a reason.
    """
    return all(
        not named or named == said
        for named, said in (
            (decision.partner, event.partner),
            (decision.organisation, event.organisation),
            (decision.child, event.child),
        )
    )


def _is_left_by(covered: Coverage, instant: Instant) -> bool:
    return covered.left_at is not None and covered.left_at < instant


def _organisations(naming: Iterable[Event], child: str, duty: Duty) -> list[str]:
    return sorted(
        {
            event.organisation
            for event in naming
            if event.organisation
            and event.partner == duty.organisations_of
            and (not child or event.child in ("", child))
        }
    )


def _same_child(event: Event, subject: Subject) -> bool:
    return not subject.child or event.child in ("", subject.child)


def _concerns(event: Event, subject: Subject, duty: Duty) -> bool:
    """Whether an event can start the clock of a subject."""
    if not _same_child(event, subject):
        return False
    if not subject.organisation or event.partner != duty.organisations_of:
        return True
    return event.organisation in ("", subject.organisation)


def _ends_at(
    fact: Fact, matcher: Matcher, subject: Subject, among: Sequence[Subject]
) -> Instant | None:
    """The latest instant at which every reading of a fact ends a clock; None where one does not."""
    latest: Instant | None = None
    for version in fact.versions:
        if not matcher(version) or not _may_end(version, subject, among):
            return None
        if latest is None or version.occurred_to > latest:
            latest = version.occurred_to
    return latest


def _may_end(event: Event, subject: Subject, among: Sequence[Subject]) -> bool:
    """Whether an ending that names a child or organisation, or none, is about this subject.

    With `among` (a stop): it counts only where this subject is the only one it can be about.
    """
    if not _could_be_about(event, subject):
        return False
    if len(among) < 2:  # noqa: PLR2004 - nobody else
        return True
    return not any(other != subject and _could_be_about(event, other) for other in among)


def _could_be_about(event: Event, subject: Subject) -> bool:
    child_fits = not event.child or subject.child in ("", event.child)
    place_fits = not event.organisation or subject.organisation in ("", event.organisation)
    return child_fits and place_fits


def _due_soon_at(duty: Duty, due_at: Instant | None) -> Instant | None:
    """The ladder's earliest warning."""
    if due_at is None or duty.ladder is None:
        return None
    limits = [rung.at.limit for rung in duty.ladder.rungs if rung.is_warning and rung.at.limit]
    try:
        return min((shift(due_at, -limit, duty.calendar) for limit in limits), default=None)
    except PastHorizon:
        return None
