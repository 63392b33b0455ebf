"""Feeds silent from Thursday evening over Easter until Tuesday, then replayed."""

from __future__ import annotations

import pytest

from monitor.model import MINUTE
from tests.stories.conftest import Begin
from tests.stories.harness import Story

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])
DUTY = "significant-harm-council"
SERGEANT, INSPECTOR = "submitting officer's sergeant", "east duty_inspector"
DAYS = ("Fri", "Sat", "Sun", "Mon")


def until_tuesday(story: Story) -> None:
    """One contact before the silence, and on each day one that is told and one that is not."""
    story.contact("PPN-2027-005000", category="physical_abuse")
    story.advance(to="Thu 18:00")
    story.silence("sending-log", "occurrence")
    story.told("council", "eastshire", occurred="17:50", recorded="18:05")
    for number, day in enumerate(DAYS, start=1):
        told = f"PPN-2027-00500{number}"
        story.contact(told, category="physical_abuse", at=f"{day} 10:00", known=f"{day} 11:00")
        story.told("council", "eastshire", occurred=f"{day} 11:30", recorded=f"{day} 11:40")
        never = f"PPN-2027-00510{number}"
        story.contact(never, category="physical_abuse", at=f"{day} 12:00", known=f"{day} 13:00")
    story.advance(to="Tue 07:55")


def expect_the_silence(story: Story) -> None:
    """By its timetable, once, and then once a day: one mail about both feeds."""
    story.expects_mail_to(
        "operator", at="Thu 25 March 18:30", saying="nothing heard from sending log"
    )
    story.expects_mail_to(
        "operator", at="Thu 25 March 20:10", saying="nothing heard from occurrence"
    )
    for who in (INSPECTOR, "west duty_inspector"):
        story.expects_mail_to(
            who,
            at="Thu 25 March 19:00",
            saying=(
                "Nothing heard from sending log since 18:00 today",
                "look in the record itself for what was entered since 18:00 today",
            ),
            not_saying=("ls -l", "monitor status"),
        )
        story.expects_mail_to(who, at="Thu 25 March 20:40", saying="Nothing heard from occurrence")
        for _ in DAYS:
            story.expects_mail_to(
                who, saying="Still nothing heard from 2 feeds | occurrence system, sending log"
            )
    for _ in DAYS:
        story.expects_mail_to("operator", saying="still nothing heard from 2 feeds")


def expect_the_case_of_thursday(story: Story) -> None:
    """In doubt, and said to be: its first rung after the feed's lag, the others hours later."""
    story.expects_mail_to(SERGEANT, at="Thu 25 March 20:30", saying="Due by 21:30")
    story.expects_mail_to(
        SERGEANT,
        at="Thu 25 March 21:45",
        saying=("unconfirmed", "UNCONFIRMED: sending log silent since 18:00 today"),
    )
    for who in (INSPECTOR, "on-call DI"):
        story.expects_mail_to(who, at="Fri 26 March 03:30", saying="unconfirmed")
    story.expects_mail_to("on-call superintendent", at="Fri 26 March 21:30", saying="unconfirmed")
    for _ in range(6):
        story.expects_mail_to("on-call DI", saying=("Still overdue", "unconfirmed"))
    story.expects_no_more_mail()


def expect_it_is_over(story: Story) -> None:
    """Whoever was told of the case is told that it was in time; whoever knew, that it is heard."""
    for who in (SERGEANT, INSPECTOR, "on-call DI", "on-call superintendent"):
        story.expects_mail_to(who, saying="Alert withdrawn, council told in time")
    for feed in ("sending log", "occurrence system"):
        for who in ("operator", INSPECTOR, "west duty_inspector"):
            story.expects_mail_to(who, saying=f"eard again: {feed}")


def expect_one_bundle_each(story: Story, *, at: tuple[str, str, str]) -> None:
    """The four that nobody told: one mail a person, as the ladder reaches that person."""
    wanted = ("4 duties overdue on 4 cases", *(f"PPN-2027-00510{n}" for n in range(1, 5)))
    for who, when in zip((SERGEANT, INSPECTOR, "on-call DI"), at, strict=True):
        story.expects_mail_to(who, at=when, saying=wanted, not_saying="PPN-2027-00500")
    for number in range(1, 5):
        reference = f"PPN-2027-00510{number}"
        assert story.says(DUTY, reference) == "overdue"
        story.told("council", "eastshire", reference=reference)
    for number in range(5):
        assert story.says(DUTY, f"PPN-2027-00500{number}") == "met"


@ON_BOTH
def test_easter(begin: Begin) -> None:
    """The sending log comes back first, with all it has; half an hour later the occurrences.

    Each silence is told by its timetable; clocks read unknown meanwhile; afterwards true times
    hold, and each person gets one mail.
    """
    story = begin("Thu 25 March 2027 17:30")
    until_tuesday(story)
    assert story.says(DUTY, "PPN-2027-005000") == "unknown"
    expect_the_silence(story)
    expect_the_case_of_thursday(story)
    story.resume("sending-log")
    story.advance(to="Tue 08:30")
    story.resume("occurrence")
    story.advance(to="Tue 13:00")
    expect_it_is_over(story)
    expect_one_bundle_each(story, at=("Tue 08:30", "Tue 09:30", "Tue 12:30"))
    story.advance(to="Tue 14:00")


@pytest.mark.parametrize("apart", [0, 3 * MINUTE])
def test_easter_in_the_unlucky_order(begin: Begin, apart: int) -> None:
    """The occurrences come back first; the sending log an hour later, in files, newest first.

    Nobody is told anything false on the strength of the first file, nor while the next are awaited.
    """
    story = begin("Thu 25 March 2027 17:30")
    until_tuesday(story)
    expect_the_silence(story)
    expect_the_case_of_thursday(story)
    story.resume("occurrence")
    story.advance(to="Tue 08:09")
    story.replay("sending-log", files=3, apart=apart)
    story.advance(to="Tue 13:00")
    expect_it_is_over(story)
    expect_one_bundle_each(story, at=("Tue 08:19", "Tue 08:55", "Tue 11:55"))
    story.advance(to="Tue 14:00")


def test_a_restart_in_the_middle_of_it_tells_nobody_anything_twice(begin: Begin) -> None:
    """What was told is in the database, not in the process."""
    story = begin("Thu 25 March 2027 17:30")
    story.silence("sending-log")
    story.advance(to="Thu 18:31")
    story.expects_mail_to("operator", at="18:00", saying="nothing heard from sending log")
    for who in (INSPECTOR, "west duty_inspector"):
        story.expects_mail_to(who, at="18:30", saying="Nothing heard from sending log")
    story.restart()
    story.again()
    story.advance(to="Thu 20:00")
    story.restart()
    story.resume("sending-log")
    story.advance(to="Thu 20:30")
    for who in ("operator", INSPECTOR, "west duty_inspector"):
        story.expects_mail_to(who, at="20:00", saying="eard again: sending log")
    story.restart()
    story.advance(to="Thu 21:00")
