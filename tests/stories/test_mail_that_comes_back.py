"""Our mail bounces, people answer, machines answer, and somebody forges both."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.escalate.orders import about_clock
from monitor.store import actions, cases, clocks, mailbox
from monitor.store.engine import reading, writing
from tests.stories.conftest import Begin
from tests.stories.harness import Arrived, Story
from tests.stories.returning import RELAY, VOUCHED, answer, lay, open_mailbox, report

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])
SERGEANT = "submitting officer's sergeant"
INSPECTOR = "duty inspector"
MANAGER = "force incident manager"
STRANGER = "somebody@elsewhere.example"


def measured(story: Story) -> list[Any]:
    """Everything about the clocks of a story that a mail must never touch."""
    with reading(story.monitor.engine) as connection:
        return [
            (kept.clock, kept.episode, kept.steps_done, kept.next_action_at)
            for kept in clocks.clocks_by_id(connection, range(1, 50))
        ]


def came_back(story: Story) -> list[tuple[str, str]]:
    """(kind, outcome) of every mail that came back, newest first."""
    with reading(story.monitor.engine) as connection:
        rows = mailbox.list_mails_in(connection, limit=50)
    return [(row["kind"], row["outcome"]) for row in rows]


def flagged(story: Story) -> list[tuple[str, str]]:
    with reading(story.monitor.engine) as connection:
        return [(row["address"], row["status"]) for row in mailbox.list_flags(connection)]


def acted(story: Story, reference: str = "") -> list[tuple[str, str]]:
    """(kind, actor) of what was done about the clocks of a case, oldest first."""
    named = reference or story.reference
    with reading(story.monitor.engine) as connection:
        kept = clocks.clocks_by_id(connection, range(1, 50))
        references = cases.references_of(connection, {each.case_id for each in kept})
        assert named in references.values()
        about = {about_clock(each.id): references[each.case_id] for each in kept}
        done = actions.actions_about(connection, about)
    return [(each.kind, each.actor) for each in done if about[each.target] == named]


def untold(story: Story) -> int:
    """How many alerts found nobody, as status says."""
    caseload = story.status().caseload
    assert caseload is not None
    return caseload.nobody_to_tell


def an_alert(story: Story) -> Arrived:
    """A council that was due at 13:00 has no record, and the sergeant is told at 13:00."""
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="13:01")
    story.expects_mail_to(SERGEANT, saying="Due by 13:00")
    return story.expects_mail_to(SERGEANT, saying="Overdue")


def two_cases(story: Story) -> Arrived:
    """One mail on two cases: 1 is PPN-2027-004211, 2 is PPN-2027-004212."""
    story.hold_mail()
    story.contact("PPN-2027-004211", category="physical_abuse", at="09:00")
    story.contact("PPN-2027-004212", category="physical_abuse", at="09:00")
    story.advance(to="13:30")
    story.release_mail()
    story.advance(to="13:31")
    return story.expects_mail_to(SERGEANT, saying="2 duties overdue on 2 cases")


# -- our mail bounces -------------------------------------------------------------------------


@ON_BOTH
def test_our_mail_bounces_40_minutes_later_and_moves_to_the_cover(begin: Begin) -> None:
    """The inspector is told what the sergeant was not; the clock knows nothing of it."""
    story = begin("Mon 8 March 2027 09:00")
    folder = open_mailbox(story)
    mail = an_alert(story)
    story.advance(to="13:41")
    before = measured(story)
    lay(story, report(mail))
    moved = story.expects_mail_to(
        INSPECTOR,
        at="13:41",
        saying=(
            "Overdue",
            "Mail to the submitting officer's sergeant bounced, so this comes to you.",
        ),
    )
    assert moved.to == "east.duty-inspector@eastshire.police.example"
    story.expects_mail_to(
        "operator",
        at="13:41",
        saying=("mail to the east submitting officer's sergeant bounced", mail.to, "5.1.1"),
    )
    assert measured(story) == before
    assert flagged(story) == [(mail.to, "5.1.1")]
    assert came_back(story) == [("bounce", "failed 5.1.1")]
    assert list(folder.glob("new/*")) == []
    assert any(mail.to in fault for fault in story.status().service_faults)
    # The inspector's own step follows at its time, as if nothing had happened.
    story.advance(to="14:01")
    story.expects_mail_to(INSPECTOR, at="14:00", saying="Still overdue")
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="14:10")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")
    story.expects_mail_to(INSPECTOR, saying="Alert withdrawn")


def test_while_an_address_is_flagged_new_alerts_go_to_the_cover_until_it_is_cleared(
    begin: Begin,
) -> None:
    """Decided so at the time of telling; cleared, the post is told as before."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    mail = an_alert(story)
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="13:02")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")
    lay(story, report(mail))
    story.expects_mail_to("operator", saying="bounced")
    story.advance(to="13:10")
    story.contact("PPN-2027-004300", category="physical_abuse")
    story.advance(to="16:15")
    story.expects_mail_to(INSPECTOR, at="16:10", saying=("PPN-2027-004300", "sergeant bounced"))
    with writing(story.monitor.engine) as connection:
        assert mailbox.clear_flag(connection, mail.to, now=story.now)
    story.advance(to="17:11")
    story.expects_mail_to(SERGEANT, at="17:10", saying=("Overdue", "PPN-2027-004300"))
    story.told("council", "eastshire", occurred="17:00")
    story.advance(to="17:30")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")
    assert not any("bounce" in fault for fault in story.status().service_faults)


