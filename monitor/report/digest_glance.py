"""The digest at a glance: what to do first, and the week in one sentence.

What comes in: what a digest is made of. What goes out: sentences, and words for a subject.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from monitor.model import HOUR
from monitor.report.change_words import in_brief
from monitor.report.measured import Measured
from monitor.words import count, hours, lasting_about, listed, said_of

if TYPE_CHECKING:
    from monitor.report.backlog import OpenCase
    from monitor.report.digest_input import DigestInput
    from monitor.report.figures import Figures
    from monitor.report.trust import FeedHours
    from monitor.report.wording import Wording

_HEADLINE_WIDTH: Final = 60
_MOVED: Final = "telling "
"""How a phrase on a change begins."""


def headline(figures: Figures) -> Iterator[str]:
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


def silent_in_brief(known: DigestInput) -> Iterator[str]:
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
    for partner, group in to_partners(figures):
        unknown = f" ({group.unknown} unknown)" if group.unknown else ""
        shares.append(f"{partner.replace('_', ' ')} {group.met} of {group.of}{unknown}")
        longer = f"{', '.join(shares)} in time"
        if len(longer) <= _HEADLINE_WIDTH:
            said = longer
    return said


def do_first(known: DigestInput) -> str:
    """The one case to look at first, why, and where it waits; empty where nothing is overdue."""
    case = known.figures.backlog.first
    if case is None or not (reference := known.references.get(case.case_id)):
        return ""
    at, zone = known.figures.as_of, known.zone
    risk = f"{case.risk} risk" if case.risk else "no risk recorded"
    said = [f"{reference} ({risk}): {_missing(case, known.wording)}."]
    if (due := case.duties[0].due_at) is not None:
        said.append(f"Due by {said_of(due, at=at, zone=zone)}, overdue {lasting_about(at - due)}.")
    said.append(f"Clock started {said_of(case.started_at, at=at, zone=zone)}.")
    if case.stage_at is not None and (awaited := _awaited(case, known.wording)):
        said.append(f"Waiting for {awaited} since {said_of(case.stage_at, at=at, zone=zone)}.")
    said.append(_why_first(case, known))
    return " ".join(said)


def _awaited(case: OpenCase, wording: Wording) -> str:
    """The next step of its way; none after the last stage where no partner is still to be told."""
    if case.stage == next(reversed([*wording.waiting_for]), None):
        return wording.waiting_for[case.stage] if any(d.partner for d in case.duties) else ""
    return wording.waiting_for.get(case.stage, "")


def _why_first(case: OpenCase, known: DigestInput) -> str:
    number = known.figures.backlog.high_risk_cases_overdue
    if number > 1:
        return f"Of {number:,} {case.risk}-risk cases overdue this one's clock started first."
    if number == 1:
        return f"It is the only {case.risk}-risk case overdue."
    return "No overdue case is of graver risk, and of its own risk none started earlier."


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


def sentence(known: DigestInput) -> str:
    """The week in one sentence, as somebody can repeat it in a meeting."""
    figures, wording = known.figures, known.wording
    groups = [(wording.partner(name), group) for name, group in to_partners(figures)]
    if not groups:
        under = " under a rule that is approved" if figures.on_trial.duties else ""
        if known.as_known and not figures.on_trial.duties:
            return "of no duty to a partner was it known then that it fell due."
        return f"no duty to a partner fell due{under}."
    total = sum(group.of for _, group in groups)
    unknown = sum(group.unknown for _, group in groups)
    if not total:
        duties = count(unknown, "duty", "duties")
        return f"of {duties} nothing is known yet, because a feed was not heard."
    if not unknown and total == sum(group.met for _, group in groups):
        return f"{_every(total)} recorded as met in time."
    changed = _changed(known)
    # So that it can be repeated: who is furthest behind is left to the table where anything moved.
    behind = "" if _MOVED in changed else _furthest_behind(groups)
    said = (_shares(groups), behind, changed, _not_known(unknown))
    return f"{'; '.join(part for part in said if part)}."


def _changed(known: DigestInput) -> str:
    """What chance does not explain of a partner's last week; all as usual, where nothing is."""
    charted = [
        (known.wording.partner(name), chart)
        for name, _ in to_partners(known.figures)
        if (chart := known.charts.get(name)) is not None and chart.limits is not None
    ]
    moved = [(name, chart) for name, chart in charted if chart.now]
    together = known.charts.get("")
    if not moved and together is not None and together.limits is not None and together.now:
        moved = [("all partners together", together)]
    if moved:
        return "; ".join(in_brief(chart, name) for name, chart in moved)
    return "all within usual variation" if charted else ""


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


def to_partners(figures: Figures) -> list[tuple[str, Measured]]:
    """Partners to whom a duty fell due, the force's own steps not among them."""
    return [(name, group) for name, group in figures.partners.items() if name and group.of_all]
