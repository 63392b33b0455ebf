"""The commands about rules: read out, compared, approved."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from monitor import cli
from monitor.data import data_folder
from monitor.installation import install
from monitor.rulebook.schema import schemas
from tests.approved import approve_installed
from tests.process.installed import COLUMNS, hours_ago, notice

DONE, NEEDS_A_PERSON, WRONG_USE = 0, 1, 2
HIGH, OTHER = "notice-triaged-high", "no-notice"
KEPT = (f"{HIGH}.yaml", f"{OTHER}.yaml", "vocabulary.yaml")
LADDER = "urgent-triage"
ROLE = "head of safeguarding"


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `monitor init` makes, with two of its rules: nothing is approved."""
    folder = tmp_path_factory.mktemp("made") / "force"
    install(folder)
    for rule in (folder / "rules").glob("*.yaml"):
        if rule.name not in KEPT:
            rule.unlink()
    settings = folder / "config/monitor.toml"
    settings.write_text(settings.read_text().replace('alerts = "digest"', 'alerts = "on"'))
    return folder


@pytest.fixture
def force(made_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of this test's own; commands are typed in its folder."""
    folder = Path(shutil.copytree(made_once, tmp_path / "force"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def approved(force: Path) -> Path:
    """The same, in force as it was approved."""
    approve_installed(force)
    typed("rules", "activate")
    return force


@pytest.fixture
def somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account that types owns no file."""
    monkeypatch.setattr(os, "getuid", lambda: 64_000)


def typed(*words: str | Path, expect: int = DONE, answer: str = "") -> Result:
    """What a command said; its exit status must be as expected."""
    result = CliRunner().invoke(cli.main, [str(word) for word in words], input=answer)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


def change(force: Path, file: str, before: str, after: str) -> None:
    path = force / "rules" / file
    text = path.read_text("utf-8")
    assert text.count(before) == 1, before
    path.write_text(text.replace(before, after), "utf-8")


def listed() -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in json.loads(typed("rules", "list", "--json").stdout)}


def rows(force: Path, asked: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(force / "var/monitor.db") as database:
        found = database.execute(asked).fetchall()
    database.close()
    return found


def edit_high(force: Path) -> None:
    """Another limit, as a new version."""
    change(force, f"{HIGH}.yaml", "version: 1\n", "version: 2\n")
    change(force, f"{HIGH}.yaml", "threshold: 4h", "threshold: 3h")


# -- approving --------------------------------------------------------------------------------


def test_what_is_new_is_on_trial_and_says_so(force: Path) -> None:
    assert {each["state"] for each in listed().values()} == {"trial, not approved"}
    assert {each["alerts"] for each in listed().values()} == {"off"}
    assert "trial, not approved: it measures and tells nobody" in typed("rules", "list").stdout
    said = typed("status", "--service", expect=NEEDS_A_PERSON).stdout
    assert "no rule is approved, so nobody is told anything" in said
    assert "2 rules are not approved and tell nobody" in said


def test_approving_records_who_when_and_what(force: Path) -> None:
    """The account stands in the action and in the audit log, and nowhere else."""
    said = typed("rules", "approve", HIGH, "--by", ROLE, "--yes").stdout
    assert f"rule {HIGH}, version 1" in said
    assert f"ladder {LADDER}, version 1" in said
    assert "before: off" in said
    found = listed()
    assert (found[HIGH]["state"], found[HIGH]["approved_by"]) == ("approved", ROLE)
    assert found[HIGH]["alerts"] == "on"
    assert found[OTHER]["state"] == "trial, not approved"
    kept = rows(force, "SELECT kind, name, version, role, length(digest), number FROM approval")
    assert kept == [("rule", HIGH, 1, ROLE, 64, 1), ("ladder", LADDER, 1, ROLE, 64, 2)]
    acts = rows(force, "SELECT number, kind, target, on_behalf_of, actor <> '' FROM action")
    assert acts[:2] == [
        (1, "approve", f"rule {HIGH}", ROLE, 1),
        (2, "approve", f"ladder {LADDER}", ROLE, 1),
    ]
    assert rows(force, "SELECT operation, subject FROM audit ORDER BY id")[0] == (
        "alteration",
        f"rule {HIGH}",
    )


def test_approving_puts_it_in_force_at_once(force: Path) -> None:
    before = typed("rules", "activate").stdout.splitlines()[-2].split()[-1]
    said = typed("rules", "approve", "--all", "--by", ROLE, "--yes").stdout
    (newest,) = rows(force, "SELECT digest FROM activation ORDER BY id DESC LIMIT 1")
    assert f"is in force: {newest[0]}" in said
    assert newest[0] != before
    assert {each["state"] for each in listed().values()} == {"approved"}
    typed("status", "--service")
    assert typed("rules", "approve", "--all", "--by", ROLE).stdout == (
        "It is approved as it stands.\n"
    )


def test_nobody_approves_what_their_account_wrote(approved: Path) -> None:
    """The file is named with its line, and the way to mend it. What is shipped, nobody wrote."""
    edit_high(approved)
    said = typed("rules", "approve", HIGH, "--by", ROLE, "--yes", expect=WRONG_USE).stderr
    assert f"rules/{HIGH}.yaml:2:5: id: found '{HIGH}', this file belongs to the account" in said
    assert "have another account approve it" in said
    assert listed()[HIGH]["state"] == "edited, version 1 runs on"


def test_comments_are_nobody_s_writing(force: Path) -> None:
    path = force / "rules" / f"{HIGH}.yaml"
    path.write_text("# ours\n" + path.read_text("utf-8"), "utf-8")
    typed("rules", "approve", HIGH, "--by", ROLE, "--yes")


def test_an_edited_rule_runs_on_until_somebody_else_approves_it(
    approved: Path, somebody_else: None
) -> None:
    edit_high(approved)
    typed("rules", "activate")
    assert listed()[HIGH]["versions"] == [1]
    said = typed("status", "--service", expect=NEEDS_A_PERSON).stdout
    assert f"edited, and running on as approved before: {HIGH}" in said
    typed("rules", "approve", HIGH, "--by", ROLE, "--yes")
    assert listed()[HIGH]["versions"] == [1, 2]
    typed("status", "--service")


def test_an_edited_ladder_runs_on_until_it_is_approved(approved: Path, somebody_else: None) -> None:
    change(approved, f"ladders/{LADDER}.yaml", "at: 1h before due", "at: 2h before due")
    assert "before: at: 1h before due" in typed("rules", "diff", expect=NEEDS_A_PERSON).stdout
    before = typed("rules", "activate").stdout
    assert before.startswith("This rulebook is in force already")
    said = typed("rules", "approve", f"ladder/{LADDER}", "--by", ROLE, "--yes").stdout
    assert f"ladder {LADDER} tells of other rules too: {HIGH}" in said
    typed("rules", "diff")


def test_a_rule_and_a_ladder_of_one_name_can_be_told_apart(force: Path) -> None:
    """`no-notice` is both: by itself it is the rule, which takes its ladder with it."""
    said = typed("rules", "approve", f"ladder/{OTHER}", "--by", ROLE, "--yes").stdout
    assert f"rule {OTHER}" not in said
    assert "1 file approved" in said
    assert "1 file approved" in typed("rules", "approve", OTHER, "--by", ROLE, "--yes").stdout


def test_no_is_no(force: Path) -> None:
    said = typed("rules", "approve", HIGH, "--by", ROLE, expect=NEEDS_A_PERSON, answer="n\n").stdout
    assert "To be approved:" in said
    assert "Nothing was approved." in said
    assert rows(force, "SELECT count(*) FROM approval") == [(0,)]


def test_what_is_not_there_is_wrong_use(force: Path) -> None:
    said = typed("rules", "approve", "nothing", "--by", ROLE, expect=WRONG_USE).stderr
    assert "found 'nothing', there is no such rule or ladder; known:" in said
    assert "--all" in typed("rules", "approve", "--by", ROLE, expect=WRONG_USE).stderr
    typed("rules", "approve", HIGH, "--all", "--by", ROLE, expect=WRONG_USE)
    typed("rules", "approve", HIGH, expect=WRONG_USE)


def test_files_that_change_under_the_question_are_not_approved(
    force: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was shown is what is approved."""

    def meanwhile(*_: Any, **__: Any) -> bool:
        change(force, f"{OTHER}.yaml", "alerts: on", "alerts: digest")
        return True

    monkeypatch.setattr("click.confirm", meanwhile)
    said = typed("rules", "approve", HIGH, "--by", ROLE, expect=WRONG_USE).stderr
    assert "files were changed while they were being approved" in said
    assert rows(force, "SELECT count(*) FROM approval") == [(0,)]


def test_an_empty_role_approves_nothing(force: Path) -> None:
    """The empty role is kept for what was in force before approvals were."""
    said = typed("rules", "approve", HIGH, "--by", " ", expect=WRONG_USE).stderr
    assert "say for which role" in said


def test_measuring_otherwise_needs_a_version_though_nothing_is_approved(force: Path) -> None:
    typed("rules", "activate")
    change(force, f"{HIGH}.yaml", "threshold: 4h", "threshold: 3h")
    assert "set version to 2" in typed("rules", "list", expect=WRONG_USE).stderr


# -- reading ----------------------------------------------------------------------------------


def test_a_rule_is_read_aloud_within_the_width_of_a_page(force: Path) -> None:
    said = typed("rules", "show", HIGH).stdout
    assert f"High-risk notice triaged ({HIGH}, version 1)" in said
    assert "This figure is an assumption" in said.replace("\n", " ")
    assert max(map(len, said.splitlines())) <= 100
    (value,) = json.loads(typed("rules", "show", HIGH, "--json").stdout)
    assert value["rule"]["id"] == HIGH
    assert "within 4 hours" in value["aloud"]["The duty"]
    assert "known: no-notice" in typed("rules", "show", "nothing", expect=WRONG_USE).stderr


def test_the_list_fits_the_page(force: Path) -> None:
    assert max(map(len, typed("rules", "list").stdout.splitlines())) <= 100


@pytest.mark.parametrize("kind", ["rule", "ladder", "calendar", "vocabulary"])
def test_the_schema_is_that_of_the_editors(kind: str) -> None:
    assert typed("rules", "schema", kind).stdout == schemas()[f"{kind}.schema.json"]


def test_what_was_never_approved_is_new(force: Path) -> None:
    said = typed("rules", "diff", HIGH, expect=NEEDS_A_PERSON).stdout
    assert said == f"rule {HIGH}: new\n"


def test_files_are_held_against_what_was_approved(approved: Path) -> None:
    assert typed("rules", "diff").stdout == "Nothing differs.\n"
    edit_high(approved)
    assert typed("rules", "diff", expect=NEEDS_A_PERSON).stdout.splitlines() == [
        f"rule {HIGH}: version 1 became 2",
        "    how long (changes what is measured)",
        "      before: 4h",
        "      after:  3h",
    ]
    typed("rules", "diff", OTHER)
    assert "there is no rule" in typed("rules", "diff", "nothing", expect=WRONG_USE).stderr


def test_files_are_held_against_another_folder(approved: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(approved / "rules", tmp_path / "other"))
    typed("rules", "diff", "--against", other)
    edit_high(approved)
    said = typed("rules", "diff", "--against", other, expect=NEEDS_A_PERSON).stdout
    assert "version 1 became 2" in said
    said = typed("rules", "diff", "--against", data_folder("rules"), expect=NEEDS_A_PERSON).stdout
    assert "gone" in said


# -- what it would have told ------------------------------------------------------------------


def take_in(force: Path, *rows: str) -> None:
    path = force / "drop/occurrence/notices-1.csv"
    path.write_text(",".join(COLUMNS) + "\n" + "".join(rows), encoding="utf-8")
    typed("ingest", path, "--feed", "occurrence")


def test_the_last_weeks_are_shown_before_anything_is_approved(force: Path) -> None:
    """Whoever has the case was to be told, and nobody was: it is on trial."""
    take_in(force, notice("PPN-2027-004211", submitted=hours_ago(30)))
    said = typed("rules", "approve", HIGH, "--by", ROLE, expect=NEEDS_A_PERSON, answer="n\n").stdout
    assert "Mails of the last 28 days by these rules" in said
    assert "supervising sergeant: 2 mails, at most 2 in 8 hours" in said
    assert "TOO MANY" not in said
    assert max(map(len, said.splitlines())) <= 100
    assert rows(force, "SELECT count(*) FROM alert") == [(0,)]


def test_what_is_too_much_for_a_shift_is_said(force: Path) -> None:
    """Eleven notices become late one after the other, all with one post; `--yes` shows it too."""
    late = [notice(f"PPN-2027-{n:06}", submitted=hours_ago(30 + n / 10)) for n in range(11)]
    take_in(force, *late)
    said = typed("rules", "approve", HIGH, "--by", ROLE, "--yes").stdout
    assert re.search(r"at most \d\d in 8 hours: TOO MANY, more than 10", said)
