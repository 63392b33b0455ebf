"""What a control chart says, in words.

What comes in: a chart and the name of its series. What goes out: the digest's sentences, and the
text that stands in for a picture of it.
It does not care how the chart was made. It says what the record shows, and of nobody that they are
better or worse.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from monitor.report.change import (
    RUN,
    ControlChart,
    Limits,
    Shows,
    Side,
    Signal,
    SignalKind,
    WeekPoint,
)
from monitor.report.periods import Week
from monitor.words import capital, count, dates

NO_PERCENTAGE_UNDER: Final = 10
"""A week of fewer duties is told in counts."""

_NAMED: Final = 3
"""So many weeks outside are named one by one."""
_ORDINALS: Final = ("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth")


def in_words(chart: ControlChart, name: str) -> str:
    """The digest's sentences on the last week: usual variation, or what stands out and since when.

    `name`: of the series, as a sentence begins with it: `Council`.
    """
    who = capital(name)
    if not chart.points:
        return f"{who}: no week is charted yet; the first with a duty is seldom whole."
    if not chart.points[-1].of:
        return f"{who}: nothing fell due this week, so it has no share.{_run_goes_on(chart)}"
    last = chart.points[-1]
    if chart.limits is None:
        counts = f"{who} {last.met:,} of {last.of:,} in time: "
        if chart.shows is Shows.COUNTS:
            return f"{counts}counts only, {chart.why_no_limits}."
        return f"{who} {share_in_words(last)}: no limits yet, {chart.why_no_limits}."
    said = _said_beside(chart.limits, last)
    held = {signal.kind: signal for signal in chart.now}
    if chart.limits.is_one_value:
        return _beside_one_value(who, chart.limits, last, held.get(SignalKind.OUTSIDE))
    return f"{who} {said.share}: {_judged(said, held, last)}"


def in_brief(chart: ControlChart, name: str) -> str:
    """What the last week's chart says, as a part of the sentence of the week; empty without limits.

    `as usual`; `telling health has been slower since at least the week of 11 January`; `telling
    health was below what chance explains`. At least: one week on the other side breaks a run, so
    that a change may be older than its run.
    """
    if chart.limits is None or not chart.points[-1].of:
        return ""
    held = {signal.kind: signal for signal in chart.now}
    outside, run = held.get(SignalKind.OUTSIDE), held.get(SignalKind.RUN)
    beyond = f"{outside.side} what chance explains" if outside else ""
    if run:
        pace = "slower" if run.side is Side.BELOW else "quicker"
        since = _week_of(run.first, chart.points[-1].week)
        said = f"telling {name} has been {pace} since at least the {since}"
        return f"{said}, and was {beyond}" if beyond else said
    return f"telling {name} was {beyond}" if beyond else "as usual"


def title_of(chart: ControlChart) -> str:
    """A chart's message, for its heading: `as usual`, `slower since at least the week of 1 May`."""
    if chart.limits is None:
        return "counts only" if chart.shows is Shows.COUNTS else "too few weeks for limits"
    if not chart.points[-1].of:
        return "nothing fell due in the last week"
    held = {signal.kind: signal for signal in chart.now}
    outside, run = held.get(SignalKind.OUTSIDE), held.get(SignalKind.RUN)
    said = []
    if run:
        pace = "slower" if run.side is Side.BELOW else "quicker"
        since = _week_of(run.first, chart.points[-1].week)
        said.append(f"{pace} since at least the {since}")
    if outside:
        said.append(f"{outside.side} what chance explains")
    return " and ".join(said) or "as usual"


def standing(chart: ControlChart) -> str:
    """How the last week stands, as briefly as can be: `as usual`, `8 weeks below, outside`."""
    if chart.shows is Shows.COUNTS:
        return "counts only"
    if chart.limits is None:
        return "no limits yet"
    said = [
        f"{signal.number} weeks {signal.side}" if signal.kind is SignalKind.RUN else "outside"
        for signal in chart.now
    ]
    return ", ".join(said) or "as usual"


def alt_of_many(charts: Sequence[tuple[str, ControlChart]], name: str) -> str:
    """The text that stands in for a picture of several charts side by side, in their order."""
    return f"Small control charts, {name}. " + " ".join(
        f"{place}: {_last_share(chart)}, {standing(chart)}." for place, chart in charts
    )


def alt(chart: ControlChart, name: str) -> str:
    """The text that stands in for a picture of the chart: its message, with the figures."""
    if not chart.points:
        return f"{capital(name)}: no week is charted."
    first, last = chart.points[0], chart.points[-1]
    over = f"{count(len(chart.points), 'week')} from {_monday(first.week)} to {_sunday(last.week)}"
    if chart.shows is Shows.COUNTS:
        met, of = (sum(each) for each in zip(*((p.met, p.of) for p in chart.points), strict=True))
        title = f"Weekly counts, {name}: {over}, {met:,} of {of:,} in time"
    else:
        title = f"Control chart of the weekly share in time, {name}: {over}"
    said = [f"{title}.", in_words(chart, name)]
    if chart.limits:
        beside = "" if last.of else f"Average {_expected(chart.limits)}. "
        said.append(f"{beside}{capital(chart.baseline_label)}. Stands out: {_standing(chart)}.")
    return " ".join(said)


