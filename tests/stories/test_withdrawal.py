"""What was said and proves false is taken back, from exactly those to whom it was said."""

from __future__ import annotations

import pytest

from tests.stories.conftest import Begin
from tests.stories.harness import Story

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])

DUTY = "significant-harm-council"


def _overdue_at_the_inspector(begin: Begin) -> Story:
    """Due at 13:00 and nothing on record: the sergeant and the inspector were told."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="14:30")
    story.expects_mail_to("submitting officer's sergeant", saying="Due by 13:00")
    story.expects_mail_to("submitting officer's sergeant", saying="Overdue")
    story.expects_mail_to("duty inspector", at="14:00", saying="Overdue")
    return story


@ON_BOTH
def test_told_in_time_and_recorded_late_is_withdrawn_from_those_who_were_told(
    begin: Begin,
) -> None:
    """The call of 22:15 is recorded at 03:20: three people are told to stop, nobody else."""
    story = begin("Mon 8 March 2027 18:47")
    story.contact("PPN-2027-004211", category="physical_abuse", risk="high", council="eastshire")
    story.submitted(at="18:47")
    story.supervised(at="18:47")
    story.told("council", "eastshire", occurred="22:15", recorded="Tue 03:20", method="portal")
    story.advance(to="Tue 03:19")
    story.expects_mail_to("force incident manager", saying="Due by 22:47")
    story.expects_mail_to("force incident manager", saying="Overdue")
    story.expects_mail_to("duty inspector", saying="Overdue")
    story.expects_mail_to("on-call DI", saying="Overdue")
    story.advance(to="Tue 03:21")
    for who, alerts in (
        ("force incident manager", "our alert of 22:47 only"),
        ("duty inspector", "our alert of 23:47 only"),
        ("on-call DI", "our alert of 02:47 only"),
    ):
        story.expects_mail_to(
            who,
            at="Tue 03:20",
            saying=(
                "Alert withdrawn, council told in time",
                "stop chasing the council about PPN-2027-004211",
                "at 22:15 on Mon 8 March, 3 h 28 after the clock started",
                "inside the limit of 4 h",
                "5 h 05 after it was made",
                "Still to do: tell health by 18:47 today",
                alerts,
            ),
        )
    assert story.says(DUTY) == "met"
    story.advance(to="Wed 12:00")


def test_a_withdrawal_goes_to_the_address_that_was_told_whoever_holds_the_role_now(
    begin: Begin,
) -> None:
    """The inspectors' mailbox changes between: the old one is told that the alert was false."""
    story = _overdue_at_the_inspector(begin)
    story.post_moves("duty_inspector", "new.duty-inspector@eastshire.police.example")
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="15:00")
    story.expects_mail_to("submitting officer's sergeant", saying="Alert withdrawn")
    story.expects_mail_to("east.duty-inspector@eastshire.police.example", saying="Alert withdrawn")


def test_a_warning_is_not_withdrawn(begin: Begin) -> None:
    """It said nothing that could turn out false."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="12:30")
    story.expects_mail_to("submitting officer's sergeant", saying="Due by 13:00")
    story.told("council", "eastshire", occurred="11:30")
    story.advance(to="15:00")
    assert story.says(DUTY) == "met"


def test_a_late_stop_ends_the_ladder_and_withdraws_nothing(begin: Begin) -> None:
    """What was said was true."""
    story = _overdue_at_the_inspector(begin)
    story.told("council", "eastshire", occurred="14:20")
    story.advance(to="Tue 15:00")
    assert story.says(DUTY) == "late"


def test_alerts_that_were_never_attempted_are_cancelled(begin: Begin) -> None:
    """Mail is held; it proves told in time before anything was sent: no mail at all."""
    story = begin("Mon 8 March 2027 09:00")
    story.hold_mail()
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="14:30")
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="14:45")
    story.release_mail()
    story.advance(to="16:00")
    assert story.says(DUTY) == "met"


def test_a_due_time_that_moves_ahead_withdraws_and_begins_anew(begin: Begin) -> None:
    """First known at 13:00 and not 09:00: withdrawn, warned again, and told again when overdue."""
    story = _overdue_at_the_inspector(begin)
    story.corrected(FIRST_KNOWN="08/03/2027 13:00:00")
    story.advance(to="15:59")
    for who in ("submitting officer's sergeant", "duty inspector"):
        story.expects_mail_to(
            who, at="14:30", saying=("Alert withdrawn", "is to be told by 17:00 today")
        )
    story.advance(to="17:01")
    story.expects_mail_to("submitting officer's sergeant", at="16:00", saying="Due by 17:00")
    story.expects_mail_to("submitting officer's sergeant", at="17:00", saying="Overdue")
    story.advance(to="18:01")
    story.expects_mail_to("duty inspector", at="18:00", saying="Overdue 1 h 00")
    story.told("council", "eastshire", occurred="16:50")
    story.advance(to="18:15")
    story.expects_mail_to("submitting officer's sergeant", saying="our alert of 17:00 only")
    story.expects_mail_to("duty inspector", saying="our alert of 18:00 only")


def test_a_due_time_that_moves_while_overdue_sends_nothing_again(begin: Begin) -> None:
    """First known at 09:30 and not 09:00: still overdue, the ladder goes on from its new times."""
    story = _overdue_at_the_inspector(begin)
    story.corrected(FIRST_KNOWN="08/03/2027 09:30:00")
    story.advance(to="17:29")
    story.expects_no_more_mail()
    story.advance(to="17:31")
    story.expects_mail_to("on-call DI", at="17:30", saying="Overdue 4 h 00")
    story.told("council", "eastshire")
    story.advance(to="18:00")


def test_a_warning_whose_time_lies_ahead_again_is_given_again(begin: Begin) -> None:
    """Only a warning was told, and the start moves ahead: no withdrawal, a new warning."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="12:30")
    story.expects_mail_to("submitting officer's sergeant", at="12:00", saying="Due by 13:00")
    story.corrected(FIRST_KNOWN="08/03/2027 12:00:00")
    story.advance(to="15:30")
    story.expects_mail_to("submitting officer's sergeant", at="15:00", saying="Due by 16:00")
    story.told("council", "eastshire")
    story.advance(to="18:00")


