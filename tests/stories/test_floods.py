"""A flood is one mail, and what is over is no mail at all."""

from __future__ import annotations

import pytest

from monitor.model import HOUR, MINUTE
from tests.stories.conftest import Begin

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])
DUTY = "significant-harm-council"


@ON_BOTH
def test_easter(begin: Begin) -> None:
    """Feeds silent from Thursday evening to Tuesday, then replayed out of order.

    The operator is told of each silence once; clocks read unknown meanwhile; afterwards true times
    hold, and each person gets one mail.
    """
    story = begin("Thu 25 March 2027 17:30")
    story.contact("PPN-2027-005000", category="physical_abuse")
    story.advance(to="Thu 18:00")
    story.silence("sending-log", "occurrence")
    story.told("council", "eastshire", occurred="17:50", recorded="18:05")
    for day, reference in (("Fri", 1), ("Sat", 2), ("Sun", 3), ("Mon", 4)):
        told = f"PPN-2027-00500{reference}"
        story.contact(told, category="physical_abuse", at=f"{day} 10:00", known=f"{day} 11:00")
        story.told("council", "eastshire", occurred=f"{day} 11:30", recorded=f"{day} 11:40")
        never = f"PPN-2027-00510{reference}"
        story.contact(never, category="physical_abuse", at=f"{day} 12:00", known=f"{day} 13:00")
    story.advance(to="Thu 22:00")
    story.expects_mail_to("operator", at="18:30", saying="nothing heard from sending log")
    story.expects_mail_to("operator", at="20:10", saying="nothing heard from occurrence system")
    story.expects_mail_to("submitting officer's sergeant", at="20:30", saying="Due by 21:30")
    story.expects_mail_to(
        "submitting officer's sergeant",
        at="21:45",
        saying=("unconfirmed", "UNCONFIRMED: sending log silent since 18:00 today"),
    )
    story.advance(to="Fri 12:00")
    for who in ("duty inspector", "on-call DI"):
        story.expects_mail_to(who, at="Fri 03:30", saying="unconfirmed")
    assert story.says(DUTY, "PPN-2027-005000") == "unknown"
    story.advance(to="Tue 07:55")
    story.expects_mail_to("on-call superintendent", at="Fri 21:30", saying="unconfirmed")
    for _ in range(6):
        story.expects_mail_to("on-call DI", saying=("Still overdue", "unconfirmed"))
    story.expects_no_more_mail()

    story.resume("sending-log")
    story.advance(to="Tue 08:30")
    for who in (
        *("submitting officer's sergeant", "duty inspector"),
        *("on-call DI", "on-call superintendent"),
    ):
        story.expects_mail_to(who, saying="Alert withdrawn, council told in time")
    story.resume("occurrence")
    story.advance(to="Tue 08:45")
    story.expects_mail_to(
        "submitting officer's sergeant",
        at="08:30",
        saying=("4 duties overdue on 4 cases", *(f"PPN-2027-00510{n}" for n in range(1, 5))),
        not_saying="PPN-2027-00500",
    )
    assert story.says(DUTY, "PPN-2027-005003") == "met"
    story.advance(to="Tue 12:31")
    story.expects_mail_to("duty inspector", at="09:30", saying="4 duties overdue on 4 cases")
    story.expects_mail_to("on-call DI", at="12:30", saying="4 duties overdue on 4 cases")
    for number in range(1, 5):
        story.told("council", "eastshire", reference=f"PPN-2027-00510{number}")
    story.advance(to="Tue 14:00")


def test_years_of_history_loaded_at_once(begin: Begin) -> None:
    """Nothing for what is closed, in time or late; one summary a person for what is open."""
    story = begin("Mon 8 March 2027 08:00")
    for number in range(60):
        reference = f"PPN-2026-{number:06}"
        day = f"{number % 28 + 1} {('January', 'June')[number % 2]} 2026"
        story.contact(reference, category="physical_abuse", at=f"{day} 10:00")
        if number % 10:
            hour = 11 if number % 3 else 16
            story.told("council", "eastshire", occurred=f"{day} {hour}:00")
    story.advance(to="09:01")
    story.expects_mail_to("submitting officer's sergeant", at="08:00", saying="6 duties overdue")
    story.expects_mail_to("duty inspector", at="09:00", saying="6 duties overdue")
    assert story.says(DUTY, "PPN-2026-000001") == "met"
    assert story.says(DUTY, "PPN-2026-000003") == "late"
    assert story.status().caseload.by_verdict["overdue"] > 6
    for number in range(0, 60, 10):
        story.told("council", "eastshire", reference=f"PPN-2026-{number:06}")
    story.advance(to="10:00")


