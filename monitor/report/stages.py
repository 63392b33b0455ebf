"""Where it waits: how long each step on the way of a notice took, and whether longer than usual.

What comes in: cases with the first instant of each of their steps, and the weeks in which they fell
due. What goes out: for each step how long it took in one week, and what was usual before.
It does not care how steps are named, nor whether anything was in time.

A step's length is from the last stage that was done before it, in clock hours; a partner's
acknowledgement is from when that partner was told. A case is of the week in which its first duty to
a partner fell due. Where the case is open past due, the step that it waits for enters at its age.
Usual is what chance explains of the weekly medians before: their average and 2.66 times their mean
moving range on either side, as in a control chart (`change`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import fmean, median
from typing import Final, NamedTuple

from monitor.clocks.steps import Step
from monitor.model import Duration, Instant
from monitor.report.change import MOVING_RANGES
from monitor.report.measured import NO_MEDIAN_UNDER, Span, span_of

FEWEST_WEEKS: Final = 13
"""A quarter of a year: of fewer weekly medians nothing is said to be usual."""


class CaseSteps(NamedTuple):
    """How far one case came, and when."""

    week: int
    """Which of the weeks, 0 the first, its first duty fell due in."""
    done: Mapping[Step, Instant]
    waits_for: Collection[str]
    """Partners whom there is no record of telling, though it is overdue."""


class StepNames(NamedTuple):
    """The kinds of events that are steps."""

    stages: Sequence[str]
    """In their order, beginning with the contact."""
    told: str
    acknowledged: str

    @property
    def kinds(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.stages, self.told, self.acknowledged)


class Usual(NamedTuple):
    """What chance explains of the weekly medians."""

    low: Duration
    high: Duration
    weeks: int


class StepFigures(NamedTuple):
    """One step in one week."""

    step: Step
    span: Span
    usual: Usual | None
    """None where too few weeks before have a median."""

    @property
    def is_longer(self) -> bool:
        """Whether its median is longer than chance explains."""
        median = self.span.median
        return self.usual is not None and median is not None and median > self.usual.high


def step_figures(
    cases: Iterable[CaseSteps], names: StepNames, *, week: int, as_of: Instant
) -> tuple[StepFigures, ...]:
    """The steps of one week, in the order of the way, each with what the weeks before it say.

    `as_of`: until when what waits has waited. `week`: which one; those before it are the usual.
    """
    done: defaultdict[Step, defaultdict[int, list[Duration]]] = defaultdict(_weeks)
    waiting: defaultdict[Step, list[Duration]] = defaultdict(list)
    for case in cases:
        for step, length in _lengths(case, names):
            done[step][case.week].append(length)
        if case.week == week:
            for step, age in _waits(case, names, as_of):
                waiting[step].append(age)
    return tuple(
        StepFigures(
            step=step,
            span=span_of([done[step][week], waiting[step]], still_open=waiting[step]),
            usual=_usual([done[step][before] for before in range(week)]),
        )
        for step in sorted({*done, *waiting}, key=lambda step: _place(step, names))
        if done[step][week] or waiting[step]
    )


def _weeks() -> defaultdict[int, list[Duration]]:
    return defaultdict(list)


def _place(step: Step, names: StepNames) -> tuple[int, str]:
    return names.kinds.index(step.kind), step.partner


def _lengths(case: CaseSteps, names: StepNames) -> Iterator[tuple[Step, Duration]]:
    """Each step that was done, and how long after what came before it."""
    for step, at in case.done.items():
        begun = _begun(case, step, names, by=at)
        if begun is not None:
            yield step, at - begun


def _begun(case: CaseSteps, step: Step, names: StepNames, *, by: Instant) -> Instant | None:
    """When the step before was done; None where none was."""
    if step.kind == names.acknowledged:
        told = case.done.get(Step(names.told, step.partner))
        return told if told is not None and told <= by else None
    before = names.stages
    if step.kind in before:
        before = before[: before.index(step.kind)]
    return max(
        (at for kind in before if (at := case.done.get(Step(kind, ""))) is not None and at <= by),
        default=None,
    )


def _waits(case: CaseSteps, names: StepNames, as_of: Instant) -> Iterator[tuple[Step, Duration]]:
    """What an overdue case waits for: the next stage, or a partner to be told, and since when."""
    if not case.waits_for:
        return
    reached = [kind for kind in names.stages if Step(kind, "") in case.done]
    if not reached:
        return
    last = names.stages.index(reached[-1])
    age = as_of - case.done[Step(reached[-1], "")]
    if last + 1 < len(names.stages):
        yield Step(names.stages[last + 1], ""), age
    else:
        for partner in case.waits_for:
            yield Step(names.told, partner), age


def _usual(weeks: Sequence[Sequence[Duration]]) -> Usual | None:
    medians = [median(lengths) for lengths in weeks if len(lengths) >= NO_MEDIAN_UNDER]
    if len(medians) < FEWEST_WEEKS:
        return None
    average = fmean(medians)
    reach = float(MOVING_RANGES) * fmean(abs(later - one) for one, later in pairwise(medians))
    return Usual(max(0, round(average - reach)), round(average + reach), len(medians))
