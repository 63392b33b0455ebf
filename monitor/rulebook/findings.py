"""What a person would miss in a rulebook whose rules fit together and do not do what is meant.

What comes in: a rulebook, and what the feeds of an installation can bring. What goes out: findings
in words, each with the way to mend it. It does not care who holds which role: `escalate.gaps` does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from monitor.model import DAY, HOUR, MINUTE, Duration, Instant
from monitor.rulebook.book import MEASURING_FIELDS, Duty, Rulebook
from monitor.rulebook.language import Alerts, Condition, Rule
from monitor.rulebook.versions import Version
from monitor.words import count
from monitor.worktime.calendar import PastHorizon
from monitor.worktime.limits import EventTime, Limit, NextOpening, Unit, shift
from monitor.worktime.limits import due as due_after

_FORTNIGHT: Final = 14 * DAY
"""Starts at every hour of so many days show the shortest time that a limit really leaves."""


class Finding(NamedTuple):
    """One thing to look at."""

    about: str
    """A rule, ladder, category or role."""
    what: str
    mend: str
    refused: bool = False
    """Whether a rulebook that has it may not come into force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brings:
    """One kind of event that a feed brings, and what its mapping lets it say."""

    kind: str
    always: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Attribute → the words of which it says one; others may be said freely, or never."""
    sometimes: frozenset[str] = frozenset()
    """Attributes that it can say anything of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A feed, as far as rules depend on it."""

    brings: tuple[Brings, ...]
    late: Duration
    """How long after a fact it may be before the feed is heard past it: its cadence and its lag."""


def findings(
    rulebook: Rulebook, sources: Mapping[str, Source], *, now: Instant, today: dt.date
) -> list[Finding]:
    """Everything in a rulebook that a person should look at, grouped by what it is about.

    `sources`: feed → what it brings; with none, nothing is said about feeds. `now` and `today`: the
    same moment, as an instant and as a date where the force is.
    """
    found = [*_uncovered(rulebook)]
    for rule_id, duties in rulebook.duties.items():
        found += _versions(rule_id, [duty.rule for duty in duties])
        found += _left_out(duties[0].rule, today)
        found += _of_newest(duties[-1], sources, now=now, today=today)
    return found


def _of_newest(
    duty: Duty,
    sources: Mapping[str, Source],
    *,
    now: Instant,
    today: dt.date,
) -> Iterator[Finding]:
    rule = duty.rule
    if rule.effective.to is not None and rule.effective.to < today:
        return
    yield from _review(rule, today)
    yield from _past_the_end(duty, now=now)
    yield from _warns_before_the_start(duty, now=now)
    if sources:
        yield from _never_brought(rule, sources)
        yield from _too_short(duty, sources, now=now)
        yield from _heard_of_too_late(duty, sources, now=now)


# -- cases that no rule covers ----------------------------------------------------------------


def _uncovered(rulebook: Rulebook) -> Iterator[Finding]:
    """Categories, or some risks of them, of which no rule in force asks that anybody be told."""
    vocabulary = rulebook.vocabulary
    asking = [
        duties[-1].rule
        for duties in rulebook.duties.values()
        if duties[-1].rule.partner and duties[-1].rule.alerts is not Alerts.OFF
    ]
    for category, title in vocabulary.categories.items():
        without = [
            risk
            for risk in (*vocabulary.risks, "")
            if not any(_may_cover(rule, category=category, risk=risk) for rule in asking)
        ]
        if len(without) > len(vocabulary.risks):
            what = f"no rule asks that a partner be told of {title}"
        elif without:
            risks = ", ".join(risk or "not said" for risk in without)
            what = f"no rule asks that a partner be told of {title} where the risk is {risks}"
        else:
            continue
        yield Finding(
            f"category {category}",
            what,
            "add it to the `applies` of a rule, or map it to another category in the feeds",
        )


def _may_cover(rule: Rule, **said: str) -> bool:
    """Whether a case with these attributes can come under a rule, as far as they decide it."""
    applies = rule.case_attributes
    if any(word not in applies[name] for name, word in said.items() if name in applies):
        return False
    return any(
        all(word in start.where[name] for name, word in said.items() if name in start.where)
        for start in rule.start
    )


# -- versions ---------------------------------------------------------------------------------


def _versions(rule_id: str, versions: list[Rule]) -> Iterator[Finding]:
    """Days that two versions claim, that none does, and versions that never govern."""
    for rule in versions:
        ends = rule.effective.to
        if ends is not None and ends < rule.effective.from_:
            yield Finding(
                rule_id,
                f"version {rule.version} ends on {ends}, before it begins",
                "correct effective.to",
            )
    for older, newer in pairwise(versions):
        begins, ends = newer.effective.from_, older.effective.to
        if begins <= older.effective.from_:
            yield Finding(
                rule_id,
                f"version {older.version} never governs: version {newer.version} begins on"
                f" {begins}, when it would",
                "correct effective.from of one of them",
            )
        elif ends is not None and ends >= begins:
            yield Finding(
                rule_id,
                f"version {older.version} runs to {ends} and version {newer.version} from"
                f" {begins}: from then on the newer governs",
                f"set effective.to of version {older.version} to the day before, or leave it out",
            )
        elif ends is not None and ends < begins - dt.timedelta(days=1):
            yield Finding(
                rule_id,
                f"nothing governs what starts after {ends} and before {begins}",
                "let one version begin on the day after the other ends",
            )


def _left_out(oldest: Rule, today: dt.date) -> Iterator[Finding]:
    """Days before a version that follows one of which there is no file."""
    if oldest.version > 1 and oldest.effective.from_ > today:
        yield Finding(
            oldest.id,
            f"nothing governs what starts before {oldest.effective.from_}: no file has a version"
            f" before version {oldest.version}",
            f"put version {oldest.version - 1} back as a file of its own",
        )


def vanished(gone: Version, *, open_clocks: int, today: dt.date) -> Iterator[Finding]:
    """A version that no file has any more, while it still holds or clocks run by it."""
    holds = gone.until is None or gone.until >= today
    if not holds and not open_clocks:
        return
    number = gone.rule.version
    since = gone.rule.effective.from_
    until = "" if gone.until is None else f" to {gone.until}"
    runs = f", and {count(open_clocks, 'clock')} still run{'s' * (open_clocks == 1)} by it"
    yield Finding(
        gone.rule.id,
        f"no file has version {number} any more: it governs starts from {since}{until}"
        f"{runs if open_clocks else ''}",
        f"put version {number} back as a file of its own, beside the newer one",
    )


def beginning(rule: Rule, approved: Iterable[Rule], *, today: dt.date) -> list[Finding]:
    """What a version that nobody approved yet changes of what was measured already.

    `approved`: the approved versions of any rules; a rule that has none among them changes nothing
    that is measured, since it measures on trial.
    """
    older = max(
        (each for each in approved if each.id == rule.id and each.version < rule.version),
        key=lambda each: each.version,
        default=None,
    )
    if older is None:
        return []
    begins, before = rule.effective.from_, older.effective.from_
    found = []
    if begins <= before:
        when = "before" if begins < before else "on the day on which"
        found.append(
            f"version {rule.version} begins on {begins}, {when} the approved version"
            f" {older.version} does ({before}): version {older.version} would govern nothing"
        )
    if begins <= today and _measures(rule) != _measures(older):
        when = "which is past" if begins < today else "which is today"
        found.append(
            f"version {rule.version} begins on {begins}, {when}: once it is approved, it measures"
            " what has started since and still runs, and people may be told of it; what has ended"
            " since keeps its measure until `monitor reassess`"
        )
    mend = "set effective.from to a day to come, unless it is meant so"
    return [Finding(rule.id, what, mend) for what in found]


def _measures(rule: Rule) -> list[object]:
    return [getattr(rule, name) for name in MEASURING_FIELDS]


def _review(rule: Rule, today: dt.date) -> Iterator[Finding]:
    if rule.authority.review_due < today:
        yield Finding(
            rule.id,
            f"its review was due on {rule.authority.review_due}",
            "look at it again, and set authority.review_due to the next date",
        )


# -- what feeds bring -------------------------------------------------------------------------


def _never_brought(rule: Rule, sources: Mapping[str, Source]) -> Iterator[Finding]:
    brought = [each for source in sources.values() for each in source.brings]
    if not _any_brought(rule.start, brought):
        yield Finding(
            rule.id,
            "no feed brings what starts it: it never runs",
            f"map {_kinds(rule.start)} in a feed, or retire the rule",
        )
    elif not _any_brought(rule.stop, brought):
        yield Finding(
            rule.id,
            "no feed brings what stops it: every clock of it will be overdue",
            f"map {_kinds(rule.stop)} in a feed, or retire the rule",
            refused=rule.alerts is Alerts.ON,
        )


def _any_brought(conditions: Iterable[Condition], brought: Iterable[Brings]) -> bool:
    brought = list(brought)
    return any(
        each.kind in condition.kind and _can_say(each, condition)
        for condition in conditions
        for each in brought
    )


def _can_say(brings: Brings, condition: Condition) -> bool:
    """Whether an event of a feed can carry what a condition asks for."""
    for name, words in condition.where.items():
        if name in brings.always:
            if brings.always[name].isdisjoint(words):
                return False
        elif name not in brings.sometimes and "" not in words:
            return False
    return True


def _kinds(conditions: Iterable[Condition]) -> str:
    return " or ".join(dict.fromkeys(kind for each in conditions for kind in each.kind))


def _too_short(duty: Duty, sources: Mapping[str, Source], *, now: Instant) -> Iterator[Finding]:
    """A limit over before the feed could show that it was kept: alerts would all wait or be wrong.

    The first overdue rung waits for the feed as long as it may be late; a limit shorter than that
    is told of only after it, whatever happened.
    """
    leaves = shortest(duty, now=now)
    if leaves is None:
        return
    for name in duty.rule.stop_feeds:
        source = sources.get(name)
        if source is not None and leaves < source.late:
            yield Finding(
                duty.rule.id,
                f"its limit can be over after {_minutes(leaves)}, and {name} shows what stops it"
                f" up to {_minutes(source.late)} later",
                f"let {name} come more often, or set alerts to digest",
                refused=duty.rule.alerts is Alerts.ON,
            )


def _heard_of_too_late(
    duty: Duty, sources: Mapping[str, Source], *, now: Instant
) -> Iterator[Finding]:
    """A limit over before the start was heard of, by the feed that brings it soonest."""
    leaves = shortest(duty, now=now)
    late = [
        (source.late, name)
        for name, source in sources.items()
        if _any_brought(duty.rule.start, source.brings)
    ]
    if leaves is None or not late or leaves >= min(late)[0]:
        return
    longest, name = min(late)
    yield Finding(
        duty.rule.id,
        f"it can be overdue when it is first heard of: its limit can be over after"
        f" {_minutes(leaves)}, and {name} brings what starts it up to {_minutes(longest)} later",
        f"let {name} come more often, or take it that nobody is warned of such a clock",
    )


def _warns_before_the_start(duty: Duty, *, now: Instant) -> Iterator[Finding]:
    """Warnings longer before due than there is time; those in working time are not looked at."""
    leaves = shortest(duty, now=now) if duty.ladder else None
    for rung in duty.ladder.rungs if duty.ladder else ():
        limit = rung.at.limit
        if leaves is None or limit is None or not rung.is_warning:
            continue
        if limit.unit is Unit.ELAPSED and limit.amount > leaves:
            yield Finding(
                duty.rule.id,
                f"a warning of {duty.rule.ladder}, {rung.at}, lies before its start: its limit can"
                f" be over after {_minutes(leaves)}",
                "tell by a ladder that warns later",
            )


def shortest(duty: Duty, *, now: Instant) -> Duration | None:
    """The shortest time that a limit leaves, over starts at each hour of a fortnight from `now`.

    None where the start itself says when it is due, or the calendar ends before. So for the next
    opening: it is as short as the start is late, and telling waits for the feed as it always does.
    """
    limit = duty.rule.threshold
    if isinstance(limit, EventTime | NextOpening):
        return None
    left = [
        due - start
        for start in range(now, now + _FORTNIGHT, HOUR)
        if (due := _due(duty, limit, start)) is not None
    ]
    return min(left, default=None)


def _due(duty: Duty, limit: Limit, start: Instant) -> Instant | None:
    try:
        return due_after(
            start,
            limit,
            calendar=duty.calendar,
            day_end=duty.rule.day_ends,
            receipt=duty.rule.closed_day_receipt,
        )
    except PastHorizon:
        return None


# -- calendars that end -----------------------------------------------------------------------


def _past_the_end(duty: Duty, *, now: Instant) -> Iterator[Finding]:
    """Rungs of a clock that starts now which its calendar is too short for."""
    if duty.ladder is None or isinstance(duty.rule.threshold, EventTime):
        return
    due = _due(duty, duty.rule.threshold, now)
    if due is None:
        yield Finding(
            duty.rule.id,
            f"the calendar {duty.rule.calendar} ends before what starts now is due",
            "add holidays and extend the calendar",
            refused=duty.rule.alerts is Alerts.ON,
        )
        return
    beyond = [
        number
        for number, rung in enumerate(duty.ladder.rungs, start=1)
        if rung.at.limit is not None and _is_beyond(due, rung.at.limit, rung.at.sign, duty)
    ]
    if beyond:
        numbers = ", ".join(map(str, beyond))
        yield Finding(
            duty.rule.id,
            f"rung {numbers} of {duty.ladder.id} lies past the end of the calendar"
            f" {duty.rule.calendar}: nobody would be told",
            "add holidays and extend the calendar",
        )


def _is_beyond(due: Instant, limit: Limit, sign: int, duty: Duty) -> bool:
    try:
        shift(due, limit if sign > 0 else -limit, duty.calendar)
    except PastHorizon:
        return True
    return False


def _minutes(length: Duration) -> str:
    hours, minutes = divmod(length // MINUTE, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes:02}" if minutes else f"{hours} h"
