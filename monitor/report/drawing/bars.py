"""How long telling took, drawn.

What comes in: lengths set out in bars. What goes out: a picture.
It does not care how the bars were chosen (`lengths`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from monitor.report.drawing.paper import (
    BLUE,
    INK,
    MEDIUM,
    ORANGE,
    SMALL,
    Drawn,
    axes_on,
    drawn,
    head,
    paper,
    pixels,
    text,
)
from monitor.report.lengths import Bar, Lengths, hours_said

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_AT_FULL_SIZE: Final = 9
_SMALLER: Final = 8
_LATE: Final[dict[str, Any]] = {"color": ORANGE, "hatch": ".."}
_OPEN: Final[dict[str, Any]] = {"color": "white", "hatch": "////"}


def draw_lengths(lengths: Lengths, *, title: str, subtitle: str = "") -> Drawn:
    """How long telling took, in bars; those still open, at their age now, are hatched apart."""
    height = 360
    with paper(height) as figure:
        axes = axes_on(figure, left=12, right=20, top=108, bottom=64)
        head(figure, title, subtitle)
        _stand(axes, lengths)
        _at_limit(axes, lengths)
        _legend(axes, lengths)
        _ends(axes, lengths)
        return drawn(figure, height)


def _stand(axes: Axes, lengths: Lengths) -> None:
    edged: dict[str, Any] = {"width": 0.9, "edgecolor": INK, "linewidth": 0.8}
    tallest = max(bar.told + bar.still_open for bar in lengths.bars)
    for place, bar in enumerate(lengths.bars):
        is_late = lengths.limit is not None and bar.above >= lengths.limit
        axes.bar(place, bar.told, **edged, **(_LATE if is_late else {"color": BLUE}))
        axes.bar(place, bar.still_open, bottom=bar.told, **edged, **_OPEN)
        total = bar.told + bar.still_open
        text(axes, place, total + tallest / 50, _numbers(bar), ha="center", va="bottom")
    axes.set_ylim(0, tallest * 1.2)
    axes.set_xlim(-0.6, len(lengths.bars) - 0.4)
    axes.set_yticks([])


def _numbers(bar: Bar) -> str:
    """`41+1`: told, and still open."""
    still_open = f"+{bar.still_open:,}" if bar.still_open else ""
    return (f"{bar.told:,}" if bar.told else "") + still_open


def _at_limit(axes: Axes, lengths: Lengths) -> None:
    if lengths.limit is None:
        return
    ends = [bar.to for bar in lengths.bars]
    place = ends.index(lengths.limit) + 0.5 if lengths.limit in ends else len(ends) - 0.5
    axes.plot(
        [place, place],
        [0, 1.02],
        transform=axes.get_xaxis_transform(),
        color=INK,
        lw=1.8,
        clip_on=False,
    )
    said = f"limit {hours_said(lengths.limit)}"
    is_far = place > len(ends) / 2
    text(
        axes,
        place,
        1.03,
        said,
        transform=axes.get_xaxis_transform(),
        size=MEDIUM,
        weight="bold",
        ha="right" if is_far else "left",
        va="bottom",
        clip_on=False,
    )


def _legend(axes: Axes, lengths: Lengths) -> None:
    """What each kind of bar is, with its number, in a row above them."""
    kinds: list[tuple[str, int, dict[str, Any]]] = [
        ("told in time " if lengths.limit else "told ", lengths.in_time, {"color": BLUE}),
        ("told late ", lengths.late, _LATE),
        ("open, at age now +", lengths.still_open, _OPEN),
    ]
    for said, number, how in kinds:
        if number:
            axes.bar(0, 0, edgecolor=INK, linewidth=0.8, label=f"{said}{number:,}", **how)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.11),
        ncols=3,
        frameon=False,
        fontsize=SMALL,
        borderpad=0,
        handlelength=1.3,
        columnspacing=1.2,
    )


def _ends(axes: Axes, lengths: Lengths) -> None:
    """Where each bar ends, beneath the line between it and the next."""
    places = [place + 0.5 for place, bar in enumerate(lengths.bars) if bar.to is not None]
    said = [_end(bar) for bar in lengths.bars if bar.to is not None]
    # More than ten times side by side would touch each other at the size of other labels.
    size = MEDIUM if len(said) <= _MOST_AT_FULL_SIZE else _SMALLER
    axes.set_xticks(places, labels=said, size=size)
    under = "From start to told. A bar ends at the time under its right edge."
    text(axes, 0, -pixels(axes, 40), under, transform=axes.transAxes, va="top")


def _end(bar: Bar) -> str:
    assert bar.to is not None
    return hours_said(bar.to)
