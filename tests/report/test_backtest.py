"""The figures of a back-test, and how they are printed."""

from __future__ import annotations

import csv
import io

import pytest

from monitor.report.backtest import BacktestFigures, Counted, Load, figures
from monitor.terminal.backtest import backtest_lines, write_changes, write_loads, write_shares

NIGHT = tuple(4 if hour == 3 else 0 for hour in range(24))
BUSY = Load(
    alerts=20,
    mails=4,
    by_hour=NIGHT,
    at_night=4,
    busiest_shift=11,
    busiest_on="2027-03-08",
    is_too_many=True,
)


def made(*counted: Counted, before: dict[str, Load] | None = None) -> BacktestFigures:
    examples = {("council", "late", "met"): ("PPN-2027-004211",)}
    return figures(7, counted, examples, before or {}, {"on_call_di": BUSY})


COUNTED = (
    Counted("council", "east", "neglect", "met", "met", 6),
    Counted("council", "east", "neglect", "late", "met", 2),
    Counted("council", "west", "", "overdue", "overdue", 1),
    Counted("council", "west", "", "exempt", "exempt", 3),
    Counted("health", "west", "", "unknown", "unknown", 1),
    Counted("health", "west", "", "running", "running", 5),
)


def test_open_and_late_is_late_unknown_is_not_in_time_and_exempt_is_neither() -> None:
    council, health, overall = made(*COUNTED).by_rule
    assert (council.group, council.clocks, council.changed) == ("council", 12, 2)
    assert (council.before, council.after) == ("66.7 %", "88.9 %")
    assert (health.before, health.owed_before) == ("0.0 %", 1)
    assert (overall.met_after, overall.owed_after) == (8, 10)


@pytest.mark.parametrize(
    ("met", "late", "said"),
    [(9999, 1, "99.9 %"), (1, 99_999, "0.1 %"), (1, 0, "100.0 %"), (0, 3, "0.0 %"), (0, 0, "-")],
)
def test_a_share_is_never_rounded_to_all_or_none(met: int, late: int, said: str) -> None:
    counted = (Counted("r", "", "", "met", "met", met), Counted("r", "", "", "late", "late", late))
    assert made(*counted).by_rule[0].before == said


def test_what_changes_comes_first_and_names_cases() -> None:
    lines = list(backtest_lines(made(*COUNTED), telling=True))
    assert lines[0] == "7 cases, 18 clocks; 2 say something else."
    assert "council  late    met         2  PPN-2027-004211" in lines
    assert "not said" in "\n".join(lines)


def test_the_load_at_three_in_the_morning_is_seen() -> None:
    text = "\n".join(backtest_lines(made(*COUNTED), telling=True))
    assert "! more than ten mails to one address in eight hours" in text
    by_hour = text.split("MAILS BY HOUR OF THE DAY")[1].splitlines()
    assert by_hour[1].split()[1:3] == ["00-03", "03-06"]
    assert by_hour[2].split() == ["on_call_di", "0", "4", *["0"] * 6]


def test_a_line_fits_the_terminal() -> None:
    assert (
        max(map(len, backtest_lines(made(*COUNTED, before={"on_call_di": BUSY}), telling=True)))
        <= 100
    )


def test_nothing_changes_is_said_in_few_words() -> None:
    lines = list(backtest_lines(figures(0, (), {}, {}, {}), telling=True))
    assert lines[0] == "0 cases, 0 clocks; 0 say something else."
    assert "none" in lines


def test_csv_holds_every_row() -> None:
    known = made(*COUNTED)
    read = []
    for write in (write_changes, write_shares, write_loads):
        out = io.StringIO()
        write(known, out)
        read.append(list(csv.DictReader(io.StringIO(out.getvalue()))))
    changes, shares, hours = read
    assert [row["clocks"] for row in changes] == ["2"]
    assert {row["grouped_by"] for row in shares} == {"rule", "district", "category"}
    assert [row["mails_after"] for row in hours if row["hour"] == "3"] == ["4"]