def test_a_stop_that_is_taken_back_tells_again(begin: Begin) -> None:
    """Withdrawn on the strength of a line that was wrong: overdue again, a new telling."""
    story = _overdue_at_the_inspector(begin)
    line = story.told("council", "eastshire", occurred="12:30")
    story.advance(to="14:50")
    story.expects_mail_to("submitting officer's sergeant", saying="Alert withdrawn")
    story.expects_mail_to("duty inspector", saying="Alert withdrawn")
    story.taken_back(line)
    story.advance(to="15:10")
    story.expects_mail_to("submitting officer's sergeant", saying="Overdue")
    story.expects_mail_to("duty inspector", saying="Overdue")
    assert story.says(DUTY) == "overdue"
    story.told("council", "eastshire", occurred="15:00")
    story.advance(to="16:00")


def test_a_stop_taken_back_before_its_alert_was_sent_still_tells(begin: Begin) -> None:
    """Decided, then cancelled by a stop, then the stop is wrong: somebody is told after all."""
    story = begin("Mon 8 March 2027 09:00")
    story.hold_mail()
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="13:30")
    line = story.told("council", "eastshire", occurred="12:30")
    story.advance(to="13:40")
    story.taken_back(line)
    story.advance(to="13:45")
    story.release_mail()
    story.advance(to="13:46")
    story.expects_mail_to("submitting officer's sergeant", saying="Overdue 45 min at 13:45")
    story.told("council", "eastshire")
    story.advance(to="15:00")


def test_withheld_before_due_exempts_and_withdraws(begin: Begin) -> None:
    """The decision was made in time and written down late."""
    story = _overdue_at_the_inspector(begin)
    story.decided("withheld", at="12:30")
    story.advance(to="15:00")
    for who in ("submitting officer's sergeant", "duty inspector"):
        story.expects_mail_to(
            who, saying=("Alert withdrawn", "It was decided, before it was due", "Reason: sharing")
        )
    assert story.says(DUTY) == "exempt"
    story.advance(to="Tue 15:00")


def test_withheld_after_due_closes_it_late_and_withdraws_nothing(begin: Begin) -> None:
    """A decision that came too late does not make it timely."""
    story = _overdue_at_the_inspector(begin)
    story.decided("withheld", at="14:20")
    story.advance(to="Tue 15:00")
    assert story.says(DUTY) == "late"


def test_a_notice_made_in_error_is_void_and_withdrawn(begin: Begin) -> None:
    """Withdrawn before due, recorded after: whoever was told is told that it was an error."""
    story = _overdue_at_the_inspector(begin)
    story.withdrawn_in_error(at="12:40")
    story.advance(to="15:00")
    for who in ("submitting officer's sergeant", "duty inspector"):
        story.expects_mail_to(who, saying=("Alert withdrawn", "withdrawn as made in error"))
    assert story.says(DUTY) == "void"


def test_a_notice_withdrawn_after_due_reads_void_and_keeps_that_it_was_overdue(
    begin: Begin,
) -> None:
    """Nobody is to go on chasing it; the figures count it beside the rate."""
    story = _overdue_at_the_inspector(begin)
    story.withdrawn_in_error(at="14:25")
    story.advance(to="15:00")
    for who in ("submitting officer's sergeant", "duty inspector"):
        story.expects_mail_to(who, saying="Alert withdrawn")
    assert story.says(DUTY) == "void"


def test_one_mail_takes_back_many_alerts(begin: Begin) -> None:
    """Three cases told in time are recorded at once: each person gets one withdrawal."""
    story = begin("Mon 8 March 2027 09:00")
    references = [f"PPN-2027-00421{n}" for n in range(1, 4)]
    for reference in references:
        story.contact(reference, category="physical_abuse")
    story.advance(to="14:30")
    story.expects_mail_to("submitting officer's sergeant", saying="3 duties due soon")
    story.expects_mail_to("submitting officer's sergeant", saying="3 duties overdue on 3 cases")
    story.expects_mail_to("duty inspector", saying="3 duties overdue on 3 cases")
    for reference in references:
        story.told("council", "eastshire", reference=reference, occurred="12:00")
    story.advance(to="15:00")
    for who in ("submitting officer's sergeant", "duty inspector"):
        story.expects_mail_to(who, saying=("Alerts withdrawn, 3 duties", *references))


def test_stale_warnings_are_not_sent_as_overdue(begin: Begin) -> None:
    """A warning held past due drops out: its reader would get no withdrawal if it proved false."""
    story = begin("Mon 8 March 2027 09:00")
    story.hold_mail()
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="12:30")
    story.submitted()
    story.advance(to="13:30")
    story.release_mail()
    story.advance(to="13:31")
    story.expects_mail_to("supervising sergeant", saying="Overdue")
    story.told("council", "eastshire", occurred="12:45")
    story.advance(to="14:00")
    story.expects_mail_to("supervising sergeant", saying="Alert withdrawn")
