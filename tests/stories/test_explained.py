"""Five hard cases, explained by the real command and held to the word.

`test_explained_more.py` has four more; what both use is in `told_aloud.py`.
"""

from __future__ import annotations

import json
from typing import Any

from tests.stories.harness import Story
from tests.stories.told_aloud import CASE, HARM, BeginPinned, Tell, as_of, reads

# -- the five -----------------------------------------------------------------------------------


def a_call_recorded_after_due(begin_pinned: BeginPinned) -> Story:
    """Called at 02:10, due 02:47, written down at 07:30, confirmed by mail at 09:15."""
    story = begin_pinned("Mon 8 March 2027 22:47")
    story.contact(CASE, category="physical_abuse")
    story.told("council", "eastshire", occurred="Tue 02:10", recorded="Tue 07:30", method="verbal")
    story.advance(to="Tue 09:15")
    story.told("council", "eastshire", occurred="09:15", recorded="09:15", method="email")
    story.advance(to="Tue 09:20")
    return story


def test_a_call_recorded_after_due(begin_pinned: BeginPinned, tell: Tell) -> None:
    """In time as of 02:10, recorded 5 h 20 later; both truths are said."""
    story = a_call_recorded_after_due(begin_pinned)
    reads("verbal", tell(story))


def test_a_call_recorded_after_due_as_known_before_it_was(
    begin_pinned: BeginPinned, tell: Tell
) -> None:
    """At 06:50 nobody could know: overdue as known then, met as known today."""
    story = a_call_recorded_after_due(begin_pinned)
    reads("verbal-as-of", tell(story, *as_of("Tue 06:50", story)))
    values = json.loads(tell(story, *as_of("Tue 06:50", story), "--json"))
    (clock,) = [each for each in values["clocks"] if each["rule"] == HARM]
    assert (clock["verdict"], clock["verdict_as_known_today"]) == ("overdue", "met")
    assert "recorded 5 h 20 later" in clock["as_known_today"]
    assert [each["kind"] for each in clock["learnt_since"]] == ["partner_notified"]


def test_siblings_with_two_councils(begin_pinned: BeginPinned, tell: Tell) -> None:
    """A sending that names one child stops its clock only; one that names none stops none."""
    story = begin_pinned("Mon 8 March 2027 09:00")
    for child in ("1", "2"):
        story.contact(
            CASE,
            category="physical_abuse",
            child=child,
            HOME_COUNCIL_SET="08/03/2027 09:30:00",
            HOME_COUNCIL_CODE="westshire",
            known="09:35",
        )
    story.submitted(at="09:20", known="09:35")
    story.advance(to="10:00")
    story.told("council", "eastshire", child="1", occurred="10:00")
    story.told("council", "eastshire", occurred="10:00", recorded="10:05")
    story.advance(to="13:05")
    reads("siblings", tell(story))
    story.told("council", "eastshire", child="2")
    for child in ("1", "2"):
        story.told("council", "westshire", child=child)
    story.advance(to="14:00")
    story.take_all_mail()


def test_raised_from_medium_to_high(begin_pinned: BeginPinned, tell: Tell) -> None:
    """The faster clock starts where the risk was raised; the slower one goes on."""
    story = begin_pinned("Mon 8 March 2027 09:00")
    story.contact(CASE, category="domestic_abuse", risk="medium")
    story.submitted(at="09:30", known="09:40")
    story.supervised(at="10:15", known="10:20")
    story.advance(to="Mon 19:00")
    story.regraded("high")
    story.advance(to="Tue 17:40")
    reads("raised", tell(story))
    story.told("council", "eastshire")
    story.advance(to="Tue 19:00")
    story.take_all_mail()


def test_over_easter_in_working_days_with_a_silent_feed(
    begin_pinned: BeginPinned, tell: Tell
) -> None:
    """Which days counted, and which feed was not heard since when."""
    story = begin_pinned("Thu 25 March 2027 16:00")
    story.contact(CASE, category="other_concern", risk="standard")
    story.advance(to="Thu 18:00")
    story.silence("sending-log")
    story.advance(to="Wed 31 March 03:00")
    reads("easter", tell(story))
    reads("easter", tell(story, "--json"), kind="json")
    reads("easter-as-of", tell(story, *as_of("Thu 25 March 17:59", story)))
    story.resume("sending-log")
    story.told("council", "eastshire", occurred="02:00")
    story.advance(to="Wed 08:30")
    story.take_all_mail()


def test_withdrawn_after_overdue_and_the_withdrawal_taken_back(
    begin_pinned: BeginPinned, tell: Tell
) -> None:
    """Void while it stood, overdue again since it was taken back; both are in the text."""
    story = begin_pinned("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="14:30")
    story.withdrawn_in_error()
    story.advance(to="15:00")
    reads("withdrawn", tell(story))
    story.corrected(CLOSED="", STATUS="", CLOSE_REASON="")
    story.advance(to="16:00")
    reads("withdrawn-and-back", tell(story))
    values: dict[str, Any] = json.loads(tell(story, *as_of("15:30", story), "--json"))
    assert {clock["verdict"] for clock in values["clocks"]} == {"overdue"}
    story.told("council", "eastshire")
    story.advance(to="17:00")
    story.take_all_mail()
