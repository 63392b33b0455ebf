"""`monitor rules test`: it needs no database, and says what a lead can read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli import main
from monitor.installation import install

RULES = Path(__file__).parents[1] / "rules"
SCENARIOS = "tests/significant-harm-council.yaml"
MANY = (RULES / SCENARIOS).read_text(encoding="utf-8").count("  - name:")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the rules with the scenarios of one of them."""
    copy = shutil.copytree(RULES, tmp_path / "rules")
    for path in (copy / "tests").iterdir():
        if path.name != Path(SCENARIOS).name:
            path.unlink()
    return copy


def _test(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["rules", "test", *map(str, arguments)])


def _change(folder: Path, before: str, after: str) -> None:
    path = folder / SCENARIOS
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def test_a_line_a_rule(folder: Path) -> None:
    result = _test("significant-harm-council", "--rules", folder)
    assert result.exit_code == 0, result.output
    assert result.output == f"significant-harm-council  {MANY} scenarios hold\n"


def test_rules_with_few_scenarios_are_named_and_no_failure(folder: Path) -> None:
    result = _test("--rules", folder)
    assert result.exit_code == 0, result.output
    few, _, in_all = result.output.splitlines()[-3:]
    assert in_all == f"{MANY} scenarios hold"
    assert few.startswith("Fewer than 3 scenarios: ")
    assert "other-concern-council" in few
    assert "significant-harm-council" not in few


def test_what_does_not_hold_is_shown_side_by_side(folder: Path) -> None:
    _change(folder, "22:47  overdue to submitting_sergeant", "22:48  overdue to duty_inspector")
    result = _test("--rules", folder)
    assert result.exit_code == 1
    assert f"1 of {MANY} scenarios does not hold" in result.output
    assert f"{folder}/{SCENARIOS}:" in result.output
    assert "x (nothing)" in result.output
    assert "x Mon 8 Mar 2027 22:47  overdue to submitting_sergeant" in result.output
    assert result.output.splitlines()[-1] == f"1 of {MANY} does not hold"


def test_a_version_that_no_scenario_is_late_enough_for_is_named(folder: Path) -> None:
    """Every scenario holds, and says nothing of it; `--newest` tries it."""
    rule = folder / "significant-harm-council.yaml"
    text = rule.read_text(encoding="utf-8").replace("version: 1\n", "version: 2\n")
    text = text.replace("from: 2026-01-01", "from: 2027-06-01")
    text = text.replace("threshold: 4h", "threshold: 6h")
    (folder / "significant-harm-council-2.yaml").write_text(text, encoding="utf-8")
    words = ("significant-harm-council", "--rules", folder)
    result = _test(*words)
    assert result.exit_code == 0, result.output
    said = "version 2 begins on 2027-06-01: no scenario is that late; it was not tried"
    assert f"significant-harm-council: {said}" in result.output
    assert "--newest" in result.output
    tried = _test(*words, "--newest")
    assert tried.exit_code == 1
    assert "do not hold" in tried.output
    assert "not tried" not in tried.output
    _change(folder, "Mon 8 Mar 2027 18:47  contact", "Mon 7 Jun 2027 18:47  contact")
    assert "not tried" not in _test(*words).output


def test_a_fault_in_a_file_is_wrong_use(folder: Path) -> None:
    _change(folder, "Mon 8 Mar 2027 18:47", "Tue 8 Mar 2027 18:47")
    result = _test("--rules", folder)
    assert result.exit_code == 2
    assert "8 Mar 2027 is a Mon" in result.stderr
    assert result.stdout == ""


def test_a_rule_that_is_not_there_is_wrong_use(folder: Path) -> None:
    result = _test("significant-harm", "--rules", folder)
    assert result.exit_code == 2
    assert "there is no rule significant-harm" in result.stderr


def test_an_installation_has_the_scenarios_and_needs_no_database_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`monitor init` copies them with the rules; the folder that the settings name is meant."""
    install(tmp_path / "force")
    shutil.rmtree(tmp_path / "force/var")
    monkeypatch.chdir(tmp_path / "force")
    result = _test("police-protection-council")
    assert result.exit_code == 0, result.output
    assert "scenarios hold" in result.output
