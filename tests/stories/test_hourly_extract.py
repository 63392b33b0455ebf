"""A slow extract: what it had no time to tell raises no false alert, and hides no true one."""

from __future__ import annotations

from monitor.model import HOUR, MINUTE
from tests.stories.conftest import Begin

DUTY = "significant-harm-council"


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
    (clock,) = story.explained(rule=DUTY).clocks
    waits = "telling waits for the sending log to be heard, until 14:10 today at the latest"
    assert waits in clock.because
    story.advance(to="14:05")
    (clock,) = story.explained(rule=DUTY).clocks
    assert not any("telling waits" in why for why in clock.because)
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
    story.expects_mail_to("operator", at="12:40", saying="nothing heard from sending log")
    for who in ("east duty_inspector", "west duty_inspector"):
        story.expects_mail_to(who, at="13:10", saying="Nothing heard from sending log")
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
    for who in ("operator", "east duty_inspector", "west duty_inspector"):
        story.expects_mail_to(who, at="19:01", saying="eard again: sending log")
    assert story.says(DUTY) == "late"


def test_an_extract_slower_than_the_ladder_tells_each_level_once(begin: Begin) -> None:
    """A lag of two hours, rungs an hour apart: nothing false, and no level twice."""
    story = begin("Mon 8 March 2027 09:00")
    story.declare("sending-log", every=2 * HOUR, lag=130 * MINUTE)
    story.hear("sending-log", every=2 * HOUR, next_at="10:30")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="14:29")
    story.expects_mail_to("submitting officer's sergeant", at="12:00", saying="Due by 13:00")
    story.expects_no_more_mail()
    story.advance(to="16:59")
    story.expects_mail_to(
        "submitting officer's sergeant", at="14:30", saying="Overdue 1 h 30", not_saying="nconf"
    )
    story.expects_mail_to("duty inspector", at="14:30", saying="Overdue 1 h 30")
    story.told("council", "eastshire")
    story.advance(to="17:30")
    story.expects_mail_to("on-call DI", at="17:00")
    story.advance(to="20:00")
    assert story.says(DUTY) == "late"


def test_an_extract_that_ends_before_due_shows_nothing_about_it(begin: Begin) -> None:
    """Files come by their timetable, but what they tell ends an hour before.

    The name of each says so: the rung waits for one that reaches past due.
    """
    story = begin("Mon 8 March 2027 09:00")
    story.file_times("sending-log", "sent-%Y%m%dT%H%M")
    story.silence("sending-log")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.drop_file("sending-log", name="sent-20270308T0859.jsonl")
    story.advance(to="09:20")
    story.drop_file("sending-log", name="sent-20270308T0915.jsonl")
    story.again()
    story.declare("sending-log", every=HOUR, lag=90 * MINUTE)
    for hour in range(10, 14):
        story.advance(to=f"{hour}:05")
        story.drop_file("sending-log", name=f"sent-20270308T{hour - 1:02}05.jsonl")
        story.again()
    story.expects_mail_to("submitting officer's sergeant", at="12:00", saying="Due by 13:00")
    story.advance(to="14:00")
    story.expects_no_more_mail()
    story.told("council", "eastshire", occurred="12:50")
    story.drop_file(
        "sending-log", name="sent-20270308T1305.jsonl", rows=story.not_exported("sending-log")
    )
    story.again()
    story.advance(to="14:10")
    assert story.says(DUTY) == "met"
