"""Duty rosters dropped like a feed: who holds a post at which hours."""

from __future__ import annotations

from tests.stories.conftest import Begin

REFERENCE = "PPN-2027-004211"
HOLDER = "submitting officer's sergeant"
NIGHT = "night.inspector@eastshire.police.example"


def test_whoever_is_on_a_stint_is_told_and_the_standing_post_at_other_hours(begin: Begin) -> None:
    """The night inspector from 22:00 to 06:00; at 23:47 it is night."""
    story = begin("Mon 8 March 2027 18:47")
    story.drops_roster(f"duty_inspector,east,{NIGHT},2027-03-08 22:00,2027-03-09 06:00")
    story.contact(REFERENCE, category="physical_abuse")
    story.contact("PPN-2027-004212", category="physical_abuse", at="18:46")
    story.advance(to="23:48")
    story.expects_mail_to(HOLDER)
    story.expects_mail_to(HOLDER)
    story.expects_mail_to(HOLDER)
    story.expects_mail_to(HOLDER)
    story.expects_mail_to(NIGHT, at="23:46", saying="Overdue 1 h 00")
    story.told("council", "eastshire", reference=REFERENCE)
    story.told("council", "eastshire", reference="PPN-2027-004212")
    story.advance(to="Tue 06:00")
    story.contact("PPN-2027-004213", category="physical_abuse")
    story.advance(to="11:01")
    story.expects_mail_to(HOLDER)
    story.expects_mail_to(HOLDER)
    story.expects_mail_to("east duty inspector", at="11:00")
    story.told("council", "eastshire")
    story.advance(to="12:00")
    faults = story.status().service_faults
    assert "the duty roster has ended" in " ".join(faults)


def test_a_bad_roster_changes_nothing_and_is_seen(begin: Begin) -> None:
    """It is checked whole; the last good one stays."""
    story = begin("Mon 8 March 2027 18:47")
    story.drops_roster(f"duty_inspector,east,{NIGHT},2027-03-08 22:00,2027-03-10 06:00")
    story.advance(to="18:50")
    story.drops_roster(
        "duty_inspector,east,other@eastshire.police.example,2027-03-08 22:00,2027-03-10 06:00",
        "duty_inspektor,east,a@elsewhere.example,2027-03-08,2027-03-07 06:00",
    )
    story.contact(REFERENCE, category="physical_abuse")
    story.advance(to="23:51")
    story.expects_mail_to(HOLDER)
    story.expects_mail_to(HOLDER)
    story.expects_mail_to(NIGHT, at="23:50")
    (fault,) = [each for each in story.status().service_faults if "roster" in each]
    assert "the last duty roster was refused" in fault
    assert ":3: role: found 'duty_inspektor'" in fault
    story.drops_roster(f"duty_inspector,east,{NIGHT},2027-03-08 22:00,2027-03-11 06:00")
    story.told("council", "eastshire")
    story.advance(to="Tue 00:30")
    assert not [each for each in story.status().service_faults if "roster" in each]


def test_a_stint_makes_its_role_be_on_duty(begin: Begin) -> None:
    """The hub is closed at 21:00, and one of its sergeants is on a stint."""
    story = begin("Mon 8 March 2027 17:00")
    late = "late.mash@eastshire.police.example"
    story.drops_roster(
        f"mash_sergeant,{late},2027-03-08 18:00,2027-03-08 23:00",
        header="role,address,from,until",
    )
    story.contact(REFERENCE, category="physical_abuse")
    story.submitted()
    story.supervised()
    story.advance(to="21:01")
    story.expects_mail_to(late, at="20:00", saying="Due by 21:00")
    story.expects_mail_to(late, at="21:00", saying="Overdue", not_saying="off duty")
    story.told("council", "eastshire")
    story.advance(to="22:00")
