"""Control charts, drawn.

What comes in: a chart and a title that is its message. What goes out: a picture.
It does not care where the picture goes; its words for who cannot see it are in `change_words`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.report.change import ControlChart, Limits, Shows, Side, Signal, SignalKind, WeekPoint
from monitor.report.change_words import percent, share_in_words
from monitor.report.drawing.paper import (
    BAND,
    BLUE,
    GREY,
    INK,
    MEDIUM,
    ORANGE,
    RED,
    SMALL,
    Drawn,
    axes_on,
    drawn,
    head,
    paper,
    pixels,
    text,
)
from monitor.report.periods import Week
from monitor.words import dates

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT: Final = 340
"""Without the rows in which runs are said."""
_ROW: Final = 28
_LETTERS_ACROSS: Final = 43
"""Of small letters, as many as all weeks are wide."""
_RUNS_IN_FULL: Final = 2
_WEEKS_LARGE: Final = 60
"""Up to so many weeks their marks are large."""


class _RunWords(NamedTuple):
    """Where a run is said, above the weeks."""

    first: float
    last: float
    """Between which weeks its bracket goes."""
    middle: float
    row: int
    said: str


def draw_chart(chart: ControlChart, *, title: str, subtitle: str = "") -> Drawn:
    """One control chart. The title is its message; the subtitle is by default the last week."""
    runs = _run_words(chart)
    height = _HEIGHT + _ROW * (1 + max((run.row for run in runs), default=0))
    with paper(height) as figure:
        used = head(figure, title, subtitle or _last_week(chart))
        right = 16 if chart.shows is Shows.COUNTS else 112
        top = used + 12 + _ROW * (1 + max((run.row for run in runs), default=0))
        axes = axes_on(figure, left=58, right=right, top=top, bottom=76)
        if chart.shows is Shows.COUNTS:
            _count_bars(axes, chart)
        else:
            share_line(axes, chart, size=7 if len(chart.points) <= _WEEKS_LARGE else 5)
            _make_room(axes, chart)
            _at_line_ends(axes, chart)
            _say_runs(axes, runs)
            _say_outside(axes, chart)
            _bracket_of_baseline(axes, chart)
        months(axes, chart.points, most=4)
        return drawn(figure, height)


def share_line(axes: Axes, chart: ControlChart, *, size: float) -> None:
    """The weeks' shares, their average and limits; a week without a share leaves a gap."""
    low, high = span_of([chart])
    axes.set_ylim(low, high)
    axes.set_xlim(-1, len(chart.points))
    axes.set_yticks(
        ticks_between(low, high), labels=[f"{tick} %" for tick in ticks_between(low, high)]
    )
    if chart.limits:
        _lines_of_limits(axes, chart.limits)
    shares = [float(100 * point.share) if point.of else None for point in chart.points]
    axes.plot(range(len(shares)), _with_gaps(shares), color=GREY, linewidth=1.2, zorder=3)
    outside, running = _standing_out(chart)
    for place, share in enumerate(shares):
        if share is not None:
            _mark(axes, place, share, size, is_outside=place in outside, runs=place in running)


def _lines_of_limits(axes: Axes, limits: Limits) -> None:
    lower, upper = float(100 * limits.lower), float(100 * limits.upper)
    axes.axhspan(lower, upper, color=BAND, zorder=1, linewidth=0)
    axes.axhline(float(100 * limits.centre), color=INK, linewidth=1.4, zorder=2)
    for value, is_there in ((lower, limits.has_lower), (upper, limits.has_upper)):
        if is_there and not limits.is_one_value:
            axes.axhline(value, color=INK, linewidth=1.2, linestyle=(0, (5, 3)), zorder=2)


def _with_gaps(shares: Sequence[float | None]) -> list[float]:
    return [float("nan") if share is None else share for share in shares]


def _standing_out(chart: ControlChart) -> tuple[set[int], set[int]]:
    """Places of the weeks outside the limits, and of those in a run."""
    places = _places(chart)
    outside, running = set(), set()
    for signal in chart.signals:
        if signal.kind is SignalKind.OUTSIDE:
            outside.add(places[signal.first])
        else:
            running |= set(range(places[signal.first], places[signal.last] + 1))
    return outside, running