def test_further_alerts_within_the_window_go_together(begin: Begin) -> None:
    """The first goes at once; what comes up in the ten minutes after it waits for their end."""
    story = begin("Mon 8 March 2027 08:00")
    for minute in (0, 2, 4, 12):
        story.advance(to=f"08:{minute:02}")
        story.contact(f"PPN-2027-0042{minute:02}", category="physical_abuse")
    story.advance(to="11:30")
    sergeant = "submitting officer's sergeant"
    story.expects_mail_to(sergeant, at="11:00", saying=("Due by 12:00", "PPN-2027-004200"))
    story.expects_mail_to(
        sergeant, at="11:10", saying=("2 duties due soon", "PPN-2027-004202", "PPN-2027-004204")
    )
    story.expects_mail_to(sergeant, at="11:20", saying=("Due by 12:12", "PPN-2027-004212"))
    for minute in (0, 2, 4, 12):
        story.told("council", "eastshire", reference=f"PPN-2027-0042{minute:02}")
    story.advance(to="13:00")


def test_an_hourly_extract_raises_no_false_alert(begin: Begin) -> None:
    """Told ten minutes before due, in the extract half an hour after it: the rung waits."""
    story = begin("Mon 8 March 2027 09:00")
    story.declare("sending-log", every=HOUR, lag=70 * MINUTE)
    story.hear("sending-log", every=HOUR, next_at="09:30")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.told("council", "eastshire", occurred="12:50", recorded="12:52")
    story.advance(to="12:55")
    story.expects_mail_to("submitting officer's sergeant", at="12:00", saying="Due by 13:00")
    story.advance(to="18:00")
    assert story.says(DUTY) == "met"


def test_the_extract_s_coming_lets_the_rung_that_waited_go(begin: Begin) -> None:
    """Nobody told the council: the extract of 13:30 shows it, and the holder is told then."""
    story = begin("Mon 8 March 2027 09:00")
    story.declare("sending-log", every=HOUR, lag=70 * MINUTE)
    story.hear("sending-log", every=HOUR, next_at="09:30")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="13:29")
    story.expects_mail_to("submitting officer's sergeant", at="12:00", saying="Due by 13:00")
    story.expects_no_more_mail()
    story.advance(to="14:05")
    story.expects_mail_to(
        "submitting officer's sergeant",
        at="13:30",
        saying="Overdue 30 min",
        not_saying=("nconfirmed", "Told late"),
    )
    story.expects_mail_to("duty inspector", at="14:00")
    story.told("council", "eastshire")
    story.advance(to="16:00")


def test_once_the_lag_has_passed_the_alert_says_that_it_is_unconfirmed(begin: Begin) -> None:
    """No extract comes: the first rung goes after the lag, the higher ones wait six hours."""
    story = begin("Mon 8 March 2027 09:00")
    story.declare("sending-log", every=HOUR, lag=70 * MINUTE)
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="10:30")
    story.silence("sending-log")
    story.advance(to="18:59")
    story.expects_mail_to("submitting officer's sergeant", at="12:00", saying="Due by 13:00")
    story.expects_mail_to("operator", saying="nothing heard from sending log")
    story.expects_mail_to(
        "submitting officer's sergeant",
        at="14:10",
        saying=("Overdue 1 h 10 at 14:10, unconfirmed", "silent since 10:30 today"),
    )
    story.expects_no_more_mail()
    story.advance(to="19:01")
    story.expects_mail_to("duty inspector", at="19:00", saying="unconfirmed")
    story.expects_mail_to("on-call DI", at="19:00", saying="unconfirmed")
    assert story.says(DUTY) == "unknown"
    story.resume("sending-log")
    story.told("council", "eastshire")
    story.advance(to="20:00")
    assert story.says(DUTY) == "late"


def test_a_silence_is_told_once_and_again_only_if_it_begins_anew(begin: Begin) -> None:
    """By the feed's own timetable; the next silence is another fact."""
    story = begin("Mon 8 March 2027 09:00")
    story.silence("command-control")
    story.advance(to="Tue 09:00")
    story.expects_mail_to(
        "operator", at="Mon 09:35", saying="nothing heard from command and control"
    )
    assert "feed command-control is silent" in story.status().service_faults
    story.resume("command-control")
    story.advance(to="Tue 09:30")
    assert "feed command-control is silent" not in story.status().service_faults
    story.silence("command-control")
    story.advance(to="Tue 12:00")
    story.expects_mail_to("operator", at="Tue 10:05", saying="nothing heard")


def test_a_feed_that_never_comes_is_a_silence_too(begin: Begin) -> None:
    """Configured, and never heard: the operator is told, and nothing reads as in time."""
    story = begin("Mon 8 March 2027 09:00", never_heard=["sending-log"])
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="10:00")
    story.expects_mail_to("operator", at="09:30", saying="nothing ever heard from sending log")
    assert story.says(DUTY) == "unknown"
    story.resume("sending-log")
    story.told("council", "eastshire")
    story.advance(to="14:00")
    assert story.says(DUTY) == "met"
