"""Rules read aloud, listed and compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from monitor.data import data_folder
from monitor.replay.scenarios import scenarios_schema
from monitor.rulebook.schema import schemas
from tests.cli.commands import HIGH, NEEDS_A_PERSON, OTHER, WRONG_USE, edit_high, typed


def test_a_rule_is_read_aloud_within_the_width_of_a_page(on_trial: Path) -> None:
    said = typed("rules", "show", HIGH).stdout
    assert f"High-risk notice triaged ({HIGH}, version 1)" in said
    assert "This figure is an assumption" in said.replace("\n", " ")
    assert max(map(len, said.splitlines())) <= 100
    (value,) = json.loads(typed("rules", "show", HIGH, "--json").stdout)
    assert value["rule"]["id"] == HIGH
    assert "within 4 hours" in value["aloud"]["The duty"]
    assert "known: no-notice" in typed("rules", "show", "nothing", expect=WRONG_USE).stderr


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
