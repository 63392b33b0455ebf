"""A back-test for people in a terminal, and as CSV.

What comes in: its figures. What goes out: lines of text no wider than the terminal that is asked
for, or rows. It decides nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from monitor.report.backtest import BacktestFigures, RoleTurn, Share

_BANDS: Final = ((0, 3), (3, 6), (6, 9), (9, 12), (12, 15), (15, 18), (18, 21), (21, 24))
_TURNS_SHOWN: Final = 30


def backtest_lines(figures: BacktestFigures, *, telling: bool) -> Iterator[str]:
    """The whole answer: changes first, then shares, then what falls on whom at which hour.

    `telling`: whether it was asked who would have been told.
    """
    yield from _turns(figures)
    yield from _shares("by rule", figures.by_rule)
    yield from _shares("by district", figures.by_district)
    yield from _shares("by category", figures.by_category)
    if telling:
        yield from _roles(figures.roles)
    else:
        yield ""
        yield "Who would have been told was not asked (--verdicts-only)."


def _turns(figures: BacktestFigures) -> Iterator[str]:
    changed = sum(turn.clocks for turn in figures.turns)
    clocks = sum(share.clocks for share in figures.by_rule[-1:])
    yield f"{figures.cases} cases, {clocks} clocks; {changed} say something else."
    if not figures.turns:
        return
    yield ""
    yield "WHAT CHANGES"
    rows = [
        (turn.rule, turn.before, turn.after, str(turn.clocks), ", ".join(turn.examples[:2]))
        for turn in figures.turns[:_TURNS_SHOWN]
    ]
    yield from _table(("rule", "before", "after", "clocks", "for example"), rows, right={3})
    if figures.turns[_TURNS_SHOWN:]:
        yield f"and {len(figures.turns) - _TURNS_SHOWN} more kinds of change: see the CSV"


def _shares(title: str, shares: Sequence[Share]) -> Iterator[str]:
    yield ""
    yield f"IN TIME, {title.upper()} (of those due; open and late counts as late)"
    rows = [
        (
            share.group,
            str(share.clocks),
            str(share.changed),
            share.before,
            share.after,
        )
        for share in shares
    ]
    head = ("", "clocks", "changed", "before", "after")
    yield from _table(head, rows, right={1, 2, 3, 4})


def _roles(roles: Sequence[RoleTurn]) -> Iterator[str]:
    yield ""
    yield "MAILS THAT WOULD HAVE BEEN SENT (before, after)"
    if not roles:
        yield "none"
        return
    rows = [
        (
            role.role,
            f"{role.mails_before}, {role.mails_after}",
            f"{role.night_before}, {role.night_after}",
            f"{role.busiest_before}, {role.busiest_after}" + (" !" if role.is_too_many else ""),
            role.busiest_on,
        )
        for role in roles
    ]
    head = ("role", "mails", "22:00-06:00", "most a shift", "on")
    yield from _table(head, rows, right={1, 2, 3})
    if any(role.is_too_many for role in roles):
        yield "! more than ten mails to one address in eight hours"
    yield ""
    yield "MAILS BY HOUR OF THE DAY (after)"
    bands = ("role", *(f"{begin:02}-{end:02}" for begin, end in _BANDS))
    by_hour = [
        (role.role, *(str(sum(role.hours_after[begin:end])) for begin, end in _BANDS))
        for role in roles
    ]
    yield from _table(bands, by_hour, right=set(range(1, len(_BANDS) + 1)))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: set[int]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def write_changes(figures: BacktestFigures, out: TextIO) -> None:
    """CSV: one row for each kind of change of a rule."""
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("rule", "before", "after", "clocks", "examples"))
    for turn in figures.turns:
        rows.writerow((turn.rule, turn.before, turn.after, turn.clocks, " ".join(turn.examples)))


def write_shares(figures: BacktestFigures, out: TextIO) -> None:
    """CSV: one row for each rule, district and category."""
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(
        (
            *("grouped_by", "group", "clocks", "changed"),
            *("met_before", "owed_before", "met_after", "owed_after"),
        )
    )
    parts = (
        ("rule", figures.by_rule),
        ("district", figures.by_district),
        ("category", figures.by_category),
    )
    for part, shares in parts:
        for share in shares:
            rows.writerow((part, *share))


def write_loads(figures: BacktestFigures, out: TextIO) -> None:
    """CSV: one row for each role and hour of the day."""
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("role", "hour", "mails_before", "mails_after"))
    for role in figures.roles:
        for hour, (was, now) in enumerate(zip(role.hours_before, role.hours_after, strict=True)):
            rows.writerow((role.role, hour, was, now))
