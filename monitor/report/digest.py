"""The weekly digest in words.

What comes in: figures of one scope and week, what was said in it, how far it can be trusted. What
goes out: a letter of plain values.
It does not care how the letter looks or travels.

It speaks of records: "no record that the council has been told". What is not known has no line.
The total of a share is what is known to be in time or not; unknown stands beside it, and wherever
there is any, so does the share with all of it counted as late.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from monitor.letters import DigestLetter, DigestRow, DigestSpan, FeedRead
from monitor.model import HOUR, Instant
from monitor.report.backlog import Backlog, OpenCase
from monitor.report.figures import Figures, OnTrial
from monitor.report.measured import Measured
from monitor.report.periods import Week
from monitor.report.scopes import Scope
from monitor.report.trust import FeedHours, Said, TakenIn
from monitor.report.wording import Wording
from monitor.words import (
    capital,
    count,
    day_said,
    hours,
    lasting_about,
    listed,
    said_of,
    stretch,
)

_BANDS: Final = ("under 1 day", "1 to 3 days", "3 to 7 days", "7 to 14 days", "over 14 days")
_HEADLINE_WIDTH: Final = 60
_SILENCES_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestInput:
    """Everything a digest of one scope is made of."""

    figures: Figures
    scope: Scope
    week: Week
    wording: Wording
    references: Mapping[int, str]
    """Case id → reference, of the cases that `named_cases` names."""
    feeds: Sequence[FeedHours] = ()
    taken_in: TakenIn | None = None
    said: Said | None = None
    people: Sequence[str] = ()
    """Sentences: silences in force, and what was closed by hand, of this scope."""
    zone: ZoneInfo


def named_cases(figures: Figures) -> frozenset[int]:
    """Ids of the cases that a digest names by their reference."""
    cases = (figures.backlog.first, figures.backlog.oldest_high_risk)
    return frozenset(case.case_id for case in cases if case is not None)


def digest_letter(known: DigestInput) -> DigestLetter:
    """The digest of one scope and week, as known at the instant of its figures."""
    figures = known.figures
    return DigestLetter(
        at=figures.as_of,
        feeds=tuple(_read_to(known)),
        scope=known.scope.label,
        period_from=figures.since,
        period_to=figures.until,
        headline=(*_headline(figures), *_silent_in_brief(known)),
        do_first=_do_first(known),
        sentence=_sentence(figures, known.wording),
        how_to_read=_how_to_read(figures),
        rows=tuple(_rows(figures, known.wording)),
        beside=(*_beside(figures.total, known.wording), *_on_trial(figures.on_trial)),
        spans=tuple(_spans(figures, known.wording)),
        waits=tuple(_waits(figures, known.wording)),
        backlog=tuple(_backlog(known)),
        no_notice=tuple(_no_notice(known)),
        quality=tuple(_quality(figures.total)),
        alerts=tuple(_alerts(known.said)),
        coverage=tuple(_coverage(known)),
        notes=(*known.people, *_general_notes(known)),
    )


# -- at a glance ------------------------------------------------------------------------------


def _headline(figures: Figures) -> Iterator[str]:
    """For the subject: no reference and no category."""
    yield _shares_in_brief(figures) or _nothing(figures)
    backlog = figures.backlog
    if backlog.high_risk_cases_overdue:
        yield f"{count(backlog.high_risk_cases_overdue, 'high-risk case')} overdue"
    elif backlog.overdue:
        yield f"{count(backlog.overdue, 'duty', 'duties')} overdue"
    elif backlog.duties or not figures.on_trial.duties:
        yield "nothing overdue"


def _nothing(figures: Figures) -> str:
    """No share can be said: nothing fell due, or only by rules that nobody has approved."""
    trial = figures.on_trial
    if figures.cases or not trial.duties:
        return "nothing fell due"
    return f"only by rules on trial: {count(trial.duties, 'duty', 'duties')}"


def _silent_in_brief(known: DigestInput) -> Iterator[str]:
    """Feeds whose silence leaves something of the week unknown: figures without it mislead."""
    silent = [feed for feed in known.feeds if _was_silent(feed)]
    if len(silent) > 1:
        yield f"{len(silent)} feeds silent"
    for feed in silent if len(silent) == 1 else ():
        title = known.wording.feed(feed.state.feed)
        title = title[:1].lower() + title[1:]
        if feed.state.first_heard_at is None:
            yield f"{title} never heard"
        elif feed.silent_at_end:
            yield f"{title} silent"
        else:
            yield f"{title} was silent {hours(feed.period - feed.heard)}"


def _was_silent(feed: FeedHours) -> bool:
    """Whether a feed was silent for an hour or more, or never heard though it is expected.

    Before it was first heard it said nothing either, and was not silent: it was not there.
    """
    first = feed.state.first_heard_at
    if first is None:
        return feed.state.has_timetable
    return sum(end - max(start, first) for start, end in feed.silences if end > first) >= HOUR


def _shares_in_brief(figures: Figures) -> str:
    """As many partners as a subject holds, whole: `council 50 of 60, health 33 of 47 in time`."""
    said = ""
    shares: list[str] = []
    for partner, group in _to_partners(figures):
        unknown = f" ({group.unknown} unknown)" if group.unknown else ""
        shares.append(f"{partner.replace('_', ' ')} {group.met} of {group.of}{unknown}")
        longer = f"{', '.join(shares)} in time"
        if len(longer) <= _HEADLINE_WIDTH:
            said = longer
    return said


def _do_first(known: DigestInput) -> str:
    case = known.figures.backlog.first
    if case is None or not (reference := known.references.get(case.case_id)):
        return ""
    at, zone = known.figures.as_of, known.zone
    risk = f"{case.risk} risk" if case.risk else "no risk recorded"
    said = [f"{reference} ({risk}): {_missing(case, known.wording)}."]
    if (due := case.duties[0].due_at) is not None:
        said.append(f"Due by {said_of(due, at=at, zone=zone)}, overdue {lasting_about(at - due)}.")
    said.append(f"Known since {said_of(case.started_at, at=at, zone=zone)}.")
    if case.stage_at is not None and (awaited := known.wording.waiting_for.get(case.stage)):
        said.append(f"Waiting for {awaited} since {said_of(case.stage_at, at=at, zone=zone)}.")
    said.append(_why_first(case, known))
    return " ".join(said)


def _why_first(case: OpenCase, known: DigestInput) -> str:
    number = known.figures.backlog.high_risk_cases_overdue
    if number > 1:
        return f"Of {number:,} {case.risk}-risk cases overdue it is the one known longest."
    if number == 1:
        return f"It is the only {case.risk}-risk case overdue."
    return "No overdue case is of graver risk, and of its own risk none is known longer."


def _missing(case: OpenCase, wording: Wording) -> str:
    """What there is no record of, in words."""
    duties = dict.fromkeys((duty.partner, duty.cannot_route) for duty in case.duties)
    owed = [wording.in_full(partner) for partner, stuck in duties if partner and not stuck]
    stuck = [wording.in_full(partner) for partner, stuck in duties if partner and stuck]
    steps = [wording.rule(duty.rule).subject for duty in case.duties if not duty.partner]
    said = []
    if owed:
        said.append(f"no record that {listed(owed, 'or')} has been told")
    if stuck:
        said.append(f"the record does not say whom to tell as {listed(stuck, 'or')}")
    if steps:
        said.append(f"not on the record: {listed(list(dict.fromkeys(steps)))}")
    return "; ".join(said)


def _sentence(figures: Figures, wording: Wording) -> str:
    groups = [(wording.partner(name), group) for name, group in _to_partners(figures)]
    if not groups:
        under = " under a rule that is approved" if figures.on_trial.duties else ""
        return f"no duty to a partner fell due{under}."
    total = sum(group.of for _, group in groups)
    unknown = sum(group.unknown for _, group in groups)
    if not total:
        duties = count(unknown, "duty", "duties")
        return f"of {duties} nothing is known yet, because a feed was not heard."
    if not unknown and total == sum(group.met for _, group in groups):
        return f"{_every(total)} recorded as met in time."
    said = (_shares(groups), _furthest_behind(groups), _not_known(unknown))
    return f"{'; '.join(part for part in said if part)}."


def _every(total: int) -> str:
    if total == 1:
        return "the one duty to a partner that fell due is"
    return f"all {total:,} duties to partners that fell due are"


def _shares(groups: Sequence[tuple[str, Measured]]) -> str:
    """`the record shows 50 of 60 duties to the council met in time and 33 of 47 to health`."""
    known = [(name, group) for name, group in groups if group.of]
    said = [
        f"{group.met:,} of {group.of:,} to {name}{_in_percent(group)}" for name, group in known[1:]
    ]
    name, group = known[0]
    duties = f"{group.met:,} of {count(group.of, 'duty', 'duties')} to {name}"
    return f"the record shows {listed([f'{duties} met in time{_in_percent(group)}', *said])}"


def _in_percent(group: Measured) -> str:
    return "" if group.percent is None else f" ({group.percent} %)"


def _furthest_behind(groups: Sequence[tuple[str, Measured]]) -> str:
    late = [(name, group) for name, group in groups if group.not_in_time]
    if not late:
        return ""
    name, group = _last_of(late)
    count = f"{group.not_in_time:,} not in time{_still_open(group)}"
    return count if len(groups) == 1 else f"furthest behind is {name}, with {count}"


def _last_of(late: Sequence[tuple[str, Measured]]) -> tuple[str, Measured]:
    """The partner with the least share in time.

    A share of a few says little, so one with fewer than ten duties is behind only where it has at
    least as many not in time as the last of the others: of fewer duties, that is surely worse.
    """
    many = [each for each in late if each[1].percent_at_worst is not None]
    last = min(many, key=lambda each: each[1].met / each[1].of_all, default=None)
    least = last[1].not_in_time if last else 0
    few = [each for each in late if each not in many and each[1].not_in_time >= least]
    return max(few, key=lambda each: each[1].not_in_time) if few or last is None else last


def _still_open(group: Measured) -> str:
    if not group.open_late:
        return ""
    if group.open_late < group.not_in_time:
        return f", {group.open_late:,} of them still open"
    return " and still open" if group.open_late == 1 else ", all of them still open"


def _not_known(unknown: int) -> str:
    if not unknown:
        return ""
    return f"of {unknown:,} more it is not known, because a feed was not heard"


def _to_partners(figures: Figures) -> list[tuple[str, Measured]]:
    """Partners to whom a duty fell due, the force's own steps not among them."""
    return [(name, group) for name, group in figures.partners.items() if name and group.of_all]


