"""What differs, in the words of the field."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.rulebook.book import MEASURING_FIELDS
from monitor.rulebook.difference import NOTHING, Effect, _effect, difference
from tests.store.world import LADDERS, documents, rule


def only(**changes: Any) -> tuple[str, str, str, Effect]:
    (found,) = difference(documents(rule()), documents(rule(**changes)))
    (change,) = found.changes
    assert (found.kind, found.id, found.how) == ("rule", "tell-council", "edited")
    return change.field, change.before, change.after, change.effect


def test_the_same_documents_do_not_differ() -> None:
    assert difference(documents(), documents()) == []


@pytest.mark.parametrize(
    ("changes", "field", "before", "after", "effect"),
    [
        ({"threshold": "5h"}, "how long", "4h", "5h", Effect.MEASURED),
        ({"alerts": "off"}, "how much is said", "on", "off", Effect.TOLD),
        ({"wakes": True}, "may wake people at night", "no", "yes", Effect.TOLD),
        ({"ladder": "x"}, "ladder", "usual", "x", Effect.TOLD),
        ({"subject": "told"}, "subject", NOTHING, "told", Effect.WORDING),
        ({"void": ()}, "what makes it fall away", "kind: withdrawn", NOTHING, Effect.MEASURED),
        (
            {"applies": {"risk": "high"}},
            "which cases: risk",
            NOTHING,
            "high",
            Effect.MEASURED,
        ),
    ],
)
def test_a_field_is_said_with_what_it_means(
    changes: dict[str, Any], field: str, before: str, after: str, effect: Effect
) -> None:
    assert only(**changes) == (field, before, after, effect)


def test_every_field_of_a_rule_has_a_meaning() -> None:
    """A measuring field is never taken for wording."""
    assert {_effect(name, rule()) for name in MEASURING_FIELDS} == {Effect.MEASURED}


def test_a_new_version_is_held_against_the_one_before() -> None:
    (found,) = difference(documents(rule()), documents(rule(version=2, threshold="5h")))
    assert found.how == "version 1 became 2"
    assert [change.field for change in found.changes] == ["how long"]


def test_new_and_gone_are_said() -> None:
    found = difference(documents(rule()), documents(rule("another")))
    assert [(each.id, each.how) for each in found] == [("another", "new"), ("tell-council", "gone")]


def test_a_rung_of_a_ladder_changes_who_is_told() -> None:
    fewer = LADDERS[0].model_copy(update={"rungs": LADDERS[0].rungs[1:]})
    (found,) = difference(documents(), documents().model_copy(update={"ladders": (fewer,)}))
    (change,) = found.changes
    assert (change.field, change.effect) == ("who is told when", Effect.TOLD)
    assert change.before == f"at: 1h before due, tell: holder; {change.after}"
