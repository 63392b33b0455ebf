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
    assert result.output == "significant-harm-council  6 scenarios hold\n"


def test_rules_with_few_scenarios_are_named_and_no_failure(folder: Path) -> None:
    result = _test("--rules", folder)
    assert result.exit_code == 0, result.output
    last = result.output.splitlines()[-1]
    assert last.startswith("Fewer than 3 scenarios: ")
    assert "other-concern-council" in last
    assert "significant-harm-council" not in last


def test_what_does_not_hold_is_shown_side_by_side(folder: Path) -> None:
    _change(folder, "22:47  overdue to submitting_sergeant", "22:48  overdue to duty_inspector")
    result = _test("--rules", folder)
    assert result.exit_code == 1
    assert "1 of 6 scenarios does not hold" in result.output
    assert f"{folder}/{SCENARIOS}:" in result.output
    assert "x (nothing)" in result.output
    assert "x Mon 8 Mar 2027 22:47  overdue to submitting_sergeant" in result.output


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
