"""What differs, in the words of the field."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.rulebook.book import MEASURING_FIELDS
from monitor.rulebook.difference import NOTHING, UNFOUNDED, Effect, _effect, difference
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
    """Of one that begins later, both hold one after the other; the date is said once."""
    later = rule(version=2, threshold="5h", effective={"from": "2027-12-01"})
    (found,) = difference(documents(rule()), documents(later))
    assert found.how == "version 2 takes over from version 1 on 2027-12-01"
    assert [change.field for change in found.changes] == ["how long"]
    same_day = rule(version=2, threshold="5h")
    (found,) = difference(documents(rule()), documents(same_day))
    begins = same_day.effective.from_
    assert found.how == f"version 2 in place of version 1, from {begins} on"
    (found,) = difference(documents(later), documents(rule()))
    assert found.how == f"version 1 in place of version 2, from {begins} on"


def test_an_end_that_is_set_is_a_change() -> None:
    ends = {"from": str(rule().effective.from_), "to": "2027-12-31"}
    assert only(effective=ends)[:3] == ("in force: to", NOTHING, "2027-12-31")


def test_another_figure_that_rests_on_the_same_words_is_remarked() -> None:
    """Not where the citation or the note changed, or where it is said to be an assumption."""
    was = rule()
    stated = was.authority.model_dump(mode="json", by_alias=True)
    (found,) = difference(documents(was), documents(rule(threshold="5h")))
    assert found.remark == UNFOUNDED
    is_assumed = was.authority.number_is_assumed
    for said in (
        {"note": "A trial."},
        {"citation": "A protocol."},
        {"number_is_assumed": not is_assumed},
    ):
        now = rule(threshold="5h", authority=stated | said)
        (found,) = difference(documents(was), documents(now))
        assert found.remark == ""
    (found,) = difference(documents(was), documents(rule(wakes=True)))
    assert found.remark == ""


def test_new_and_gone_are_said() -> None:
    found = difference(documents(rule()), documents(rule("another")))
    assert [(each.id, each.how) for each in found] == [("another", "new"), ("tell-council", "gone")]


def test_a_rung_of_a_ladder_changes_who_is_told() -> None:
    fewer = LADDERS[0].model_copy(update={"rungs": LADDERS[0].rungs[1:]})
    (found,) = difference(documents(), documents().model_copy(update={"ladders": (fewer,)}))
    (change,) = found.changes
    assert (change.field, change.effect) == ("who is told when", Effect.TOLD)
    assert change.before == f"at: 1h before due, tell: holder; {change.after}"
