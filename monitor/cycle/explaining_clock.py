"""Explaining one clock: its verdict, its rule, its windows, its facts, and what was said of it.

What comes in: a clock and a view: what is known of its case, as of which instant. What goes out:
one explained clock. It does not care whether the view is of now or of an earlier instant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from monitor import words
from monitor.clocks import sentences
from monitor.clocks.explanation import Considered, Part, considered, part_of, read_at, says_the_same
from monitor.clocks.spans import spans
from monitor.clocks.verdicts import is_closed
from monitor.cycle.explained import (
    ClockExplanation,
    CountedWindow,
    Evidence,
    Restatement,
    SilentFeed,
    Waiting,
)
from monitor.cycle.explaining_telling import done_lines, next_step, told_lines
from monitor.cycle.explaining_view import View
from monitor.cycle.explaining_why import (
    because,
    governing,
    grounds,
    restated_by_then,
    restatements_of,
)
from monitor.model import (
    SECOND,
    Clock,
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
    restated = tuple(restated_by_then(view, kept))
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
        due_before_at=_due_before(clock, restated),
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
        governed_by=governing(view, kept, duty),
        because=tuple(because(view, kept, duty, told, facts)),
        silent=tuple(
            SilentFeed(feed=feed, since_at=at)
            for feed, at in _silent(view, duty, told.verdict, _until(view, kept)).items()
        ),
        windows=tuple(_windows(kept, duty)),
        events=(*(_evidence(view, each) for each in facts), *_undone(view, kept, duty)),
        learnt_since=(),
        restated=restated,
        told=tuple(told_lines(view, kept)),
        done=tuple(done_lines(view, kept)),
        next=step,
        next_why=next_why,
    )
    return explained if today is None else _beside(explained, *today, then=then)


def _due_before(clock: Clock, restated: Sequence[Restatement]) -> Instant | None:
    """The due time before any correction: of a clock that ran on, or of one that had ended."""
    if clock.due_before is not None or not restated:
        return clock.due_before
    before = restated[0].due_before_at
    return None if before == clock.due_at else before


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
    elif explained.due_at != kept.clock.due_at:
        was, now = (
            "not known" if due is None else f"due by {view.when(due)}"
            for due in (explained.due_at, kept.clock.due_at)
        )
        said = f"As known then: {was}. As known today: {now}."
    return replace(explained, as_known_today=said, learnt_since=tuple(news))


def _today(view: View, kept: KeptClock) -> Verdict:
    return Verdict.SUPERSEDED if kept.clock.superseded_at is not None else view.speaks(kept)


def _why_known_today(view: View, kept: KeptClock, of_today: Verdict) -> str:
    clock = kept.clock
    anew = [each for each in restatements_of(view, kept) if each.number > view.number]
    if anew:
        return f" (measured anew on purpose at {view.when(anew[-1].at)})"
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


# -- where it waits, and what was counted ---------------------------------------------------------


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
    return considered(
        kept.clock,
        view.timeline,
        duty,
        tolerances=view.tolerances,
        among=among,
        correction=view.rulebook.vocabulary.start_correction,
        at=view.at,
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
        says=tuple(_says(view, event, fact.part)),
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


def _says(view: View, event: Event, part: Part) -> Iterator[str]:
    known = dict(event.attributes)
    if part is Part.CORRECTION:
        yield from grounds(view, event)
        return
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
