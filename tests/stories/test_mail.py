"""Mail is held, redirected, refused, lost on the way: nothing is lost and nothing said twice."""

from __future__ import annotations

import pytest

from tests.stories.conftest import Begin

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])
SERGEANT = "submitting officer's sergeant"
TRIAL = "trial@eastshire.police.example"


@ON_BOTH
def test_a_relay_that_is_down_loses_nothing(begin: Begin) -> None:
    """Two mails wait out three hours and arrive once each when it is back."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="11:00")
    story.mail_server(is_down=True)
    story.advance(to="14:30")
    story.expects_no_more_mail()
    assert any("wait to be tried again" in fault for fault in story.status().service_faults)
    story.mail_server()
    story.advance(to="15:40")
    warning = story.expects_mail_to(SERGEANT, saying="Due by 13:00")
    overdue = story.expects_mail_to(SERGEANT, saying="Overdue")
    inspector = story.expects_mail_to("duty inspector", saying="Overdue")
    story.expects_mail_to("operator", saying="mail is not taken")
    assert len({warning.message_id, overdue.message_id, inspector.message_id}) == 3
    story.told("council", "eastshire")
    story.advance(to="16:30")
    assert not any("mails" in fault for fault in story.status().service_faults)


def test_an_answer_that_is_lost_repeats_the_same_mail(begin: Begin) -> None:
    """Taken, and the connection broke before it was said: the same bytes and id once more."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="11:00")
    story.mail_server(loses_its_answer=True)
    story.advance(to="12:00")
    first = story.expects_mail_to(SERGEANT, saying="Due by 13:00")
    story.mail_server()
    story.advance(to="12:30")
    again = story.expects_mail_to(SERGEANT, saying="Due by 13:00")
    assert (again.message_id, again.content) == (first.message_id, first.content)
    story.told("council", "eastshire")
    story.advance(to="14:00")


@ON_BOTH
def test_another_pass_or_a_restart_says_nothing_again(begin: Begin) -> None:
    """Everything decided is on record: whoever looks again finds nothing to say."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    for when in ("12:00", "13:01", "14:01"):
        story.advance(to=when)
        story.again()
        story.restart()
        story.again()
    story.expects_mail_to(SERGEANT, saying="Due by 13:00")
    story.expects_mail_to(SERGEANT, saying="Overdue")
    story.expects_mail_to("duty inspector", saying="Overdue")
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="15:00")
    story.restart()
    story.again()
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")
    story.expects_mail_to("duty inspector", saying="Alert withdrawn")


def test_held_mail_waits_and_goes_together_when_released(begin: Begin) -> None:
    """Detection goes on; each person then gets one mail of what is still true."""
    story = begin("Mon 8 March 2027 09:00")
    story.hold_mail()
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.contact("PPN-2027-004212", category="physical_abuse")
    story.advance(to="13:30")
    story.expects_no_more_mail()
    assert "all mail is held: monitor mail release" in story.status().service_faults
    story.release_mail()
    story.advance(to="13:31")
    story.expects_mail_to(SERGEANT, saying="2 duties overdue on 2 cases")
    for reference in ("PPN-2027-004211", "PPN-2027-004212"):
        story.told("council", "eastshire", reference=reference)
    story.advance(to="15:00")


def test_redirected_mail_goes_to_one_address_and_says_whom_it_was_for(begin: Begin) -> None:
    """Alerts and the operator's mails alike; the record keeps the true recipients."""
    story = begin("Mon 8 March 2027 09:00", redirect_all_to=TRIAL)
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="12:30")
    story.expects_mail_to(TRIAL, saying=("Due by 13:00", SERGEANT))
    story.silence("command-control")
    story.told("council", "eastshire")
    story.advance(to="14:00")
    story.expects_mail_to(TRIAL, saying="nothing heard from command and control")
    for _ in ("east", "west"):
        story.expects_mail_to(TRIAL, saying=("Nothing heard from command", "duty inspector"))


def test_a_restricted_case_shows_its_reference_and_times_alone(begin: Begin) -> None:
    """Only posts that may see it are told; it is in no list."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="sexual_abuse", RESTRICTED="yes")
    veiled = ("sexual", "high", "Eastshire children", "occurrence system to", "contact 09:00")
    story.advance(to="13:01")
    story.expects_mail_to(
        "force incident manager", at="12:00", saying="PPN-2027-004211", not_saying=veiled
    )
    story.expects_mail_to(
        "force incident manager", at="13:00", saying="overdue by", not_saying=veiled
    )
    story.advance(to="17:01")
    story.expects_mail_to("force incident manager", at="14:00", not_saying=veiled)
    story.expects_mail_to("on-call DI", at="17:00", saying="overdue by 4 h", not_saying=veiled)
    assert story.says("significant-harm-council") == ""
    story.told("council", "eastshire", occurred="12:50")
    story.advance(to="18:00")
    for who in ("force incident manager", "on-call DI"):
        story.expects_mail_to(who, saying="PPN-2027-004211", not_saying=veiled)


def test_no_mail_names_a_child_by_the_number_of_its_source(begin: Begin) -> None:
    """The source's own number of a child is in no mail and not in the database."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse", child="MARKED-CHILD")
    story.advance(to="12:30")
    mail = story.expects_mail_to(SERGEANT, saying="Due by 13:00")
    assert b"MARKED-CHILD" not in mail.content
    story.told("council", "eastshire", child="MARKED-CHILD")
    story.advance(to="14:00")
    stored = b"".join(f.read_bytes() for f in story.folder.glob("var/monitor.db*"))
    assert b"MARKED-CHILD" not in stored
