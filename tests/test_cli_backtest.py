"""`monitor backtest`, `rules check` and `reassess`: what they say, save and leave alone."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor import cli
from monitor.cycle import backtesting
from monitor.installation import install
from tests.approved import approve_installed
from tests.process.installed import COLUMNS, hours_ago, notice

DONE, NEEDS_A_PERSON, WRONG_USE = 0, 1, 2
RULE = "notice-triaged-high"
PERIOD = (
    "--from",
    f"{hours_ago(96):%Y-%m-%dT%H:%M:%SZ}",
    "--to",
    f"{hours_ago(1):%Y-%m-%dT%H:%M:%SZ}",
)


def typed(*words: str | Path, expect: int = DONE) -> Result:
    result = CliRunner().invoke(cli.main, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One notice triaged after three hours, one after six; the rules allow four, and eight."""
    folder = tmp_path_factory.mktemp("made") / "force"
    install(folder)
    approve_installed(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        path = folder / "notices-1.csv"
        at = hours_ago(72)
        rows = (
            notice("PPN-2027-000001", submitted=at, triaged=at + timedelta(hours=3)),
            notice("PPN-2027-000002", submitted=at, triaged=at + timedelta(hours=6)),
        )
        path.write_text(",".join(COLUMNS) + "\n" + "".join(rows), encoding="utf-8")
        typed("once")
        typed("ingest", path, "--feed", "occurrence")
        shutil.copytree("rules", "tried")
        tried = Path("tried") / f"{RULE}.yaml"
        tried.write_text(tried.read_text().replace("threshold: 4h", "threshold: 8h"))
    return folder


@pytest.fixture
def force(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing that is tested here changes it."""
    monkeypatch.chdir(made)
    return made


@pytest.mark.usefixtures("force")
def test_a_back_test_says_what_changes_and_names_the_case() -> None:
    said = typed("backtest", "--rules", "tried", *PERIOD, "--workers", "1").stdout
    first, *rest = said.splitlines()
    assert first.endswith("1 say something else.")
    (line,) = [each for each in rest if each.startswith(f"{RULE}  late")]
    assert line.split() == [RULE, "late", "met", "1", "PPN-2027-000002"]
    assert max(map(len, said.splitlines())) <= 100


@pytest.mark.usefixtures("force")
def test_json_holds_the_same_and_several_processes_find_it_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backtesting, "SPAN", 1)
    read = [
        json.loads(typed("backtest", "--rules", "tried", *PERIOD, "--json", "--workers", n).stdout)
        for n in ("1", "2")
    ]
    for each in read:
        for name in ("seconds", "reading_seconds", "computing_seconds"):
            assert each.pop(name) >= 0
    assert read[0] == read[1]
    (turn,) = read[0]["changes"]
    assert (turn["rule"], turn["before"], turn["after"], turn["clocks"]) == (RULE, "late", "met", 1)
    assert {role["role"] for role in read[0]["roles"]} >= {"duty_inspector"}


def test_what_is_saved_can_be_opened(force: Path, tmp_path: Path) -> None:
    typed("backtest", "--rules", "tried", *PERIOD, "--rule", RULE, "--out", tmp_path / "out")
    with (tmp_path / "out/changes.csv").open(encoding="utf-8") as file:
        assert [row["rule"] for row in csv.DictReader(file)] == [RULE]
    page = (tmp_path / "out/backtest.html").read_text(encoding="utf-8")
    assert page.count("OFFICIAL-SENSITIVE") >= 2
    assert "PPN-2027-000002" in page
    assert "http" not in page, "nothing is fetched from elsewhere"
    assert (force / "var/monitor.db").exists()


def test_nothing_is_written_but_that_it_was_looked_at(force: Path) -> None:
    def rows() -> dict[str, int]:
        database = sqlite3.connect(force / "var/monitor.db")
        names = ("event", "clock", "alert", "message", "action", "approval", "activation", "audit")
        found = {
            name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names
        }
        database.close()
        return found

    before = rows()
    typed("backtest", "--rules", "tried", *PERIOD)
    assert rows() == before | {"audit": before["audit"] + 1}


@pytest.mark.usefixtures("force")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rule", "no-such-rule"), "there is no such rule"),
        (("--to", "2020-01-01T00:00:00Z"), "--from must be before --to"),
        (("--to", f"{hours_ago(-48):%Y-%m-%d}"), "--to is ahead of now"),
        (("--from", "1 January"), "neither a date such as 2026-01-01 nor an instant"),
        (("--from", "2026-01-01T06:00"), "with Z or an offset"),
    ],
)
def test_wrong_use_is_said(words: tuple[str, ...], said: str) -> None:
    assert said in typed("backtest", "--rules", "tried", *PERIOD, *words, expect=WRONG_USE).stderr


@pytest.mark.usefixtures("force")
def test_without_a_period_it_is_the_year_up_to_now() -> None:
    """So that nothing that is still to come counts as if it had come."""
    said = typed("backtest", "--rules", "tried", "--workers", "1").stdout
    assert "PPN-2027-000002" in said
    found = json.loads(typed("backtest", "--rules", "tried", "--workers", "1", "--json").stdout)
    begins, ends = (datetime.fromisoformat(found[name]) for name in ("from", "to"))
    assert ends - begins == timedelta(days=365)
    assert timedelta() <= hours_ago(0) - ends < timedelta(minutes=5)


@pytest.mark.usefixtures("force")
def test_a_date_is_its_midnight_where_the_force_is() -> None:
    """In summer an hour before that of UTC."""
    words = ("--from", "2026-06-01", "--to", "2026-06-02T00:00:00Z", "--workers", "1")
    found = json.loads(typed("backtest", "--rules", "tried", *words, "--json").stdout)
    assert (found["from"], found["to"]) == (
        "2026-06-01T00:00:00+01:00",
        "2026-06-02T01:00:00+01:00",
    )
    said = typed("backtest", "--rules", "tried", *words).stdout
    assert "from 2026-06-01 00:00 to 2026-06-02 01:00" in said


@pytest.mark.usefixtures("force")
def test_the_check_names_what_no_feed_brings_and_the_roles_that_are_missing(tmp_path: Path) -> None:
    said = typed("rules", "check", expect=NEEDS_A_PERSON).stdout
    assert "no feed brings what starts it: it never runs" in said
    assert "REFUSED" not in said
    copy = shutil.copytree("rules", tmp_path / "rules")
    ladder = copy / "ladders/urgent-triage.yaml"
    ladder.write_text(ladder.read_text().replace("tell: duty_inspector", "tell: chief_of_nobody"))
    found = json.loads(typed("rules", "check", "--json", "--rules", copy, expect=1).stdout)
    assert "role chief_of_nobody" in {each["about"] for each in found}


def test_a_rule_that_cannot_be_borne_is_refused_by_check(force: Path, tmp_path: Path) -> None:
    """Its limit is over before the feed could show that it was kept."""
    copy = shutil.copytree(force, tmp_path / "force")
    rule = copy / f"rules/{RULE}.yaml"
    rule.write_text(rule.read_text().replace("threshold: 4h", "threshold: 20 min"))
    config = copy / "config/monitor.toml"
    said = typed("--config", config, "check", expect=WRONG_USE).stderr
    assert "its limit can be over after 20 min" in said
    assert "let occurrence come more often, or set alerts to digest" in said


@pytest.mark.usefixtures("force")
def test_with_nothing_corrected_there_is_nothing_to_restate() -> None:
    assert "Nothing that has ended is measured otherwise" in typed("reassess", "--dry-run").stdout
    assert "--by ROLE --reason CODE" in typed("reassess", "--apply", expect=WRONG_USE).stderr
    assert "one of" in typed("reassess", expect=WRONG_USE).stderr
