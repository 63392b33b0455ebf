"""Comparisons as a table for people, 100 columns wide, and as plain values for JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

from benchmarks.measure import Comparison, Sample

_WIDTHS = (3, 26, 22, 24, 17)
_HEADS = ("row", "work", "ours: median (range)", "against: median", "ratio; target; met?")
_GAP = "  "
_WIDTH = sum(_WIDTHS) + len(_GAP) * (len(_WIDTHS) - 1)
_PLACES = 3
_LEAST = 1e-3


def table(comparisons: Iterable[Comparison]) -> str:
    """One entry a comparison; a cell too long for its column goes on beneath."""
    told = list(comparisons)
    lines = [*_lines([[head] for head in _HEADS]), "-" * _WIDTH]
    for comparison in told:
        lines += _lines(_cells(comparison))
    notes = [_note(comparison) for comparison in told if comparison.note]
    return "\n".join([*lines, *([""] if notes else []), *dict.fromkeys(notes)])


def wrapped(words: str) -> str:
    """A long line as several of the table's width."""
    return textwrap.fill(words, _WIDTH, subsequent_indent="  ")


def number(value: float, unit: str = "") -> str:
    """A figure to three places in the size of unit that suits it: `0.0123, "s"` is `12.3 ms`."""
    size, unit = _scale(value, unit)
    return f"{_figure(value / size)} {unit}".rstrip()


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Everything, with the medians worked out."""
    samples = (comparison.ours, *comparison.others)
    return {**asdict(comparison), "medians": {one.name: one.median for one in samples}}


def _scale(value: float, unit: str) -> tuple[float, str]:
    if unit != "s":
        return 1, unit
    sizes = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
    return next(((size, name) for name, size in sizes if abs(value) >= size), (1e-9, "ns"))


def _figure(value: float) -> str:
    if value and abs(value) < _LEAST:
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 10**_PLACES else f"{value:.{_PLACES}g}"


def _cells(comparison: Comparison) -> list[list[str]]:
    """Each cell as the paragraphs that stand in it."""
    return [
        [str(comparison.row)],
        [comparison.work],
        [_with_range(comparison.ours)],
        [f"{one.name}: {number(one.median, one.unit)}" for one in comparison.others] or ["-"],
        _verdict(comparison),
    ]


def _with_range(sample: Sample) -> str:
    median = number(sample.median, sample.unit)
    if sample.low == sample.high:
        return median
    size, _ = _scale(sample.median, sample.unit)
    return f"{median} ({_figure(sample.low / size)} to {_figure(sample.high / size)})"


def _verdict(comparison: Comparison) -> list[str]:
    ratio = []
    if comparison.ratio is not None:
        ratio = [f"{_ratio(comparison)} {comparison.ratio_says}"]
    met = {True: "met", False: "MISSED", None: "not judged"}[comparison.is_met]
    return [*ratio, f"{comparison.target}: {met}" if comparison.target else "shown"]


def _ratio(comparison: Comparison) -> str:
    assert comparison.ratio is not None
    if comparison.ratio_says.startswith("of "):
        return f"{comparison.ratio:.0%}"
    return number(comparison.ratio)


def _lines(cells: Sequence[Sequence[str]]) -> Iterator[str]:
    columns = [
        [line for part in parts for line in textwrap.wrap(part, width)]
        for parts, width in zip(cells, _WIDTHS, strict=True)
    ]
    for line in zip_longest(*columns, fillvalue=""):
        padded = (f"{cell:<{width}}" for cell, width in zip(line, _WIDTHS, strict=True))
        yield _GAP.join(padded).rstrip()


def _note(comparison: Comparison) -> str:
    return wrapped(f"row {comparison.row}: {comparison.note}")
