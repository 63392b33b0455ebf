"""A feed that falls silent is told of to those who rely on it, and so is its return."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.cycle.intake import take_in_file
from monitor.ingest.feeds import Silence
from monitor.ingest.files import waiting_files
from monitor.model import HOUR, MINUTE
from monitor.store.engine import reading
from monitor.store.intakes import heard_through
from tests.stories.conftest import Begin
from tests.stories.harness import Story

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])
DUTY = "significant-harm-council"
BAD = {"entry_no": "1", "reference": "X", "entry_type": "SENT", "happened_at": "yesterday"}
INSPECTORS = ("east duty_inspector", "west duty_inspector")


def told_by(story: Story, feed: str, **silence: object) -> None:
    """Another ladder is configured for a feed's silence."""
    known = story.monitor.feeds[feed]
    changed = known.model_copy(update={"silence": Silence.model_validate(silence)})
    story.monitor = replace(story.monitor, feeds={**story.monitor.feeds, feed: changed})


@ON_BOTH
def test_a_silence_is_told_once_and_again_only_if_it_begins_anew(begin: Begin) -> None:
    """By the feed's own timetable; its end is told to those who knew; the next is another fact."""
    story = begin("Mon 8 March 2027 09:00")
    story.silence("command-control")
    story.advance(to="Tue 09:00")
    story.expects_mail_to(
        "operator", at="Mon 09:35", saying="nothing heard from command and control"
    )
    for who in INSPECTORS:
        story.expects_mail_to(who, at="Mon 10:05", saying="Nothing heard from command and control")
    assert "feed command-control is silent" in story.status().service_faults
    story.resume("command-control")
    story.advance(to="Tue 09:30")
    for who in ("operator", *INSPECTORS):
        story.expects_mail_to(who, at="Tue 09:00", saying="eard again: command and control")
    assert "feed command-control is silent" not in story.status().service_faults
    story.silence("command-control")
    story.advance(to="Tue 10:30")
    story.expects_mail_to("operator", at="Tue 10:05", saying="nothing heard")
    story.resume("command-control")
    story.advance(to="Tue 12:00")
    story.expects_mail_to("operator", at="Tue 10:30", saying="eard again")


def test_while_it_lasts_it_is_told_once_a_day(begin: Begin) -> None:
    """The reminder says since when, and that it is one."""
    story = begin("Mon 8 March 2027 09:00")
    told_by(story, "command-control", tell=[{"role": "operator"}])
    story.silence("command-control")
    story.advance(to="Wed 12:00")
    story.expects_mail_to("operator", at="Mon 09:35", not_saying="still nothing")
    for day in ("Tue", "Wed"):
        story.expects_mail_to(
            "operator",
            at=f"{day} 09:35",
            saying="still nothing heard from command and control since 09:00 on Mon 8 March",
        )


def test_feeds_that_fall_silent_together_are_one_mail(begin: Begin) -> None:
    """The first at once; what follows within the window goes together, with what is known."""
    story = begin("Mon 8 March 2027 09:00")
    story.declare("occurrence", every=15 * MINUTE, lag=18 * MINUTE)
    story.again()
    story.silence("sending-log", "occurrence", "command-control")
    story.advance(to="11:00")
    story.expects_mail_to("operator", at="09:30", saying="nothing heard from sending log")
    story.expects_mail_to(
        "operator", at="09:40", saying=("nothing heard from 2 feeds", "Sending log: nothing heard")
    )
    for who in INSPECTORS:
        story.expects_mail_to(who, at="10:00", saying="Nothing heard from sending log")
        story.expects_mail_to(who, at="10:10", saying="Nothing heard from 2 feeds")
    story.resume("sending-log", "occurrence", "command-control")
    story.advance(to="12:00")
    for who in ("operator", *INSPECTORS):
        heard = "eard again: command and control, occurrence system, sending log"
        story.expects_mail_to(who, at="11:00", saying=heard)


def test_silence_is_measured_by_the_feed_s_own_calendar(begin: Begin) -> None:
    """A source of the hub's hours says nothing over Easter, and nobody asks it to."""
    story = begin("Thu 25 March 2027 17:30")
    known = story.monitor.feeds["command-control"]
    assert known.heartbeat is not None
    hours = known.heartbeat.model_copy(update={"calendar": "mash", "every": HOUR})
    changed = known.model_copy(update={"heartbeat": hours, "lag": 0})
    story.monitor = replace(story.monitor, feeds={**story.monitor.feeds, known.name: changed})
    story.again()
    story.silence("command-control")
    story.advance(to="Tue 08:29")
    story.expects_no_more_mail()
    story.advance(to="Tue 08:45")
    story.expects_mail_to("operator", at="08:30", saying="nothing heard from command and control")


def test_a_role_off_duty_is_told_when_its_duty_begins(begin: Begin) -> None:
    """A silence wakes nobody who is not asked to be woken for it; its end neither."""
    story = begin("Mon 8 March 2027 22:00")
    told_by(story, "command-control", tell=[{"role": "mash_inspector"}])
    told_by(story, "sending-log", tell=[{"role": "mash_inspector"}], wakes=True)
    story.silence("command-control", "sending-log")
    story.advance(to="Tue 07:59")
    story.expects_mail_to("on-call DI", at="Mon 22:30", saying="Nothing heard from sending log")
    story.advance(to="Tue 20:00")
    story.expects_mail_to("MASH inspector", at="08:00", saying="Nothing heard from 2 feeds")
    story.resume("command-control", "sending-log")
    story.advance(to="Wed 09:00")
    story.expects_mail_to("on-call DI", at="Tue 20:00", saying="Heard again: sending log")
    story.expects_mail_to("MASH inspector", at="Wed 08:00", saying="Heard again")


