"""An explanation on the terminal: the answer first, a hundred columns, every field for machines.

Whole texts are held to the word by `tests/stories/test_explained.py`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from monitor.cycle.explained import (
    CaseExplanation,
    ClockExplanation,
    CountedWindow,
    Evidence,
    GoverningRule,
    NextStep,
    SilentFeed,
    ToldLine,
    Waiting,
)
from monitor.model import HOUR, MINUTE, Verdict
from monitor.terminal import WIDTH
from monitor.terminal.explaining import explanation_lines, explanation_values
from monitor.worktime.instants import parse_instant

LONDON: Final = ZoneInfo("Europe/London")
NOW: Final = parse_instant("2027-03-09T02:47:00+00:00")
CHILD: Final = "3f92c4ba" * 4

RULE: Final = GoverningRule(
    id="significant-harm-council",
    version=1,
    why="in force when the clock started, 20:47 on Mon 8 March",
    effective_from="2026-01-01",
    effective_to="",
    authority="local procedure",
    citation="procedures of several places " * 6,
    number_is_assumed=True,
    note="",
    approved_by="",
    approved_at=None,
    on_trial=False,
    is_edited=False,
    threshold="4h",
    calendar="clock-hours",
    calendar_version="1",
)
CONTACT: Final = Evidence(
    part="start",
    kind="contact",
    counts=True,
    why="the clock starts here",
    at=NOW - 6 * HOUR,
    occurred_from_at=NOW - 6 * HOUR,
    occurred_to_at=NOW - 6 * HOUR,
    read="exact",
    recorded_at=NOW - 6 * HOUR + MINUTE,
    received_at=NOW - 6 * HOUR + MINUTE,
    feed="occurrence",
    intake=4,
    line=2,
    told_again=0,
    reference="PPN-2027-004211",
    says=("physical abuse", "risk high"),
    child=CHILD,
)


def told(kind: str, reason: str, role: str = "mash_sergeant") -> ToldLine:
    return ToldLine(
        kind=kind,
        role=role,
        reason=reason,
        decided_at=NOW,
        sent_at=NOW + 2 * MINUTE,
        outcome="sent",
    )


def explained(**changes: Any) -> CaseExplanation:
    values: dict[str, Any] = {
        "rule": "significant-harm-council",
        "version": 1,
        "title": "Council told of significant harm",
        "partner": "council",
        "child": CHILD,
        "organisation": "eastshire",
        "organisation_name": "Eastshire children's social care",
        "verdict": Verdict.OVERDUE,
        "verdict_as_known_today": Verdict.OVERDUE,
        "headline": "OVERDUE by 2 h 00",
        "answer": "No record that the council has been told.",
        "as_known_today": "",
        "shared_in_time": "no",
        "could_have_known": "the start was first known at once",
        "started_at": NOW - 6 * HOUR,
        "due_at": NOW - 2 * HOUR,
        "due_before_at": None,
        "stopped_at": None,
        "exempt_at": None,
        "void_at": None,
        "superseded_at": None,
        "breached_at": None,
        "confirm_by_at": None,
        "is_closed": False,
        "known_at": NOW - 6 * HOUR,
        "stop_known_at": None,
        "stop_recorded_at": None,
        "waiting": Waiting(waits_for="triage", since_at=NOW - HOUR, role="mash_sergeant"),
        "governed_by": RULE,
        "because": ("A deferral holds telling",),
        "silent": (SilentFeed(feed="sending-log", since_at=NOW),),
        "windows": (window("all of it"),),
        "events": (CONTACT,),
        "learnt_since": (),
        "restated": (),
        "told": (told("overdue", "overdue"),),
        "done": (),
        "next": NextStep(rung="rung 3", kind="overdue", role="duty_inspector", at=NOW + HOUR),
        "next_why": "",
    }
    return CaseExplanation(
        reference="PPN-2027-004211",
        references=("PPN-2027-004211",),
        at=NOW,
        as_known_then=False,
        known_number=7,
        rulebook="the rulebook in force since 09:00 on Mon 1 March",
        clocks=(ClockExplanation(**values | changes),),
    )


def window(text: str) -> CountedWindow:
    return CountedWindow(
        from_at=NOW - 6 * HOUR,
        to_at=NOW,
        counted=True,
        counted_seconds=21_600,
        days=1,
        text=text,
    )


def flowing(found: CaseExplanation) -> str:
    """The same on one line."""
    return " ".join(" ".join(in_words(found)).split())


def in_words(found: CaseExplanation) -> list[str]:
    return list(explanation_lines(found, zone=LONDON, title=lambda role: role.replace("_", " ")))


def test_an_explanation_fits_a_screen_of_a_hundred_columns() -> None:
    assert max(map(len, in_words(explained()))) <= WIDTH


def test_the_answer_comes_before_the_reasons() -> None:
    """Verdict, whom it concerns, what is missing, where it waits, what comes next; then why."""
    assert in_words(explained())[:9] == [
        "PPN-2027-004211, at 02:47 on Tue 9 March 2027",
        "1 duty: 1 overdue.",
        "",
        "OVERDUE by 2 h 00: Council told of significant harm",
        "  Eastshire children's social care, child 3f92c4ba",
        "  No record that the council has been told.",
        "  Waiting for triage since 01:47 on Tue 9 March, with the mash sergeant.",
        "  Next, if no record comes: duty inspector, 03:47 on Tue 9 March (overdue, rung 3).",
        "  Why",
    ]


@pytest.mark.parametrize(
    ("kind", "reason", "said"),
    [
        ("overdue", "overdue", "> mash sergeant: overdue; decided"),
        ("overdue", "overdue; off duty", "> mash sergeant: overdue, off duty; decided"),
        ("warning", "due soon", "> mash sergeant: warning, due soon; decided"),
        ("cannot_route", "cannot route", "> mash sergeant: cannot route; decided"),
    ],
)
def test_a_reason_is_said_once(kind: str, reason: str, said: str) -> None:
    assert said in "\n".join(in_words(explained(told=(told(kind, reason),))))


def test_what_was_told_to_several_at_once_is_one_line() -> None:
    both = (told("withdrawal", "met"), told("withdrawal", "met", "duty_inspector"))
    assert "> mash sergeant and duty inspector: alert withdrawn, met" in "\n".join(
        in_words(explained(told=both))
    )


def test_a_time_that_is_an_interval_is_shown_as_one_with_the_end_that_was_read() -> None:
    doubtful = replace(CONTACT, occurred_to_at=CONTACT.at + HOUR, read="earliest")
    said = " ".join(" ".join(in_words(explained(events=(doubtful,)))).split())
    assert "between Mon 8 Mar 20:47 and Mon 8 Mar 21:47" in said
    assert "the earliest is read, as the less flattering" in said


def test_a_fact_says_its_feed_its_times_and_its_intake() -> None:
    said = "occurrence: recorded and received Mon 8 Mar 20:48, intake 4, line 2; physical abuse"
    assert said in flowing(explained())


def test_a_case_without_clocks_says_so() -> None:
    found = replace(explained(), references=("PPN-1", "PPN-2"), clocks=())
    assert in_words(found)[1:] == [
        "One case under the references PPN-1, PPN-2.",
        "No clock runs or ran on it then.",
    ]


def test_a_rule_that_nobody_approved_says_so() -> None:
    """And one that is on trial tells nobody."""
    assert "No approval is on record." in flowing(explained())
    trial = explained(governed_by=replace(RULE, on_trial=True))
    assert "nobody is told by it" in flowing(trial)
    approved = explained(governed_by=replace(RULE, approved_by="head of safeguarding"))
    assert "Approved by: head of safeguarding." in flowing(approved)


def test_an_explanation_for_machines_names_every_field() -> None:
    """Instants are ISO 8601 with offset, durations seconds, absent ones null."""
    values = json.loads(json.dumps(explanation_values(explained())))
    (clock,) = values["clocks"]
    assert clock["child"] == CHILD
    assert clock["due_at"] == "2027-03-09T00:47:00+00:00"
    assert clock["stopped_at"] is None
    assert clock["events"][0]["occurred_from_at"] == "2027-03-08T20:47:00+00:00"
    assert clock["told"][0]["sent_at"] == "2027-03-09T02:49:00+00:00"
    assert clock["governed_by"]["approved_at"] is None
    assert set(clock) == set(ClockExplanation.__slots__)