def signal_in_words(signal: Signal) -> str:
    """`8 weeks running below the average, from the week of 11 January 2027`."""
    began = f"the week of {_monday(signal.first)}"
    if signal.kind is SignalKind.OUTSIDE:
        return f"outside the limits, {signal.side}, in {began}"
    return (
        f"{signal.number} weeks running {signal.side} the average, from {began} to that of"
        f" {_monday(signal.last)}"
    )


def share_in_words(point: WeekPoint, digits: int = 0) -> str:
    """`83 %`; `6 of 8` under ten duties."""
    if point.of < NO_PERCENTAGE_UNDER:
        return f"{point.met} of {point.of}"
    return f"{percent(point.share, digits)} %"


def percent(share: Fraction, digits: int = 0) -> str:
    """Rounded to the nearest, without its sign; only all is 100, and only none is 0."""
    parts = 10**digits
    nearest = int(share * 100 * parts + Fraction(1, 2))
    if share not in (0, 1):
        nearest = min(100 * parts - 1, max(1, nearest))
    return f"{nearest // parts}" + (f".{nearest % parts:0{digits}}" if digits else "")


def _last_share(chart: ControlChart) -> str:
    if not chart.points or not (last := chart.points[-1]).of:
        return "nothing fell due in the last week"
    return f"last week {share_in_words(last)} in time"


class _Beside(NamedTuple):
    """A week's share, the average and the limits, in digits that keep them apart."""

    share: str
    centre: str
    expected: str


def _said_beside(limits: Limits, point: WeekPoint) -> _Beside:
    apart = (limits.centre, limits.lower, limits.upper)
    digits = next((some for some in (0, 1) if _are_apart(point.share, apart, some)), 2)
    lower, upper = percent(limits.lower, digits), percent(limits.upper, digits)
    return _Beside(
        share=share_in_words(point, digits),
        centre=percent(limits.centre, digits),
        expected=f"{lower} to {upper}{_without(limits)}",
    )


def _are_apart(share: Fraction, others: Sequence[Fraction], digits: int) -> bool:
    """Whether what differs also differs when rounded; two decimal places always do for people."""
    return all(
        share == other or percent(share, digits) != percent(other, digits) for other in others
    )


def _judged(said: _Beside, held: dict[SignalKind, Signal], last: WeekPoint) -> str:
    outside, run = held.get(SignalKind.OUTSIDE), held.get(SignalKind.RUN)
    if outside is None and run is None:
        return f"usual variation (average {said.centre}, expected {said.expected})."
    if outside is None:
        assert run is not None
        return (
            f"inside {said.expected}, but {_running(run, last, said.centre)}. By the chart's rule"
            " that is a real change, not chance."
        )
    also = f", and {_running(run, last, said.centre)}" if run else ""
    week = _week_of(outside.first, outside.last)
    return f"outside {said.expected}, {outside.side} what chance explains, in the {week}{also}."


def _running(run: Signal, last: WeekPoint, centre: str) -> str:
    week = f"the {_ordinal(run.number)} week running {run.side} the average of {centre}"
    return f"{week}, since the {_week_of(run.first, last.week)}"


def _run_goes_on(chart: ControlChart) -> str:
    held = (signal for signal in chart.now if signal.kind is SignalKind.RUN)
    return "".join(f" Before it, {signal_in_words(run)}." for run in held)


def _beside_one_value(who: str, limits: Limits, last: WeekPoint, outside: Signal | None) -> str:
    always = f"every week of the baseline was {percent(limits.centre, 0)} %"
    if outside is None:
        return f"{who} {share_in_words(last)}: as usual; {always}, so any other share stands out."
    return (
        f"{who} {share_in_words(last)} ({last.met:,} of {last.of:,}): {outside.side} the usual;"
        f" {always}, so any other share stands out, however near."
    )


def _expected(limits: Limits) -> str:
    lower, upper = percent(limits.lower), percent(limits.upper)
    return f"{percent(limits.centre)}, expected {lower} to {upper}{_without(limits)}"


def _standing(chart: ControlChart) -> str:
    """What stands out; many weeks outside on one side as their number and the last of them."""
    said = [signal_in_words(each) for each in chart.signals if each.kind is SignalKind.RUN]
    for side in Side:
        outside = [s for s in chart.signals if (s.kind, s.side) == (SignalKind.OUTSIDE, side)]
        if len(outside) > _NAMED:
            number = f"{len(outside)} weeks outside the limits, {side}"
            said.append(f"{number}, the last the week of {_monday(outside[-1].last)}")
        else:
            said += map(signal_in_words, outside)
    return "; ".join(said) or "no week"


def _without(limits: Limits) -> str:
    """Said where a limit would lie beyond what a share can be."""
    if limits.has_lower and limits.has_upper:
        return ""
    if limits.has_upper:
        return ", no lower limit"
    return ", no upper limit" if limits.has_lower else ", no limits"


def _ordinal(number: int) -> str:
    if number - RUN < len(_ORDINALS):
        return _ORDINALS[number - RUN]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"


def _week_of(week: Week, said_in: Week) -> str:
    """`week of 11 January`, with its year where it is not that of the week it is said in."""
    day = _monday(week)
    same = week.monday.year == said_in.monday.year
    return f"week of {day.rpartition(' ')[0] if same else day}"


def _monday(week: Week) -> str:
    return dates(week.monday, week.monday)


def _sunday(week: Week) -> str:
    sunday = week.monday + dt.timedelta(days=6)
    return dates(sunday, sunday)