def _how_to_read(figures: Figures) -> str:
    cases = f" ({count(figures.cases, 'case')})" if figures.cases else ""
    said = ["duties that fell due from Monday 00:00 to Sunday 24:00, one for each limit, child and"]
    said.append(f"organisation, so duties outnumber cases{cases}.")
    said.append("Still open and past due counts as not in time.")
    if figures.total.unknown:
        said.append(
            "Unknown: a feed was not heard, so the record may be incomplete; these stand beside the"
            " total and are never counted as in time."
        )
    said.append("How long is in clock hours, nights and weekends included.")
    said.append("No percentage under 10, no 90th percentile under 20.")
    return " ".join(said)


# -- in time, and how long --------------------------------------------------------------------


def _rows(figures: Figures, wording: Wording) -> Iterator[DigestRow]:
    """Each partner's total where several limits make it up, then its limits; own steps last."""
    before = None
    for rule_id, group in _in_order(figures, wording):
        partner = wording.rule(rule_id).partner
        several = sum(wording.rule(other).partner == partner for other in figures.rules) > 1
        if partner and partner != before and several and partner in figures.partners:
            label = f"{capital(partner.replace('_', ' '))}, all limits"
            yield _row(label, figures.partners[partner])
        before = partner
        if group.of_all:
            yield _row(wording.rule(rule_id).label, group)


