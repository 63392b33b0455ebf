"""What every picture is drawn on: the one place where matplotlib is loaded, and only to draw.

What comes in: a height. What goes out: a figure with room for a title, and its PNG: the same bytes
for the same drawing.
It does not care what is drawn. Nothing is read from the machine's own settings for matplotlib, and
the one font is that which comes with it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from textwrap import shorten, wrap
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH: Final = 552
"""Of every picture as it is shown, in CSS pixels; it is drawn at twice as many."""
PER_INCH: Final = 100
"""CSS pixels: so letters of 11 points are 15 pixels high, and 10 on a telephone."""
LARGE: Final = 13
MEDIUM: Final = 11
SMALL: Final = 10
INK: Final = "#1a1a1a"
GREY: Final = "#5f5f5f"
BAND: Final = "#e9eff5"
BLUE: Final = "#0072b2"
ORANGE: Final = "#e69f00"
RED: Final = "#d55e00"
"""Of the palette by Okabe and Ito, whose colours nobody takes for one another."""

_LETTERS_OF_TITLE: Final = 92
_LETTERS_OF_SUBTITLE: Final = 64
_LOCK: Final = threading.Lock()
"""matplotlib's settings are one for the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A picture."""

    content: bytes
    """PNG."""
    width: int
    """As it is shown, in CSS pixels; the picture has twice as many."""
    height: int


@contextmanager
def paper(height: int) -> Iterator[Figure]:
    """A figure of `height` CSS pixels, while matplotlib has no settings but its own."""
    # Without a folder for its list of fonts it says so at each start: that is nobody's fault.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib import rc_context, rcdefaults  # noqa: PLC0415 - a second, for drawing alone
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - the same
    from matplotlib.figure import Figure  # noqa: PLC0415 - the same

    with _LOCK, rc_context():
        rcdefaults()
        size = (WIDTH / PER_INCH, height / PER_INCH)
        figure = Figure(figsize=size, dpi=2 * PER_INCH, facecolor="white")
        FigureCanvasAgg(figure)
        yield figure


def drawn(figure: Figure, height: int) -> Drawn:
    """The figure as it is now."""
    picture = BytesIO()
    # By itself it would write its own version into the picture, and other bytes with each.
    figure.savefig(picture, format="png", metadata={"Software": None})
    return Drawn(content=picture.getvalue(), width=WIDTH, height=height)


def axes_on(figure: Figure, *, left: float, right: float, top: float, bottom: float) -> Axes:
    """Axes with so many CSS pixels around them."""
    high = figure.get_figheight() * PER_INCH
    width, height = WIDTH - left - right, high - top - bottom
    axes = figure.add_axes((left / WIDTH, bottom / high, width / WIDTH, height / high))
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.tick_params(colors=INK, labelsize=MEDIUM, length=0)
    return axes


def head(figure: Figure, title: str, subtitle: str) -> int:
    """Title and subtitle, flush left, and how many CSS pixels they take.

    What is too long, for two lines or one, is shortened.
    """
    high = figure.get_figheight() * PER_INCH
    lines = wrap(shorten(title, _LETTERS_OF_TITLE, placeholder=" …"), _LETTERS_OF_TITLE // 2 + 2)
    down = 8
    for line in lines:
        text(figure, 8 / WIDTH, 1 - down / high, line, size=LARGE, weight="bold", va="top")
        down += 21
    said = shorten(subtitle, _LETTERS_OF_SUBTITLE, placeholder=" …")
    text(figure, 8 / WIDTH, 1 - (down + 2) / high, said, size=MEDIUM, va="top")
    return down + 22


def pixels(axes: Axes, down: float) -> float:
    """So many CSS pixels as a part of the height of axes."""
    high = axes.get_figure(root=True)
    assert high is not None
    return down / (axes.get_position().height * high.get_figheight() * PER_INCH)


def text(on: Any, x: float, y: float, said: str, **how: Any) -> None:
    """Text as it stands: no letter in it is taken for mathematics."""
    on.text(x, y, said, parse_math=False, **{"color": INK, "size": SMALL, **how})