def test_who_stands_in_and_knows_already_is_not_told_again(begin: Begin) -> None:
    """The inspector had the next step at 14:00; the sergeant's mail bounces after that."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    mail = an_alert(story)
    story.advance(to="14:05")
    story.expects_mail_to(INSPECTOR, at="14:00", saying="Overdue")
    lay(story, report(mail))
    story.expects_mail_to("operator", saying="bounced")
    story.expects_no_more_mail()
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="14:30")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")
    story.expects_mail_to(INSPECTOR, saying="Alert withdrawn")


def test_a_report_of_what_was_put_right_moves_nothing(begin: Begin) -> None:
    """The address is flagged all the same; nobody is told of a duty that is done."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    mail = an_alert(story)
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="13:40")
    withdrawal = story.expects_mail_to(SERGEANT, saying="Alert withdrawn")
    lay(story, report(mail))
    story.expects_mail_to("operator", saying="bounced")
    # That the withdrawal came back too is no news to the operator: the address is flagged.
    lay(story, report(withdrawal))
    assert [kind for kind, _ in came_back(story)] == ["bounce", "bounce"]
    assert len(flagged(story)) == 1


def test_a_withdrawal_that_bounced_is_told_to_the_operator_and_to_nobody_else(
    begin: Begin,
) -> None:
    """Whoever was told may still act on it: a person must tell that post by another way."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    an_alert(story)
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="13:40")
    withdrawal = story.expects_mail_to(SERGEANT, saying="Alert withdrawn")
    lay(story, report(withdrawal))
    story.expects_mail_to("operator", saying=("took alerts back", "by another way"))


def test_the_operators_own_mail_that_bounced_starts_no_endless_talk(begin: Begin) -> None:
    """There is one operator's address: the fallback is told of it, and status says so."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    mail = an_alert(story)
    lay(story, report(mail))
    story.expects_mail_to(INSPECTOR, saying="Overdue")
    told = story.expects_mail_to("operator", saying="bounced")
    lay(story, report(told))
    again = story.expects_mail_to(MANAGER, saying="mail to the monitor operator bounced")
    lay(story, report(again))
    story.expects_mail_to("monitor.operator@eastshire.police.example", saying="bounced")
    assert len(flagged(story)) == 3
    assert sum("bounces" in fault for fault in story.status().service_faults) == 3
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="13:30")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")
    story.expects_mail_to(INSPECTOR, saying="Alert withdrawn")


def test_a_bounce_with_nobody_to_stand_in_goes_to_the_fallback_and_then_shows(
    begin: Begin,
) -> None:
    """No cover: the force incident manager; and where that mail bounces too, status says so."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    story.post_is_vacant("operator", no_cover=True)
    story.post_is_vacant("duty_inspector", no_cover=True)
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="13:01")
    story.expects_mail_to(SERGEANT, saying="Due by 13:00")
    mail = story.expects_mail_to(SERGEANT, saying="Overdue")
    lay(story, report(mail))
    moved = story.expects_mail_to(MANAGER, saying="Overdue")
    story.expects_mail_to("operator", saying="bounced")
    assert untold(story) == 0
    lay(story, report(moved))
    story.expects_mail_to("operator", saying="bounced")
    assert untold(story) == 1
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="13:30")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")
    story.expects_mail_to(MANAGER, saying="Alert withdrawn")


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({"action": "delayed", "status": "4.4.1"}, "delayed"),
        ({"message_id": "<0123456789abcdef@eastshire.police.example>"}, "names no mail of ours"),
        ({"recipient": STRANGER}, "names another recipient"),
        (
            {"recipient": "control-room.fim@eastshire.police.example"},
            "names another recipient",
        ),
    ],
)
def test_a_report_that_is_passing_or_forged_does_nothing(
    begin: Begin, changed: dict[str, str], outcome: str
) -> None:
    """Nobody is silenced by a mail that anybody could have written."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    mail = an_alert(story)
    before = measured(story)
    lay(story, report(mail, **changed))
    assert came_back(story) == [("bounce", outcome)]
    assert flagged(story) == []
    assert measured(story) == before
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="13:30")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")


