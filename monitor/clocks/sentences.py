"""What a clock says, in sentences: the answer first, then why, then the two truths.

What comes in: a clock, its duty, what it says at an instant, and a zone. What goes out: short
sentences. They measure records: "no record that the council has been told". It reads no store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor import words
from monitor.model import Clock, Duration, Instant, Verdict
from monitor.rulebook.book import Duty
from monitor.worktime.calendar import PastHorizon
from monitor.worktime.limits import Unit

if TYPE_CHECKING:
    from datetime import tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A clock that is spoken of at an instant."""

    clock: Clock
    duty: Duty
    verdict: Verdict
    at: Instant
    zone: tzinfo
    reasons: Mapping[str, str]
    """Reason codes of decisions, in words."""
    silent: Mapping[str, Instant]
    """Feed that its stop relies on, in words → since when it was not heard."""

    def when(self, instant: Instant) -> str:
        """`02:47 on Tue 9 March`, with its year where it is another than the explanation's."""
        return words.said_of(instant, at=self.at, zone=self.zone)

    @property
    def whom(self) -> str:
        """Who is to be told: `the council`; empty where the duty is none of telling."""
        return f"the {self.duty.rule.partner}" if self.duty.rule.partner else ""

    @property
    def no_record(self) -> str:
        """What is missing."""
        if self.duty.rule.subject:
            subject = self.duty.rule.subject
            has_article = subject.startswith(("a ", "an ", "the "))
            return f"no record of {subject if has_article else f'the {subject}'}"
        return f"no record that {self.whom} has been told" if self.whom else "no record of it"


# -- the answer -------------------------------------------------------------------------------


def headline(told: Spoken) -> str:
    """The verdict with how late or how soon: `OVERDUE by 4 h 00`."""
    clock, name = told.clock, told.verdict.upper().replace("_", " ")
    due = clock.due_at
    if due is None:
        return name
    if told.verdict is Verdict.OVERDUE:
        return f"{name} by {words.lasting(told.at - due)}"
    if told.verdict in (Verdict.RUNNING, Verdict.DUE_SOON):
        return f"{name}, due in {words.lasting(due - told.at)}"
    ended = _ended_at(clock)
    if told.verdict is Verdict.LATE and ended is not None:
        return f"{name} by {words.lasting(ended - due)}"
    if told.verdict is Verdict.MET and clock.confirm_by is not None:
        return f"{name}, TO BE CONFIRMED"
    return name


def answer(told: Spoken) -> str:  # noqa: PLR0911 - one line for each verdict
    """One or two sentences that say what matters now."""
    clock = told.clock
    due = "" if clock.due_at is None else told.when(clock.due_at)
    match told.verdict:
        case Verdict.OVERDUE:
            lapsed = f" {_unconfirmed(told)}" if lapsed_claim(told) else ""
            return f"{_capital(told.no_record)}; it was due by {due}.{_was_due(told)}{lapsed}"
        case Verdict.RUNNING | Verdict.DUE_SOON:
            said = f"Nothing is late. {_capital(told.no_record)} yet; due by {due}."
            return said + _was_due(told)
        case Verdict.MET | Verdict.LATE:
            return _done(told, due)
        case Verdict.EXEMPT:
            return f"It need not be shared: {_reason(told)}, decided {told.when(_end(clock))}."
        case Verdict.VOID:
            return _void(told)
        case Verdict.UNKNOWN:
            return _unknown(told, due)
    return "Another clock stands in its place: it is in no count."