def _in_order(figures: Figures, wording: Wording) -> list[tuple[str, Measured]]:
    order = {rule_id: place for place, rule_id in enumerate(wording.rules)}
    return sorted(figures.rules.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))


def _row(label: str, group: Measured) -> DigestRow:
    return DigestRow(
        label=label,
        met=group.met,
        of=group.of,
        percent=group.percent,
        late=group.late,
        open_late=group.open_late,
        unknown=group.unknown,
        cannot_route=group.cannot_route,
        note=" ".join(_notes(group)),
    )


def _notes(group: Measured) -> Iterator[str]:
    if group.unknown:
        worst = group.percent_at_worst
        share = "" if worst is None else f" ({worst} %)"
        yield f"With the unknown counted as late: {group.met} of {group.of_all}{share}."
    if group.decided_late:
        yield f"Of those late, closed by a decision not to share: {group.decided_late}."
    if group.to_confirm:
        yield f"Of those in time, still to be confirmed: {group.to_confirm}."


def _beside(total: Measured, wording: Wording) -> Iterator[str]:
    if total.exempt:
        reasons = "; ".join(f"{wording.reason(code)}, {number}" for code, number in total.reasons)
        yield f"{total.exempt} exempt by a recorded decision ({reasons})."
    if total.void:
        late = (
            f", {total.void_after_due} of them when already overdue" if total.void_after_due else ""
        )
        yield f"{total.void} void, made in error{late}."


