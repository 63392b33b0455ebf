"""What share was in time, and how long it took, in the words of a digest.

What comes in: figures. What goes out: rows of tables, and sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from monitor.letters import DigestRow, DigestSpan
from monitor.report.change_words import percent
from monitor.report.measured import added, percentage
from monitor.words import capital, count, lasting_about

if TYPE_CHECKING:
    from monitor.clocks.steps import Step
    from monitor.report.change import WeekPoint
    from monitor.report.cohort import Part
    from monitor.report.digest_input import DigestInput
    from monitor.report.figures import Figures, OnTrial
    from monitor.report.measured import Measured, Span
    from monitor.report.wording import Wording

_PLACES_OF_WORK: Final = ("district", "unit")
FEWEST_CASES: Final = 10
"""A part of fewer is told together with others: it could be one sergeant's work."""


def rows(figures: Figures, wording: Wording) -> Iterator[DigestRow]:
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


def week_row(point: WeekPoint) -> DigestRow:
    """One week of a chart in figures."""
    percent = percentage(point.met, point.of)
    return DigestRow(label=point.week.label, met=point.met, of=point.of, percent=percent)


def parted(figures: Figures, field: str, known_as: Mapping[str, str]) -> tuple[DigestRow, ...]:
    """The duties to partners by district, unit, category or risk: in order of names, never of rank.

    A district or unit of fewer than ten cases is put together with others, so that no row speaks of
    one person's work; where that is one alone, or several that have no ten between them, the next
    smallest goes with it, since it could be reckoned back. No table where nothing is left to tell
    apart. Concerns and risks are nobody's work: each is told, and a grave one is never hidden.
    `known_as`: the words of a vocabulary, in whose order they stand.
    """
    told, small = told_apart(field, (p for p in figures.parts.get(field, ()) if p.duties.of_all))
    order = {name: place for place, name in enumerate(known_as)}
    told.sort(key=lambda part: (not part.name, order.get(part.name, len(order)), part.name))
    rows = [_row(_named(part.name, known_as), part.duties) for part in told]
    if small and rows:
        rows.append(_row(f"{len(small)} others together", _together(small)))
    return tuple(rows) if len(rows) > 1 else ()


def told_apart(field: str, parts: Iterable[Part]) -> tuple[list[Part], list[Part]]:
    """The parts that may stand alone, the largest first, and those that go together: `parted`."""
    if field not in _PLACES_OF_WORK:
        return list(parts), []
    ordered = sorted(parts, key=lambda part: (part.cases, part.name), reverse=True)
    told = [part for part in ordered if part.cases >= FEWEST_CASES]
    small = ordered[len(told) :]
    while small and told and (len(small) == 1 or _cases(small) < FEWEST_CASES):
        small.append(told.pop())
    return told, small


def _cases(parts: Iterable[Part]) -> int:
    """At most so many: a case of two parts is counted in both."""
    return sum(part.cases for part in parts)


def _named(name: str, known_as: Mapping[str, str]) -> str:
    return capital(known_as.get(name, name.replace("_", " "))) or "Not recorded"


def _together(parts: Sequence[Part]) -> Measured:
    return added(part.duties for part in parts)


def _in_order(figures: Figures, wording: Wording) -> list[tuple[str, Measured]]:
    order = {rule_id: place for place, rule_id in enumerate(wording.rules)}
    return sorted(figures.rules.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))


def _row(label: str, group: Measured) -> DigestRow:
    return DigestRow(
        label=label,
        met=group.met,
        of=group.of,
        percent=group.percent,
        interval=_interval(group),
        late=group.late,
        open_late=group.open_late,
        unknown=group.unknown,
        cannot_route=group.cannot_route,
        note=" ".join(_notes(group)),
    )


def _interval(group: Measured) -> str:
    """`72-91 %`; empty under ten."""
    if group.interval is None:
        return ""
    low, high = (percent(Fraction(end)) for end in group.interval)
    return f"{low}-{high} %"


def _notes(group: Measured) -> Iterator[str]:
    if group.unknown:
        worst = group.percent_at_worst
        share = "" if worst is None else f" ({worst} %)"
        yield f"With the unknown counted as late: {group.met} of {group.of_all}{share}."
    if group.decided_late:
        yield f"Of those late, closed by a decision not to share: {group.decided_late}."
    if group.to_confirm:
        yield f"Of those in time, still to be confirmed: {group.to_confirm}."


def beside(total: Measured, wording: Wording) -> Iterator[str]:
    """What is in no share: exempt, with reasons, and void."""
    if total.exempt:
        reasons = "; ".join(f"{wording.reason(code)}, {number}" for code, number in total.reasons)
        yield f"{total.exempt} exempt by a recorded decision ({reasons})."
    if total.void:
        late = (
            f", {total.void_after_due} of them when already overdue" if total.void_after_due else ""
        )
        yield f"{total.void} void, made in error{late}."


def on_trial(trial: OnTrial) -> Iterator[str]:
    """What rules measure that nobody has approved: it is no decided policy."""
    if apart := trial.duties - trial.counted:
        one = trial.rules == 1
        approved, measured = ("it", "it measures is") if one else ("them", "they measure is")
        yield (
            f"On trial: {count(trial.rules, 'rule')}, with"
            f" {count(apart, 'duty', 'duties')} due in the period or open. Nobody has approved"
            f" {approved}, so what {measured} in no figure here."
        )


def spans(figures: Figures, wording: Wording) -> Iterator[DigestSpan]:
    """How long it took, by rule; the force's own steps are told by `steps`."""
    for rule_id, group in _in_order(figures, wording):
        words, span = wording.rule(rule_id), group.span
        if not words.partner or span.longest is None:
            continue
        yield DigestSpan(
            label=words.label,
            number=span.number,
            median=lasting_about(span.median) if span.median is not None else "",
            ninetieth=lasting_about(span.ninetieth) if span.ninetieth is not None else "",
            ninety_fifth=lasting_about(span.ninety_fifth) if span.ninety_fifth is not None else "",
            longest=lasting_about(span.longest) + (", still open" if span.longest_is_open else ""),
        )


def steps(known: DigestInput) -> Iterator[str]:
    """Where it waits: each step of the way, and whether longer than usual."""
    for each in known.steps:
        said = _lengths(each.span)
        if not said:
            continue
        usual = ""
        if each.usual is not None:
            low, high = lasting_about(each.usual.low), lasting_about(each.usual.high)
            usual = f" (usual {low} to {high})" if each.usual.low else f" (usual up to {high})"
        longer = ": LONGER THAN USUAL" if each.is_longer else ""
        label = step_label(each.step, known.wording)
        yield f"{label} ({each.span.number}): {said[0]}{usual}{longer}{''.join(said[1:])}."


def step_label(step: Step, wording: Wording) -> str:
    """`Contact to submitted`, `To council`, `Acknowledged by council`."""
    if title := wording.stages.get(step.kind):
        before = wording.stage_before(step.kind)
        return capital(f"{before} to {title}") if before else capital(title)
    partner = wording.partner(step.partner)
    return f"Told to {partner}" if step.kind == wording.told else f"Acknowledged by {partner}"


def _lengths(span: Span) -> list[str]:
    """The median first, then what else can be said."""
    if span.median is None or span.longest is None:
        return []
    said = [f"median {lasting_about(span.median)}"]
    if span.ninetieth is not None:
        said.append(f"; 90th percentile {lasting_about(span.ninetieth)}")
    still = ", still waiting" if span.longest_is_open else ""
    said.append(f"; longest {lasting_about(span.longest)}{still}")
    return said