def _done(told: Spoken, due: str) -> str:
    clock = told.clock
    at = _end(clock)
    is_told = told.whom and not told.duty.rule.subject
    what = "Recorded as told" if is_told else "Recorded as done"
    if clock.exempt_at is not None:
        what = f"Decided not to share ({_reason(told)})"
    taken = words.lasting(at - clock.started_at)
    late = clock.stop_recorded_at
    written = ""
    if late is not None and late > at:
        written = f" It was written down {words.lasting(late - at)} after it happened."
    said = f"{what} at {told.when(at)}, {taken} after the start; due by {due}."
    until = clock.confirm_by
    waits = (
        ""
        if until is None
        else (
            f" Nobody has confirmed it: if nobody does by {told.when(until)}, it is overdue again."
        )
    )
    return said + _was_due(told) + written + waits


def _was_due(told: Spoken) -> str:
    """The due time that people were told of before a correction."""
    before = told.clock.due_before
    if before is None or before == told.clock.due_at:
        return ""
    return f" Before a correction it was due by {told.when(before)}."


def _unconfirmed(told: Spoken) -> str:
    """What became of a claim that lapsed."""
    clock, until = told.clock, told.clock.confirm_by
    assert until is not None
    at, written_at = _end(clock), clock.stop_recorded_at or clock.stop_known_at
    late = "" if written_at is None else f", written down only at {told.when(written_at)}"
    said = f"A verbal claim of {told.when(at)}{late}, was not confirmed by {told.when(until)}"
    return f"{said}, so it counts for nothing."


def _void(told: Spoken) -> str:
    clock = told.clock
    at = _end(clock)
    said = f"Withdrawn at {told.when(at)}: {_reason(told)}."
    if clock.breached_at is None:
        return f"{said} It is in no share."
    late = words.lasting(at - clock.breached_at)
    return (
        f"{said} That was {late} after due ({told.when(clock.breached_at)}): it was overdue until"
        " then, and is counted beside the rate."
    )


def _unknown(told: Spoken, due: str) -> str:
    if told.clock.due_unknown:
        return f"When it is due cannot be computed: {told.clock.due_unknown}."
    silent = words.listed(
        [f"the {name} was not heard since {told.when(at)}" for name, at in told.silent.items()]
    )
    whether = f"whether {told.whom} was told" if told.whom else "whether it was done"
    late = told.clock.due_at is not None and told.at > told.clock.due_at
    was = f"It is due by {due}"
    if late and told.clock.due_at is not None:
        was = f"It was due by {due}, {words.lasting(told.at - told.clock.due_at)} ago"
    heard = _capital(silent or "a feed that would show it was not heard")
    was += f".{_was_due(told)}"
    return f"{heard}: {whether} cannot be said. {was} In figures it counts as not in time."


def _reason(told: Spoken) -> str:
    code = told.clock.reason_code
    return told.reasons.get(code, code.replace("_", " ")) if code else "no reason recorded"


def _ended_at(clock: Clock) -> Instant | None:
    ends = (clock.stopped_at, clock.exempt_at, clock.void_at)
    return next((at for at in ends if at is not None), None)


def _end(clock: Clock) -> Instant:
    ended = _ended_at(clock)
    return clock.started_at if ended is None else ended


def lapsed_claim(told: Spoken) -> bool:
    """Whether what ended it was a claim that had to be confirmed by now, and was not."""
    return told.clock.confirm_by is not None and told.at > told.clock.confirm_by


def _capital(text: str) -> str:
    return words.capital(text)


# -- why --------------------------------------------------------------------------------------


def because(told: Spoken) -> Iterator[str]:
    """What else bears on a clock, in sentences."""
    clock, when = told.clock, told.when
    if clock.raised_after is not None:
        yield (
            f"Raised after {words.hours(clock.raised_after)}: this faster clock starts there, at"
            f" {when(clock.started_at)}, not at first contact."
        )
    if clock.regraded_at is not None and clock.regraded_at <= told.at:
        yield (
            f"The case left this rule at {when(clock.regraded_at)}, after it was overdue: it is"
            " measured until its stop, and nobody is told of it any more."
        )
    if clock.held_from is not None and clock.held_until is not None:
        yield (
            f"A deferral holds telling from {when(clock.held_from)} until"
            f" {when(clock.held_until)}; it does not hold the measurement."
        )
    if clock.confirm_by is not None:
        yield from _claim(told)
    if clock.cannot_route:
        whom = told.duty.rule.partner or "organisation"
        yield (
            f"Cannot route: which {whom} is to be told is not on the record. Fill it in; once due,"
            " it is not in time."
        )
    if clock.exempt_at is not None and clock.breached_at is not None:
        yield "The decision came after due: it closes the clock as late."
    yield from _counted(told)


