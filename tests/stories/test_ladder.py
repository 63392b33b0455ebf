"""The ladder: who is told, in which order, at which hour."""

from __future__ import annotations

import pytest

from tests.stories.conftest import Begin

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])


@ON_BOTH
def test_a_contact_that_nobody_shares_climbs_the_ladder_from_its_holder_upward(
    begin: Begin,
) -> None:
    """The holder is warned an hour before due and told at due; then inspector, DI, superintendent."""
    story = begin("Mon 8 March 2027 18:47")
    story.contact("PPN-2027-004211", category="physical_abuse", risk="high")
    story.advance(to="20:05")
    story.submitted()
    story.advance(to="21:20")
    story.supervised()
    story.advance(to="Mon 21:47")
    story.expects_mail_to(
        "force incident manager",
        at="21:47",
        saying=("Due by 22:47, in 1 h", "Nothing is late", "PPN-2027-004211"),
    )
    story.expects_no_more_mail()
    story.advance(to="22:48")
    story.expects_mail_to(
        "force incident manager", at="22:47", saying=("Overdue", "It was due by 22:47")
    )
    story.advance(to="23:48")
    story.expects_mail_to("east duty inspector", at="23:47", saying="Overdue 1 h 00 at 23:47")
    story.advance(to="Tue 02:48")
    story.expects_mail_to(
        "on-call DI",
        at="02:47",
        saying=(
            "Overdue 4 h 00 at 02:47",
            "no record council told",
            "Alerted before you: force incident manager Mon 22:47, duty inspector Mon 23:47",
        ),
    )
    story.advance(to="Tue 22:48")
    story.expects_mail_to("on-call superintendent", at="Tue 22:47", saying="Overdue 24 h 00")
    assert story.says("significant-harm-council") == "overdue"
