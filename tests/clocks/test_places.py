"""Calendars of single places: a school's terms, a council's own hours, and what a mail remarks."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from monitor.clocks.agenda import agenda
from monitor.clocks.fold import fold
from monitor.model import Clock, Event
from monitor.rulebook.book import Rulebook, build_rulebook
from monitor.rulebook.language import Rule, WrittenCalendar
from monitor.worktime.instants import parse_instant
from tests.clocks.histories import TOLERANCES, book, contact, responsible, rule

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")


def calendar(id: str = "school", **written: Any) -> WrittenCalendar:  # noqa: A002 — as files say it
    return WrittenCalendar.model_validate(
        {
            "id": id,
            "title": "School",
            "version": 1,
            "zone": "Europe/London",
            "holidays": "england",
            "weekly": {day: ["08:30-15:30"] for day in WEEKDAYS},
            **written,
        }
    )


NO_TERMS = calendar(remark="No terms are loaded.")
EAST = calendar(
    "school-east",
    version=3,
    instead_of="school",
    organisations=["east-academy", "east-primary"],
    terms=[
        {"from": "2027-01-04", "to": "2027-02-12"},
        {"from": "2027-02-22", "to": "2027-03-25"},
        {"from": "2027-04-12", "to": "2027-07-20"},
    ],
)
SCHOOL: Rule = rule(
    id="school",
    partner="school",
    stop=[{"kind": "partner_notified", "partner": "school"}],
    for_each=["organisation"],
    threshold="next opening",
    calendar="school",
)


def told_of(*calendars: WrittenCalendar) -> Rulebook:
    plain = book(rule()).documents
    return build_rulebook(
        plain.model_copy(
            update={"rules": (SCHOOL,), "calendars": (*plain.calendars, NO_TERMS, *calendars)}
        )
    )


def clock(when: str, *said: Event, rulebook: Rulebook, school: str = "east-academy") -> Clock:
    events = [contact(when), responsible(when, school, "school"), *said]
    (only,) = fold(events, rulebook, tolerances=TOLERANCES)
    return only


def at(text: str) -> int:
    return parse_instant(text)


def test_without_terms_the_next_weekday_counts_and_a_mail_says_so() -> None:
    found = clock("2027-03-25T16:00:00Z", rulebook=told_of())
    assert found.due_at == at("2027-03-30T08:30:00+01:00")
    assert told_of().newest("school").at("east-academy").remark == "No terms are loaded."


@pytest.mark.parametrize(
    ("when", "due"),
    [
        ("2027-02-11T16:00:00Z", "2027-02-12T08:30:00Z"),
        ("2027-02-12T16:00:00Z", "2027-02-22T08:30:00Z"),
        ("2027-03-25T16:00:00Z", "2027-04-12T08:30:00+01:00"),
    ],
)
def test_over_a_holiday_the_school_day_is_the_first_of_the_next_term(when: str, due: str) -> None:
    found = clock(when, rulebook=told_of(EAST))
    assert found.due_at == at(due)
    assert found.calendar_version == "school-east 3"
    assert told_of(EAST).newest("school").at("east-academy").remark == ""


def test_another_school_keeps_the_calendar_that_the_rule_names() -> None:
    found = clock("2027-02-12T16:00:00Z", rulebook=told_of(EAST), school="west-academy")
    assert found.due_at == at("2027-02-15T08:30:00Z")
    assert found.calendar_version == "1"


def test_past_the_last_term_that_is_loaded_nothing_is_guessed() -> None:
    found = clock("2027-07-20T16:00:00Z", rulebook=told_of(EAST))
    assert found.due_at is None
    assert "school-east" in found.due_unknown


def test_a_closed_day_says_that_it_is_outside_term() -> None:
    school = told_of(EAST).calendars["school-east"]
    (window,) = school.windows(at("2027-02-16T10:00:00Z"), at("2027-02-16T11:00:00Z"))
    assert window.why == "closed, outside term"
    assert not school.is_working_day(date(2027, 2, 16))


def test_the_ladder_reckons_with_the_same_calendar() -> None:
    """A warning of some working hours before due lies in the term before."""
    ladder = (
        book()
        .ladders["urgent"]
        .model_copy(
            update={
                "rungs": tuple(
                    type(rung).model_validate({"at": when, "tell": "holder"})
                    for rung, when in zip(
                        book().ladders["urgent"].rungs,
                        ("1 working hour before due", "when due"),
                        strict=False,
                    )
                )
            }
        )
    )
    documents = told_of(EAST).documents.model_copy(update={"ladders": (ladder,)})
    rulebook = build_rulebook(documents)
    found = clock("2027-03-25T11:00:00Z", rulebook=rulebook)
    assert found.due_at == at("2027-04-12T08:30:00+01:00")
    assert found.due_soon_at == at("2027-03-25T14:30:00Z")
    steps = agenda(found, rulebook.newest("school"))
    assert at("2027-03-25T14:30:00Z") in [step.at for step in steps]


def test_a_council_s_own_hours_stand_in_place_of_the_nation_s() -> None:
    """Several spans, a half day, an extra day and a closure: an organisation has all of them."""
    own = calendar(
        "own",
        instead_of="school",
        organisations=["east-academy"],
        weekly={"mon": ["09:00-12:00", "13:00-17:00"], "sat": ["22:00-02:00"]},
        special={"2027-03-09": ["10:00-12:00"], "2027-03-15": []},
    )
    rulebook = told_of(own)
    for when, due in (
        ("2027-03-08T08:00:00Z", "2027-03-08T09:00:00Z"),
        ("2027-03-08T12:30:00Z", "2027-03-09T10:00:00Z"),
        ("2027-03-09T11:00:00Z", "2027-03-13T22:00:00Z"),
        ("2027-03-13T23:00:00Z", "2027-03-20T22:00:00Z"),
    ):
        assert clock(when, rulebook=rulebook).due_at == at(due)


@pytest.mark.parametrize(
    "wrong",
    [
        {"instead_of": "school"},
        {"organisations": ["east-academy"]},
        {"terms": [{"from": "2027-02-12", "to": "2027-01-04"}]},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"instead_of|term"):
        calendar(**wrong)
