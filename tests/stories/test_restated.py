"""What last week's figures say otherwise today, told as it happens."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.cycle.known_then import KnownPoint, known_point, restated, rows_known_then
from monitor.model import DAY, Verdict
from monitor.report.periods import Week
from monitor.report.restated import Change
from monitor.report.row import ClockRow
from monitor.report.scopes import Scope
from monitor.store import figures as stored
from monitor.store.engine import reading
from tests.stories.conftest import Begin
from tests.stories.harness import LONDON, Story

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])
CASE, OTHER, DUTY = "PPN-2027-004211", "PPN-2027-004212", "significant-harm-council"
FORCE, WEEK = Scope.parse("force"), Week(2027, 10)
BEGINS = "Mon 8 March 2027 09:00"
MONDAY = "Mon 15 March 08:05"

MET, LATE, OVERDUE, VOID = Verdict.MET, Verdict.LATE, Verdict.OVERDUE, Verdict.VOID


def changes(story: Story, **where: str) -> set[Change]:
    """What changed since the digest of the week was made, or would have been due."""
    story.take_all_mail()
    monitor = story.monitor
    with reading(monitor.engine) as connection:
        then = known_point(monitor, connection, "then", FORCE, WEEK, now=story.now)
        found = restated(
            monitor,
            connection,
            number_then=then.number,
            as_of_then=then.as_of,
            now=story.now,
            since=WEEK.first(LONDON),
            until=WEEK.end(LONDON),
            where=where,
        )
    return set(found.changes)


@ON_BOTH
def test_a_call_recorded_afterwards_was_in_time_after_all(begin: Begin) -> None:
    """Open and overdue in the digest; a call at 10:00 is written down ten days later."""
    story = begin(BEGINS)
    story.contact(CASE, category="physical_abuse")
    story.advance(to=MONDAY)
    assert changes(story) == set()
    story.told("council", "eastshire", occurred="Mon 8 March 10:00", method="portal")
    story.advance(to="Mon 15 March 09:00")
    # Two more duties began with the call, and fell due in that week.
    assert changes(story) == {Change(OVERDUE, MET, 1), Change(None, OVERDUE, 2)}


def test_what_was_told_late_since_ran_its_course(begin: Begin) -> None:
    """Open and overdue in the digest, closed late afterwards: not in time in both."""
    story = begin(BEGINS)
    story.contact(CASE, category="physical_abuse")
    story.advance(to=MONDAY)
    story.told("council", "eastshire")
    story.advance(to="Mon 15 March 09:00")
    assert changes(story) == set()


def test_a_claim_that_nobody_confirmed_is_overdue_again(begin: Begin) -> None:
    """A call is claimed on Sunday night after due; in the digest it counts as in time."""
    story = begin("Sun 14 March 2027 12:00")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="18:00")
    story.told("council", "eastshire", occurred="13:00", method="verbal")
    story.advance(to=MONDAY)
    assert changes(story) == set()
    story.advance(to="Thu 18 March 08:00")
    assert Change(MET, OVERDUE, 1) in changes(story)


def test_what_is_withdrawn_in_error_is_void(begin: Begin) -> None:
    story = begin(BEGINS)
    story.contact(CASE, category="physical_abuse")
    story.told("council", "eastshire")
    story.advance(to=MONDAY)
    story.withdrawn_in_error(CASE)
    story.advance(to="Mon 15 March 09:00")
    found = {(each.before, each.after) for each in changes(story)}
    assert found == {(OVERDUE, VOID)}


def test_a_start_put_right_leaves_the_week(begin: Begin) -> None:
    """The contact was of the week before: the duty fell due then."""
    story = begin(BEGINS)
    story.contact(CASE, category="physical_abuse")
    story.told("council", "eastshire")
    story.advance(to=MONDAY)
    story.corrected(
        CASE,
        FIRST_KNOWN_WAS="03/03/2027 08:00:00",
        PUT_RIGHT_AT="15/03/2027 08:05:00",
        PUT_RIGHT_BY="inspector",
        EVIDENCE="log",
    )
    story.advance(to="Mon 15 March 09:00")
    assert Change(MET, None, 1) in changes(story)


def test_of_two_references_that_are_linked_since_one_leaves(begin: Begin) -> None:
    story = begin(BEGINS)
    for reference in (CASE, OTHER):
        story.contact(reference, category="physical_abuse", child="1")
    story.advance(to=MONDAY)
    was = changes(story)
    story.linked(OTHER, CASE)
    story.advance(to="Mon 15 March 09:00")
    assert was == set()
    found = {(each.before, each.after) for each in changes(story)}
    assert found == {(OVERDUE, None)}


def test_a_contact_learnt_afterwards_comes_into_the_week(begin: Begin) -> None:
    story = begin(BEGINS)
    story.contact(
        CASE, category="physical_abuse", at="Mon 8 March 08:00", known="Tue 16 March 08:00"
    )
    story.advance(to="Tue 16 March 09:00")
    found = {(each.before, each.after) for each in changes(story)}
    assert found == {(None, OVERDUE)}
    assert changes(story, district="west") == set()


def test_a_restricted_case_is_in_neither(begin: Begin) -> None:
    """Marked as restricted after the digest, whatever changed of it."""
    story = begin(BEGINS)
    story.contact(CASE, category="physical_abuse")
    story.advance(to=MONDAY)
    story.corrected(CASE, RESTRICTED="yes")
    story.told("council", "eastshire", occurred="Mon 8 March 10:00")
    story.advance(to="Mon 15 March 09:00")
    assert changes(story) == set()


def test_then_is_the_number_that_its_own_digest_was_made_at(begin: Begin) -> None:
    """Made at 08:00 on Monday; of a week without one, the time when it would have been due."""
    story = begin(BEGINS, rules=[], digests=True)
    story.contact(CASE, category="physical_abuse")
    story.told("council", "eastshire")
    story.advance(to="Mon 15 March 12:00")
    story.take_all_mail()
    story.told("health", "eastshire-icb")
    story.advance(to="Tue 16 March 12:00")
    monitor = story.monitor
    with reading(monitor.engine) as connection:

        def point(text: str, week: Week = WEEK) -> KnownPoint:
            return known_point(monitor, connection, text, FORCE, week, now=story.now)

        made, now = point("then"), point("now")
        due, at = point("then", WEEK.earlier), point("2027-03-09T12:00:00Z")
        with pytest.raises(ValueError, match="lies ahead"):
            point("2027-05-01T00:00:00Z")
        with pytest.raises(ValueError, match="not an instant"):
            point("yesterday")
    assert "its digest was made" in made.said
    assert "none was made" in due.said
    assert made.as_of - due.as_of == 7 * DAY
    assert due.number == 0 < at.number <= made.number < now.number
    assert now.as_of == story.now


def test_the_rows_known_then_are_those_that_the_digest_was_made_of(begin: Begin) -> None:
    """Whatever is told, linked, withdrawn and undone afterwards."""
    story = begin(BEGINS)
    story.contact(CASE, category="physical_abuse")
    story.contact(OTHER, category="neglect")
    story.told("council", "eastshire", reference=CASE)
    story.advance(to=MONDAY)
    story.take_all_mail()
    week: dict[str, Any] = {
        "since": WEEK.first(LONDON),
        "until": WEEK.end(LONDON),
        "as_of": story.now,
    }
    monitor = story.monitor
    with reading(monitor.engine) as connection:
        point = known_point(monitor, connection, "now", FORCE, WEEK, now=story.now)
        was = set(
            map(ClockRow._make, stored.clock_rows(connection, ClockRow._fields, **week, where={}))
        )
    story.undo_newest_intake("sending-log")
    story.linked(OTHER, CASE)
    story.advance(to="Mon 15 March 10:00")
    story.withdrawn_in_error(OTHER)
    story.advance(to="Mon 15 March 11:00")
    story.take_all_mail()
    with reading(monitor.engine) as connection:
        found = rows_known_then(monitor, connection, number=point.number, **week, where={})
        assert set(found) == was
        assert was
