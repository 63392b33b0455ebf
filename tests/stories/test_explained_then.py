"""A case as known then: what was told, linked, decided or undone later is not in it."""

from __future__ import annotations

from dataclasses import replace

from monitor.cycle.explained import ClockExplanation
from monitor.model import HOUR, Verdict
from monitor.rulebook.book import build_rulebook
from monitor.store import rulebooks
from monitor.store.engine import writing
from monitor.worktime.limits import parse_limit
from tests.stories.conftest import Begin
from tests.stories.harness import Story

CASE, DUTY = "PPN-2027-004211", "significant-harm-council"


def the_clock(story: Story, *, as_of: str = "") -> ClockExplanation:
    """The only clock of the usual duty."""
    (clock,) = story.explained(CASE, rule=DUTY, as_of=as_of).clocks
    return clock


def test_before_the_monitor_was_told_the_clock_is_not_known_of(begin: Begin) -> None:
    """A contact of 09:00 that the occurrence system has at 10:00."""
    story = begin("Mon 8 March 2027 08:30")
    story.contact(CASE, category="physical_abuse", at="09:00", known="10:00")
    story.advance(to="11:00")
    assert story.explained(CASE, rule=DUTY, as_of="08:59").clocks == ()
    unknown = the_clock(story, as_of="09:30")
    assert unknown.verdict is None
    assert unknown.verdict_as_known_today is Verdict.RUNNING
    assert unknown.as_known_today == (
        "As known then: not known of. As known today of that instant: running"
        " (first known to the monitor at 10:00 on Mon 8 March)."
    )
    assert the_clock(story, as_of="10:00").verdict is Verdict.RUNNING
    story.told("council", "eastshire")
    story.advance(to="11:30")


def test_what_was_said_and_done_later_is_not_in_it(begin: Begin) -> None:
    """Alerts and takes only up to the instant; the next step is the one that lay ahead then."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="13:10")
    story.take(by="east duty_inspector")
    story.told("council", "eastshire", occurred="13:20", recorded="13:20")
    story.advance(to="13:30")
    story.take_all_mail()
    then = the_clock(story, as_of="13:05")
    assert [each.kind for each in then.told] == ["warning", "overdue"]
    assert then.done == ()
    assert then.next is not None
    assert then.next.rung == "rung 3"
    now = the_clock(story)
    assert [each.kind for each in now.done] == ["take"]
    assert now.next is None


def test_a_link_that_was_told_later_joins_nothing_then(begin: Begin) -> None:
    """Each reference was a case of its own; today both are one."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    story.contact("PPN-2027-004212", category="physical_abuse")
    story.advance(to="10:00")
    story.linked("PPN-2027-004212", CASE)
    story.advance(to="11:00")
    assert story.explained(CASE, as_of="09:30").references == (CASE,)
    joined = story.explained("PPN-2027-004212")
    assert joined.references == (CASE, "PPN-2027-004212")
    whys = [each.why for clock in joined.clocks for each in clock.events]
    assert f"it makes PPN-2027-004212 and {CASE} one case" in whys
    for reference in (CASE, "PPN-2027-004212"):
        story.told("council", "eastshire", reference=reference)
    story.advance(to="12:00")


def test_a_clock_that_gave_way_says_to_which(begin: Begin) -> None:
    """Whom to tell was not on record at first; its clock then stands for the one that is."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse", council=None)
    story.advance(to="10:00")
    story.corrected(COUNCIL_SET="08/03/2027 10:00:00", COUNCIL_CODE="eastshire")
    story.advance(to="11:00")
    story.take_all_mail()
    stands, gone = story.explained(CASE, rule=DUTY).clocks
    assert gone.verdict is Verdict.SUPERSEDED
    said = f"when more was known, to: {DUTY} (eastshire, child {stands.child[:8]})."
    assert any(said in sentence for sentence in gone.because)
    then = story.explained(CASE, rule=DUTY, as_of="09:30").clocks
    assert [each.organisation for each in then if each.verdict is not None] == [""]
    assert any("Cannot route" in sentence for sentence in then[0].because)
    story.told("council", "eastshire")
    story.advance(to="11:30")


def test_what_an_undone_intake_brought_was_known_then(begin: Begin) -> None:
    """It ended the clock until it was undone, and is listed with the number of the undoing."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    story.told("council", "eastshire", recorded="10:00")
    story.advance(to="10:30")
    story.undo_newest_intake("sending-log")
    story.advance(to="11:00")
    assert the_clock(story, as_of="10:15").verdict is Verdict.MET
    now = the_clock(story)
    assert now.verdict is Verdict.RUNNING
    assert any("its intake was undone" in each.why for each in now.events)
    story.told("council", "eastshire")
    story.advance(to="12:00")


def test_the_rulebook_of_then_measures_what_was_known_then(begin: Begin) -> None:
    """Four hours when it started; two under the rulebook of today, which was made active since."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="09:30")
    documents = story.monitor.rulebook.documents
    shorter = tuple(
        rule.model_copy(update={"threshold": parse_limit("2h")}) if rule.id == DUTY else rule
        for rule in documents.rules
    )
    changed = build_rulebook(documents.model_copy(update={"rules": shorter}))
    with writing(story.monitor.engine) as connection:
        rulebooks.activate(connection, changed.documents, actor="story", now=story.now)
    story.monitor = replace(story.monitor, rulebook=changed)
    story.told("council", "eastshire", recorded="10:00")
    story.advance(to="10:30")
    then, now = the_clock(story, as_of="09:15"), the_clock(story)
    assert then.due_at == then.started_at + 4 * HOUR
    assert then.governed_by.threshold == "4h"
    assert now.governed_by.threshold == "2h"