def _mark(
    axes: Axes, place: int, share: float, size: float, *, is_outside: bool, runs: bool
) -> None:
    shape, colour, larger = "o", BLUE, 1.0
    if is_outside:
        shape, colour, larger = "D", RED, 1.35
    elif runs:
        shape, colour, larger = "s", ORANGE, 1.05
    axes.plot(
        [place],
        [share],
        marker=shape,
        color=colour,
        markersize=size * larger,
        markeredgecolor=INK if colour != BLUE else "white",
        markeredgewidth=0.9 if colour != BLUE else 0.6,
        clip_on=False,
        zorder=5 if is_outside else 4,
    )


def span_of(charts: Sequence[ControlChart]) -> tuple[float, float]:
    """The percentages from which to which the axis goes, so that every chart fits."""
    values = [100 * point.share for chart in charts for point in chart.with_share]
    for chart in charts:
        if chart.limits:
            values += [100 * chart.limits.lower, 100 * chart.limits.upper]
    if not values:
        return -3.0, 103.0
    low, high = float(min(values)) - 6, float(max(values)) + 4
    missing = max(0.0, 30 - (high - low)) / 2
    return max(low - missing, -3.0), min(high + missing, 103.0)


def ticks_between(low: float, high: float) -> list[int]:
    """Percentages to be named on an axis."""
    step = 10 if high - low <= 50 else 20  # noqa: PLR2004 - six labels, large enough to read
    return [tick for tick in range(0, 101, step) if low <= tick <= high]


def _at_line_ends(axes: Axes, chart: ControlChart) -> None:
    """What each line is, with its figure, where it ends; pushed apart where they are near."""
    if chart.limits is None:
        said = f"No limits yet: {chart.why_no_limits}."
        text(axes, 0, -pixels(axes, 44), said, transform=axes.transAxes, va="top")
        return
    low, high = axes.get_ylim()
    least = (high - low) * pixels(axes, 18)
    before = low - least
    for value, said in _line_labels(chart.limits):
        before = max(value, before + least)
        text(axes, 1.012, before, said, transform=axes.get_yaxis_transform(), va="center")


def _line_labels(limits: Limits) -> list[tuple[float, str]]:
    """From the lowest to the highest."""
    centre = (float(100 * limits.centre), f"average {percent(limits.centre)} %")
    if limits.is_one_value:
        return [(centre[0], f"always {percent(limits.centre)} %")]
    lower = f"limit {percent(limits.lower)} %" if limits.has_lower else "no lower limit"
    upper = f"limit {percent(limits.upper)} %" if limits.has_upper else "no upper limit"
    return [(float(100 * limits.lower), lower), centre, (float(100 * limits.upper), upper)]


def _run_words(chart: ControlChart) -> list[_RunWords]:
    """Words for each run and the row in which they fit; briefer where there are many runs."""
    places = _places(chart)
    runs = [signal for signal in chart.signals if signal.kind is SignalKind.RUN]
    number = len(chart.points)
    words: list[_RunWords] = []
    for run in runs:
        brief = f"{run.number} {run.side}"
        said = brief if len(runs) > _RUNS_IN_FULL else f"{run.number} weeks {run.side} average"
        first, last = places[run.first] - 0.4, places[run.last] + 0.4
        reach = len(said) * number / _LETTERS_ACROSS / 2
        middle = max(min((first + last) / 2, number - reach), reach)
        near = {each.row for each in words if _ends_at(each, number) > min(first, middle - reach)}
        row = next(row for row in range(len(runs) + 1) if row not in near)
        words.append(_RunWords(first, last, middle, row, said))
    return words


def _ends_at(run: _RunWords, number: int) -> float:
    return max(run.last, run.middle + len(run.said) * number / _LETTERS_ACROSS / 2) + 1


def _say_runs(axes: Axes, runs: Sequence[_RunWords]) -> None:
    where = axes.get_xaxis_transform()
    for run in runs:
        y = 1 + pixels(axes, 6 + _ROW * run.row)
        _bracket(axes, run.first, run.last, y, up=False)
        above = y + pixels(axes, 3)
        how: dict[str, Any] = {"ha": "center", "va": "bottom", "clip_on": False}
        text(axes, run.middle, above, run.said, transform=where, **how)


def _bracket(axes: Axes, first: float, last: float, y: float, *, up: bool) -> None:
    tip = y + pixels(axes, 5 if up else -5)
    axes.plot(
        [first, first, last, last],
        [tip, y, y, tip],
        transform=axes.get_xaxis_transform(),
        color=INK,
        linewidth=1.2,
        clip_on=False,
    )


def _make_room(axes: Axes, chart: ControlChart) -> None:
    """For the word beside what is outside."""
    low, high = axes.get_ylim()
    room = (high - low) * pixels(axes, 24)
    below, above = (bool(_outside(chart, side)) for side in (Side.BELOW, Side.ABOVE))
    axes.set_ylim(low - room * below, high + room * above)


