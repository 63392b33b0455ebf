"""Explaining one clock: its verdict, its rule, its windows, its facts, and what was said of it.

What comes in: a clock and a view: what is known of its case, as of which instant. What goes out:
one explained clock. It does not care whether the view is of now or of an earlier instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from monitor import words
from monitor.clocks import sentences
from monitor.clocks.explanation import Considered, Part, considered, part_of, read_at, says_the_same
from monitor.clocks.spans import spans
from monitor.clocks.verdicts import is_closed
from monitor.cycle.awaiting import awaited
from monitor.cycle.explained import (
    ClockExplanation,
    CountedWindow,
    Evidence,
    GoverningRule,
    SilentFeed,
    Waiting,
)
from monitor.cycle.explaining_telling import done_lines, next_step, told_lines
from monitor.cycle.explaining_view import View
from monitor.cycle.mailbox_status import start_queries
from monitor.model import (
    SECOND,
    Event,
    Instant,
    KeptClock,
    Verdict,
)
from monitor.rulebook.book import Duty

if TYPE_CHECKING:
    from monitor.store.known import Received


def explained_clock(
    view: View, kept: KeptClock, *, known_then: bool, today: tuple[View, KeptClock] | None
) -> ClockExplanation:
    """One clock in a view; `today`: the same clock as known today, where the view is earlier."""
    clock, duty, told = kept.clock, view.duty(kept), _spoken(view, kept)
    rule = duty.rule
    then = told.verdict if known_then else None
    of_today = told.verdict if today is None else _today(*today)
    facts = _considered(view, kept, duty)
    step, next_why = next_step(view, kept, duty)
    explained = ClockExplanation(
        rule=rule.id,
        version=rule.version,
        title=rule.title,
        partner=rule.partner,
        child=clock.key.child,
        organisation=clock.key.organisation,
        organisation_name=view.monitor.partners.name(rule.partner, clock.key.organisation),
        verdict=then,
        verdict_as_known_today=of_today,
        headline=sentences.headline(told),
        answer=sentences.answer(told),
        as_known_today="",
        shared_in_time=sentences.shared(told),
        could_have_known=sentences.knowable(told),
        started_at=clock.started_at,
        due_at=clock.due_at,
        due_before_at=clock.due_before,
        stopped_at=clock.stopped_at,
        exempt_at=clock.exempt_at,
        void_at=clock.void_at,
        superseded_at=clock.superseded_at,
        breached_at=clock.breached_at,
        confirm_by_at=clock.confirm_by,
        is_closed=is_closed(clock),
        known_at=clock.known_at,
        stop_known_at=clock.stop_known_at,
        stop_recorded_at=clock.stop_recorded_at,
        waiting=_waiting(view, kept),
        governed_by=_governing(view, kept, duty),
        because=tuple(_because(view, kept, duty, told, facts)),
        silent=tuple(
            SilentFeed(feed=feed, since_at=at)
            for feed, at in _silent(view, duty, told.verdict, _until(view, kept)).items()
        ),
        windows=tuple(_windows(kept, duty)),
        events=(*(_evidence(view, each) for each in facts), *_undone(view, kept, duty)),
        learnt_since=(),
        told=tuple(told_lines(view, kept)),
        done=tuple(done_lines(view, kept)),
        next=step,
        next_why=next_why,
    )
    return explained if today is None else _beside(explained, *today, then=then)


def _beside(
    explained: ClockExplanation, view: View, kept: KeptClock, *, then: Verdict | None
) -> ClockExplanation:
    """An explanation with what is known today of the same instant."""
    of_today = _today(view, kept)
    news = [
        _evidence(view, each)
        for each in _considered(view, kept, view.duty(kept))
        if _is_news(view, each)
    ]
    said = ""
    if then is not of_today:
        was = "not known of" if then is None else _name(then)
        why = _why_known_today(view, kept, of_today)
        said = f"As known then: {was}. As known today of that instant: {_name(of_today)}{why}."
    return replace(explained, as_known_today=said, learnt_since=tuple(news))


def _today(view: View, kept: KeptClock) -> Verdict:
    return Verdict.SUPERSEDED if kept.clock.superseded_at is not None else view.speaks(kept)


def _why_known_today(view: View, kept: KeptClock, of_today: Verdict) -> str:
    clock = kept.clock
    ended = clock.stopped_at
    if ended is None or of_today not in (Verdict.MET, Verdict.LATE):
        known = view.when(clock.known_at)
        return f" (first known to the monitor at {known})" if clock.known_at > view.at else ""
    if clock.stop_recorded_at is not None and clock.stop_recorded_at > ended:
        return f" (recorded {words.lasting(clock.stop_recorded_at - ended)} later)"
    if clock.stop_known_at is not None and clock.stop_known_at > ended:
        return f" (known to the monitor {words.lasting(clock.stop_known_at - ended)} later)"
    return ""


def _name(verdict: Verdict) -> str:
    return (
        "replaced by another clock" if verdict is Verdict.SUPERSEDED else verdict.replace("_", " ")
    )


def _is_news(view: View, fact: Considered) -> bool:
    """Whether a fact was told after the instant and says something about it."""
    tellings = _tellings(view, fact.event)
    is_later = bool(tellings) and tellings[0].number > view.number
    return is_later and (fact.at <= view.at or fact.part is Part.RETRACTION)


def _spoken(view: View, kept: KeptClock) -> sentences.Spoken:
    clock, duty, verdict = kept.clock, view.duty(kept), view.speaks(kept)
    until = _until(view, kept)
    silent = {view.feed_title(feed): at for feed, at in _silent(view, duty, verdict, until).items()}
    return sentences.Spoken(
        clock=clock,
        duty=duty,
        verdict=verdict,
        at=view.at,
        zone=view.monitor.zone,
        reasons=view.rulebook.vocabulary.reason_codes,
        silent=silent,
    )


def _until(view: View, kept: KeptClock) -> Instant:
    due = kept.clock.due_at
    return view.at if due is None else min(due, view.at)


def _silent(view: View, duty: Duty, verdict: Verdict, until: Instant) -> dict[str, Instant]:
    """Feed → since when it was not heard, of those for which the verdict is unknown."""
    return {
        feed: view.silent[feed]
        for feed in duty.rule.stop_feeds
        if verdict is Verdict.UNKNOWN and view.trusted.get(feed, until) < until
    }


# -- why --------------------------------------------------------------------------------------


def _governing(view: View, kept: KeptClock, duty: Duty) -> GoverningRule:
    rule, authority = duty.rule, duty.rule.authority
    later = [
        other.rule for other in view.rulebook.duties[rule.id] if other.rule.version > rule.version
    ]
    why = f"in force when the clock started, {view.when(kept.clock.started_at)}"
    if later:
        newer = min(later, key=lambda each: each.version)
        why += f"; version {newer.version} governs starts from {newer.effective.from_} on"
    approval = view.approvals.get((rule.id, rule.version))
    return GoverningRule(
        id=rule.id,
        version=rule.version,
        why=why,
        effective_from=rule.effective.from_.isoformat(),
        effective_to="" if rule.effective.to is None else rule.effective.to.isoformat(),
        authority=authority.class_.value,
        citation=authority.citation,
        number_is_assumed=authority.number_is_assumed,
        note=authority.note,
        approved_by=authority.approved_by if approval is None else approval.role,
        approved_at=None if approval is None else approval.approved_at,
        on_trial=(rule.id, rule.version) in view.rulebook.documents.trial,
        threshold=str(rule.threshold),
        calendar=rule.calendar,
        calendar_version=kept.clock.calendar_version,
    )


def _because(
    view: View,
    kept: KeptClock,
    duty: Duty,
    told: sentences.Spoken,
    facts: Iterable[Considered],
) -> Iterator[str]:
    yield from sentences.because(told)
    yield from _gave_way(view, kept)
    due, before = kept.clock.due_at, kept.clock.due_before
    if before is not None and due is not None:
        yield (
            "Its start or its calendar was corrected while it ran: it was due by"
            f" {view.when(before)}, and is by {view.when(due)}; both are kept."
        )
    yield from _confirmed(view, kept, duty, list(facts))
    if not is_closed(kept.clock) and _was_taken_back(facts):
        yield (
            "What would have stopped it was taken back, so it is out: the clock runs on from its"
            " own start."
        )
    if view.is_now:
        ids = [kept.id, *kept.inherits]
        yield from start_queries(view.monitor, view.connection, ids, now=view.at)
        yield from awaited(view.monitor, kept, duty, now=view.at)


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


def _waiting(view: View, kept: KeptClock) -> Waiting | None:
    clock = kept.clock
    if is_closed(clock):
        return None
    words_of = view.rulebook.vocabulary
    stage = next((each for each in words_of.stages if each.kind == clock.stage), None)
    return Waiting(
        waits_for=words_of.stages[0].waiting_for if stage is None else stage.waiting_for,
        since_at=clock.stage_at,
        role=words_of.holder(clock.stage),
    )


def _windows(kept: KeptClock, duty: Duty) -> Iterator[CountedWindow]:
    for span in spans(kept.clock, duty):
        yield CountedWindow(
            from_at=span.from_at,
            to_at=span.to_at,
            counted=span.counted,
            counted_seconds=span.worked // SECOND,
            days=span.days,
            text=span.text,
        )


# -- evidence ---------------------------------------------------------------------------------


def _considered(view: View, kept: KeptClock, duty: Duty) -> list[Considered]:
    among = [
        each.clock.key
        for each in view.clocks
        if each.clock.key.rule == kept.clock.key.rule and each.clock.superseded_at is None
    ]
    written = view.rulebook.vocabulary.start_correction
    return considered(
        kept.clock,
        view.timeline,
        duty,
        tolerances=view.tolerances,
        among=among,
        correction="" if written is None else written.kind,
    )


def _evidence(view: View, fact: Considered) -> Evidence:
    event = fact.event
    tellings = _tellings(view, event)
    source = tellings[0] if tellings else None
    exact = event.occurred_from == event.occurred_to
    read = "latest" if fact.at == event.occurred_to else "earliest"
    return Evidence(
        part=fact.part.value,
        kind=event.kind,
        counts=fact.counts,
        why=fact.why,
        at=fact.at,
        occurred_from_at=event.occurred_from,
        occurred_to_at=event.occurred_to,
        read="exact" if exact else read,
        recorded_at=event.recorded_at,
        received_at=event.received_at if source is None else source.event.received_at,
        feed=event.feed,
        intake=None if source is None else source.intake,
        line=0 if source is None else source.line,
        told_again=max(0, len(tellings) - 1),
        reference=event.reference,
        says=tuple(_says(event, fact.part)),
        child=event.child,
    )


def _tellings(view: View, event: Event) -> list[Received]:
    """Every row that told the same of one event, by then, the first first."""
    named = view.by_identity.get((event.feed, event.identity), ())
    return sorted(
        (
            one
            for one in named
            if one.number <= view.told_to
            and one.event.reference == event.reference
            and says_the_same(one.event, event)
        ),
        key=lambda one: (one.event.received_at, one.number, one.line),
    )


def _says(event: Event, part: Part) -> Iterator[str]:
    known = dict(event.attributes)
    said = [event.organisation, known.get("method", ""), event.decision, event.reason_code]
    if part is Part.START:
        said += [event.category, event.risk and f"risk {event.risk}"]
    yield from (each.replace("_", " ") for each in said if each)


def _undone(view: View, kept: KeptClock, duty: Duty) -> Iterator[Evidence]:
    """What an intake told that was undone by then."""
    for event, source in view.sources.items():
        part = part_of(event, duty)
        if part is None or not source.undone or source.is_known(view.number):
            continue
        if source.number > view.number or event.child not in ("", kept.clock.key.child):
            continue
        why = f"its intake was undone (number {source.undone}): it is unknown since"
        at = read_at(event, part)
        yield _evidence(view, Considered(part, event, at, counts=False, why=why))
