"""What was expected and what came, side by side, for whoever wrote the scenario.

What comes in: what came of a scenario. What goes out: lines of text. It does not care where they
are printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from monitor.replay.running import Compared, Outcome, Step
from monitor.replay.times import say

NOTHING: Final = "(nothing)"
NOT_EXPECTED: Final = "(not expected)"


def difference(outcome: Outcome) -> Iterator[str]:
    """The expectations of a scenario that do not hold; no line where all do."""
    wrong = [step for step in outcome.steps if not step.holds]
    if not wrong:
        return
    scenario = outcome.scenario
    yield f"{scenario.file}:{scenario.at_line}: {scenario.name}"
    for step in wrong:
        yield f"  at {say(step.at, scenario.zone)} (line {step.at_line})"
        yield from _of_step(step)


def _of_step(step: Step) -> Iterator[str]:
    parts = (("clocks", step.clocks), ("told", step.told))
    shown = [(what, lines) for what, lines in parts if not all(line.holds for line in lines)]
    width = max(len(_expected(line)) for _, lines in shown for line in lines)
    for what, lines in shown:
        yield f"    {what:<10} {'expected':<{width}}   came"
        yield from (f"    {line}" for line in _rows(lines, width))


def _rows(lines: Iterable[Compared], width: int) -> Iterator[str]:
    for line in lines:
        place = f"line {line.at_line}" if line.at_line else ""
        mark = "=" if line.holds else "x"
        yield f"{place:<10} {_expected(line):<{width}} {mark} {line.came or NOTHING}"


def _expected(line: Compared) -> str:
    return line.expected or NOT_EXPECTED