def _say_outside(axes: Axes, chart: ControlChart) -> None:
    """The word beside a week outside, once for several that are near one another."""
    places = _places(chart)
    shares = {point.week: float(100 * point.share) for point in chart.with_share}
    for side in Side:
        for group in _near(_outside(chart, side), places, len(chart.points) / 5):
            furthest = (min if side is Side.BELOW else max)(shares[each.first] for each in group)
            middle = sum(places[each.first] for each in group) / len(group)
            said = "outside" if len(group) == 1 else f"{len(group)} outside"
            axes.annotate(
                said,
                (min(middle, len(chart.points) - len(chart.points) / 12), furthest),
                xytext=(0, -9 if side is Side.BELOW else 9),
                textcoords="offset points",
                ha="center",
                va="top" if side is Side.BELOW else "bottom",
                size=SMALL,
                color=INK,
                annotation_clip=False,
            )


def _places(chart: ControlChart) -> dict[Week, int]:
    return {point.week: place for place, point in enumerate(chart.points)}


def _outside(chart: ControlChart, side: Side) -> list[Signal]:
    return [s for s in chart.signals if s.kind is SignalKind.OUTSIDE and s.side is side]


def _near(
    signals: Sequence[Signal], places: Mapping[Week, int], reach: float
) -> list[list[Signal]]:
    """Signals in groups that one label can stand for."""
    groups: list[list[Signal]] = []
    for signal in signals:
        if groups and places[signal.first] - places[groups[-1][-1].first] <= reach:
            groups[-1].append(signal)
        else:
            groups.append([signal])
    return groups


def _bracket_of_baseline(axes: Axes, chart: ControlChart) -> None:
    if chart.baseline is None:
        return
    places = _places(chart)
    first, last = places[chart.baseline.first] - 0.4, places[chart.baseline.last] + 0.4
    _bracket(axes, first, last, -pixels(axes, 38), up=True)
    number = len(chart.points)
    from_left = first < number * (1 - len(chart.baseline_label) / _LETTERS_ACROSS)
    text(
        axes,
        first if from_left else last,
        -pixels(axes, 44),
        chart.baseline_label,
        transform=axes.get_xaxis_transform(),
        ha="left" if from_left else "right",
        va="top",
    )


def _count_bars(axes: Axes, chart: ControlChart) -> None:
    """How many were met and how many were not, each week; no line tells change from chance."""
    places = range(len(chart.points))
    met = [point.met for point in chart.points]
    rest = [point.of - point.met for point in chart.points]
    axes.bar(places, met, width=0.8, color=BLUE, label="in time")
    style: dict[str, Any] = {"color": "white", "edgecolor": INK, "hatch": "////", "linewidth": 0.8}
    axes.bar(places, rest, width=0.8, bottom=met, label="not in time", **style)
    axes.set_xlim(-1, len(chart.points))
    most = max((point.of for point in chart.points), default=0)
    axes.set_yticks(range(0, most + 1, max(1, -(-most // 4))))
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 0.98),
        ncols=2,
        frameon=False,
        fontsize=MEDIUM,
        borderpad=0,
        handlelength=1.2,
    )
    text(axes, 0, -pixels(axes, 44), _why_counts(chart), transform=axes.transAxes, va="top")


def _why_counts(chart: ControlChart) -> str:
    return f"Counts only: a median of {float(chart.median):g} duties a week is too few for limits."


def months(axes: Axes, points: Sequence[WeekPoint], *, most: int) -> None:
    """Names of months at the weeks that begin in their first seven days; at most so many."""
    begins = [place for place, point in enumerate(points) if point.week.monday.day <= 7]  # noqa: PLR2004 - days of a week
    step = -(-len(begins) // most) or 1
    chosen = begins[::step]
    axes.set_xticks(chosen, labels=[_month(points[place]) for place in chosen])


def _month(point: WeekPoint) -> str:
    """`Mar 2027`."""
    _, month, year = dates(point.week.monday, point.week.monday).split()
    return f"{month[:3]} {year}"


def _last_week(chart: ControlChart) -> str:
    if not chart.points or not (last := chart.points[-1]).of:
        return "Nothing fell due in the last week."
    share = share_in_words(last)
    counts = f"{last.met:,} of {last.of:,}"
    return f"Last week {counts} in time" + (f" ({share})" if share != counts else "")