def _on_trial(trial: OnTrial) -> Iterator[str]:
    """What rules measure that nobody has approved: it is no decided policy."""
    if apart := trial.duties - trial.counted:
        one = trial.rules == 1
        approved, measured = ("it", "it measures is") if one else ("them", "they measure is")
        yield (
            f"On trial: {count(trial.rules, 'rule')}, with"
            f" {count(apart, 'duty', 'duties')} due in the period or open. Nobody has approved"
            f" {approved}, so what {measured} in no figure here."
        )


def _spans(figures: Figures, wording: Wording) -> Iterator[DigestSpan]:
    for rule_id, group in _in_order(figures, wording):
        words, span = wording.rule(rule_id), group.span
        if not words.partner or span.longest is None:
            continue
        yield DigestSpan(
            label=words.label,
            number=span.number,
            median=lasting_about(span.median) if span.median is not None else "",
            ninetieth=lasting_about(span.ninetieth) if span.ninetieth is not None else "",
            longest=lasting_about(span.longest) + (", still open" if span.longest_is_open else ""),
        )


def _waits(figures: Figures, wording: Wording) -> Iterator[str]:
    """How long the force's own steps took."""
    for rule_id, group in _in_order(figures, wording):
        words, span = wording.rule(rule_id), group.span
        if words.partner or span.longest is None:
            continue
        said = []
        if span.median is not None:
            said.append(f"median {lasting_about(span.median)}")
        if span.ninetieth is not None:
            said.append(f"90th percentile {lasting_about(span.ninetieth)}")
        still = ", still open" if span.longest_is_open else ""
        said.append(f"longest {lasting_about(span.longest)}{still}")
        yield f"{words.label} ({span.number}): {', '.join(said)}."


# -- open now ---------------------------------------------------------------------------------


def _backlog(known: DigestInput) -> Iterator[str]:
    backlog = known.figures.backlog
    if not backlog.duties:
        under = " under a rule that is approved" if known.figures.on_trial.duties else ""
        yield f"Nothing is open{under}."
        return
    yield _open_in_all(backlog)
    for risk, ages in backlog.ages.items():
        bands = ", ".join(
            f"{band} {number}" for band, number in zip(_BANDS, ages, strict=True) if number
        )
        yield f"{capital(risk) or 'No risk recorded'} {sum(ages)}: {bands}."
    if oldest := _oldest_high_risk(known):
        yield oldest
    if backlog.deferred or backlog.review_overdue:
        yield (
            f"Deferred until a review: {backlog.deferred}."
            f" Review overdue: {backlog.review_overdue}."
        )
    if backlog.no_due:
        yield (
            f"{count(backlog.no_due, 'duty has', 'duties have')} a due time that cannot be"
            " computed, and so fell due in no week."
        )


def _open_in_all(backlog: Backlog) -> str:
    said = f"{count(backlog.duties, 'duty', 'duties')} on {count(backlog.cases, 'case')}"
    said += f"; {backlog.overdue:,} overdue" if backlog.overdue else "; none overdue"
    return f"{said}{f', {backlog.unknown:,} unknown' if backlog.unknown else ''}."


def _oldest_high_risk(known: DigestInput) -> str:
    """Named where it is not the case to do first: then it is not overdue."""
    case, first = known.figures.backlog.oldest_high_risk, known.figures.backlog.first
    if case is None or (first is not None and first.case_id == case.case_id):
        return ""
    if not (reference := known.references.get(case.case_id)):
        return ""
    since = said_of(case.started_at, at=known.figures.as_of, zone=known.zone)
    return f"Oldest open {case.risk}-risk case: {reference}, known since {since}."


def _no_notice(known: DigestInput) -> Iterator[str]:
    found = known.figures.no_notice
    if not found.overdue and not found.within_limit:
        return
    if not found.overdue or found.oldest is None:
        yield (
            f"{count(found.within_limit, 'contact')} flagged with a child"
            f" {'has' if found.within_limit == 1 else 'have'} no notice yet, all within the limit."
        )
        return
    oldest = day_said(found.oldest, at=known.figures.as_of, zone=known.zone)
    verb = "has" if found.overdue == 1 else "have"
    more = f" {found.within_limit} more within the limit." if found.within_limit else ""
    yield (
        f"{count(found.overdue, 'contact')} flagged with a child {verb} neither a notice nor a"
        f" recorded reason for none, past the limit; oldest {oldest}.{more}"
    )


