"""What ends a clock, what takes that back, and what holds its telling.

What comes in: a case, from when a duty is on, and whom it is about. What goes out: when it is due
and what closed it; from and until when a decision holds the telling. It does not care how the start
was found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from monitor.clocks.case import Case, Subject, may_end, same_child
from monitor.clocks.coverage import Coverage
from monitor.clocks.timeline import Fact
from monitor.model import Duration, Event, Instant
from monitor.rulebook.book import Duty
from monitor.rulebook.match import Matcher
from monitor.worktime.limits import shift


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


class Endings:
    """What can end a duty of a case, for one child or organisation."""

    def __init__(
        self,
        case: Case,
        duty: Duty,
        subject: Subject,
        among: Sequence[Subject],
        tolerances: Mapping[str, Duration],
    ) -> None:
        self._case = case
        self._duty = duty
        self._subject = subject
        self._among = among
        self._tolerances = tolerances

    def run(self, covered: Coverage, start: Event) -> Run:
        """When a clock is due and what ends it, of the last time that the duty was on.

        `covered`: from and until when the rule covers the case. `start`: what started it.
        """
        taken_back: set[int] = set()
        while True:
            due, due_unknown = self._duty.due(covered.started_at, start)
            endings = self._all(covered.started_at, besides=taken_back)
            closing, confirm_by = self._closing(endings, due)
            again = self._resumption(closing, endings)
            if closing is None or again is None or _is_left_by(covered, again.at):
                return Run(covered, due, due_unknown, closing, confirm_by)
            if due is None or closing.at <= due:
                covered = Coverage(again.at, again.fact.known_at, covered.left_at, None)
            taken_back |= {id(e.fact) for e in endings if e.how == EXEMPTED and e.at < again.at}

    def deferral(self, started_at: Instant) -> tuple[Instant | None, Instant | None]:
        """From and until when telling is held by the latest deferral; (None, None) without one."""
        duty = self._duty
        if duty.rule.defer is None:
            return None, None
        decided = [
            fact
            for fact in self._case.having(duty.defers)
            if all(duty.defers(version) for version in fact.versions)
            and may_end(fact.event, self._subject, ())
            and fact.event.occurred_to >= started_at
        ]
        if not decided:
            return None, None
        latest = max(decided, key=lambda fact: fact.event.occurred_to).event
        longest = shift(latest.occurred_to, duty.rule.defer.at_most, duty.calendar)
        until = longest if latest.review_at is None else min(latest.review_at, longest)
        again = self._taken_back(latest, after=latest.occurred_to)
        until = until if again is None else min(until, again.at)
        return latest.occurred_to, max(until, latest.occurred_to)

    # -- what ends it -------------------------------------------------------------------------

    def _all(self, started_at: Instant, *, besides: Collection[int]) -> list[Closing]:
        """Every fact that could end the clock, earliest first; a stop wins a tie."""
        duty = self._duty
        found = self._of(duty.stops, STOPPED, started_at, self._among)
        if duty.exempts.kinds:
            found += self._of(duty.exempts, EXEMPTED, started_at, ())
        if duty.voids.kinds:
            withdrawn = self._of(duty.voids, VOIDED, started_at, ())
            if withdrawn and self._is_unfounded(withdrawn):
                found += withdrawn
        if besides:
            found = [closing for closing in found if id(closing.fact) not in besides]
        if len(found) > 1:
            found.sort(key=lambda closing: (closing.at, closing.how != STOPPED))
        return found

    def _is_unfounded(self, withdrawn: Iterable[Closing]) -> bool:
        """Whether nothing founds the duty but what stands under references that were withdrawn.

        A duplicate that is withdrawn takes nothing from the notice that it was linked to.
        """
        gone = {closing.fact.event.reference for closing in withdrawn}
        return not any(
            event.reference not in gone and same_child(event, self._subject)
            for fact in self._case.having(self._duty.starts)
            for event in fact.versions
            if self._duty.starts(event)
        )

    def _of(
        self, matcher: Matcher, how: str, started_at: Instant, among: Sequence[Subject]
    ) -> list[Closing]:
        found: list[Closing] = []
        for fact in self._case.having(matcher):
            at = self._ends_at(fact, matcher, among)
            if at is None:
                continue
            earliest = min([version.occurred_to for version in fact.versions])
            if earliest >= started_at - self._tolerances.get(fact.versions[0].feed, 0):
                found.append(Closing(max(at, started_at), how, fact))
        return found

    def _ends_at(self, fact: Fact, matcher: Matcher, among: Sequence[Subject]) -> Instant | None:
        """The latest instant at which every reading of a fact ends the clock.

        None where one does not, or where the fact is another's.
        """
        case, subject = self._case, self._subject
        if subject.child and case.is_of_others(fact.event, subject):
            return None
        if len(among) > 1:
            among = [one for one in among if not case.is_of_others(fact.event, one)]
        latest: Instant | None = None
        for version in fact.versions:
            if not matcher(version) or not may_end(version, subject, among):
                return None
            if latest is None or version.occurred_to > latest:
                latest = version.occurred_to
        return latest

    def _closing(
        self, endings: Sequence[Closing], due: Instant | None
    ) -> tuple[Closing | None, Instant | None]:
        """What ends the clock; and until when that is a claim to be confirmed.

        A claim that was not confirmed in time ends nothing: the clock was overdue again when it
        lapsed, and the first ending after that counts.
        """
        for closing in endings:
            confirm_by = self._confirm_by(closing, due)
            if confirm_by is None:
                return closing, None
            later = [other for other in endings if other.at > confirm_by]
            return (later[0], None) if later else (closing, confirm_by)
        return None, None

    # -- what takes an exemption or a deferral back -------------------------------------------

    def _resumption(self, exempted: Closing | None, endings: Iterable[Closing]) -> Closing | None:
        """What took an exemption back, before the duty had ended otherwise."""
        if exempted is None or exempted.how != EXEMPTED or not self._duty.resumes.kinds:
            return None
        again = self._taken_back(exempted.fact.event, after=exempted.at)
        if again is None:
            return None
        ended = (e.at for e in endings if e.how != EXEMPTED and e.at >= exempted.at)
        return None if any(at <= again.at for at in ended) else again

    def _taken_back(self, decision: Event, *, after: Instant) -> Closing | None:
        """The first later decision by which a duty is on again that another had put off."""
        duty, subject = self._duty, self._subject
        found = [
            Closing(version.occurred_from, "resumed", fact)
            for fact in self._case.having(duty.resumes)
            for version in fact.versions
            if duty.resumes(version)
            and version.occurred_from > after
            and may_end(version, subject, ())
            and not self._case.is_of_others(version, subject)
            and is_as_particular(version, decision)
        ]
        return min(found, key=lambda each: each.at, default=None)

    # -- claims -------------------------------------------------------------------------------

    def _confirm_by(self, closing: Closing, due_at: Instant | None) -> Instant | None:
        """Until when a claim first recorded after due counts; None where it needs nothing."""
        duty, claim = self._duty, closing.fact
        confirm = duty.rule.confirm
        if confirm is None or due_at is None or closing.how != STOPPED:
            return None
        if not duty.is_claim(claim.event) or claim.event.occurred_to > due_at:
            return None
        written_at = claim.known_at if claim.recorded_at is None else claim.recorded_at
        if written_at <= due_at:
            return None
        confirm_by = shift(written_at, confirm.within, duty.calendar)
        return None if self._is_confirmed(claim, confirm_by) else confirm_by

    def _is_confirmed(self, claim: Fact, confirm_by: Instant) -> bool:
        """Whether a claim was confirmed after it was made and before it lapsed."""
        duty = self._duty
        return any(
            claim.event.occurred_to <= fact.event.occurred_to <= confirm_by
            and all(duty.confirms(version) for version in fact.versions)
            and may_end(fact.event, self._subject, ())
            for fact in self._case.having(duty.confirms)
            if fact is not claim
        )


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
