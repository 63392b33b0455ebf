"""What the language gains must not change what was accepted before.

A database keeps the digest of each accepted version and of the active rulebook. A release whose
language says more must give the same digests for what is written in the words of before.
"""

from __future__ import annotations

import pytest

from monitor.rulebook.book import measuring_digest
from monitor.rulebook.language import Rule
from tests.clocks.histories import RESUME, RULES, book, rule

ACCEPTED = {
    ("council", 1): "0cc400ebfd51de2debcfa3e85c3464fdbfe443a44f1467025587fc8848a5260c",
    ("council-slow", 1): "7edc9e8ae19ef4b2c1575a6afbf933b7b3005ee1dfacebca8838f78b610eb7ee",
    ("council-each", 1): "5fde552ed907b9e982ae8edb4e31e1191f70d887dad2d5551e7926b4c7cf8fa9",
    ("council-old", 1): "28f6e77d91a0c1bfb678f790f0fc2ca2ead571cff52621ff237c70ef52da6b16",
    ("council-old", 2): "7c3d2e1b13c230b6fa5166fcb0e7dd046b002268f8b30ea44ff1cf363d0b4915",
    ("written", 1): "49d2a41812c2892ec47b5853972532f53732d088606d2b0d0622efb4f85a02bc",
    ("triage", 1): "02e3268ba5e960a0cb24958a123722ed528c6e0833196f3883a38aa72a702783",
}
"""As they stand in databases since the first release; never to be written anew."""
FOUND = {"kind": "organisation_responsible", "basis": "found"}


@pytest.mark.parametrize("each", RULES, ids=lambda each: f"{each.id} {each.version}")
def test_an_accepted_version_keeps_its_digest(each: Rule) -> None:
    assert measuring_digest(each) == ACCEPTED[each.id, each.version]


def test_a_rule_due_at_a_time_on_the_event_keeps_its_digest() -> None:
    on_the_event = rule(threshold="time on the event")
    assert measuring_digest(on_the_event) == (
        "b5f735461f20bba08c5e7ab386b9524948947c58dde155acbce6ab6a2ee0894d"
    )


@pytest.mark.parametrize("gained", ["owed_to", "resume", "start_correction"])
def test_words_that_are_not_used_are_not_written(gained: str) -> None:
    """An active rulebook and what was approved are known by their text: another would stop them."""
    assert gained not in book(*RULES).documents.as_json()


def test_what_the_language_gained_is_measured() -> None:
    """A rule that uses it differs from one that does not, and from one that says it otherwise."""
    plain = rule(for_each=["organisation"])
    owed = rule(for_each=["organisation"], owed_to=[FOUND])
    other = rule(for_each=["organisation"], owed_to=[FOUND | {"basis": "resident"}])
    again = rule(resume=RESUME)
    free = rule(threshold="time on the event")
    week = rule(threshold="time on the event within 7 calendar days")
    day = rule(threshold="time on the event within 24h")
    assert (
        len({measuring_digest(each) for each in (plain, owed, other, again, free, week, day)}) == 7
    )


def test_what_the_language_gained_is_read_back_as_written() -> None:
    owed = rule(
        for_each=["organisation"],
        owed_to=[FOUND],
        threshold="time on the event within 7 calendar days",
    )
    read = Rule.model_validate_json(owed.model_dump_json(by_alias=True))
    assert read == owed
    assert measuring_digest(read) == measuring_digest(owed)
