"""Rules, ladders and calendars fitted together."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from monitor.rulebook.book import Documents, build_rulebook, measuring_digest
from monitor.rulebook.language import Alerts, Offset
from monitor.worktime.instants import parse_instant
from tests.clocks.histories import (
    CLOCK_HOURS,
    ENGLAND,
    LADDER,
    OFFICE,
    T0,
    VOCABULARY,
    book,
    contact,
    rule,
    told,
)

MIDNIGHT = parse_instant("2027-07-01T00:00:00+01:00")
SECOND = {"version": 2, "effective": {"from": "2027-07-01"}}


def documents(*rules: Any) -> Documents:
    return Documents(
        rules=rules or (rule(),),
        ladders=(LADDER,),
        calendars=(CLOCK_HOURS, OFFICE),
        holidays={"england": ENGLAND},
        vocabulary=VOCABULARY,
    )


def test_versions_govern_by_the_local_date_of_the_start() -> None:
    """From midnight in the calendar's own zone, which in July is 23:00 UTC."""
    old, new = book(rule(), rule(**SECOND)).duties["council"]
    assert (old.governs(MIDNIGHT - 1), new.governs(MIDNIGHT - 1)) == (True, False)
    assert (old.governs(MIDNIGHT), new.governs(MIDNIGHT)) == (False, True)


def test_versions_are_ordered_whatever_the_order_of_their_files() -> None:
    versions = [duty.rule.version for duty in book(rule(**SECOND), rule()).duties["council"]]
    assert versions == [1, 2]


def test_a_version_is_found_by_its_number() -> None:
    rulebook = book(rule(), rule(**SECOND))
    assert rulebook.duty("council", 1).rule.version == 1
    assert rulebook.newest("council").rule.version == 2
    with pytest.raises(KeyError):
        rulebook.duty("council", 3)


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Another title"},
        {"ladder": None, "alerts": "digest"},
        {"alerts": "off"},
        {"wakes": True},
        {"subject": "council told"},
        {"version": 7},
        {
            "authority": {
                "class": "statute",
                "citation": "another one",
                "review_due": "2028-01-01",
            }
        },
    ],
    ids=lambda change: next(iter(change)),
)
def test_words_and_ladders_are_no_part_of_the_measure(change: dict[str, Any]) -> None:
    assert measuring_digest(rule(**change)) == measuring_digest(rule())


@pytest.mark.parametrize(
    "change",
    [
        {"applies": {"risk": "high"}},
        {"for_each": ["child"]},
        {"start": [{"kind": "notice_submitted"}]},
        {"start": [{"kind": "contact", "risk": "high"}]},
        {"each_start": True},
        {"stop": [{"kind": "triaged"}]},
        {"exempt": []},
        {"void": []},
        {"defer": {"when": [{"kind": "share_decision"}], "at_most": "7 calendar days"}},
        {"confirm": {"where": {"method": "verbal"}, "by": [{"kind": "x"}], "within": "12h"}},
        {"threshold": "5h"},
        {"calendar": "office"},
        {"day_ends": "start of opening"},
        {"closed_day_receipt": "next open day"},
        {"stop_feeds": ["sending-log"]},
        {"effective": {"from": "2026-01-02"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_measures_is(change: dict[str, Any]) -> None:
    assert measuring_digest(rule(**change)) != measuring_digest(rule())


def test_the_partner_is_part_of_the_measure_where_organisations_are_counted() -> None:
    """Which organisations have a clock depends on it: changing it silently changes figures."""
    each = {"for_each": ["organisation"], "stop": [{"kind": "partner_notified"}]}
    assert measuring_digest(rule(**each)) != measuring_digest(rule(**each, partner="health"))


def test_the_same_limit_in_other_words_is_the_same_measure() -> None:
    """It covers what was understood, not how it was written."""
    assert measuring_digest(rule(threshold="240 min")) == measuring_digest(
        rule(threshold="4 hours")
    )


@pytest.mark.parametrize(
    ("written", "limit", "allowed"),
    [
        ("on", Alerts.ON, Alerts.ON),
        ("on", Alerts.DIGEST, Alerts.DIGEST),
        ("on", Alerts.OFF, Alerts.OFF),
        ("digest", Alerts.ON, Alerts.DIGEST),
        ("digest", Alerts.OFF, Alerts.OFF),
        ("off", Alerts.DIGEST, Alerts.OFF),
    ],
)
def test_no_rule_says_more_than_the_installation_allows(
    written: str, limit: Alerts, allowed: Alerts
) -> None:
    limited = build_rulebook(documents(rule(alerts=written)), alerts_limit=limit)
    assert limited.newest("council").rule.alerts is allowed


def test_the_limit_changes_no_measure() -> None:
    one = build_rulebook(documents(), alerts_limit=Alerts.OFF).newest("council").rule
    assert measuring_digest(one) == measuring_digest(rule())


def test_documents_survive_being_stored() -> None:
    """What was accepted is what is read back: the database keeps the text."""
    whole = documents(
        rule(
            for_each=["child"], start=[{"kind": ["contact", "triaged"], "risk": ["high", "none"]}]
        ),
        rule(id="office", calendar="office", threshold="1 working day"),
    )
    again = Documents.from_json(whole.as_json())
    assert again.as_json() == whole.as_json()
    assert build_rulebook(again).digest == build_rulebook(whole).digest
    start = build_rulebook(again).newest("council").starts
    assert start(contact(risk="high"))
    assert start(contact())
    assert not start(contact(risk="medium"))


def test_the_order_of_files_is_no_part_of_the_digest() -> None:
    one, two = rule(), rule(id="other")
    assert book(one, two).digest == book(two, one).digest
    assert book(one).digest != book(two).digest


def test_due_names_the_reason_where_it_is_not_known() -> None:
    duty = book(rule(threshold="1 working day", calendar="office")).newest("council")
    assert duty.due(parse_instant("2028-05-01T10:00:00+01:00"), contact()) == (
        None,
        "calendar office covers 2027-01-01 to 2027-12-31: it does not know 2028-05-01",
    )


def test_a_claim_has_all_the_attributes_that_the_rule_names() -> None:
    confirm = {"where": {"method": "verbal"}, "by": [{"kind": "x"}], "within": "12h"}
    duty = book(rule(confirm=confirm)).newest("council")
    assert duty.is_claim(told(T0, method="verbal"))
    assert not duty.is_claim(told(T0, method="email"))
    assert not duty.is_claim(told(T0))
    assert not book().newest("council").is_claim(told(T0, method="verbal"))


def test_alerts_need_a_ladder() -> None:
    with pytest.raises(ValidationError, match="needs a ladder"):
        rule(ladder=None)


@pytest.mark.parametrize("text", ["when due", "1h before due", "4 working hours after due"])
def test_an_offset_is_printed_as_it_is_written(text: str) -> None:
    assert str(Offset.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "1h", "due", "soon after due", "time on the event before due"]
)
def test_what_is_no_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"limit|none of|length"):
        Offset.parse(text)
