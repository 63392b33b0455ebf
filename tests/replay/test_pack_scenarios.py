"""The scenarios that are shipped beside the rules hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from monitor.replay.difference import difference
from monitor.replay.running import Outcome, run_scenarios
from monitor.replay.scenarios import FOLDER, SCHEMA, read_scenarios, scenarios_schema
from monitor.rulebook.files import read_documents
from tests.json_schema import faults_by_schema
from tests.worktime.shipped import read_yaml

RULES = Path(__file__).parents[2] / "rules"
DOCUMENTS = read_documents(RULES)
SCENARIOS = read_scenarios(RULES, DOCUMENTS)


@cache
def outcomes() -> Sequence[Outcome]:
    """All of them, lived through once."""
    return run_scenarios(SCENARIOS, DOCUMENTS)


@pytest.mark.parametrize("place", range(len(SCENARIOS)), ids=lambda at: SCENARIOS[at].name)
def test_a_scenario_holds(place: int) -> None:
    outcome = outcomes()[place]
    assert not list(difference(outcome)), "\n".join(difference(outcome))


def test_every_file_is_read() -> None:
    files = {path.name for path in (RULES / FOLDER).iterdir()}
    assert {Path(scenario.file).name for scenario in SCENARIOS} == files


def test_every_rule_has_three_scenarios_at_least() -> None:
    number = Counter(rule for scenario in SCENARIOS for rule in scenario.rules)
    assert {rule.id: number[rule.id] for rule in DOCUMENTS.rules if number[rule.id] < 3} == {}


# -- the schema for editors -------------------------------------------------------------------

FILES = sorted((RULES / FOLDER).glob("*.yaml"))
FIRST_LINE = f"# yaml-language-server: $schema=../schema/{SCHEMA}"
TOLD_IN_TIME = {
    "rule": "council",
    "scenarios": [
        {
            "name": "Told in time",
            "events": ["Mon 8 Mar 2027 18:47  contact  category=neglect"],
            "expect": [{"at": "Mon 8 Mar 2027 23:00", "clocks": []}],
        }
    ],
}


def test_the_schema_of_scenarios_is_up_to_date() -> None:
    """If it fails: write what `monitor rules schema scenarios` prints to that file."""
    assert (RULES / "schema" / SCHEMA).read_text(encoding="utf-8") == scenarios_schema()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_names_its_schema_first_and_fits_it(path: Path) -> None:
    """An editor that knows the schema marks nothing in what is shipped."""
    assert path.read_text(encoding="utf-8").splitlines()[0] == FIRST_LINE
    assert faults_by_schema(json.loads(scenarios_schema()), read_yaml(path)) == []


@pytest.mark.parametrize(
    ("before", "after", "marked"),
    [
        ('"at"', '"when"', "scenarios.0.expect.0.when: there is no such field"),
        ("Mon 8 Mar 2027 23:00", "8 Mar 2027 23:00", "scenarios.0.expect.0.at: "),
        ("Mon 8 Mar 2027 23:00", "Mon 8 Mar 2027", "scenarios.0.expect.0.at: "),
        ("Mon 8 Mar 2027 18:47  contact", "18:47  contact", "scenarios.0.events.0: "),
        ('"clocks": []', '"clocks": "overdue"', "scenarios.0.expect.0.clocks: "),
        ('"events"', '"roles"', "scenarios.0: "),
    ],
)
def test_an_editor_marks_what_cannot_be_read(before: str, after: str, marked: str) -> None:
    schema, text = json.loads(scenarios_schema()), json.dumps(TOLD_IN_TIME)
    assert faults_by_schema(schema, json.loads(text)) == []
    assert text.count(before) == 1
    said = faults_by_schema(schema, json.loads(text.replace(before, after)))
    assert any(each.startswith(marked) for each in said), said
