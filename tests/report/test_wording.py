from __future__ import annotations

from pathlib import Path

import pytest

from monitor.report.wording import left_out, stop_feeds, wording
from monitor.rulebook.book import Rulebook, build_rulebook
from monitor.rulebook.files import read_documents
from monitor.rulebook.language import Alerts

RULES = Path(__file__).parents[2] / "rules"


@pytest.fixture(scope="module")
def shipped() -> Rulebook:
    """The rules as they are shipped."""
    return build_rulebook(read_documents(RULES))


def test_a_rule_is_named_by_its_title_and_its_limit(shipped: Rulebook) -> None:
    words = wording(shipped)
    assert words.rule("significant-harm-council").label == "Council told of significant harm, 4 h"
    other = words.rule("other-concern-health").label
    assert other == "Health told of another concern, 2 working days"


def test_every_shipped_rule_has_a_label_of_its_own_that_names_its_partner(
    shipped: Rulebook,
) -> None:
    rules = wording(shipped).rules
    assert len({words.label for words in rules.values()}) == len(rules)
    for words in rules.values():
        assert words.partner in words.label.casefold()


def test_partners_come_in_the_order_of_the_vocabulary_and_own_steps_last(
    shipped: Rulebook,
) -> None:
    order = list(dict.fromkeys(words.partner for words in wording(shipped).rules.values()))
    assert order == [*shipped.vocabulary.partners, ""]


def test_a_feed_is_named_by_its_title_up_to_the_colon(shipped: Rulebook) -> None:
    words = wording(shipped, feeds={"occurrence": "Occurrence system: hourly extract"})
    assert words.feed("occurrence") == "Occurrence system"
    assert words.feed("sending-log") == "sending log"


def test_what_is_not_named_is_said_by_its_own_id(shipped: Rulebook) -> None:
    words = wording(shipped)
    assert words.rule("gone").label == "gone"
    assert words.partner("youth_justice") == "youth justice"
    assert words.reason("") == "no reason recorded"


def test_rules_that_are_off_are_left_out_of_figures() -> None:
    documents = read_documents(RULES)
    assert left_out(build_rulebook(documents)) == frozenset()
    quiet = build_rulebook(documents, alerts_limit=Alerts.OFF)
    assert left_out(quiet) == frozenset(quiet.duties)


def test_every_version_of_a_rule_names_the_feeds_of_its_stops(shipped: Rulebook) -> None:
    version = shipped.newest("significant-harm-council").rule.version
    assert stop_feeds(shipped)["significant-harm-council", version] == ("sending-log",)
