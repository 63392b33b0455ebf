"""The ladder: who is told, in which order, at which hour."""

from __future__ import annotations

import pytest

from tests.stories.conftest import Begin

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])

DUTY = "significant-harm-council"


@ON_BOTH
def test_a_contact_that_nobody_shares_climbs_the_ladder_from_its_holder_upward(
    begin: Begin,
) -> None:
    """The holder is warned an hour before due, told at due; then inspector, DI, superintendent."""
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
            "Alerted before you: force incident manager 22:47, duty inspector 23:47",
        ),
    )
    story.advance(to="Tue 22:48")
    story.expects_mail_to("on-call superintendent", at="Tue 22:47", saying="Overdue 1 d at 22:47")
    assert story.says("significant-harm-council") == "overdue"


def test_whoever_has_the_case_is_told_first_wherever_it_waits(begin: Begin) -> None:
    """Not submitted: the officer's sergeant. Submitted: the district's supervising sergeant."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="sexual_abuse", district="west")
    story.advance(to="12:00")
    story.expects_mail_to("west submitting officer's sergeant", at="12:00", saying="Due by 13:00")
    story.advance(to="12:10")
    story.submitted()
    story.advance(to="13:01")
    story.expects_mail_to("west supervising sergeant", at="13:00", saying="waiting for supervision")
    story.told("council", "eastshire", occurred="13:10", recorded="13:12")
    story.advance(to="Tue 14:00")
    assert story.says(DUTY) == "late"


def test_off_duty_the_out_of_hours_holder_is_told_by_a_rule_that_may_wake(begin: Begin) -> None:
    """The hub closes at 18:00; until then its sergeant is told, afterwards the incident manager."""
    story = begin("Mon 8 March 2027 13:30")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.submitted()
    story.supervised()
    story.advance(to="17:00")
    story.expects_mail_to("MASH sergeant", at="16:30", saying="Due by 17:30")
    story.contact("PPN-2027-004212", category="physical_abuse")
    story.submitted()
    story.supervised()
    story.told("council", "eastshire", reference="PPN-2027-004211")
    story.advance(to="21:30")
    story.expects_mail_to(
        "force incident manager",
        at="20:00",
        saying=("Due by 21:00", "The MASH sergeant is off duty, so this comes to you."),
    )
    story.expects_mail_to("force incident manager", at="21:00", saying="Overdue")
    story.told("council", "eastshire", occurred="21:20")
    story.advance(to="21:40")


def test_a_rule_that_may_not_wake_waits_for_duty_hours(begin: Begin) -> None:
    """Due at night: nobody is told before the hub opens; then each once, and why not before."""
    story = begin("Sun 7 March 2027 22:00", rules=["domestic-abuse-high-council"])
    story.contact("PPN-2027-004211", category="domestic_abuse")
    story.submitted()
    story.supervised()
    story.advance(to="Tue 07:59")
    story.expects_no_more_mail()
    story.advance(to="Tue 08:00")
    story.expects_mail_to(
        "MASH sergeant", at="08:00", saying=("Overdue 10 h 00", "waited for duty hours")
    )
    story.expects_mail_to("duty inspector", at="08:00", saying="Overdue 10 h 00")
    story.expects_mail_to("on-call DI", at="08:00", saying="Overdue 10 h 00")
    story.told("council", "eastshire")
    story.advance(to="Wed 09:00")


def test_nobody_to_tell_is_recorded_and_goes_to_the_fallback(begin: Begin) -> None:
    """No post and no cover: the force incident manager is told, and it is counted."""
    story = begin("Mon 8 March 2027 09:00")
    story.post_is_vacant("submitting_sergeant", no_cover=True)
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="12:30")
    story.expects_mail_to(
        "force incident manager",
        saying=(
            "Due by 13:00",
            "Nobody holds the role submitting officer's sergeant here, so this comes to you.",
        ),
    )
    story.expects_mail_to("operator", saying="alerts found nobody to be told to")
    assert story.caseload().nobody_to_tell == 1
    story.told("council", "eastshire")
    story.advance(to="14:00")


def test_a_vacant_post_is_covered(begin: Begin) -> None:
    """The cover that the role names is told in its place."""
    story = begin("Mon 8 March 2027 09:00")
    story.post_is_vacant("submitting_sergeant")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="12:30")
    story.expects_mail_to("east duty inspector", saying="Due by 13:00")
    story.told("council", "eastshire")
    story.advance(to="14:00")


def test_what_is_put_right_in_time_tells_nobody(begin: Begin) -> None:
    """Told within the hours: no mail at all."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="11:00")
    story.told("council", "eastshire", occurred="10:50")
    story.advance(to="Wed 09:00")
    assert story.says(DUTY) == "met"


def test_told_at_the_due_instant_is_in_time_and_one_second_later_is_late(begin: Begin) -> None:
    """Equality is in time."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.contact("PPN-2027-004212", category="physical_abuse")
    story.advance(to="11:30")
    story.told("council", "eastshire", reference="PPN-2027-004211", recorded="13:00")
    story.told("council", "eastshire", reference="PPN-2027-004212", recorded="13:00:01")
    story.advance(to="13:05")
    story.expects_mail_to("submitting officer's sergeant", at="12:00", saying="2 duties due soon")
    story.expects_mail_to("submitting officer's sergeant", at="13:00", saying="PPN-2027-004212")
    assert story.says(DUTY, "PPN-2027-004211") == "met"
    assert story.says(DUTY, "PPN-2027-004212") == "late"


def test_reminders_come_as_the_ladder_says_and_end(begin: Begin) -> None:
    """Every 12 hours for three days the on-call DI is reminded; then the mails end."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="Tue 13:30")
    for who in ("submitting officer's sergeant", "submitting officer's sergeant", "duty inspector"):
        story.expects_mail_to(who)
    story.expects_mail_to("on-call DI", at="Mon 17:00")
    story.expects_mail_to("on-call superintendent", at="Tue 13:00")
    story.advance(to="Mon 22 March 09:00")
    for when in ("Wed 10 March 01:00", "Wed 10 March 13:00", "Thu 11 March 01:00"):
        story.expects_mail_to("on-call DI", at=when, saying="Still overdue")
    for when in ("Thu 11 March 13:00", "Fri 12 March 01:00", "Fri 12 March 13:00"):
        story.expects_mail_to("on-call DI", at=when, saying="Still overdue")


def test_a_record_that_grows_after_due_does_not_begin_the_ladder_anew(begin: Begin) -> None:
    """Every new version of a row says the old facts again: that is no late news of them."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="13:30")
    story.expects_mail_to("submitting officer's sergeant", saying="Due by 13:00")
    story.expects_mail_to("submitting officer's sergeant", saying="Overdue")
    story.submitted()
    story.advance(to="14:01")
    story.expects_mail_to("duty inspector", at="14:00", not_saying="Told late")
    story.supervised()
    story.advance(to="17:01")
    story.expects_mail_to("on-call DI", at="17:00", not_saying="Told late")
    story.told("council", "eastshire")
    story.advance(to="18:00")
