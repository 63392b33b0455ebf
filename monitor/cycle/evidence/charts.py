"""Control charts of the 24 months to the end of the period, with every figure that they draw.

What comes in: what was asked. What goes out: a section. It does not judge what a change came of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from monitor.cycle.charting import charted_weeks
from monitor.report.change import RULES, ControlChart, Shows
from monitor.report.change_words import alt, alt_of_many, signal_in_words, title_of
from monitor.report.drawing import Drawn, draw_chart, draw_small_multiples
from monitor.report.evidence import Column, Image, Row, Section, Table
from monitor.report.periods import Week
from monitor.report.series import Series
from monitor.words import capital

if TYPE_CHECKING:
    from monitor.cycle.evidence.asked import Asked

Charts: TypeAlias = Mapping[Series, ControlChart]

WEEKS: Final = 104
"""Of 24 months."""
_LIMITS: Final = (
    Column("partner", "Partner"),
    Column("district", "District"),
    Column("shows", "Shows"),
    Column("weeks", "Weeks", "number"),
    Column("baseline_first", "Baseline from the week of", "date"),
    Column("baseline_last", "to the week of", "date"),
    Column("average", "Average", "share"),
    Column("lower", "Lower limit", "share"),
    Column("upper", "Upper limit", "share"),
    Column("stands_out", "What stands out"),
)
_WEEKS: Final = (
    Column("district", "District"),
    Column("week", "Week"),
    Column("monday", "Its Monday", "date"),
    Column("met", "Met in time", "count"),
    Column("not_met", "Not in time", "count"),
    Column("duties", "Duties", "count"),
    Column("share", "Share", "share"),
)


def section(asked: Asked) -> Section:
    """The charts of each partner, in all and by district."""
    charts = charted_weeks(
        asked.monitor,
        asked.connection,
        Week.before(asked.until, asked.zone),
        now=asked.until,
        where={},
        number=WEEKS,
    )
    partners = _partners(asked, charts)
    return Section(
        name="charts",
        title="Control charts",
        paragraphs=_paragraphs(charts),
        tables=(_limits(charts, partners), *(_weeks(charts, each) for each in partners)),
        images=tuple(_images(asked, charts, partners)),
    )


def _partners(asked: Asked, charts: Charts) -> list[str]:
    """All together first, then in the order of the vocabulary."""
    found = {series.partner for series in charts}
    ordered = [each for each in asked.monitor.rulebook.vocabulary.partners if each in found]
    return [*([""] if "" in found else []), *ordered, *sorted(found - {"", *ordered})]


def _paragraphs(charts: Charts) -> tuple[str, ...]:
    if not charts:
        return ("No duty to a partner fell due in any week that is over.",)
    return (
        (
            "Each point is a week: the share of the duties to partners due in it that were met in"
            " time, as known when this pack was made. Open and late counts as late. Exempt, void"
            " and unknown duties are in no share. Weeks run from Monday to Sunday, and only those"
            " that are over are charted, 104 at most, from the week after that of the first duty"
            " on."
        ),
        (
            "The limits are those of an individuals chart: the mean of the baseline's weekly"
            f" shares, and 2.66 mean moving ranges on either side. {RULES} Both also arise by"
            " chance: about one chart in two shows something somewhere in a year in which nothing"
            " changed, and about one in thirty in its last week."
        ),
    )


def _images(asked: Asked, charts: Charts, partners: list[str]) -> Iterator[Image]:
    for done, partner in enumerate(partners):
        asked.progress("control charts", done, len(partners))
        yield from _images_of(charts, partner)


def _images_of(charts: Charts, partner: str) -> Iterator[Image]:
    """The chart of a partner, and one of small ones by district where there are several."""
    whole, name, stem = charts[Series(partner)], _name(partner), partner or "all"
    title = f"{capital(name)}: {title_of(whole)}"
    yield _image(f"weeks-{stem}", draw_chart(whole, title=title), alt(whole, name), partner)
    districts = [
        (capital(series.district), chart)
        for series, chart in sorted(charts.items())
        if series.partner == partner and series.district
    ]
    if len(districts) > 1:
        title = f"{capital(name)}, by district"
        drawn = draw_small_multiples(districts, title=title)
        said = alt_of_many(districts, f"{name} by district")
        yield _image(f"districts-{stem}", drawn, said, partner)


def _image(name: str, drawn: Drawn, said: str, partner: str) -> Image:
    return Image(
        name=name.replace("_", "-"),
        content=drawn.content,
        alt=said,
        width=drawn.width,
        height=drawn.height,
        table=_table_name(partner),
    )


def _name(partner: str) -> str:
    return partner.replace("_", " ") or "all partners"


def _table_name(partner: str) -> str:
    return f"weeks-{partner.replace('_', '-') or 'all-partners'}"


def _limits(charts: Charts, partners: list[str]) -> Table:
    return Table(
        name="control-charts",
        title="Averages, limits and what stands out",
        columns=_LIMITS,
        rows=[
            _limits_row(series, charts[series])
            for partner in partners
            for series in sorted(charts)
            if series.partner == partner
        ],
        note="An empty limit lies beyond what a share can be, or there is none: then it says why.",
    )


def _limits_row(series: Series, chart: ControlChart) -> Row:
    limits, baseline = chart.limits, chart.baseline
    return (
        _name(series.partner),
        capital(series.district) or "all",
        "counts" if chart.shows is Shows.COUNTS else "shares",
        len(chart.points),
        baseline.first.monday.isoformat() if baseline else None,
        baseline.last.monday.isoformat() if baseline else None,
        float(limits.centre) if limits else None,
        float(limits.lower) if limits and limits.has_lower else None,
        float(limits.upper) if limits and limits.has_upper else None,
        "; ".join(map(signal_in_words, chart.signals)) or chart.why_no_limits or "nothing",
    )


def _weeks(charts: Charts, partner: str) -> Table:
    return Table(
        name=_table_name(partner),
        title=f"Week by week, {_name(partner)}",
        columns=_WEEKS,
        rows=[
            _week_row(series, place, charts[series])
            for series in sorted(charts)
            if series.partner == partner
            for place in range(len(charts[series].points))
        ],
    )


def _week_row(series: Series, place: int, chart: ControlChart) -> Row:
    point = chart.points[place]
    return (
        capital(series.district) or "all",
        str(point.week),
        point.week.monday.isoformat(),
        point.met,
        point.of - point.met,
        point.of,
        float(point.share) if point.of else None,
    )