@pytest.mark.parametrize("alerts", ["digest", "off"])
def test_while_alerts_are_not_on_the_operator_alone_is_told(begin: Begin, alerts: str) -> None:
    """A first install is set up in peace."""
    story = begin("Mon 8 March 2027 09:00", alerts=alerts)
    story.silence("command-control")
    story.advance(to="12:00")
    story.expects_mail_to("operator", at="09:35", saying="nothing heard from command and control")


def test_a_feed_that_never_comes_is_a_silence_too(begin: Begin) -> None:
    """Configured, and never heard: the operator is told, and nothing reads as in time."""
    story = begin("Mon 8 March 2027 09:00", never_heard=["sending-log"])
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="13:20")
    story.expects_mail_to("operator", at="09:30", saying="nothing ever heard from sending log")
    for who in INSPECTORS:
        story.expects_mail_to(who, at="10:00", saying="Nothing ever heard from sending log")
    assert story.says(DUTY) == "unknown"
    story.expects_mail_to("submitting officer's sergeant", at="12:00", saying="Due by 13:00")
    story.expects_mail_to(
        "submitting officer's sergeant",
        at="13:15",
        saying=("unconfirmed", "UNCONFIRMED: sending log was never heard"),
    )
    story.told("council", "eastshire", occurred="12:30")
    story.resume("sending-log")
    story.advance(to="14:00")
    for who in ("operator", *INSPECTORS):
        story.expects_mail_to(who, at="13:20", saying="eard again: sending log")
    story.expects_mail_to("submitting officer's sergeant", saying="Alert withdrawn")
    assert story.says(DUTY) == "met"


def test_a_feed_that_is_not_configured_any_more_holds_nothing_up_for_ever(begin: Begin) -> None:
    """Rules rely on it: clocks read unknown, and are told unconfirmed after its lag."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="10:00")
    story.silence("sending-log")
    feeds = {name: feed for name, feed in story.monitor.feeds.items() if name != "sending-log"}
    story.monitor = replace(story.monitor, feeds=feeds)
    story.advance(to="13:20")
    story.expects_mail_to("operator", at="10:30", saying="nothing heard from sending-log")
    story.expects_mail_to("submitting officer's sergeant", at="12:00", saying="Due by 13:00")
    story.expects_mail_to("submitting officer's sergeant", at="13:15", saying="unconfirmed")
    assert story.says(DUTY) == "unknown"


def test_a_file_set_aside_whole_is_not_hearing_the_feed(begin: Begin) -> None:
    """Good files beside it are: the feed is heard, and red."""
    story = begin("Mon 8 March 2027 09:00")
    told_by(story, "sending-log", tell=[{"role": "operator"}])
    story.silence("sending-log")
    story.advance(to="09:20")
    story.drop_file("sending-log", name="bad.jsonl", rows=[BAD] * 30)
    story.again()
    story.advance(to="10:00")
    story.expects_mail_to("operator", at="09:30", saying="nothing heard from sending log")
    story.drop_file("sending-log", name="good.jsonl")
    story.drop_file("sending-log", name="worse.jsonl", rows=[BAD | {"entry_no": "2"}] * 30)
    story.again()
    story.expects_mail_to("operator", at="10:00", saying="heard again: sending log")


def test_a_feed_is_heard_when_the_last_of_its_waiting_files_is_read(begin: Begin) -> None:
    """A sweep between two files of a replay must not take the feed for up to date."""
    story = begin("Mon 8 March 2027 09:00", never_heard=["sending-log"])
    told_by(story, "sending-log", tell=[{"role": "operator"}])
    feed = story.monitor.feeds["sending-log"]
    for name in ("first.jsonl", "second.jsonl"):
        story.drop_file("sending-log", name=name, rows=[BAD | {"entry_no": name}])
    waiting = waiting_files(story.monitor.settings.path(feed.folder), feed.patterns)
    heard = []
    for path in waiting:
        take_in_file(story.monitor, feed, path, now=story.now)
        with reading(story.monitor.engine) as connection:
            heard.append(heard_through(connection, "sending-log"))
    assert heard == [None, story.now]


def test_a_silent_feed_is_in_the_digest_s_subject(begin: Begin) -> None:
    """What the week's figures do not show stands in the subject."""
    story = begin("Mon 8 March 2027 09:00", digests=True)
    told_by(story, "sending-log", tell=[{"role": "operator"}])
    story.advance(to="Sat 13 March 09:00")
    story.silence("sending-log")
    story.advance(to="Mon 15 March 08:30")
    for day in ("Sat", "Sun"):
        story.expects_mail_to("operator", at=f"{day} 09:30", saying="nothing heard from sending")
    subjects = [mail.subject for mail in story.take_all_mail()]
    assert subjects
    assert all("sending log silent" in subject for subject in subjects), subjects
