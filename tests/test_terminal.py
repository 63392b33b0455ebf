"""What the terminal shows: widths, words, and the shapes that machines read."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor.cycle.lists import ClockRow
from monitor.cycle.status import CaseloadStatus, FeedStatus, LoopStatus, ServiceStatus, Status
from monitor.model import DAY, HOUR, MINUTE, Verdict
from monitor.terminal import (
    CLOCK_COLUMNS,
    LEGEND,
    status_lines,
    status_values,
    write_clocks,
)
from monitor.worktime.instants import parse_instant

LONDON = ZoneInfo("Europe/London")
NOW = parse_instant("2027-03-09T02:47:00+00:00")
CHILD = "3f92c4bac0986197300fc357d677d25a"


def row(**changes: Any) -> ClockRow:
    values: dict[str, Any] = {
        "rule": "significant-harm-council",
        "reference": "PPN-2027-004211",
        "child": CHILD,
        "organisation": "eastshire",
        "started_at": NOW - 6 * HOUR,
        "due_at": NOW - 2 * HOUR,
        "stopped_at": None,
        "verdict": Verdict.OVERDUE,
    }
    return ClockRow(**values | changes)


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def printed(*rows: ClockRow, form: str = "table", out: io.StringIO | None = None) -> str:
    out = out or io.StringIO()
    write_clocks(rows, form, out, at=NOW, zone=LONDON)
    return out.getvalue()


# -- clocks -----------------------------------------------------------------------------------


def test_the_table_is_aligned_and_short() -> None:
    """Eight digits of a child's hash, local times, nothing where nothing is."""
    heading, *lines = printed(row(), row(child="", rule="no-notice")).splitlines()
    assert heading.split() == list(CLOCK_COLUMNS)
    assert lines[0].split() == [
        *("significant-harm-council", "PPN-2027-004211", "3f92c4ba", "eastshire"),
        *("08", "Mar", "20:47", "09", "Mar", "00:47", "-", "overdue"),
    ]
    assert {line.index("overdue") for line in lines} == {heading.index("verdict")}


