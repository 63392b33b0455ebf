"""What the check of a rulebook finds that no single file shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from monitor.model import HOUR, MINUTE
from monitor.rulebook.findings import Brings, Finding, Source, beginning, findings, shortest
from monitor.rulebook.language import Rule, Rung
from monitor.worktime.instants import parse_instant
from tests.clocks.histories import LADDER, T0, book, rule

TODAY = dt.date(2027, 3, 8)
CONTACT = Brings(kind="contact", sometimes=frozenset({"category", "risk"}))
TOLD = Brings(kind="partner_notified", always={"partner": frozenset({"council", "health", ""})})
LOG = Source(brings=(CONTACT, TOLD), late=30 * MINUTE)


def found(
    *rules: Rule, sources: Mapping[str, Source] | None = None, today: dt.date = TODAY
) -> list[Finding]:
    rulebook = book(*rules)
    return findings(rulebook, {} if sources is None else sources, now=T0, today=today)


def what(*rules: Rule, **more: Any) -> list[str]:
    return [f"{each.about}: {each.what}" for each in found(*rules, **more)]


def test_of_a_whole_rulebook_nothing_is_found() -> None:
    assert found(rule(stop_feeds=["log"]), sources={"log": LOG}) == []


# -- cases that no rule covers ----------------------------------------------------------------


def test_a_category_that_no_rule_names_is_found() -> None:
    assert what(rule(applies={"category": "neglect"})) == [
        "category physical_abuse: no rule asks that a partner be told of physical abuse"
    ]


def test_the_risks_of_a_category_that_no_rule_covers_are_named() -> None:
    covering = rule(id="all", applies={"category": "neglect"})
    high = rule(applies={"risk": ["high", "medium"]})
    assert what(covering, high) == [
        (
            "category physical_abuse: no rule asks that a partner be told of physical abuse"
            " where the risk is standard, not said"
        )
    ]


@pytest.mark.parametrize("change", [{"alerts": "off"}, {"partner": "", "subject": "triage"}])
def test_a_rule_that_tells_no_partner_covers_nothing(change: dict[str, Any]) -> None:
    assert len(found(rule(**change))) == 2


# -- versions ---------------------------------------------------------------------------------


def version(number: int, begins: str, ends: str | None = None) -> Rule:
    effective = {"from": begins} | ({"to": ends} if ends else {})
    return rule(version=number, effective=effective)


@pytest.mark.parametrize(
    ("older", "newer", "said"),
    [
        (version(1, "2026-01-01", "2027-01-31"), version(2, "2027-01-01"), "the newer governs"),
        (version(1, "2026-01-01", "2026-12-30"), version(2, "2027-01-01"), "nothing governs"),
        (version(1, "2026-06-01"), version(2, "2026-01-01"), "version 1 never governs"),
        (version(1, "2026-06-01", "2026-05-01"), version(2, "2027-01-01"), "before it begins"),
    ],
)
def test_versions_that_do_not_follow_each_other_are_found(
    older: Rule, newer: Rule, said: str
) -> None:
    assert any(said in each for each in what(older, newer))


def test_versions_that_follow_each_other_are_in_order() -> None:
    assert found(version(1, "2026-01-01", "2026-12-31"), version(2, "2027-01-01")) == []


def test_days_before_a_version_that_follows_one_without_a_file_are_found() -> None:
    """A first version that is yet to begin leaves nothing out: it is new."""
    assert found(version(1, "2099-01-01")) == []
    assert found(version(2, "2026-01-01")) == []
    (said,) = found(version(2, "2099-01-01"))
    assert said.what == (
        "nothing governs what starts before 2099-01-01: no file has a version before version 2"
    )
    assert "version 1 back" in said.mend


def changed(number: int, begins: str) -> Rule:
    return rule(version=number, effective={"from": begins}, threshold="3h")


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        (changed(2, "2027-03-09"), []),
        (changed(2, "2027-03-08"), ["begins on 2027-03-08, which is today: once it is approved"]),
        (changed(2, "2027-03-01"), ["begins on 2027-03-01, which is past: once it is approved"]),
        (version(2, "2027-03-01"), []),
        (
            changed(2, "2026-01-01"),
            ["on the day on which the approved version 1 does (2026-01-01)", "which is past"],
        ),
        (
            changed(2, "2025-12-31"),
            ["before the approved version 1 does (2026-01-01): version 1 would govern nothing"],
        ),
        (version(2, "2025-12-31"), ["before the approved version 1 does"]),
    ],
)
def test_a_version_that_waits_and_reaches_back_is_found(waiting: Rule, said: list[str]) -> None:
    """Only where it measures otherwise does anything that was measured change."""
    found = beginning(waiting, [version(1, "2026-01-01")], today=TODAY)
    assert len(found) >= len(said)
    assert bool(found) is bool(said)
    assert all(any(words in each.what for each in found) for words in said)
    assert {each.about for each in found} <= {waiting.id}
    assert not any(each.refused for each in found)


def test_a_rule_of_which_nothing_was_approved_changes_nothing_by_beginning_long_ago() -> None:
    """It measures on trial since then, and goes on."""
    other = rule(id="other", effective={"from": "2026-01-01"})
    assert beginning(changed(1, "2026-01-01"), [], today=TODAY) == []
    assert beginning(changed(1, "2026-01-01"), [other], today=TODAY) == []


def test_a_version_is_held_against_the_newest_approved_before_it() -> None:
    approved = [version(1, "2026-01-01"), version(2, "2027-02-01")]
    (first, _) = beginning(changed(3, "2027-01-15"), approved, today=TODAY)
    assert "before the approved version 2 does (2027-02-01)" in first.what


def test_a_review_is_due_until_the_end_of_its_day() -> None:
    due = rule().authority.review_due
    assert found(rule(), today=due) == []
    assert "its review was due" in what(rule(), today=due + dt.timedelta(days=1))[0]


def test_a_rule_that_was_retired_needs_no_review() -> None:
    due = rule().authority.review_due
    assert found(version(1, "2026-01-01", "2026-12-31"), today=due + dt.timedelta(days=1)) == []


# -- what feeds bring -------------------------------------------------------------------------


def test_a_rule_whose_start_no_feed_brings_never_runs() -> None:
    asked = rule(start=[{"kind": "regraded"}])
    assert "no feed brings what starts it" in what(asked, sources={"log": LOG})[0]


def test_a_rule_that_nothing_can_stop_is_refused_while_it_alerts() -> None:
    only_health = Brings(kind="partner_notified", always={"partner": frozenset({"health"})})
    sources = {"log": Source(brings=(CONTACT, only_health), late=MINUTE)}
    (alerting,) = found(rule(), sources=sources)
    assert "no feed brings what stops it" in alerting.what
    assert alerting.refused
    (quiet,) = found(rule(alerts="digest"), sources=sources)
    assert not quiet.refused


def test_an_attribute_that_no_column_holds_cannot_be_asked_for() -> None:
    asked = rule(start=[{"kind": "contact", "method": "telephone"}])
    assert "no feed brings what starts it" in what(asked, sources={"log": LOG})[0]
    unsaid = rule(start=[{"kind": "contact", "method": "none"}])
    assert found(unsaid, sources={"log": LOG}) == []


@pytest.mark.parametrize(("late", "is_refused"), [(4 * HOUR, False), (4 * HOUR + 1, True)])
def test_a_limit_shorter_than_its_feed_may_be_late_is_refused(
    late: int, *, is_refused: bool
) -> None:
    sources = {"log": replace(LOG, brings=(TOLD,), late=late), "starts": LOG}
    said = found(rule(stop_feeds=["log"]), sources=sources)
    assert bool(said) is is_refused
    assert all(each.refused for each in said)


@pytest.mark.parametrize(("late", "is_found"), [(4 * HOUR, False), (4 * HOUR + MINUTE, True)])
def test_a_limit_that_can_be_over_before_its_start_is_heard_of_is_found(
    late: int, *, is_found: bool
) -> None:
    """By the feed that brings it soonest. Nothing is refused: it is told of, only late."""
    starts = Source(brings=(CONTACT,), late=late)
    sources = {"log": replace(LOG, brings=(TOLD,)), "starts": starts}
    said = found(rule(stop_feeds=["log"]), sources=sources)
    assert bool(said) is is_found
    assert not any(each.refused for each in said)
    if is_found:
        assert "its limit can be over after 4 h, and starts brings" in said[0].what
        assert "up to 4 h 01 later" in said[0].what
    sooner = sources | {"sooner": replace(starts, late=HOUR)}
    assert found(rule(stop_feeds=["log"]), sources=sooner) == []


@pytest.mark.parametrize(("threshold", "is_found"), [("1h", False), ("30 min", True)])
def test_a_warning_that_lies_before_the_start_is_found(threshold: str, *, is_found: bool) -> None:
    said = what(rule(threshold=threshold))
    assert any("1h before due, lies before its start" in each for each in said) is is_found
    assert not any(each.refused for each in found(rule(threshold=threshold)))


def test_the_shortest_that_a_working_day_leaves_is_found_by_looking() -> None:
    """A contact on Friday at noon is due on Monday at the close; one at midnight has least."""
    duty = book(rule(threshold="1 working day", calendar="office")).newest("council")
    length = shortest(duty, now=T0)
    assert length is not None
    assert 17 * HOUR <= length <= 24 * HOUR + 17 * HOUR


# -- calendars that end -----------------------------------------------------------------------


def test_a_limit_past_the_end_of_its_calendar_is_refused() -> None:
    asked = rule(threshold="300 working days", calendar="office")
    (said,) = found(asked)
    assert "ends before what starts now is due" in said.what
    assert said.refused


def test_rungs_past_the_end_of_the_calendar_are_named() -> None:
    """The calendar knows 2027 only; the limit ends on its last day and the ladder would go on."""
    slow = LADDER.model_copy(
        update={
            "rungs": tuple(
                Rung.model_validate(each)
                for each in (
                    {"at": "when due", "tell": "inspector"},
                    {"at": "2 working days after due", "tell": "on_call"},
                )
            )
        }
    )
    rulebook = book(rule(threshold="1 working hour", calendar="office"), ladder=slow)
    new_year_s_eve = parse_instant("2027-12-31T14:00:00+00:00")
    (said,) = findings(rulebook, {}, now=new_year_s_eve, today=TODAY)
    assert "rung 2 of urgent lies past the end of the calendar office" in said.what
    assert not said.refused
