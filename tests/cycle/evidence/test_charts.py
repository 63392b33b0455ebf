from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from monitor.cycle.evidence import charts
from monitor.cycle.evidence.asked import Asked
from monitor.model import DAY
from monitor.report.change import ControlChart, control_chart
from monitor.report.evidence import Section
from monitor.report.periods import Week
from monitor.report.series import Series
from tests.report.weeks import STEADY, in_percent, series, week

LONDON = ZoneInfo("Europe/London")
SLOWER = control_chart(in_percent(*STEADY, *[84] * 18, *[75] * 8))
FEW = control_chart(series(*[(3, 4)] * 52))
CHARTS = {
    Series(): SLOWER,
    Series("health"): SLOWER,
    Series("council"): SLOWER,
    Series("council", "west"): FEW,
    Series("council", "east"): SLOWER,
}


def made(
    monkeypatch: pytest.MonkeyPatch,
    found: Mapping[Series, ControlChart],
    asked_for: dict[str, Any] | None = None,
) -> Section:
    def charted(_monitor: object, _connection: object, last: Week, **asked: Any) -> Any:
        if asked_for is not None:
            asked_for.update(asked, last=last)
        return found

    monkeypatch.setattr(charts, "charted_weeks", charted)
    vocabulary = SimpleNamespace(partners={"council": "", "health": "", "school": ""})
    monitor = SimpleNamespace(zone=LONDON, rulebook=SimpleNamespace(vocabulary=vocabulary))
    until = week(53).first(LONDON)
    return charts.section(
        Asked(
            monitor=cast("Any", monitor),
            connection=cast("Any", None),
            since=until - 90 * DAY,
            until=until,
            now=until,
            known=1,
        )
    )


def test_the_last_week_charted_is_the_last_that_is_over_at_the_end_of_the_period(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, Any] = {}
    made(monkeypatch, CHARTS, asked)

    assert (asked["last"], asked["number"], asked["where"]) == (week(52), 104, {})
    assert asked["last"].end(LONDON) <= asked["now"]


def test_partners_stand_in_the_order_of_the_vocabulary_with_all_together_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    section = made(monkeypatch, CHARTS)

    assert [image.name for image in section.images] == [
        "weeks-all",
        "weeks-council",
        "districts-council",
        "weeks-health",
    ]
    names = {table.name for table in section.tables}
    assert {image.table for image in section.images} <= names, "a picture goes with its table"


def test_every_figure_that_is_drawn_is_in_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {table.name: list(table.rows) for table in made(monkeypatch, CHARTS).tables}

    council = tables["weeks-council"]
    assert [row[0] for row in council] == ["all"] * 52 + ["East"] * 52 + ["West"] * 52
    assert council[51] == ("all", "2027-W09", "2027-03-01", 75, 25, 100, 0.75)
    limits = {row[:2]: row for row in tables["control-charts"]}
    assert limits["council", "all"][4:9] == ("2026-03-09", "2026-08-31", 0.82, 0.7136, 0.9264)
    assert "8 weeks running below" in str(limits["council", "all"][9])
    assert limits["council", "West"][2] == "counts"
    assert "too few duties a week" in str(limits["council", "West"][9])


def test_where_nothing_was_due_it_says_so_and_draws_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    section = made(monkeypatch, {})

    assert section.images == ()
    assert section.paragraphs == ("No duty to a partner fell due in any week that is over.",)
