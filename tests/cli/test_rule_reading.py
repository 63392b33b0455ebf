"""Rules read aloud, listed and compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from monitor.data import data_folder
from monitor.replay.scenarios import scenarios_schema
from monitor.rulebook.difference import UNFOUNDED
from monitor.rulebook.schema import schemas
from tests.cli.commands import (
    HIGH,
    NEEDS_A_PERSON,
    OTHER,
    ROLE,
    WRONG_USE,
    change,
    edit_high,
    typed,
)


def test_a_rule_is_read_aloud_within_the_width_of_a_page(on_trial: Path) -> None:
    said = typed("rules", "show", HIGH).stdout
    assert f"High-risk notice triaged ({HIGH}, version 1)" in said
    assert "This figure is an assumption" in said.replace("\n", " ")
    assert max(map(len, said.splitlines())) <= 100
    (value,) = json.loads(typed("rules", "show", HIGH, "--json").stdout)
    assert value["rule"]["id"] == HIGH
    assert "within 4 hours" in value["aloud"]["The duty"]
    said = typed("rules", "show", "notice-triaged", expect=WRONG_USE).stderr
    assert said == (
        f"there is no rule notice-triaged; nearest: {HIGH}, no-notice; all: monitor rules list\n"
    )


def test_roles_are_read_aloud_by_their_titles_with_their_ids(on_trial: Path) -> None:
    """As recipients.toml has them; where that cannot be read, by their ids in words."""
    said = " ".join(typed("rules", "show", HIGH).stdout.split())
    assert "the duty inspector (duty_inspector)" in said
    recipients = on_trial / "config/recipients.toml"
    written = recipients.read_text(encoding="utf-8")
    renamed = written.replace('title = "duty inspector"', 'title = "patrol inspector"')
    assert renamed != written
    recipients.write_text(renamed, encoding="utf-8")
    said = " ".join(typed("rules", "show", HIGH).stdout.split())
    assert "the patrol inspector (duty_inspector)" in said
    (value,) = json.loads(typed("rules", "show", HIGH, "--json").stdout)
    assert "the patrol inspector (duty_inspector)" in value["aloud"]["Who is told"]
    recipients.write_text("this is no table", encoding="utf-8")
    assert "the duty inspector;" in " ".join(typed("rules", "show", HIGH).stdout.split())


def test_the_list_fits_the_page(on_trial: Path) -> None:
    assert max(map(len, typed("rules", "list").stdout.splitlines())) <= 100


@pytest.mark.parametrize("kind", ["rule", "ladder", "calendar", "vocabulary"])
def test_the_schema_is_that_of_the_editors(kind: str) -> None:
    assert typed("rules", "schema", kind).stdout == schemas()[f"{kind}.schema.json"]


def test_the_schema_of_scenarios_is_that_of_the_editors() -> None:
    assert typed("rules", "schema", "scenarios").stdout == scenarios_schema()


def test_what_was_never_approved_is_new(on_trial: Path) -> None:
    said = typed("rules", "diff", HIGH, expect=NEEDS_A_PERSON).stdout
    assert said == f"What rules/ changes of what is approved or in force:\nrule {HIGH}: new\n"


def test_files_are_held_against_what_was_approved(approved: Path) -> None:
    assert typed("rules", "diff").stdout == "Nothing differs.\n"
    edit_high(approved, begins="2099-12-01")
    assert typed("rules", "diff", expect=NEEDS_A_PERSON).stdout.splitlines() == [
        "What rules/ changes of what is approved or in force:",
        f"rule {HIGH}: version 2 takes over from version 1 on 2099-12-01",
        "    how long (changes what is measured)",
        "      approved: 4h",
        "      rules:    3h",
        f"    {UNFOUNDED}",
    ]
    typed("rules", "diff", OTHER)
    assert "there is no rule" in typed("rules", "diff", "nothing", expect=WRONG_USE).stderr


def test_files_are_held_against_another_folder(approved: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(approved / "rules", tmp_path / "other"))
    typed("rules", "diff", "--against", other)
    edit_high(approved)
    said = typed("rules", "diff", "--against", other, expect=NEEDS_A_PERSON).stdout
    assert "What rules/ changes of what other/ says:" in said
    assert "version 2 in place of version 1, from 2026-01-01 on" in said
    assert "      other: 4h\n      rules: 3h" in said
    said = typed("rules", "diff", "--against", data_folder("rules"), expect=NEEDS_A_PERSON).stdout
    assert "gone" in said


# -- a folder that is tried -------------------------------------------------------------------


def tried(force: Path, to: str = "threshold: 6h") -> Path:
    """A copy of the rules in which the limit is changed in place."""
    shutil.copytree(force / "rules", force / "rules-tried")
    path = force / "rules-tried" / f"{HIGH}.yaml"
    path.write_text(path.read_text("utf-8").replace("threshold: 4h", to), "utf-8")
    return path


def test_a_folder_that_is_tried_is_what_comes_after(approved: Path) -> None:
    """Each side is called by its name, so that nobody reads it backwards."""
    tried(approved)
    said = typed("rules", "diff", HIGH, "--rules", "rules-tried", expect=NEEDS_A_PERSON).stdout
    assert said.splitlines() == [
        "What rules-tried/ changes of what is approved or in force:",
        f"rule {HIGH}: edited",
        "    how long (changes what is measured)",
        "      approved:    4h",
        "      rules-tried: 6h",
        f"    {UNFOUNDED}",
    ]
    against = ("--rules", "rules-tried", "--against", "rules")
    said = typed("rules", "diff", HIGH, *against, expect=NEEDS_A_PERSON).stdout
    assert "What rules-tried/ changes of what rules/ says:" in said
    assert "      rules:       4h\n      rules-tried: 6h" in said


def test_a_folder_that_is_tried_is_compared_with_what_is_on_trial_too(on_trial: Path) -> None:
    tried(on_trial)
    said = typed("rules", "diff", HIGH, "--rules", "rules-tried", expect=NEEDS_A_PERSON).stdout
    assert "      on trial:    4h\n      rules-tried: 6h" in said


def test_a_bare_number_is_told_the_forms_of_a_limit(approved: Path) -> None:
    tried(approved, "threshold: 6")
    said = typed("rules", "diff", "--rules", "rules-tried", expect=WRONG_USE).stderr
    assert "threshold: found 6, '6' is not a limit: expected a whole number" in said
    assert "as in 4h, 45 min" in said


# -- several versions -------------------------------------------------------------------------

SECOND = f"{HIGH}-2.yaml"


def second_version(force: Path, begins: str = "2099-12-01") -> None:
    """A file of its own beside the first, as docs/change-a-threshold.md has it."""
    shutil.copy(force / "rules" / f"{HIGH}.yaml", force / "rules" / SECOND)
    change(force, SECOND, "version: 1\n", "version: 2\n")
    change(force, SECOND, "from: 2026-01-01", f"from: {begins}")
    change(force, SECOND, "threshold: 4h", "threshold: 3h")


def test_every_version_is_listed_with_its_own_state(approved: Path, somebody_else: None) -> None:
    second_version(approved)
    said = typed("rules", "list").stdout.splitlines()
    at = next(index for index, line in enumerate(said) if line.startswith(HIGH))
    assert said[at + 1].startswith("    version 1 from 2026-01-01, approved by the test, ")
    assert said[at + 2] == (
        "    version 2 from 2099-12-01, waits for approval (edited, version 1 runs on)"
    )
    typed("rules", "approve", HIGH, "--by", ROLE, "--yes")
    said = typed("rules", "list").stdout.splitlines()
    assert said[at + 1].startswith("    version 1 until 2099-11-30, approved by the test, ")
    assert said[at + 2].startswith(f"    version 2 from 2099-12-01, approved by the {ROLE}, ")
    lines = json.loads(typed("rules", "list", "--json").stdout)
    (line,) = [each for each in lines if each["id"] == HIGH]
    assert (line["versions"], line["state"], line["approved_by"]) == ([1, 2], "approved", ROLE)
    assert [
        (each["version"], each["until"], each["holds"], each["approved_by"])
        for each in line["by_version"]
    ] == [(1, "2099-11-30", True, "test"), (2, "", False, ROLE)]


def test_every_version_is_read_aloud_with_its_state(approved: Path, somebody_else: None) -> None:
    """The one in force first; "in force" is said of no other."""
    second_version(approved)
    read = json.loads(typed("rules", "show", HIGH, "--json").stdout)
    states = [(each["rule"]["version"], each["state"], each["holds"]) for each in read]
    assert states == [(1, "in force", True), (2, "waits for approval", False)]
    typed("rules", "approve", HIGH, "--by", ROLE, "--yes")
    said = typed("rules", "show", HIGH).stdout
    first, second = said.split(f"({HIGH}, version 2)\n")
    assert "\nIn force since 2026-01-01, until 2099-11-30; approved by the test, " in first
    assert second.startswith(f"Approved, begins on 2099-12-01; approved by the {ROLE}, ")
    assert "in force" not in second.lower()
    assert "within 3 hours" in second
    said = typed("rules", "show", HIGH, "--version", "2").stdout
    assert "version 1" not in said
    said = typed("rules", "show", HIGH, "--version", "9", expect=WRONG_USE).stderr
    assert said == f"rule {HIGH} has no version 9; known: 1, 2\n"


def test_of_a_rule_on_trial_nobody_says_that_it_is_in_force(on_trial: Path) -> None:
    said = typed("rules", "show", HIGH).stdout
    assert "\nOn trial: measures, tells nobody.\n" in said
    assert "in force" not in said.lower()


def test_an_edit_in_place_is_read_beside_what_runs_on(approved: Path) -> None:
    """Though such files could not come into force: what is wrong with them is said elsewhere."""
    change(approved, f"{HIGH}.yaml", "threshold: 4h", "threshold: 3h")
    read = json.loads(typed("rules", "show", HIGH, "--json").stdout)
    assert [(each["rule"]["threshold"], each["state"]) for each in read] == [
        ("4h", "in force"),
        ("3h", "waits for approval"),
    ]
    said = typed("rules", "list", expect=WRONG_USE).stderr
    assert f"put version 1 back as it was, copy the file as {HIGH}-2.yaml" in said
    assert "and there set version to 2 and effective.from to a day to come" in said


def test_without_a_database_a_rule_is_read_aloud_all_the_same(approved: Path) -> None:
    for file in (approved / "var").glob("monitor.db*"):
        file.unlink()
    said = typed("rules", "show", HIGH).stdout
    assert "Whether it is approved is not known: the database cannot be read here." in said
    assert "within 4 hours" in said


# -- what the check finds ---------------------------------------------------------------------


def test_a_version_whose_file_is_gone_is_named(approved: Path, somebody_else: None) -> None:
    """It holds until the next begins, by what the database kept alone."""
    second_version(approved)
    typed("rules", "approve", HIGH, "--by", ROLE, "--yes")
    typed("rules", "check", HIGH)
    (approved / "rules" / f"{HIGH}.yaml").unlink()
    said = typed("rules", "check", HIGH, expect=NEEDS_A_PERSON).stdout
    assert "no file has version 1 any more: it governs starts from 2026-01-01 to 2099-11-30" in said
    assert "nothing governs what starts before 2099-12-01: no file has a version before" in said
    for file in (approved / "var").glob("monitor.db*"):
        file.unlink()
    said = typed("rules", "check", HIGH, expect=NEEDS_A_PERSON).stdout
    assert "no file has version 1 any more" not in said
    assert "nothing governs what starts before 2099-12-01" in said


def test_the_check_of_some_rules_says_nothing_of_others(approved: Path) -> None:
    everything = json.loads(typed("rules", "check", "--json", expect=NEEDS_A_PERSON).stdout)
    assert everything
    assert typed("rules", "check", HIGH).stdout == f"Nothing to look at about {HIGH}.\n"
    change(approved, f"{HIGH}.yaml", "review_due: 20", "review_due: 19")
    found = json.loads(typed("rules", "check", HIGH, "--json", expect=NEEDS_A_PERSON).stdout)
    assert {each["about"] for each in found} == {HIGH}
    assert "there is no rule" in typed("rules", "check", "nothing", expect=WRONG_USE).stderr
