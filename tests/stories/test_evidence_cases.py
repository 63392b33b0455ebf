"""Named cases and a sample: a page for each, and a plain word for those that are not found."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from monitor.cycle.evidence import cases, sample
from monitor.cycle.evidence.asked import Asked
from monitor.report.evidence import Page, Section
from monitor.store import intakes
from monitor.store.engine import reading
from monitor.worktime.zones import instants_of_local
from tests.stories.conftest import Begin
from tests.stories.harness import ACCOUNT, LONDON, SENDING_LOG, Story

if TYPE_CHECKING:
    from collections.abc import Callable

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])
CASE, OTHER, HIDDEN = "PPN-2027-004211", "PPN-2027-004212", "PPN-2027-004213"


def made(
    story: Story, section: Callable[[Asked], Section], **wanted: object
) -> tuple[Section, list[Page]]:
    """A section of a pack for March 2027, with its pages."""
    story.take_all_mail()
    first, last = (instants_of_local(dt.datetime(2027, month, 1), LONDON)[0] for month in (3, 4))
    with reading(story.monitor.engine) as connection:
        found = section(
            Asked(
                monitor=story.monitor,
                connection=connection,
                since=first,
                until=last,
                now=last,
                known=intakes.last_number(connection),
                **wanted,  # type: ignore[arg-type]
            )
        )
        return found, list(found.pages)


def rows(page: Page, place: int) -> list[tuple[object, ...]]:
    """The rows of one of a page's tables."""
    return list(page.tables[place].rows)


@ON_BOTH
def test_a_page_tells_every_event_duty_and_alert(begin: Begin) -> None:
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="13:10")
    story.take(by="east duty_inspector")
    story.told("council", "eastshire", recorded="13:20")
    story.advance(to="14:00")
    _, (page,) = made(story, cases.section, cases=(CASE,))
    assert page.title == f"Case {CASE}"
    happened = [row[2] for row in rows(page, 0)]
    kinds = story.monitor.rulebook.vocabulary.kinds
    assert kinds["contact"] in happened
    assert kinds["partner_notified"] in happened
    assert all(row[0] <= row[5] for row in rows(page, 0))  # type: ignore[operator]
    council = next(
        row for row in rows(page, 1) if "Council told of significant harm" in str(row[0])
    )
    assert council[4] == "late"
    assert "20" in str(council[5])
    whats = [(row[2], row[3]) for row in rows(page, 2)]
    assert ("overdue", "submitting officer's sergeant") in whats
    assert any(str(what).startswith("take") and "inspector" in str(who) for what, who in whats)
    everything = str([table.rows for table in page.tables]) + str(page)
    assert "@" not in everything
    assert ACCOUNT not in everything


def test_a_fact_that_does_not_stand_says_why(begin: Begin) -> None:
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    wrong = story.told("council", "eastshire", recorded="10:00")
    story.advance(to="10:30")
    story.taken_back(wrong)
    story.advance(to="11:00")
    story.undo_newest_intake(SENDING_LOG)
    story.advance(to="11:30")
    _, (page,) = made(story, cases.section, cases=(CASE,))
    stands = {str(row[-1]) for row in rows(page, 0)}
    assert "yes" in stands
    assert any("its intake was undone" in each for each in stands)


@ON_BOTH
def test_what_is_not_found_was_never_received_or_set_aside(begin: Begin) -> None:
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="09:30")
    story.drop_file(
        SENDING_LOG,
        name=f"bad.{story.monitor.feeds[SENDING_LOG].format}",
        rows=[
            {"entry_no": "X1", "reference": "PPN-2027-000009", "entry_type": "SENT"},
            *(
                {
                    "entry_no": f"Y{number}",
                    "reference": CASE,
                    "entry_type": "SENT",
                    "recipient_type": "LA",
                    "recipient_code": "eastshire",
                    "method": "PORTAL",
                    "happened_at": "2027-03-08T09:20:00+00:00",
                    "entered_at": "2027-03-08T09:20:00+00:00",
                }
                for number in range(9)
            ),
        ],
    )
    story.advance(to="10:00")
    misspelt = "ppn-2027- 004211"
    listed_cases = ("PPN-2027-000009", "PPN-2027-000010", misspelt, CASE)
    found, pages = made(story, cases.section, cases=listed_cases)
    (listed, aside) = (list(table.rows) for table in found.tables)
    assert [row[1] for row in listed] == [
        "set aside: rows that name it could not be read",
        "never received: no event and no row set aside names it as it is spelt here",
        f"not as spelt here; {CASE} is known: put it on the list",
        "known: see its page",
    ]
    assert [row[0] for row in aside] == ["PPN-2027-000009"] * len(aside)
    assert aside
    assert len(pages) == 1
    assert any("purges no event" in each for each in found.paragraphs)


def test_a_restricted_case_is_listed_and_nothing_else_is_said(begin: Begin) -> None:
    story = begin("Mon 8 March 2027 09:00")
    story.contact(HIDDEN, category="physical_abuse", RESTRICTED="yes")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="10:00")
    found, pages = made(story, cases.section, cases=(HIDDEN, CASE, HIDDEN.lower()))
    row, _, misspelt = found.tables[0].rows
    assert str(misspelt[1]).startswith("never received")
    assert row == (HIDDEN, "restricted: shown only to its named posts", None)
    assert [page.title for page in pages] == [f"Case {CASE}"]
    drawn, pages = made(story, sample.section, sample=10, seed="7")
    assert HIDDEN not in str([list(table.rows) for table in drawn.tables])
    assert len(pages) == 1


def test_outside_the_force_no_case_is_shown(begin: Begin) -> None:
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="10:00")
    for section in (cases.section, sample.section):
        found, pages = made(story, section, cases=(CASE,), sample=3, seed="7", outside=True)
        assert CASE not in str(found)
        assert not found.tables
        assert not pages


def test_a_sample_holds_each_sort_of_case_and_is_drawn_again_by_its_seed(begin: Begin) -> None:
    story = begin("Mon 8 March 2027 09:00")
    for number in range(12):
        story.contact(f"PPN-2027-{number:06}", category="physical_abuse")
    story.decided("withheld", "PPN-2027-000003")
    for number in (5, 7):
        story.told("council", "eastshire", reference=f"PPN-2027-{number:06}")
    story.advance(to="Tue 9 March 12:00")
    found, pages = made(story, sample.section, sample=4, seed="7")
    again, _ = made(story, sample.section, sample=4, seed="7")
    other, _ = made(story, sample.section, sample=4, seed="8")
    drawn = [row[1:3] for row in found.tables[0].rows]
    assert drawn == [row[1:3] for row in again.tables[0].rows]
    assert drawn != [row[1:3] for row in other.tables[0].rows]
    assert len(pages) == 4
    assert ("PPN-2027-000003", sample.EXEMPT) in drawn
    assert {why for _, why in drawn} >= {sample.LATE, sample.EXEMPT}
