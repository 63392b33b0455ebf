"""How long telling took, set out in bars: what a picture of it shows, and its words.

What comes in: lengths in hours, and the limit. What goes out: bars with their counts.
It does not care how they are drawn.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

from monitor.words import capital, count

FEWEST: Final = 20
"""Of fewer, nothing is drawn: a shape of so few says nothing."""
_EDGES: Final = (0.25, 0.5, 1, 2, 4, 8, 12, 24, 48, 72, 168, 336, 672, 2160)
"""Hours at which a bar ends: people think in these."""
_NEAR: Final = 1.3
"""An edge nearer to the limit than by this factor makes way for it."""
_FEWEST_BARS: Final = 4
_DAYS_FROM: Final = 48
_WEEKS_FROM: Final = 168


class Bar(NamedTuple):
    """Those that took longer than `above` and at most `to` hours: the limit itself is in time."""

    above: float
    to: float | None
    """None for the last: however long."""
    told: int
    still_open: int


class Lengths(NamedTuple):
    """How long telling took."""

    bars: tuple[Bar, ...]
    limit: float | None
    """Hours, and then the end of a bar."""
    in_time: int
    late: int
    """Told, and later than the limit."""
    still_open: int

    @property
    def total(self) -> int:
        """All, the open ones among them."""
        return self.in_time + self.late + self.still_open


def lengths_in_bars(
    told: Sequence[float], *, limit: float | None, still_open: Sequence[float]
) -> Lengths | None:
    """Set out lengths in hours; None under 20 of them.

    told: of those that are told. still_open: ages now of those that are open and late. limit: one
    length in hours, or None where the rule has none that is the same for all.
    """
    if len(told) + len(still_open) < FEWEST:
        return None
    edges = _edges(max((*told, *still_open, limit or 0)), limit)
    counts, opened = _counted(told, edges), _counted(still_open, edges)
    ends = [*edges, None]
    bars = tuple(
        Bar(above, to, one, other)
        for above, to, one, other in zip((0, *edges), ends, counts, opened, strict=True)
    )
    late = 0 if limit is None else sum(length > limit for length in told)
    return Lengths(_trimmed(bars, limit), limit, len(told) - late, late, len(still_open))


def alt_of_lengths(lengths: Lengths, name: str) -> str:
    """The text that stands in for a picture of the lengths."""
    limit = f", limit {hours_said(lengths.limit)}" if lengths.limit else ""
    said = "; ".join(f"{bar_said(bar)} {_both(bar)}" for bar in lengths.bars)
    late = f" {lengths.in_time:,} in time, {lengths.late:,} late." if lengths.limit else ""
    open_now = f" {lengths.still_open:,} still open and late, at their age now."
    return (
        f"How long until told, {name}: {count(lengths.total, 'duty', 'duties')}{limit}."
        f"{late}{open_now if lengths.still_open else ''} {capital(said)}."
    )


def hours_said(hours: float) -> str:
    """`15 min`, `4 h`, `3 d`, `2 wk`."""
    if hours < 1:
        return f"{hours * 60:g} min"
    if hours >= _WEEKS_FROM and not hours % 168:
        return f"{hours / 168:g} wk"
    return f"{hours / 24:g} d" if hours >= _DAYS_FROM and not hours % 24 else f"{hours:g} h"


def bar_said(bar: Bar) -> str:
    """`up to 1 h`, `12 h to 24 h`, `over 2 wk`."""
    if bar.to is None:
        return f"over {hours_said(bar.above)}"
    if not bar.above:
        return f"up to {hours_said(bar.to)}"
    return f"{hours_said(bar.above)} to {hours_said(bar.to)}"


def _both(bar: Bar) -> str:
    return f"{bar.told:,}" + (f" and {bar.still_open:,} still open" if bar.still_open else "")


def _edges(longest: float, limit: float | None) -> list[float]:
    near = [edge for edge in _EDGES if limit and 1 / _NEAR < edge / limit < _NEAR]
    edges = sorted(
        {*_EDGES, *([limit] if limit else [])} - {each for each in near if each != limit}
    )
    return edges[: bisect_left(edges, longest) + 1]


def _counted(lengths: Sequence[float], edges: Sequence[float]) -> list[int]:
    counts = [0] * (len(edges) + 1)
    for length in lengths:
        counts[bisect_left(edges, length)] += 1
    return counts


def _trimmed(bars: Sequence[Bar], limit: float | None) -> tuple[Bar, ...]:
    """Without a last bar that has none, and with the first empty ones as one; four at least."""
    kept = list(bars if bars[-1].told or bars[-1].still_open else bars[:-1])
    while len(kept) > _FEWEST_BARS and not (
        kept[0].told or kept[0].still_open or kept[0].to == limit
    ):
        kept[:2] = [kept[1]._replace(above=0)]
    return tuple(kept)