def test_a_time_of_another_year_says_its_year() -> None:
    assert "09 Mar 2026" in printed(row(started_at=NOW - 365 * DAY))


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_the_table_fits_the_screen(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """The rule and the organisation give way first; times and verdict never do."""
    monkeypatch.setenv("COLUMNS", str(columns))
    long = row(rule="domestic-abuse-high-council-and-more", organisation="eastshire-and-westshire")
    for line in printed(long, out=Screen()).splitlines():
        assert len(line) <= max(columns, 93)
        assert line.endswith(("overdue", "verdict"))


def test_what_no_screen_shows_is_whole() -> None:
    """A pipe has no width."""
    assert "domestic-abuse-high-council-and-more" in printed(
        row(rule="domestic-abuse-high-council-and-more")
    )


def test_an_empty_list_is_a_heading() -> None:
    assert printed().split() == list(CLOCK_COLUMNS)


def test_a_rule_on_trial_is_marked_and_the_mark_is_said_once_beneath() -> None:
    """Whoever reads the table must not take what a trial rule says for decided policy."""
    heading, first, second, empty, *legend = printed(
        row(), row(on_trial=True, rule="no-notice")
    ).splitlines()
    assert heading.split() == list(CLOCK_COLUMNS)
    assert first.endswith("overdue")
    assert second.endswith("overdue *")
    assert (empty, " ".join(legend)) == ("", LEGEND)
    assert LEGEND.startswith("* on trial: nobody has approved this rule.")
    assert LEGEND not in printed(row())


def test_the_legend_fits_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    *_, legend, rest = printed(row(on_trial=True), out=Screen()).splitlines()
    assert f"{legend} {rest}" == LEGEND
    assert max(len(legend), len(rest)) <= 80


def test_csv_and_json_hold_the_same_whole_values() -> None:
    """The whole hash, times in UTC; absent is empty in one and null in the other."""
    rows = (row(), row(child="", due_at=None, on_trial=True))
    read = list(csv.DictReader(io.StringIO(printed(*rows, form="csv"))))
    listed = json.loads(printed(*rows, form="json"))
    assert [one.pop("on_trial") for one in read] == ["false", "true"]
    assert [one.pop("on_trial") for one in listed] == [False, True]
    assert [{name: cell or None for name, cell in one.items()} for one in read] == listed
    assert list(read[0]) == list(CLOCK_COLUMNS), "what was added stands at the end"
    assert read[0] == {
        "rule": "significant-harm-council",
        "reference": "PPN-2027-004211",
        "child": CHILD,
        "organisation": "eastshire",
        "started_at": "2027-03-08T20:47:00+00:00",
        "due_at": "2027-03-09T00:47:00+00:00",
        "stopped_at": "",
        "verdict": "overdue",
    }
    assert json.loads(printed(form="json")) == []


# -- status -----------------------------------------------------------------------------------


def status(*, faults: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> Status:
    return Status(
        at=NOW,
        service=ServiceStatus(
            rulebook="f0098ec650fb",
            alerts_limit="digest",
            feeds=(
                FeedStatus(name="occurrence", last_heard_at=NOW - HOUR, silent=True, red=""),
                FeedStatus(name="sending-log", last_heard_at=None, silent=False, red=""),
            ),
            loops=(
                LoopStatus(
                    node="one", loop="sweep", turned_at=NOW - MINUTE, outcome="0 clocks, 0 alerts"
                ),
            ),
            rows_set_aside=2,
            files_refused=0,
            files_passed_over=(),
            cases_to_assess=0,
            messages={"sent": 3, "retrying": 0},
            mail_held=False,
            next_action_at=NOW + HOUR,
        ),
        caseload=CaseloadStatus(
            clocks=9,
            by_verdict={"overdue": 2, "due_soon": 1},
            overdue_by_rule={"significant-harm-council": 2},
            nobody_to_tell=0,
        ),
        service_faults=faults,
        caseload_notes=notes,
    )


def shown(found: Status, only: str | None = None) -> str:
    return "\n".join(status_lines(found, only, zone=LONDON))


def test_status_says_first_what_needs_a_person() -> None:
    lines = shown(status(faults=("feed occurrence is silent",), notes=("2 duties are overdue",)))
    service, _, caseload = lines.partition("CASELOAD")
    assert service.splitlines()[3] == "  SEE TO: feed occurrence is silent"
    assert caseload.splitlines()[1] == "  SEE TO: 2 duties are overdue"
    assert "02:47 on Tue 9 March 2027" in service


def test_status_says_that_nothing_needs_anybody() -> None:
    """A silent screen would be read as one that failed."""
    assert "nothing needs the operator" in shown(status())
    assert "nothing is overdue" in shown(status())


def test_status_speaks_in_words() -> None:
    text = shown(status())
    assert "who is told: weekly digests only" in text
    assert "occurrence: heard 1 h 00 ago, SILENT" in text
    assert "sending-log: never heard" in text
    assert "sweep on one: 1 min ago, 0 clocks, 0 alerts" in text
    assert "9 in all; not stopped: 2 overdue, 1 due soon" in text
    assert "mail     3 sent" in text


@pytest.mark.parametrize(("only", "other"), [("service", "CASELOAD"), ("caseload", "SERVICE")])
def test_status_can_be_of_one_side_alone(only: str, other: str) -> None:
    assert other not in shown(status(), only)
    assert other.lower() not in status_values(status(), only)


def test_status_for_machines_dates_its_instants() -> None:
    values = status_values(status(), None)
    assert values["at"] == "2027-03-09T02:47:00+00:00"
    assert values["service"]["feeds"][1]["last_heard_at"] is None
    assert values["service"]["loops"][0]["turned_at"] == "2027-03-09T02:46:00+00:00"
    assert values["service"]["next_action_at"] == "2027-03-09T03:47:00+00:00"
    assert values["caseload"]["by_verdict"] == {"overdue": 2, "due_soon": 1}
    json.dumps(values)
