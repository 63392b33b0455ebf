"""Withheld with a reason, and days later it is to be shared after all."""

from __future__ import annotations

from tests.stories.conftest import Begin
from tests.stories.harness import Story

CASE, DUTY = "PPN-2027-004211", "significant-harm-council"
TAKEN_BACK = (
    "It was decided in time not to share. That was taken back at 10:00 on Wed 10 March, and the"
    " whole limit runs from then."
)


def _withheld_on_monday(begin: Begin) -> Story:
    story = begin("Mon 8 March 2027 09:00")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="10:00")
    story.decided("withheld")
    story.advance(to="Wed 09:00")
    assert story.says(DUTY) == "exempt"
    story.expects_no_more_mail()
    return story


def test_the_whole_limit_runs_from_the_decision_and_the_holder_is_told(begin: Begin) -> None:
    """Nobody hears anything while it is withheld; then the ladder begins anew."""
    story = _withheld_on_monday(begin)
    story.advance(to="Wed 10:00")
    story.corrected(SHARE_AFTER_ALL="10/03/2027 10:00:00")
    story.advance(to="Wed 14:30")
    story.expects_mail_to(
        "submitting officer's sergeant",
        at="Wed 13:00",
        saying=("Due by 14:00", "health due by 10:00 tomorrow"),
    )
    story.expects_mail_to("submitting officer's sergeant", at="Wed 14:00", saying="Overdue")
    assert story.says(DUTY) == "overdue"
    (clock,) = story.explained(CASE, rule=DUTY).clocks
    assert TAKEN_BACK in clock.because
    (before,) = story.explained(CASE, rule=DUTY, as_of="Wed 09:30").clocks
    assert TAKEN_BACK not in before.because
    story.told("council", "eastshire")
    story.advance(to="Wed 14:40")
    story.take_all_mail()


def test_shared_within_the_limit_that_began_anew_is_in_time(begin: Begin) -> None:
    story = _withheld_on_monday(begin)
    story.advance(to="Wed 10:00")
    story.corrected(SHARE_AFTER_ALL="10/03/2027 10:00:00")
    story.told("council", "eastshire", occurred="Wed 12:00", recorded="Wed 12:00")
    story.advance(to="Wed 14:30")
    assert story.says(DUTY) == "met"
