"""Rows set aside, intakes, and mail that is held."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import LATE, NEEDS_A_PERSON, WRONG_USE, extract, typed
from tests.process.installed import hours_ago, notice


@pytest.fixture
def one_bad_row(force: Path, tmp_path: Path) -> Path:
    rows = [notice(f"PPN-2027-{number:06}", submitted=hours_ago(30)) for number in range(9)]
    bad = notice(LATE, submitted=hours_ago(5)).replace("PHYS ABUSE,H", "PHYS ABUSE,X")
    path = extract(tmp_path, *rows, bad)
    typed("ingest", path, "--feed", "occurrence", expect=NEEDS_A_PERSON)
    return force


def test_a_row_set_aside_is_listed_shown_and_mended(one_bad_row: Path) -> None:
    """Its place, its field, what was expected; and taken in once the mapping knows its word."""
    listed = typed("quarantine", "list").stdout
    assert "occurrence, notices-1.csv, line 11" in listed
    number = listed.split()[0]
    shown = typed("quarantine", "show", number).stdout
    assert "RISK_GRADE = X" in shown
    assert typed("quarantine", "list", "--feed", "sending-log").stdout == "No rows are set aside.\n"

    still = typed("quarantine", "retry", expect=NEEDS_A_PERSON).stdout
    assert still == "0 rows taken in, 1 still set aside\n"
    feed = one_bad_row / "config/feeds/occurrence.toml"
    feed.write_text(feed.read_text().replace('"H" = "high"', '"H" = "high"\n"X" = "high"'))
    assert typed("quarantine", "retry").stdout == "1 row taken in, 0 still set aside\n"
    assert typed("quarantine", "list").stdout == "No rows are set aside.\n"
    typed("explain", LATE)


def test_a_row_that_is_not_there_is_wrong_use(force: Path) -> None:
    assert "monitor quarantine list" in typed("quarantine", "show", "7", expect=WRONG_USE).stderr
    typed("quarantine", "show", "seven", expect=WRONG_USE)


def test_an_intake_is_listed_and_undone(two_cases: Path) -> None:
    """What it brought is unknown again."""
    listed = typed("intake", "list").stdout
    assert listed.splitlines()[0] == "1  occurrence, notices-1.csv: done"
    assert "2 rows: 5 new, 0 known already" in listed
    assert typed("intake", "undo", "1").stdout == "intake 1 is undone; 2 cases changed\n"
    left = json.loads(typed("clocks", "--format", "json").stdout)
    assert {clock["verdict"] for clock in left} <= {"superseded"}


def test_an_intake_that_is_not_there_is_wrong_use(force: Path) -> None:
    assert "monitor intake list" in typed("intake", "undo", "7", expect=WRONG_USE).stderr
    assert typed("intake", "list").stdout == "No file was taken in.\n"


def test_mail_is_held_until_it_is_released(force: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alerts go on being decided."""
    monkeypatch.setenv("MONITOR_TELLING_ALERTS", "on")
    monkeypatch.setenv("MONITOR_MAIL_HOST", "127.0.0.1")
    monkeypatch.setenv("MONITOR_MAIL_PORT", "1")
    assert "monitor mail release" in typed("mail", "hold").stdout
    extract(force / "drop/occurrence", notice(LATE, submitted=hours_ago(5)))
    assert "1 alert, 0 digests, 0 mails sent" in typed("once").stdout
    typed("mail", "release")
    said = typed("once", expect=NEEDS_A_PERSON).stderr
    assert "the mail server takes nothing at present" in said
