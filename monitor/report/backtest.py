"""A back-test in figures: shares, changes and loads, ready to be printed, saved or shown.

What comes in: a tally of clocks and what each role would have got. What goes out: plain rows, the
same for the terminal, CSV and the page. It does not care how they were found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

OVERALL: Final = "all rules"

IN_TIME: Final = "met"
OWED: Final = frozenset({"met", "late", "overdue", "unknown"})
"""What a share in time counts: late and open late are late, unknown is not in time (law 5)."""


class Counted(NamedTuple):
    """Clocks that say one thing before and another, or the same, after."""

    rule: str
    district: str
    category: str
    before: str
    after: str
    clocks: int


class Share(NamedTuple):
    """How one group of clocks fares under each rulebook."""

    group: str
    clocks: int
    """That stand under either."""
    changed: int
    """That say something else."""
    met_before: int
    owed_before: int
    met_after: int
    owed_after: int

    @property
    def before(self) -> str:
        """In time, of those that were owed and are due."""
        return _percent(self.met_before, self.owed_before)

    @property
    def after(self) -> str:
        """The same under the other rulebook."""
        return _percent(self.met_after, self.owed_after)


class Turn(NamedTuple):
    """So many clocks of a rule that say something else."""

    rule: str
    before: str
    after: str
    clocks: int
    examples: tuple[str, ...]


class RoleTurn(NamedTuple):
    """One role's mails, before and after."""

    role: str
    alerts_before: int
    alerts_after: int
    mails_before: int
    mails_after: int
    night_before: int
    night_after: int
    busiest_before: int
    busiest_after: int
    busiest_on: str
    hours_before: tuple[int, ...]
    hours_after: tuple[int, ...]
    is_too_many: bool


class Load(NamedTuple):
    """One side of a role's mails."""

    alerts: int = 0
    mails: int = 0
    by_hour: tuple[int, ...] = (0,) * 24
    at_night: int = 0
    busiest_shift: int = 0
    busiest_on: str = ""
    is_too_many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestFigures:
    """Everything that a back-test says."""

    cases: int
    by_rule: tuple[Share, ...]
    by_district: tuple[Share, ...]
    by_category: tuple[Share, ...]
    turns: tuple[Turn, ...]
    roles: tuple[RoleTurn, ...]


def figures(
    cases: int,
    counted: Iterable[Counted],
    examples: Mapping[tuple[str, str, str], Sequence[str]],
    before: Mapping[str, Load],
    after: Mapping[str, Load],
) -> BacktestFigures:
    """Rows for every rule, district, category, change and role.

    `examples`: (rule, before, after) → references. `before`, `after`: role → what it would get.
    """
    known = list(counted)
    return BacktestFigures(
        cases=cases,
        by_rule=(*_shares(known, "rule"), *_shares(known, "")),
        by_district=tuple(_shares(known, "district")),
        by_category=tuple(_shares(known, "category")),
        turns=tuple(_turns(known, examples)),
        roles=tuple(_roles(before, after)),
    )


def _shares(known: Iterable[Counted], part: str) -> Iterator[Share]:
    """`part`: by which clocks are grouped; empty: all together."""
    groups: dict[str, Counter[str]] = {}
    for row in known:
        name = (getattr(row, part) or "not said") if part else OVERALL
        group = groups.setdefault(name, Counter())
        group["clocks"] += row.clocks
        group["changed"] += row.clocks * (row.before != row.after)
        group["met before"] += row.clocks * (row.before == IN_TIME)
        group["owed before"] += row.clocks * (row.before in OWED)
        group["met after"] += row.clocks * (row.after == IN_TIME)
        group["owed after"] += row.clocks * (row.after in OWED)
    for name, group in sorted(groups.items()):
        yield Share(
            name,
            *(group["clocks"], group["changed"]),
            *(group["met before"], group["owed before"]),
            *(group["met after"], group["owed after"]),
        )


def _turns(
    known: Iterable[Counted], examples: Mapping[tuple[str, str, str], Sequence[str]]
) -> Iterator[Turn]:
    changed: Counter[tuple[str, str, str]] = Counter()
    for row in known:
        if row.before != row.after:
            changed[row.rule, row.before, row.after] += row.clocks
    for key, clocks in sorted(changed.items(), key=lambda item: (item[0][0], -item[1], item[0])):
        yield Turn(*key, clocks, tuple(examples.get(key, ())))


def _roles(before: Mapping[str, Load], after: Mapping[str, Load]) -> Iterator[RoleTurn]:
    for role in sorted(before.keys() | after.keys()):
        was, now = before.get(role, Load()), after.get(role, Load())
        yield RoleTurn(
            role,
            *(was.alerts, now.alerts),
            *(was.mails, now.mails),
            *(was.at_night, now.at_night),
            *(was.busiest_shift, now.busiest_shift),
            now.busiest_on,
            *(was.by_hour, now.by_hour),
            is_too_many=now.is_too_many,
        )


def _percent(part: int, whole: int) -> str:
    """`82.4 %`; a dash where nothing was due. Never rounded up to all, nor down to none."""
    if not whole:
        return "-"
    share = 100 * part / whole
    if part < whole:
        share = min(share, 99.9)
    if part:
        share = max(share, 0.1)
    return f"{share:.1f} %"
