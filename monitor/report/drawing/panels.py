"""One small control chart for each of several places, drawn beside one another.

What comes in: charts by name. What goes out: one picture, in alphabetical order and on the same
axes: nothing in it is a ranking.
It does not care what the names are of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from monitor.report.change import ControlChart, Shows
from monitor.report.change_words import percent, standing
from monitor.report.drawing.paper import (
    MEDIUM,
    WIDTH,
    Drawn,
    axes_on,
    drawn,
    head,
    paper,
    pixels,
    text,
)
from monitor.report.drawing.weeks import months, share_line, span_of, ticks_between

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TOP: Final = 64
_EACH: Final = 176
_FOOT: Final = 8
_LETTERS_OF_NAME: Final = 26


def draw_small_multiples(charts: Sequence[tuple[str, ControlChart]], *, title: str) -> Drawn:
    """A panel for each name, in alphabetical order, all on the same axes; ValueError for none."""
    if not charts:
        raise ValueError("no panel to draw")
    ordered = sorted(charts, key=lambda each: (each[0].casefold(), each[0]))
    rows = -(-len(ordered) // 2)
    height = _TOP + rows * _EACH + _FOOT
    low, high = span_of([chart for _, chart in ordered if chart.shows is Shows.SHARES])
    with paper(height) as figure:
        head(figure, title, "Weekly share in time. Shaded: what chance explains.")
        for place, (name, chart) in enumerate(ordered):
            row, column = divmod(place, 2)
            axes = _panel(figure, height, row, column)
            _say_panel(axes, name, chart)
            _draw_panel(axes, chart, low, high, labelled=column == 0)
            months(axes, chart.points, most=2)
        return drawn(figure, height)


def _panel(figure: Figure, height: int, row: int, column: int) -> Axes:
    left = 52 if column == 0 else 310
    top = _TOP + row * _EACH
    return axes_on(
        figure,
        left=left,
        right=WIDTH - left - 196,
        top=top + 44,
        bottom=height - top - _EACH + 28,
    )


def _say_panel(axes: Axes, name: str, chart: ControlChart) -> None:
    on: dict[str, Any] = {"transform": axes.transAxes, "va": "bottom", "clip_on": False}
    brief = name if len(name) <= _LETTERS_OF_NAME else f"{name[: _LETTERS_OF_NAME - 1]}…"
    text(axes, 0, 1 + pixels(axes, 22), brief, size=MEDIUM, weight="bold", **on)
    text(axes, 0, 1 + pixels(axes, 5), standing(chart), **on)


def _draw_panel(
    axes: Axes, chart: ControlChart, low: float, high: float, *, labelled: bool
) -> None:
    ticks = ticks_between(low, high)[::2]
    if chart.shows is Shows.COUNTS:
        axes.set_xlim(-1, len(chart.points))
        met, of = sum(each.met for each in chart.points), sum(each.of for each in chart.points)
        said = f"{met:,} of {of:,} in time\nin {len(chart.points)} weeks"
        text(axes, 0.5, 0.5, said, transform=axes.transAxes, ha="center", va="center")
    else:
        share_line(axes, chart, size=4)
        if chart.limits:
            centre = float(100 * chart.limits.centre)
            said = f"{percent(chart.limits.centre)} %"
            text(axes, 1.02, centre, said, transform=axes.get_yaxis_transform(), va="center")
    axes.set_ylim(low, high)
    is_named = labelled and chart.shows is Shows.SHARES
    axes.set_yticks(ticks, labels=[f"{tick} %" if is_named else "" for tick in ticks])
