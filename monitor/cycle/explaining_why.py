"""Why one clock says what it says: its rule, what was corrected, confirmed, taken back, replaced.

What comes in: a clock, its duty, what it says, the facts that were looked at, and a view of its
case. What goes out: which version governs, and sentences. It does not care how they are laid out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from monitor import words
from monitor.clocks import sentences
from monitor.clocks.explanation import Considered, Part
from monitor.clocks.verdicts import is_closed
from monitor.cycle.awaiting import awaited
from monitor.cycle.explained import GoverningRule, Restatement
from monitor.cycle.explaining_measure import restatements
from monitor.cycle.mailbox_status import start_queries
from monitor.rulebook.approval import BEFORE, Kind, State

if TYPE_CHECKING:
    from monitor.cycle.explaining_view import View
    from monitor.model import Event, KeptClock
    from monitor.rulebook.book import Duty


def governing(view: View, kept: KeptClock, duty: Duty) -> GoverningRule:
    """Which version measures it, and why that one; on what it rests, and who approved it."""
    rule, authority = duty.rule, duty.rule.authority
    approval = view.approvals.get((rule.id, rule.version))
    return GoverningRule(
        id=rule.id,
        version=rule.version,
        why=_why_this_version(view, kept, duty),
        effective_from=rule.effective.from_.isoformat(),
        effective_to="" if rule.effective.to is None else rule.effective.to.isoformat(),
        authority=authority.class_.value,
        citation=authority.citation,
        number_is_assumed=authority.number_is_assumed,
        note=authority.note,
        approved_by=authority.approved_by if approval is None else approval.role,
        approved_at=None if approval is None else approval.approved_at,
        on_trial=view.rulebook.is_trial(rule.id, rule.version),
        is_edited=view.is_now and _is_edited(view, rule.id),
        threshold=str(rule.threshold),
        calendar=rule.calendar,
        calendar_version=kept.clock.calendar_version,
    )


def _why_this_version(view: View, kept: KeptClock, duty: Duty) -> str:
    rule, started_at = duty.rule, kept.clock.started_at
    why = f"in force when the clock started, {view.when(started_at)}"
    later = [other for other in view.rulebook.duties[rule.id] if other.rule.version > rule.version]
    if not later:
        return why
    newer = min(later, key=lambda each: each.rule.version)
    said = f"version {newer.rule.version} governs starts from {newer.rule.effective.from_} on"
    if not any(other.governs(started_at) for other in later):
        return f"{why}; {said}"
    if duty.rule.resume and not is_closed(kept.clock):
        return f"in force when the concern was first known; {said}"
    if is_closed(kept.clock):
        return f"in force when the clock ended; {said}, and was put in force only since"
    return f"{why}; {said}"


def _is_edited(view: View, rule: str) -> bool:
    """Whether the file of a rule says something that nobody has approved, though it was before."""
    return any(
        (each.kind, each.id, each.state) == (Kind.RULE, rule, State.EDITED)
        for each in view.monitor.standings
    )


def because(
    view: View,
    kept: KeptClock,
    duty: Duty,
    told: sentences.Spoken,
    facts: Sequence[Considered],
) -> Iterator[str]:
    """What bears on its verdict, in sentences: of the clock itself, of corrections, of telling."""
    yield from sentences.because(told)
    yield from _gave_way(view, kept)
    yield from _shared_after_all(view, kept, facts)
    yield from _corrected(view, kept, facts)
    yield from _restated(view, kept)
    yield from _kept_measure(view, kept, duty, facts)
    yield from _was_on_trial(view, kept, duty)
    yield from _confirmed(view, kept, duty, facts)
    if not is_closed(kept.clock) and _was_taken_back(facts):
        yield (
            "What would have stopped it was taken back, so it is out: the clock runs on from its"
            " own start."
        )
    if view.is_now:
        ids = [kept.id, *kept.inherits]
        yield from start_queries(view.monitor, view.connection, ids, now=view.at)
        yield from awaited(view.monitor, kept, duty, now=view.at)


def _shared_after_all(view: View, kept: KeptClock, facts: Iterable[Considered]) -> Iterator[str]:
    """That its time began anew when a decision not to share was taken back."""
    started_at = kept.clock.started_at
    if any(f.part is Part.RESUMPTION and f.counts and f.at == started_at for f in facts):
        yield (
            "It was decided in time not to share. That was taken back at"
            f" {view.when(started_at)}, and the whole limit runs from then."
        )


# -- what was corrected ---------------------------------------------------------------------------


def _corrected(view: View, kept: KeptClock, facts: Iterable[Considered]) -> Iterator[str]:
    """That its start or its calendar was put right, with both due times."""
    due, before = kept.clock.due_at, kept.clock.due_before
    both = ""
    if before is not None and due is not None:
        both = f" It was due by {view.when(before)}, and is by {view.when(due)}; both are kept."
    found = [each.event for each in facts if each.part is Part.CORRECTION and each.counts]
    for event in found:
        kind = _attribute(event, _corrects(view)).replace("_", " ")
        yield (
            f"The time of the {kind} was put right to {view.when(event.occurred_from)}:"
            f" {'; '.join(grounds(view, event))}. Known to the monitor since"
            f" {view.when(event.received_at)}.{both}"
        )
    if both and not found:
        calendar = view.duty(kept).rule.calendar
        yield f"The calendar {calendar} was corrected while it ran.{both}"


def _corrects(view: View) -> str:
    written = view.rulebook.vocabulary.start_correction
    return "" if written is None else written.corrects


def grounds(view: View, correction: Event) -> Iterator[str]:
    """Why a start is put right, on whose word and on what evidence, as far as it says."""
    if code := correction.reason_code:
        yield view.rulebook.vocabulary.reason_codes.get(code, code.replace("_", " "))
    if role := _attribute(correction, "corrected_by"):
        yield f"on the word of the {view.monitor.roster.title(role)}"
    if evidence := _attribute(correction, "evidence"):
        yield f"evidence {evidence}"


def _attribute(event: Event, name: str) -> str:
    return dict(event.attributes).get(name, "")


def restatements_of(view: View, kept: KeptClock) -> Iterator[Restatement]:
    """Each time that a clock was measured anew on purpose, up to today, oldest first."""
    yield from restatements(view.monitor, kept.clock.key, view.asked.get(kept.id, ()))


def restated_by_then(view: View, kept: KeptClock) -> Iterator[Restatement]:
    """The same up to the instant spoken of."""
    yield from (each for each in restatements_of(view, kept) if each.number <= view.number)


def _restated(view: View, kept: KeptClock) -> Iterator[str]:
    for each in restated_by_then(view, kept):
        by = f", for the {each.by}" if each.by else ""
        was, now = (
            "a due time that was not known" if at is None else f"due by {view.when(at)}"
            for at in (each.due_before_at, each.due_after_at)
        )
        before, after = (
            name.replace("_", " ") for name in (each.verdict_before, each.verdict_after)
        )
        yield (
            f"After it had ended it was measured anew on purpose, at {view.when(each.at)}{by}:"
            f" {each.reason}. Before: {before}, {was}. Since: {after}, {now}. Both are kept."
        )


def _was_on_trial(view: View, kept: KeptClock, duty: Duty) -> Iterator[str]:
    """That nobody was told by its rule until it was approved, where that was while it ran."""
    first = view.first_approvals.get(duty.rule.id)
    if first is None or first.role == BEFORE or first.approved_at <= kept.clock.started_at:
        return
    yield (
        f"Its rule was first approved at {view.when(first.approved_at)}, after the clock had"
        " started: until then it was on trial and told nobody."
    )


def _kept_measure(
    view: View, kept: KeptClock, duty: Duty, facts: Iterable[Considered]
) -> Iterator[str]:
    """That a clock that has ended keeps the calendar or version by which it was measured."""
    if not is_closed(kept.clock) or kept.clock.superseded_at is not None:
        return
    rule, started_at = duty.rule, kept.clock.started_at
    newer = [
        each.rule.version
        for each in view.rulebook.duties[rule.id]
        if each.rule.version > rule.version and each.governs(started_at)
    ]
    anew = "It is measured anew only on purpose (monitor reassess)."
    if newer:
        yield (
            f"It ended before version {newer[-1]} of its rule was put in force, and keeps version"
            f" {rule.version}. {anew}"
        )
        return
    in_force = view.duty_in_force(kept)
    start = next((each.event for each in facts if each.part is Part.START and each.counts), None)
    due = None if start is None else in_force.due(started_at, start)[0]
    if due is not None and due != kept.clock.due_at:
        version = in_force.calendar_version
        yield (
            f"It ended before version {version} of the calendar {rule.calendar} was put in force,"
            f" and keeps version {kept.clock.calendar_version}; by version {version} it would be"
            f" due by {view.when(due)}. {anew}"
        )


# -- what confirmed it, what was taken back, what stands in its place -----------------------------


def _confirmed(
    view: View, kept: KeptClock, duty: Duty, facts: Sequence[Considered]
) -> Iterator[str]:
    """By what a claim that was written down after due was confirmed."""
    clock = kept.clock
    stop = next((each.event for each in facts if each.counts and each.part is Part.STOP), None)
    late = clock.stop_recorded_at or clock.stop_known_at or 0
    if stop is None or clock.due_at is None or clock.confirm_by is not None:
        return
    if not duty.is_claim(stop) or not late > clock.due_at >= stop.occurred_to:
        return
    by = (e for e in facts if duty.confirms(e.event) and e.at >= stop.occurred_to)
    found = next((each for each in by if each.event is not stop), None)
    if found is not None:
        yield (
            "The stop is a verbal claim first written down after due; it was confirmed at"
            f" {view.when(found.at)}."
        )


def _was_taken_back(facts: Iterable[Considered]) -> bool:
    return any(each.part is Part.RETRACTION and each.counts for each in facts)


def _gave_way(view: View, kept: KeptClock) -> Iterator[str]:
    """Which clocks stand in its place."""
    at, key = kept.clock.superseded_at, kept.clock.key
    if at is None or at > view.at:
        return
    standing = [each for each in view.clocks if each.clock.superseded_at is None]
    heirs = [each for each in standing if kept.id in each.inherits]
    if heirs:
        named = words.listed([_named(each) for each in heirs])
        yield f"It gave way at {view.when(at)}, when more was known, to: {named}."
        return
    others = [
        each
        for each in standing
        if each.clock.partner == kept.clock.partner
        and each.clock.key.rule != key.rule
        and (each.clock.key.child, each.clock.key.organisation) == (key.child, key.organisation)
    ]
    left = f"The case left this rule at {view.when(at)}, before it was due"
    if others:
        yield f"{left}; it is measured by: {words.listed([_named(each) for each in others])}."
    else:
        yield f"{left}, and no other rule of this partner covers it."


def _named(kept: KeptClock) -> str:
    key = kept.clock.key
    about = [key.organisation, f"child {key.child[:8]}" if key.child else ""]
    shown = ", ".join(part for part in about if part)
    return f"{key.rule} ({shown})" if shown else key.rule
