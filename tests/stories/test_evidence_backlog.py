"""The backlog at a date is the one that could have been given on the day."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from monitor.cycle.evidence import backlog
from monitor.cycle.evidence.asked import Asked
from monitor.report.evidence import Section
from monitor.store import intakes
from monitor.store.engine import reading, writing
from monitor.store.tables import clock
from monitor.worktime.zones import instants_of_local
from tests.stories.conftest import Begin
from tests.stories.harness import LONDON, Story

if TYPE_CHECKING:
    from monitor.model import Instant

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])
CASE, OTHER = "PPN-2027-004211", "PPN-2027-004212"


def at(day: int, hour: int, month: int = 3) -> Instant:
    """A local time of 2027."""
    return instants_of_local(dt.datetime(2027, month, day, hour), LONDON)[0]


def asked(story: Story, *dates: Instant, outside: bool = False) -> Section:
    """The section of a pack for March 2027."""
    story.take_all_mail()
    with reading(story.monitor.engine) as connection:
        return backlog.section(
            Asked(
                monitor=story.monitor,
                connection=connection,
                since=at(1, 0),
                until=at(1, 0, 4),
                now=max(story.now, at(1, 0, 4)),
                known=intakes.last_number(connection),
                dates=dates,
                outside=outside,
            )
        )


def open_duties(section: Section) -> list[object]:
    """(duties, cases, overdue) at each date."""
    return [row[2:5] for row in section.tables[0].rows]


@ON_BOTH
def test_what_became_known_later_is_not_in_it(begin: Begin) -> None:
    """A call of that morning is written down a week later, and another contact is learnt of."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="Mon 8 March 18:00")
    on_the_day = asked(story, at(8, 17))
    story.advance(to="Mon 15 March 09:00")
    story.told("council", "eastshire", occurred="Mon 8 March 10:00")
    story.contact(OTHER, category="neglect", at="Mon 8 March 09:30")
    story.advance(to="Mon 15 March 10:00")
    later = asked(story, at(8, 17), at(15, 9) - 1, at(15, 10))
    assert open_duties(later)[0] == open_duties(on_the_day)[0]
    assert [row[3] for row in later.tables[0].rows] == [1, 1, 2]
    assert all(CASE in row for row in later.tables[0].rows)
    assert any("agree" in each and "NOT" not in each for each in later.paragraphs)


def test_a_link_told_later_joins_nothing_then(begin: Begin) -> None:
    story = begin("Mon 8 March 2027 09:00")
    for reference in (CASE, OTHER):
        story.contact(reference, category="physical_abuse")
    story.advance(to="Mon 8 March 18:00")
    before = asked(story, at(8, 17))
    story.linked(OTHER, CASE)
    story.advance(to="Tue 9 March 09:00")
    after = asked(story, at(8, 17), at(9, 9))
    assert open_duties(after)[0] == open_duties(before)[0]
    assert [row[3] for row in after.tables[0].rows] == [2, 1]


def test_before_anything_was_known_nothing_was_open(begin: Begin) -> None:
    """The contact is of the first of March, and was received on the eighth."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse", at="Mon 1 March 09:00")
    story.advance(to="Mon 8 March 10:00")
    found = asked(story, at(5, 0), at(8, 10))
    assert [row[3] for row in found.tables[0].rows] == [0, 1]


def test_by_default_it_is_of_each_month_s_end(begin: Begin) -> None:
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="Mon 8 March 10:00")
    found = asked(story)
    assert [row[0] for row in found.tables[0].rows] == [at(1, 0, 4) - 1]
    ages = list(found.tables[1].rows)
    assert [row[1] for row in ages] == ["high risk", "medium risk", "standard risk"]
    assert ages[0][-2] == ages[0][-1] != 0


def test_a_store_that_says_otherwise_than_its_events_is_not_kept_quiet(begin: Begin) -> None:
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="Mon 8 March 10:00")
    with writing(story.monitor.engine) as connection:
        connection.execute(update(clock).values(due_at=clock.c.due_at + 1))
    said = " ".join(asked(story, at(8, 10)).paragraphs)
    assert "DO NOT AGREE" in said
    assert CASE in said
    assert CASE not in " ".join(asked(story, at(8, 10), outside=True).paragraphs)
    with writing(story.monitor.engine) as connection:
        connection.execute(update(clock).values(due_at=clock.c.due_at - 1))


def test_outside_the_force_no_case_is_named(begin: Begin) -> None:
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="Mon 8 March 10:00")
    found = asked(story, at(8, 10), outside=True)
    assert CASE not in str([list(table.rows) for table in found.tables])