# -- how good, how sure -----------------------------------------------------------------------


def _quality(total: Measured) -> Iterator[str]:
    if total.recorded:
        yield (
            f"Of {count(total.recorded, 'duty', 'duties')} done, {total.recorded_late:,}"
            f" {'was' if total.recorded_late == 1 else 'were'} recorded more than 24 h afterwards."
        )
    if total.to_confirm:
        yield (
            f"{total.to_confirm} counted as in time"
            f" {'rests' if total.to_confirm == 1 else 'rest'} on a call recorded after due that"
            " is still to be confirmed."
        )
    if total.regraded:
        yield f"Regraded to another limit after overdue: {total.regraded}, counted all the same."


def _alerts(said: Said | None) -> Iterator[str]:
    if said is None:
        return
    if not any(said):
        yield "No alert was sent."
        return
    parts = [
        f"{count(said.told, 'alert')} in {count(said.mails, 'mail')}",
        count(said.withdrawals, "withdrawal"),
        f"{said.nobody} with nobody to tell",
    ]
    if said.cancelled:
        parts.append(f"{said.cancelled} put right before anybody was told")
    if said.waiting:
        parts.append(f"{said.waiting} still to be sent")
    if said.undelivered:
        parts.append(f"{said.undelivered} NOT DELIVERED")
    yield "; ".join(parts) + "."


def _coverage(known: DigestInput) -> Iterator[str]:
    if known.feeds:
        heard = "; ".join(_feed(feed, known) for feed in known.feeds)
        yield f"{capital(heard)}."
    if known.taken_in:
        yield _could_not_be_read(known.taken_in)


def _general_notes(known: DigestInput) -> Iterator[str]:
    figures = known.figures
    if not figures.cases and not figures.backlog.duties and not figures.on_trial.duties:
        yield (
            f"No duty of {known.scope.label} is on the record, neither of this week nor open. If"
            f" that cannot be, check that the events say {str(known.scope)!r}."
        )
    if by_trial := figures.on_trial.counted:
        yield (
            f"Of the duties counted here, {by_trial} {'is' if by_trial == 1 else 'are'} measured by"
            " a version of a rule that nobody has approved: a trial, and not decided policy."
        )
    yield "Restricted cases are in no figure of this mail."


def _read_to(known: DigestInput) -> Iterator[FeedRead]:
    for feed in known.feeds:
        if (read_to := feed.state.last_heard_at) is not None:
            yield FeedRead(feed=known.wording.feed(feed.state.feed), read_to=read_to)


def _could_not_be_read(taken: TakenIn) -> str:
    unmended = f" ({taken.unmended} not mended)" if taken.set_aside else ""
    said = (
        f"Rows that could not be read and were set aside: {taken.set_aside}{unmended},"
        f" beside {count(taken.events, 'new event')}, in the whole force"
    )
    if taken.files_set_aside:
        said += f"; files set aside whole: {taken.files_set_aside}"
    if taken.conflicting:
        said += f"; contradictions, read the less favourable way: {taken.conflicting}"
    return f"{said}."


def _feed(feed: FeedHours, known: DigestInput) -> str:
    title = known.wording.feed(feed.state.feed)
    if feed.state.first_heard_at is None:
        return f"{title} NEVER HEARD"
    if not feed.silences:
        unseen = "" if feed.state.has_timetable else ", but has no timetable to miss"
        return f"{title} heard all {hours(feed.period)}{unseen}"
    named = _silences(feed, known.figures.as_of, known.zone)
    return f"{title} heard {hours(feed.heard)} of {hours(feed.period)} (silent {named})"


def _silences(feed: FeedHours, at: Instant, zone: ZoneInfo) -> str:
    *before, last = feed.silences
    said = [stretch(start, end, zone=zone) for start, end in before]
    until_now = f"from {said_of(last[0], at=at, zone=zone)} to the end"
    said.append(until_now if feed.silent_at_end else stretch(*last, zone=zone))
    if len(said) > _SILENCES_NAMED:
        said = [*said[:_SILENCES_NAMED], f"{len(said) - _SILENCES_NAMED} times more"]
    return listed(said)
