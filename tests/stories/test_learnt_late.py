"""What could not be told in time is told once, to whoever can act first, saying why it is late."""

from __future__ import annotations

from monitor.model import MINUTE
from tests.stories.conftest import Begin

DUTY = "significant-harm-council"


def test_typed_at_six_for_a_contact_of_the_evening_begins_with_the_holder(begin: Begin) -> None:
    """Overdue since 00:00; the holder at 06:00, the inspector at 07:00, the DI at 10:00."""
    story = begin("Mon 8 March 2027 19:00")
    story.contact("PPN-2027-004211", category="physical_abuse", at="Mon 20:00", known="Tue 06:00")
    story.advance(to="Tue 06:30")
    story.expects_mail_to(
        "submitting officer's sergeant",
        at="06:00",
        saying=(
            "Overdue 6 h 00 at 06:00",
            "It was due by 00:00 today",
            "Told late: the record reached the monitor after it was due",
            "duty inspector, 07:00 today; on-call DI, 10:00 today",
        ),
    )
    story.advance(to="07:01")
    story.expects_mail_to("duty inspector", at="07:00", saying="Overdue 7 h 00")
    story.advance(to="10:01")
    story.expects_mail_to("on-call DI", at="10:00", saying="Overdue 10 h 00")
    story.told("council", "eastshire")
    story.advance(to="12:00")
    assert story.says(DUTY) == "late"


def test_after_our_own_downtime_each_person_gets_one_mail(begin: Begin) -> None:
    """Down from 12:30 to 18:00: three rungs are told at once, each to its own reader."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="12:30")
    story.expects_mail_to("submitting officer's sergeant", saying="Due by 13:00")
    story.down(until="18:00")
    for who, fell in (
        ("submitting officer's sergeant", "13:00"),
        ("duty inspector", "14:00"),
        ("on-call DI", "17:00"),
    ):
        story.expects_mail_to(
            who,
            at="18:00",
            saying=("Overdue 5 h 00", f"Told late: it should have been told at {fell} today"),
        )
    story.told("council", "eastshire")
    story.advance(to="20:00")


def test_who_holds_several_missed_rungs_is_told_once_at_the_highest(begin: Begin) -> None:
    """Inspector and on-call DI read one mailbox: one mail, to the DI."""
    story = begin("Mon 8 March 2027 09:00")
    story.post_moves("on_call_di", "east.duty-inspector@eastshire.police.example")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="12:30")
    story.expects_mail_to("submitting officer's sergeant", saying="Due by 13:00")
    story.down(until="18:00")
    story.expects_mail_to("submitting officer's sergeant", saying="Overdue")
    story.expects_mail_to("east duty inspector", saying=("Overdue", "For: on-call DI."))
    story.told("council", "eastshire")
    story.advance(to="20:00")


def test_put_right_before_we_learnt_of_it_alerts_nobody(begin: Begin) -> None:
    """Overdue and told late, both before the monitor knew of the case."""
    story = begin("Mon 8 March 2027 19:00")
    story.contact("PPN-2027-004211", category="physical_abuse", at="Mon 20:00", known="Tue 06:00")
    story.told("council", "eastshire", occurred="Tue 01:30", recorded="Tue 05:00")
    story.advance(to="Tue 12:00")
    assert story.says(DUTY) == "late"


def test_learnt_late_nobody_is_told_before_the_feed_of_its_stop_was_read(begin: Begin) -> None:
    """The contact is read at 09:00 and the log that shows it was told in time at 09:05."""
    story = begin("Mon 8 March 2027 08:55")
    story.hear("sending-log", every=15 * MINUTE, next_at="09:05")
    story.contact(
        "PPN-2026-000001",
        category="physical_abuse",
        at="Tue 3 March 2026 10:00",
        known="09:00",
    )
    story.told("council", "eastshire", occurred="Tue 3 March 2026 11:00", recorded="09:05")
    story.advance(to="12:00")
    assert story.says(DUTY) == "met"
