"""The scenarios that are shipped beside the rules hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.replay.difference import difference
from monitor.replay.running import run_scenarios
from monitor.replay.scenarios import FOLDER, Scenario, read_scenarios
from monitor.rulebook.files import read_documents

RULES = Path(__file__).parents[2] / "rules"
DOCUMENTS = read_documents(RULES)
SCENARIOS = read_scenarios(RULES, DOCUMENTS)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: f"{each.at_line}-{each.name}")
def test_a_scenario_holds(scenario: Scenario) -> None:
    (outcome,) = run_scenarios([scenario], DOCUMENTS)
    assert not list(difference(outcome)), "\n".join(difference(outcome))


def test_every_file_is_read() -> None:
    files = {path.name for path in (RULES / FOLDER).iterdir()}
    assert {Path(scenario.file).name for scenario in SCENARIOS} == files
