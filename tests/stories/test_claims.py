"""Calls that are written down later, and decisions that wait."""

from __future__ import annotations

from tests.stories.conftest import Begin
from tests.stories.harness import Story

DUTY = "significant-harm-council"


def _a_call_recorded_after_due(begin: Begin) -> Story:
    """Contact 22:47, due 02:47; called at 02:10, written down at 07:30."""
    story = begin("Mon 8 March 2027 22:47")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.told("council", "eastshire", occurred="Tue 02:10", recorded="Tue 07:30", method="verbal")
    story.advance(to="Tue 07:29")
    story.expects_mail_to("submitting officer's sergeant", at="01:47", saying="Due by 02:47")
    story.expects_mail_to("submitting officer's sergeant", at="02:47", saying="Overdue")
    story.expects_mail_to("duty inspector", at="03:47", saying="Overdue")
    story.expects_mail_to("on-call DI", at="06:47", saying="Overdue")
    story.advance(to="Tue 07:31")
    for who in ("submitting officer's sergeant", "duty inspector", "on-call DI"):
        story.expects_mail_to(
            who,
            at="07:30",
            saying=(
                "Alert withdrawn",
                "at 02:10 today",
                "5 h 20 after it was made",
                "it is to be confirmed by 07:30 tomorrow",
                "you will be told",
            ),
        )
    return story


def test_a_call_recorded_after_due_counts_and_is_confirmed_in_writing(begin: Begin) -> None:
    """In time as of 02:10; the mail of 09:15 confirms it and meets the written confirmation."""
    story = _a_call_recorded_after_due(begin)
    assert story.says(DUTY) == "met"
    assert story.says("verbal-then-written-council") == "running"
    story.told("council", "eastshire", occurred="09:15", recorded="09:15", method="email")
    story.advance(to="Wed 12:00")
    assert story.says(DUTY) == "met"
    assert story.says("verbal-then-written-council") == "met"


def test_a_call_that_a_supervisor_confirms_stays_in_time(begin: Begin) -> None:
    """The confirmation is enough."""
    story = _a_call_recorded_after_due(begin)
    story.advance(to="Tue 11:00")
    story.confirmed("council", "eastshire")
    story.advance(to="Wed 12:00")
    assert story.says(DUTY) == "met"


def test_a_call_that_nobody_confirms_is_overdue_again_and_those_told_are_told(
    begin: Begin,
) -> None:
    """At the lapse everybody to whom the alert was withdrawn is told, and the ladder begins."""
    story = _a_call_recorded_after_due(begin)
    story.advance(to="Wed 07:31")
    for who in ("submitting officer's sergeant", "duty inspector", "on-call DI"):
        story.expects_mail_to(
            who,
            at="Wed 07:30",
            saying=("Overdue 1 d 4 h 43", "nobody confirmed it in time"),
        )
    assert story.says(DUTY) == "overdue"
    story.advance(to="Wed 08:31")
    story.expects_mail_to("duty inspector", at="08:30", saying="Still overdue")
    story.told("council", "eastshire", method="email")
    story.advance(to="Wed 12:00")


def test_a_call_recorded_in_time_needs_no_confirmation(begin: Begin) -> None:
    """Nothing was said, and nothing is to be confirmed."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.told("council", "eastshire", occurred="10:00", recorded="10:20", method="verbal")
    story.advance(to="Wed 12:00")
    assert story.says(DUTY) == "met"


def test_a_deferral_holds_the_telling_and_tells_once_when_it_lapses(begin: Begin) -> None:
    """Deferred until 18:00: nothing before, then each person one mail; measurement never waits."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="10:00")
    story.decided("deferred", review="18:00")
    story.advance(to="17:59")
    assert story.says(DUTY) == "overdue"
    story.expects_no_more_mail()
    story.advance(to="18:01")
    for who in ("submitting officer's sergeant", "duty inspector", "on-call DI"):
        story.expects_mail_to(
            who, at="18:00", saying=("Overdue 5 h 00", "it was deferred, and the time for review")
        )
    story.told("council", "eastshire")
    story.advance(to="20:00")
