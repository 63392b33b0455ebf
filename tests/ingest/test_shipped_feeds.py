"""The feeds that are shipped, and those that lie beside them, ready to be used and not yet read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.ingest.feeds import Feed, read_feeds
from monitor.rulebook.files import read_documents
from monitor.rulebook.language import Rule

ROOT = Path(__file__).parents[2]
FEEDS = ROOT / "config" / "feeds"
DOCUMENTS = read_documents(ROOT / "rules")


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Feed]:
    """All of them in one folder, as somebody has them who moved every one up."""
    folder = tmp_path_factory.mktemp("feeds")
    for path in (*FEEDS.glob("*.toml"), *(FEEDS / "more").glob("*.toml")):
        shutil.copy(path, folder)
    words = DOCUMENTS.vocabulary
    return read_feeds(
        folder,
        known_kinds=frozenset(words.kinds),
        known_attributes=frozenset(words.attributes),
        known_values={
            "partner": frozenset(words.partners),
            "category": frozenset(words.categories),
            "risk": frozenset(words.risks),
            "decision": frozenset(words.decisions),
            "reason_code": frozenset(words.reason_codes),
        },
    )


def test_what_lies_ready_reads_beside_what_is_used(feeds: dict[str, Feed]) -> None:
    assert set(feeds) == {"command-control", "occurrence", "sending-log", "unit-register"}


def test_a_new_installation_reads_only_what_lies_at_the_top() -> None:
    used = {path.stem for path in FEEDS.glob("*.toml")}
    assert used == {"command-control", "occurrence", "sending-log"}


def test_every_kind_of_event_that_a_rule_waits_for_can_be_brought(feeds: dict[str, Feed]) -> None:
    """A duty that starts or stops with what no source could say would never be measured."""
    brought = {kind for feed in feeds.values() for kind in _brought(feed)}
    asked = {kind for rule in DOCUMENTS.rules for kind in _asked(rule)}
    assert asked <= brought


def test_a_correction_of_a_start_can_be_brought_with_all_that_it_needs(
    feeds: dict[str, Feed],
) -> None:
    correction = DOCUMENTS.vocabulary.start_correction
    assert correction is not None
    register = feeds["unit-register"]
    assert correction.kind in set(_brought(register))
    assert {correction.corrects, *correction.needs} <= set(register.columns)


def _brought(feed: Feed) -> Iterator[str]:
    yield from feed.values.get("kind", {}).values()
    yield from (event.kind for event in feed.events if event.kind)


def _asked(rule: Rule) -> Iterator[str]:
    for condition in (*rule.start, *rule.stop):
        yield from condition.kind
