"""Scenarios lived through, and what came held against what was expected.

What comes in: a scenario and the documents of the rules. What goes out: what was expected and what
came, line by line. It does not care how that is shown.

Whatever was told and not expected is a difference, and so is a clock of its rules that was not. A
clock that gave way is of no account unless it is expected; that something ended late goes with
another mail to its reader and is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from monitor.escalate.roster import Post, Role, Roster, RosterFile
from monitor.model import AlertKind, Event, Instant, Verdict
from monitor.replay.lines import (
    SHOWN_OF_A_CLOCK,
    Line,
    clock_line,
    is_told_as,
    told_line,
)
from monitor.replay.replay import Replayed, Standing, Told, replay
from monitor.replay.scenarios import Duties, Expectation, Expected, Scenario, roles_of
from monitor.rulebook.book import Documents, Duty, Rulebook, build_rulebook
from monitor.rulebook.language import Rule

_DOMAIN: Final = "scenario.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One line that was expected, one that came, or both."""

    at_line: int | None
    """Of the file; None where it was not expected."""
    expected: str
    came: str
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An expectation, line by line."""

    at: Instant
    at_line: int
    clocks: tuple[Compared, ...]
    told: tuple[Compared, ...]

    @property
    def holds(self) -> bool:
        """Whether all came as it was expected."""
        return all(each.holds for each in (*self.clocks, *self.told))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one scenario."""

    scenario: Scenario
    steps: tuple[Step, ...]

    @property
    def holds(self) -> bool:
        """Whether every expectation did."""
        return all(step.holds for step in self.steps)


def run_scenarios(scenarios: Iterable[Scenario], documents: Documents) -> list[Outcome]:
    """What comes of scenarios that were read from beside these documents."""
    books: dict[tuple[str, ...], Rulebook] = {}
    outcomes = []
    for scenario in scenarios:
        if scenario.rules not in books:
            books[scenario.rules] = _book(documents, scenario.rules)
        outcomes.append(_outcome(scenario, books[scenario.rules]))
    return outcomes


def never_reached(scenarios: Iterable[Scenario], documents: Documents) -> list[Rule]:
    """The newest versions of rules that have scenarios, none of which starts anything under them.

    Whatever such a version says, every scenario holds as it did.
    """
    book = build_rulebook(documents)
    starts = [(rule, event) for each in scenarios for rule in each.rules for event in each.events]
    newest = [book.newest(rule) for rule in sorted({rule for rule, _ in starts})]
    return [
        duty.rule
        for duty in newest
        if not any(_starts_under(duty, event) for rule, event in starts if rule == duty.rule.id)
    ]


def _starts_under(duty: Duty, event: Event) -> bool:
    """Whether something of a kind that starts a clock happened while a version governs."""
    kinds = {kind for condition in duty.rule.start for kind in condition.kind}
    return event.kind in kinds and duty.governs(event.occurred_from)


def _book(documents: Documents, rules: Sequence[str]) -> Rulebook:
    """Of the rules that a scenario is about, and no other."""
    chosen = tuple(rule for rule in documents.rules if rule.id in rules)
    return build_rulebook(documents.model_copy(update={"rules": chosen}))


def _outcome(scenario: Scenario, book: Rulebook) -> Outcome:
    roster = _roster(book, scenario.duties)
    steps: list[Step] = []
    before: Instant | None = None
    for expectation in scenario.expectations:
        came = replay(
            scenario.events,
            rulebook=book,
            roster=roster,
            tolerances=scenario.tolerances,
            hearing=scenario.hearing,
            until=expectation.at,
        )
        steps.append(_step(expectation, came, scenario, since=before))
        before = expectation.at
    return Outcome(scenario=scenario, steps=tuple(steps))


def _roster(book: Rulebook, duties: Mapping[str, Duties]) -> Roster:
    """The roles themselves: each has a mailbox of its name."""
    roles = sorted(roles_of(book.documents) | set(duties))
    anybody, on = roles[0], Duties(hours="", otherwise="")
    file = RosterFile(
        fallback=anybody,
        roles={role: _role(role, duties.get(role, on)) for role in roles},
        posts=tuple(
            Post(role=role, address=f"{role}@{_DOMAIN}", restricted=True) for role in roles
        ),
    )
    return Roster.of(file, book.calendars)


