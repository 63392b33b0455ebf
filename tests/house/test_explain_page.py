"""docs/explain.md shows what `monitor explain` prints, and names every field of its JSON."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

from monitor.clocks.explanation import Part
from monitor.cycle.explained import ClockExplanation

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/explain.md").read_text(encoding="utf-8")
EXPLAINED = ROOT / "tests/stories/explained"


def blocks(language: str) -> list[str]:
    """The examples of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)\n```", PAGE, flags=re.DOTALL)


def test_the_examples_are_what_the_command_prints() -> None:
    """They are the texts that the stories hold it to."""
    easter, then = blocks("text")
    assert easter == (EXPLAINED / "easter.txt").read_text(encoding="utf-8").strip()
    assert (EXPLAINED / "verbal-as-of.txt").read_text(encoding="utf-8").startswith(then)
    assert "As known then: overdue. As known today of that instant: met" in then


def test_the_json_is_what_the_command_prints() -> None:
    (shown,) = blocks("json")
    kept = (EXPLAINED / "easter.json").read_text(encoding="utf-8")
    assert json.loads(shown) == json.loads(kept)


def test_every_field_of_a_clock_stands_in_the_example() -> None:
    (clock,) = json.loads(blocks("json")[0])["clocks"]
    assert [field.name for field in fields(ClockExplanation)] == list(clock)


def test_every_part_that_a_fact_can_play_is_named() -> None:
    for part in Part:
        assert f"`{part}`" in PAGE
