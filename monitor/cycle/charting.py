"""The control charts of a scope, and the pictures of figures.

What comes in: an installation, an open transaction, the last week to chart; or how long duties
took. What goes out: a chart for each partner and district, and pictures for digests and packs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from monitor.cycle.series import weekly_shares
from monitor.letters import Picture
from monitor.model import HOUR
from monitor.report.change import Baseline, ControlChart, control_chart, since_first
from monitor.report.change_words import alt, alt_of_many, title_of
from monitor.report.lengths import alt_of_lengths, lengths_in_bars
from monitor.report.periods import Week
from monitor.report.scopes import Scope
from monitor.report.series import Series
from monitor.worktime.limits import Unit

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.model import Instant
    from monitor.report.cohort import Took
    from monitor.report.wording import Wording
    from monitor.rulebook.book import Rulebook
    from monitor.store.engine import Connection

WEEKS: Final = 104
"""So many weeks are charted, where so many are known. Limits come from the first 26 of them, and so
stay where they are for two years; by then a baseline should be stated (docs/charts.md)."""
ALL: Final = Series()


def charted_weeks(
    monitor: Monitor,
    connection: Connection,
    week: Week,
    *,
    now: Instant,
    where: Mapping[str, str],
    number: int = WEEKS,
) -> Mapping[Series, ControlChart]:
    """The charts of all partners and of each, in all and by district, up to a week.

    A week that is not over is left out. Weeks before the first duty of the scope are no weeks, and
    that duty's own is seldom whole: charts begin with the week after it, all with the same one, so
    that they stand beside each other.
    """
    last = week if week.end(monitor.zone) <= now else week.earlier
    baseline = _baseline(monitor)
    first = _back(last, number - 1)
    if baseline is not None:
        first = min(first, baseline.first)
    found = weekly_shares(monitor, connection, first=first, last=last, where=where, now=now)
    if ALL not in found:
        return {}
    known = len(since_first(found[ALL]))
    if known < len(found[ALL]):
        known -= 1
    return {
        series: control_chart(points[len(points) - known :], baseline=baseline)
        for series, points in found.items()
    }


def _baseline(monitor: Monitor) -> Baseline | None:
    stated = monitor.settings.digest.baseline
    return None if stated is None else Baseline(*map(Week.parse, stated))


def _back(week: Week, number: int) -> Week:
    for _ in range(number):
        week = week.earlier
    return week


def pictures(charts: Mapping[Series, ControlChart], scope: Scope) -> tuple[Picture, ...]:
    """The chart of a scope, and for the whole force beneath it one small chart a district."""
    if ALL not in charts:
        return ()
    shown = [_chart(charts[ALL], scope.label)]
    districts = _by_district(charts)
    if not scope.columns and len(districts) > 1:
        shown.append(_panels(districts))
    return tuple(shown)


def _chart(chart: ControlChart, label: str) -> Picture:
    # matplotlib is loaded only where something is drawn.
    from monitor.report.drawing import draw_chart  # noqa: PLC0415

    title = f"{label}, all partners: {title_of(chart)}"
    drawn = draw_chart(chart, title=title)
    said = alt(chart, f"duties to all partners, {label}")
    return Picture(
        name="weeks", content=drawn.content, alt=said, width=drawn.width, height=drawn.height
    )


def _panels(districts: Sequence[tuple[str, ControlChart]]) -> Picture:
    from monitor.report.drawing import draw_small_multiples  # noqa: PLC0415 - as above

    drawn = draw_small_multiples(districts, title="The same in each district")
    return Picture(
        name="districts",
        content=drawn.content,
        alt=alt_of_many(districts, "duties to all partners"),
        width=drawn.width,
        height=drawn.height,
    )


def _by_district(charts: Mapping[Series, ControlChart]) -> list[tuple[str, ControlChart]]:
    """In order of their names; a district that the record does not name is none."""
    return [
        (Scope("district", each.district).label, chart)
        for each, chart in sorted(charts.items())
        if each.district and not each.partner
    ]


# -- how long it took -------------------------------------------------------------------------


def busiest(lengths: Mapping[str, Took]) -> str:
    """The rule with the most duties; the first of several, empty where there is none."""
    return max(sorted(lengths), key=lambda rule: _number(lengths[rule]), default="")


def _number(took: Took) -> int:
    return sum(map(len, took.ended)) + len(took.still_open)


def length_picture(
    name: str, rule: str, took: Took, words: Wording, rulebook: Rulebook
) -> Picture | None:
    """How long the duties of a rule took, and its limit; None of too few to have a shape."""
    bars = lengths_in_bars(
        [length / HOUR for length in chain(*took.ended)],
        limit=_limit(rule, rulebook),
        still_open=[age / HOUR for age in took.still_open],
    )
    if bars is None:
        return None
    from monitor.report.drawing import draw_lengths  # noqa: PLC0415 - as above

    label = words.rule(rule).label
    drawn = draw_lengths(bars, title=label)
    said = alt_of_lengths(bars, label)
    return Picture(
        name=name, content=drawn.content, alt=said, width=drawn.width, height=drawn.height
    )


def _limit(rule: str, rulebook: Rulebook) -> float | None:
    """In hours, where the newest version's limit runs on clock hours."""
    threshold = rulebook.newest(rule).rule.threshold
    return threshold.amount / HOUR if threshold.unit is Unit.ELAPSED else None