def test_the_same_mail_again_is_read_once(begin: Begin) -> None:
    """Laid down twice, or read before a crash: its digest is known."""
    story = begin("Mon 8 March 2027 09:00")
    folder = open_mailbox(story)
    mail = an_alert(story)
    content = report(mail)
    lay(story, content)
    story.expects_mail_to(INSPECTOR, saying="Overdue")
    story.expects_mail_to("operator", saying="bounced")
    lay(story, content)
    story.restart()
    story.again()
    assert len(came_back(story)) == 1
    assert list(folder.glob("*/*")) == []
    kept = {path.read_bytes() for path in (story.folder / "var/done/mail").iterdir()}
    assert kept == {content}
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="13:30")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")
    story.expects_mail_to(INSPECTOR, saying="Alert withdrawn")


def test_a_partners_notification_that_bounced_reopens_the_clock_from_its_start(
    begin: Begin,
) -> None:
    """It came back 40 minutes later: out as a stop, and those to be told are told."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="11:00")
    entry = story.told("council", "eastshire", method="email")
    story.again()
    assert story.says("significant-harm-council") == "met"
    story.advance(to="13:10")
    story.taken_back(entry, kind="BOUNCE")
    story.advance(to="13:11")
    assert story.says("significant-harm-council") == "overdue"
    (clock,) = [
        each for each in story.explained().clocks if each.rule == "significant-harm-council"
    ]
    assert clock.due_at is not None
    assert clock.due_at - clock.started_at == 4 * 3600 * 1_000_000
    story.expects_mail_to(SERGEANT, saying="Overdue")
    story.told("council", "eastshire", occurred="13:11")
    story.advance(to="14:30")


# -- people answer ----------------------------------------------------------------------------


@ON_BOTH
def test_taken_2_in_a_bundle_takes_that_case_alone(begin: Begin) -> None:
    """Its reminders and higher steps rest; those of the other case go on."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    mail = two_cases(story)
    assert "reply from this mailbox: TAKEN 2 takes case 2" in mail.text
    lay(story, answer(mail, "TAKEN 2."))
    assert came_back(story) == [("reply", "taken: 1 of 1")]
    assert acted(story, "PPN-2027-004211") == []
    assert acted(story, "PPN-2027-004212") == [("take", "mail:submitting_sergeant")]
    story.advance(to="14:01")
    story.expects_mail_to(
        INSPECTOR, at="14:00", saying="PPN-2027-004211", not_saying="PPN-2027-004212"
    )
    for reference in ("PPN-2027-004211", "PPN-2027-004212"):
        story.told("council", "eastshire", reference=reference, occurred="12:30")
    story.advance(to="14:30")
    story.expects_mail_to(SERGEANT, saying="withdrawn")
    story.expects_mail_to(INSPECTOR, saying="withdrawn")


