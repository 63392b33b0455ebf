"""A flood is one mail, and what is over is no mail at all."""

from __future__ import annotations

from importlib import import_module

import pytest

from monitor.cycle import bundling
from monitor.model import MINUTE
from tests.stories.conftest import Begin
from tests.stories.harness import Story

sweeping = import_module("monitor.cycle.sweep")
"""The module: in its package its name is that of its function."""

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])
DUTY = "significant-harm-council"
SERGEANT = "submitting officer's sergeant"
OPEN = 6


def years_of(story: Story, *, cases: int = 60) -> None:
    """Contacts of last year: one in ten is open, the others were told in time or late."""
    for number in range(cases):
        reference = f"PPN-2026-{number:06}"
        day = f"{number % 28 + 1} {('January', 'June')[number % 2]} 2026"
        story.contact(reference, category="physical_abuse", at=f"{day} 10:00")
        if number % 10:
            hour = 11 if number % 3 else 16
            story.told("council", "eastshire", occurred=f"{day} {hour}:00")


def expect_one_summary_each(story: Story, *at: str) -> None:
    """Each role of the ladder is told of everything that is open, once."""
    roles = (SERGEANT, "duty inspector", "on-call DI", "on-call superintendent")
    for who, when in zip(roles, at, strict=True):
        story.expects_mail_to(who, at=when, saying=f"{OPEN} duties overdue on {OPEN} cases")
    assert story.says(DUTY, "PPN-2026-000001") == "met"
    assert story.says(DUTY, "PPN-2026-000003") == "late"
    story.expects_no_more_mail()


@ON_BOTH
def test_years_of_history_loaded_at_once(begin: Begin) -> None:
    """Nothing for what is closed, in time or late; one summary a person for what is open.

    No reminders follow: they would have been over years ago. The digest lists what is open longest.
    """
    story = begin("Mon 8 March 2027 08:00")
    years_of(story)
    story.advance(to="Fri 09:00")
    expect_one_summary_each(
        story, "Mon 8 March 08:10", "Mon 8 March 09:10", "Mon 8 March 12:10", "Tue 9 March 08:10"
    )