def _claim(told: Spoken) -> Iterator[str]:
    until = told.clock.confirm_by
    assert until is not None
    if lapsed_claim(told):
        yield (
            "The claim was first written down after due, so it had to be confirmed. Until"
            f" {told.when(until)} it counted as in time; nobody confirmed it, so the clock is"
            " overdue again, from its own due time."
        )
        return
    yield (
        "The stop is a verbal claim first written down after due: it is to be confirmed by"
        f" {told.when(until)}. If nobody confirms it, the clock is overdue again, and everybody who"
        " was told is told so."
    )


def _counted(told: Spoken) -> Iterator[str]:
    """How much of a limit in working time had been counted by its end, or by now."""
    clock, limit = told.clock, told.duty.rule.threshold
    if limit.unit is not Unit.WORKING_TIME:
        return
    ended = _ended_at(clock)
    until = told.at if ended is None else min(ended, told.at)
    try:
        worked = told.duty.calendar.between(clock.started_at, max(until, clock.started_at))
    except PastHorizon:
        return
    by = "so far" if ended is None or ended > told.at else "by its end"
    yield f"Of {limit}, {words.hours(worked)} had been counted {by}."


# -- the two truths ---------------------------------------------------------------------------


def shared(told: Spoken) -> str:  # noqa: PLR0911 - one line for each verdict
    """Was it in time, by the times at which things happened."""
    clock, verdict = told.clock, told.verdict
    if verdict is Verdict.UNKNOWN:
        return "not known"
    if verdict is Verdict.SUPERSEDED:
        return "not asked of this clock: another stands in its place"
    if verdict in (Verdict.EXEMPT, Verdict.VOID):
        return "not asked: " + ("it is exempt" if verdict is Verdict.EXEMPT else "it is void")
    if clock.due_at is None:
        return "not known"
    if verdict in (Verdict.RUNNING, Verdict.DUE_SOON):
        return "not yet due"
    if verdict is Verdict.OVERDUE:
        return f"no, and no record of it yet: {_span(told.at - clock.due_at)} past due"
    ended = _end(clock)
    if verdict is Verdict.MET:
        spare = clock.due_at - ended
        return "yes, " + (
            "at the due instant itself" if not spare else f"{_span(spare)} before due"
        )
    return f"no, {_span(ended - clock.due_at)} after due"


def knowable(told: Spoken) -> str:
    """Could anybody have known, by the times at which the monitor was told."""
    clock, when = told.clock, told.when
    parts = [f"the start was first known to the monitor at {when(clock.known_at)}"]
    gap = clock.known_at - clock.started_at
    if gap > 0:
        parts[0] += f", {_span(gap)} after it"
    if clock.due_at is not None and clock.known_at > clock.due_at:
        parts[0] += " and after due, so nobody could be warned"
    ended = _ended_at(clock)
    if ended is not None and clock.stop_known_at is not None:
        end = f"the {'claim' if lapsed_claim(told) else 'end'} at {when(clock.stop_known_at)}"
        if clock.stop_recorded_at is not None and clock.stop_recorded_at > ended:
            late = _span(clock.stop_recorded_at - ended)
            end += f" (recorded {late} after it happened)"
        elif clock.stop_known_at > ended:
            end += f", {_span(clock.stop_known_at - ended)} after it happened"
        parts.append(end)
    return "; ".join(parts)


def _span(duration: Duration) -> str:
    return words.lasting(duration)