def test_taken_takes_what_a_mail_on_one_case_carries(begin: Begin) -> None:
    """No number is needed; the mail says how to answer, and where answers go."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    mail = an_alert(story)
    assert "reply from this mailbox: TAKEN shows that you have it" in mail.text
    before = measured(story)
    lay(story, answer(mail, "OFFICIAL-SENSITIVE\n\ntaken, thanks"))
    assert acted(story) == [("take", "mail:submitting_sergeant")]
    assert [each[:2] for each in measured(story)] == [each[:2] for each in before]
    story.advance(to="15:00")
    story.expects_no_more_mail()
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="15:10")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")


def test_not_mine_passes_on_and_start_is_kept_for_a_person(begin: Begin) -> None:
    """A query of the start changes no clock; explain and status show it."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    mail = an_alert(story)
    before = measured(story)
    lay(story, answer(mail, "START"))
    assert measured(story) == before
    assert acted(story) == [("query start", "mail:submitting_sergeant")]
    said = [line for clock in story.explained().clocks for line in clock.because]
    assert any("its start is queried: an answer of the submitting" in line for line in said)
    assert any("start is wrong" in note for note in story.status().caseload_notes)
    lay(story, answer(mail, "Not mine"))
    assert acted(story)[1:] == [("pass", "mail:submitting_sergeant")]
    story.expects_mail_to(INSPECTOR, saying="PPN-2027-004211")
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="13:30")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")
    story.expects_mail_to(INSPECTOR, saying="Alert withdrawn")


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("TAKEN", "it names no case of several"),
        ("NOT MINE", "it names no case of several"),
        ("TAKEN 3", "a case that the mail does not number"),
        ("TAKEN 1 3", "a case that the mail does not number"),
        ("I have taken 2", "its first line is no command"),
        ("Has this been TAKEN?", "its first line is no command"),
        ("", "its first line is no command"),
    ],
)
def test_an_answer_that_leaves_open_what_is_meant_does_nothing_and_shows(
    begin: Begin, text: str, outcome: str
) -> None:
    """Reminders go on: better one mail too many than a case that nobody has."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    mail = two_cases(story)
    lay(story, answer(mail, text))
    ((kind, said),) = came_back(story)
    assert (kind, said.partition(":")[0]) == ("reply", "not understood")
    assert outcome in said
    assert acted(story, "PPN-2027-004211") + acted(story, "PPN-2027-004212") == []
    assert any("had no effect" in note for note in story.status().caseload_notes)
    for reference in ("PPN-2027-004211", "PPN-2027-004212"):
        story.told("council", "eastshire", reference=reference, occurred="12:30")
    story.advance(to="13:50")
    story.expects_mail_to(SERGEANT, saying="withdrawn")


FORGED = (
    ("Authentication-Results", f"{RELAY}; dmarc=fail header.from=eastshire.police.example"),
    ("Received", f"from elsewhere by {RELAY}; Mon, 8 Mar 2027 13:00:00 +0000"),
    ("Authentication-Results", VOUCHED),
)


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({"sender": "east.duty-inspector@eastshire.police.example"}, "another address"),
        ({"sender": STRANGER}, "another address"),
        ({"message_id": "<0123456789abcdef@eastshire.police.example>"}, "no mail of ours"),
        ({"headers": ()}, "our relay does not say"),
        ({"headers": FORGED[:1]}, "failed authentication"),
        ({"headers": FORGED}, "failed authentication"),
        (
            {"headers": (("Authentication-Results", VOUCHED.replace(RELAY, "elsewhere.example")),)},
            "our relay does not say",
        ),
        (
            {
                "headers": (
                    ("Authentication-Results", f"{RELAY}; dkim=pass header.d=elsewhere.example"),
                )
            },
            "failed authentication",
        ),
        ({"headers": (("From", STRANGER), *FORGED[2:])}, "another address"),
    ],
)
def test_an_answer_that_may_be_forged_does_nothing(
    begin: Begin, changed: dict[str, Any], outcome: str
) -> None:
    """It must come from the address that was told, name that mail, and our relay must vouch."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    mail = an_alert(story)
    before = measured(story)
    lay(story, answer(mail, "TAKEN", **changed))
    ((kind, said),) = came_back(story)
    assert kind == "reply"
    assert outcome in said
    assert acted(story) == []
    assert measured(story) == before
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="13:30")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")


def test_an_automatic_answer_is_nothing(begin: Begin) -> None:
    """Even one that begins with a command, from the right address, vouched for."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    mail = an_alert(story)
    before = measured(story)
    vouched = ("Authentication-Results", VOUCHED)
    marks = (
        ("Auto-Submitted", "auto-replied"),
        ("Precedence", "bulk"),
        ("X-Auto-Response-Suppress", "All"),
    )
    for mark in marks:
        lay(story, answer(mail, "TAKEN", headers=(vouched, mark)))
    assert came_back(story) == [("automatic", "")] * len(marks)
    assert acted(story) == []
    assert measured(story) == before
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="13:30")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")


def test_where_nobody_reads_answers_no_mail_asks_for_one(begin: Begin) -> None:
    """No mailbox, or no relay whose word counts: the mail does not say how to answer."""
    for settings in ({}, {"folder": "mailbox"}):
        story = begin("Mon 8 March 2027 09:00")
        story.decide("mailbox", **settings)
        mail = an_alert(story)
        assert "reply" not in mail.text
        story.told("council", "eastshire", occurred="12:30")
        story.advance(to="13:30")
        story.expects_mail_to(SERGEANT, saying="Alert withdrawn")


def test_what_cannot_be_read_is_set_aside_and_counted_and_no_text_is_kept(begin: Begin) -> None:
    """Neither the words of an answer nor those of a broken mail are in the database."""
    story = begin("Mon 8 March 2027 09:00")
    open_mailbox(story)
    mail = an_alert(story)
    lay(story, b"MARKED-WORDS without any header\n")
    lay(story, answer(mail, "MARKED-WORDS of somebody"))
    assert [kind for kind, _ in came_back(story)] == ["reply", "other"]
    assert len(list((story.folder / "var/set-aside/mail").iterdir())) == 1
    assert any("1 mail that came back" in fault for fault in story.status().service_faults)
    stored = b"".join(f.read_bytes() for f in story.folder.glob("var/monitor.db*"))
    assert b"MARKED-WORDS" not in stored
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="13:30")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")