def _role(name: str, duties: Duties) -> Role:
    return Role(title=name, hours=duties.hours, out_of_hours=duties.otherwise or None)


def _step(
    expectation: Expectation, came: Replayed, scenario: Scenario, *, since: Instant | None
) -> Step:
    told = [one for one in came.told if _counts(one) and (since is None or one.at > since)]
    return Step(
        at=expectation.at,
        at_line=expectation.at_line,
        clocks=tuple(_compared_clocks(expectation.clocks, came.clocks, scenario)),
        told=tuple(_compared_told(expectation.told, told, scenario)),
    )


def _counts(told: Told) -> bool:
    return told.kind is not AlertKind.STOPPED_LATE


# -- clocks -----------------------------------------------------------------------------------


def _compared_clocks(
    expected: Sequence[Expected], came: Iterable[Standing], scenario: Scenario
) -> Iterator[Compared]:
    asked = {name for one in expected for name in one.line.parts}
    names = [*SHOWN_OF_A_CLOCK, *sorted(asked.difference(SHOWN_OF_A_CLOCK))]
    lines = [
        (clock_line(standing, scenario.zone, names=names), standing.verdict) for standing in came
    ]
    gone = [line for line, says in lines if says is Verdict.SUPERSEDED]
    standing = [line for line, says in lines if says is not Verdict.SUPERSEDED]
    of_gone = [one for one in expected if one.line.first == Verdict.SUPERSEDED]
    of_standing = [one for one in expected if one not in of_gone]
    show = _showing(scenario)
    yield from _paired(of_standing, standing, _AS_CLOCKS, show)
    for each in _paired(of_gone, gone, _AS_CLOCKS, show):
        if each.at_line is not None:
            yield each


def _showing(scenario: Scenario) -> Callable[[Line], str]:
    """How a line is shown: the rule is left out where there is only one."""
    if len(scenario.rules) > 1:
        return str
    return lambda line: str(Line(line.first, {n: v for n, v in line.parts.items() if n != "rule"}))


# -- what was told ----------------------------------------------------------------------------


def _compared_told(
    expected: Sequence[Expected], came: Iterable[Told], scenario: Scenario
) -> Iterator[Compared]:
    lines = [told_line(told, scenario.zone) for told in came]
    yield from _paired(expected, lines, _AS_ALERTS, _showing_told(scenario))


def _showing_told(scenario: Scenario) -> Callable[[Line], str]:
    """How an alert is shown: its reason only where it says more than its kind."""
    show = _showing(scenario)
    plain = ("due soon", "overdue", "cannot route")

    def shown(line: Line) -> str:
        if line.parts.get("because") not in plain:
            return show(line)
        return show(Line(line.first, {n: v for n, v in line.parts.items() if n != "because"}))

    return shown


# -- side by side -----------------------------------------------------------------------------

_Likeness = Callable[[Line, Line], bool]


def _any(_expected: Line, _came: Line) -> bool:
    return True


_AS_CLOCKS: Final[tuple[_Likeness, ...]] = (Line.allows, Line.is_about, _any)
"""What stands beside a line: what it says, else what is about the same, else what is left."""
_AS_ALERTS: Final[tuple[_Likeness, ...]] = (is_told_as,)
"""Alerts that differ are not shown side by side: neither is a wrong version of the other."""


def _paired(
    expected: Sequence[Expected],
    came: Iterable[Line],
    likenesses: Sequence[_Likeness],
    show: Callable[[Line], str],
) -> Iterator[Compared]:
    """Each expected line with the one that came for it, then those that nobody expected.

    By the first of `likenesses` a line holds; by the others two stand side by side and differ.
    """
    left = list(came)
    found: dict[int, tuple[Line, bool]] = {}
    for fits in likenesses:
        for place, one in enumerate(expected):
            if place in found:
                continue
            match = next((line for line in left if fits(one.line, line)), None)
            if match is not None:
                left.remove(match)
                found[place] = match, fits is likenesses[0]
    for place, one in enumerate(expected):
        line, holds = found.get(place, (None, False))
        shown = "" if line is None else show(line)
        yield Compared(at_line=one.at_line, expected=str(one.line), came=shown, holds=holds)
    for line in left:
        yield Compared(at_line=None, expected="", came=show(line), holds=False)