def test_a_flood_in_many_transactions_is_the_same(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few clocks and one reader to each: nothing is told twice, nobody is passed over."""
    monkeypatch.setattr(sweeping, "CLOCKS_AT_ONCE", 7)
    monkeypatch.setattr(bundling, "READERS_AT_ONCE", 1)
    story = begin("Mon 8 March 2027 08:00")
    years_of(story)
    story.advance(to="Fri 09:00")
    expect_one_summary_each(
        story, "Mon 8 March 08:10", "Mon 8 March 09:10", "Mon 8 March 12:10", "Tue 9 March 08:10"
    )


def test_one_call_serves_every_reader(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundling, "READERS_AT_ONCE", 1)
    story = begin("Mon 8 March 2027 09:00")
    for number, district in enumerate(("east", "west")):
        reference = f"PPN-2027-{number:06}"
        story.contact(reference, category="physical_abuse", district=district)
    story.advance(to="11:55")
    story.now += 6 * MINUTE
    sweeping.sweep(story.monitor, now=story.now)
    assert bundling.bundle(story.monitor, now=story.now) == 2
    story.advance(to="12:05")
    for district in ("east", "west"):
        story.expects_mail_to(f"{district} submitting_sergeant", saying="Due by 13:00")
    for number in range(2):
        story.told("council", "eastshire", reference=f"PPN-2027-{number:06}")


def test_a_history_in_the_unlucky_order(begin: Begin) -> None:
    """Contacts first, an hour later the sending log, never heard before: nothing false goes out."""
    story = begin("Mon 8 March 2027 08:00", never_heard=["sending-log"])
    years_of(story)
    story.advance(to="09:01")
    story.expects_mail_to("operator", at="08:30", saying="nothing ever heard from sending log")
    for who in ("east duty_inspector", "west duty_inspector"):
        story.expects_mail_to(who, at="09:00", saying="Nothing ever heard")
    story.resume("sending-log")
    story.advance(to="09:30")
    for who in ("operator", "east duty_inspector", "west duty_inspector"):
        story.expects_mail_to(who, saying="eard again")
    story.advance(to="Fri 09:00")
    expect_one_summary_each(
        story, "Mon 8 March 09:21", "Mon 8 March 09:21", "Mon 8 March 12:10", "Tue 9 March 08:10"
    )


def test_a_history_loaded_into_a_system_that_lives(begin: Begin) -> None:
    """The sending log has been heard for weeks; its own history comes an hour after the contacts.

    Of what was due before it lived, it may have more to say: six hours later it is told.
    """
    story = begin("Mon 1 March 2027 08:00")
    story.advance(to="Mon 8 March 08:00")
    years_of(story)
    kept_back = story.keep_back("sending-log")
    story.advance(to="09:00")
    story.expects_no_more_mail()
    story.drop_file("sending-log", name="history.jsonl", rows=kept_back)
    story.again()
    story.advance(to="Fri 09:00")
    expect_one_summary_each(
        story, "Mon 8 March 14:10", "Mon 8 March 14:10", "Mon 8 March 14:10", "Tue 9 March 08:10"
    )


@ON_BOTH
def test_alerts_switched_on_over_an_open_backlog(begin: Begin) -> None:
    """Each role gets one mail about all of it: no rung after rung, and no reminder of the past."""
    story = begin("Mon 8 March 2027 08:00", rules=())
    for number in range(30):
        reference = f"PPN-2027-{number:06}"
        story.contact(reference, category="physical_abuse", at=f"{number % 7 + 1} March 10:00")
    story.advance(to="Wed 10 March 09:00")
    story.expects_no_more_mail()
    story.switch_on(DUTY)
    story.advance(to="Wed 10 March 12:00")
    for who in (SERGEANT, "duty inspector", "on-call DI", "on-call superintendent"):
        story.expects_mail_to(who, saying="30 duties overdue on 30 cases")
    story.expects_no_more_mail()
    for number in range(30):
        story.told("council", "eastshire", reference=f"PPN-2027-{number:06}")
    story.advance(to="Wed 10 March 14:00")


def test_further_alerts_within_the_window_go_together(begin: Begin) -> None:
    """The first goes at once; what comes up in the ten minutes after it waits for their end."""
    story = begin("Mon 8 March 2027 08:00")
    for minute in (0, 4, 6, 14):
        story.advance(to=f"08:{minute:02}")
        story.contact(f"PPN-2027-0042{minute:02}", category="physical_abuse")
    story.advance(to="11:30")
    story.expects_mail_to(SERGEANT, at="11:00", saying=("Due by 12:00", "PPN-2027-004200"))
    story.expects_mail_to(
        SERGEANT, at="11:10", saying=("2 duties due soon", "PPN-2027-004204", "PPN-2027-004206")
    )
    story.expects_mail_to(SERGEANT, at="11:20", saying=("Due by 12:14", "PPN-2027-004214"))
    for minute in (0, 4, 6, 14):
        story.told("council", "eastshire", reference=f"PPN-2027-0042{minute:02}")
    story.advance(to="13:00")


@ON_BOTH
def test_a_window_outlives_the_process(begin: Begin) -> None:
    """When somebody was last written to is in the database."""
    story = begin("Mon 8 March 2027 08:00")
    story.contact("PPN-2027-004200", category="physical_abuse")
    story.advance(to="08:05")
    story.contact("PPN-2027-004205", category="physical_abuse")
    story.advance(to="11:01")
    story.expects_mail_to(SERGEANT, at="11:00", saying="PPN-2027-004200")
    story.restart()
    story.advance(to="11:06")
    story.restart()
    story.again()
    story.expects_no_more_mail()
    story.advance(to="11:30")
    story.expects_mail_to(SERGEANT, at="11:10", saying="PPN-2027-004205")
    for minute in ("00", "05"):
        story.told("council", "eastshire", reference=f"PPN-2027-0042{minute}")
    story.advance(to="13:00")


def test_that_a_high_risk_case_is_overdue_waits_for_no_window(begin: Begin) -> None:
    """A warning went at 11:59: what is overdue at 12:00 goes then, with all that was waiting."""
    story = begin("Mon 8 March 2027 08:00")
    story.contact("PPN-2027-004200", category="physical_abuse")
    for minute in (55, 58):
        story.advance(to=f"08:{minute}")
        story.contact(f"PPN-2027-0042{minute}", category="physical_abuse")
    story.advance(to="12:01")
    story.expects_mail_to(SERGEANT, at="11:00", saying="PPN-2027-004200")
    story.expects_mail_to(SERGEANT, at="11:55", saying="PPN-2027-004255")
    story.expects_mail_to(
        SERGEANT, at="12:00", saying=("1 duty overdue", "PPN-2027-004200", "PPN-2027-004258")
    )
    for number in ("00", "55", "58"):
        story.told("council", "eastshire", reference=f"PPN-2027-0042{number}")
    story.advance(to="13:30")


def test_two_high_risk_cases_a_minute_apart_are_one_mail_more_and_not_two(begin: Begin) -> None:
    """Grave or not, what comes up within two minutes of a mail waits for their end."""
    story = begin("Mon 8 March 2027 08:00")
    for second in (0, 30, 50):
        story.advance(to=f"08:00:{second:02}")
        story.contact(f"PPN-2027-0042{second:02}", category="physical_abuse")
    story.advance(to="12:05")
    story.expects_mail_to(SERGEANT, at="11:00")
    story.expects_mail_to(SERGEANT, at="11:10")
    story.expects_mail_to(SERGEANT, at="12:00", saying="Overdue", not_saying="PPN-2027-004230")
    story.expects_mail_to(SERGEANT, at="12:02", saying="2 duties overdue")
    for number in ("00", "30", "50"):
        story.told("council", "eastshire", reference=f"PPN-2027-0042{number}")
    story.advance(to="13:30")
