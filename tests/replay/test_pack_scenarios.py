"""The scenarios that are shipped beside the rules hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from monitor.replay.difference import difference
from monitor.replay.running import Outcome, run_scenarios
from monitor.replay.scenarios import FOLDER, read_scenarios
from monitor.rulebook.files import read_documents

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
