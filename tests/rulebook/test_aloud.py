"""A rule read aloud, for people who cannot program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.data import data_folder
from monitor.rulebook.aloud import in_words, read_aloud, spoken
from monitor.rulebook.book import Documents
from monitor.rulebook.files import read_documents
from monitor.worktime.limits import parse_limit
from tests.store.world import documents, rule


def aloud(**changes: Any) -> dict[str, str]:
    written = rule(**changes)
    return dict(read_aloud(written, documents(written)))


@pytest.fixture(scope="module")
def pack() -> Documents:
    """The rules that are shipped."""
    return read_documents(Path(data_folder("rules")))


def test_every_shipped_rule_can_be_read_aloud(pack: Documents) -> None:
    """No name with an underscore, no bracket of a list: whole sentences."""
    for each in pack.rules:
        for about, text in read_aloud(each, pack):
            assert text.endswith("."), (each.id, about, text)
            assert "_" not in text, (each.id, about, text)
            assert "['" not in text, (each.id, about, text)


def test_the_duty_is_a_sentence() -> None:
    assert aloud()["The duty"] == (
        "When contact, it must be on record within 4 hours that the council was told."
    )


def test_which_cases_and_whom_it_counts_for_are_said() -> None:
    said = aloud(applies={"risk": "high"}, for_each=["child"], each_start=True)["The duty"]
    assert said.startswith("Each time contact in a case with high, it must")
    assert said.endswith("Time runs for each child by itself.")


def test_an_assumed_figure_says_so() -> None:
    assert "This figure is an assumption" in aloud()["Who says so"]
    stated = {
        "class": "statute",
        "citation": "an Act.",
        "number_is_assumed": False,
        "review_due": "2099-01-01",
    }
    assert aloud(authority=stated)["Who says so"] == (
        "Statute, England: an Act. To be looked at again by 2099-01-01."
    )


def test_who_is_told_is_said_rung_by_rung() -> None:
    assert aloud()["Who is told"] == (
        "By the ladder usual, in duty hours; in the night it waits: 1 hour before it is due,"
        " whoever has the case; when it is due, the inspector; 2 hours after it is due, the"
        " superintendent."
    )
    assert aloud(alerts="off")["Who is told"] == "Nobody: it is only measured."
    assert "weekly figures" in aloud(alerts="digest")["Who is told"]


def test_exempt_void_and_deferral_have_sentences_of_their_own() -> None:
    note = [{"kind": "note", "decision": "withheld"}]
    said = aloud(exempt=note, defer={"when": note, "at_most": "2 calendar days"})
    assert said["Exempt"] == "It does not apply, and is counted apart, when note (withheld)."
    assert said["Void"] == "It falls away when withdrawn."
    assert "for 2 calendar days at most where none was" in said["Put off"]


def test_a_claim_that_must_be_confirmed_is_said() -> None:
    confirm = {"where": {"method": "verbal"}, "by": [{"kind": "note"}], "within": "24h"}
    said = aloud(confirm=confirm, stop_feeds=["desk"])["What ends it"]
    assert "Silence counts for nothing until desk was heard." in said
    assert "it must be confirmed within 24 hours: note." in said


def test_a_calendar_is_said_in_words(pack: Documents) -> None:
    mash = next(each for each in pack.calendars if each.id == "mash")
    assert in_words(mash).startswith("Monday to Friday 08:00 to 18:00; not on the bank holidays of")
    nights = mash.model_copy(
        update={"weekly": {"fri": ((22 * 60, 30 * 60),), "sat": ((480, 720),)}, "holidays": None}
    )
    assert in_words(nights) == (
        "Friday 22:00 to 06:00; Saturday 08:00 to 12:00. Times are those of Europe/London."
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [("4h", "4 hours"), ("1h", "1 hour"), ("20 min", "20 minutes"), ("1 working day",) * 2],
)
def test_lengths_are_said_in_words(written: str, said: str) -> None:
    assert spoken(parse_limit(written)) == said
