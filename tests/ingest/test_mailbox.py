"""Mails that anybody may have written: what each is, and that none stops the reader."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.faults import FaultsFound
from monitor.ingest import mailbox
from monitor.ingest.answers import Answer, Command
from monitor.ingest.files import FileChanged, file_digest
from monitor.ingest.mailbox import (
    Automatic,
    Bounce,
    MailIn,
    MailUnreadable,
    Other,
    Reply,
    pick,
    read_mail,
    waiting_mails,
)

RELAY = "relay.police.example"
OURS = "<0123456789abcdef0123456789abcdef@police.example>"
DESK = "desk@police.example"

REPORT = f"""\
Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@{RELAY}>
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="R"

--R
Content-Type: text/plain

It could not be delivered.

--R
Content-Type: message/delivery-status

Reporting-MTA: dns; {RELAY}

Final-Recipient: rfc822; Desk@Police.example
Action: failed
Status: 5.1.1 (no such mailbox)

--R
Content-Type: message/rfc822

From: timeliness@police.example
To: {DESK}
Message-ID: {OURS}
References: <case@police.example>

The mail itself.
--R--
"""

EXIM = f"""\
Return-path: <>
X-Failed-Recipients: {DESK}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@{RELAY}>
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {DESK}
    Unrouteable address

------ This is a copy of the message, including all the headers. ------

From: timeliness@police.example
To: {DESK}
Message-ID: {OURS}
"""


def read(text: str | bytes) -> MailIn:
    content = text.encode() if isinstance(text, str) else text
    return read_mail(content, authserv_id=RELAY)


def an_answer(text: str = "TAKEN", **headers: str) -> bytes:
    mail = EmailMessage()
    mail["Authentication-Results"] = f"{RELAY}; dmarc=pass header.from=police.example"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail["From"] = f"The desk <{DESK}>"
    mail["Subject"] = "RE: OFFICIAL-SENSITIVE | Overdue"
    mail["In-Reply-To"] = OURS
    mail.set_content(text)
    return mail.as_bytes()


# -- delivery reports -------------------------------------------------------------------------


def test_a_report_says_who_failed_why_and_of_which_mail() -> None:
    """The address in lower case, the code without its words, the Message-ID that came back."""
    assert read(REPORT) == Bounce(frozenset({DESK}), frozenset(), ((DESK, "5.1.1"),), (OURS,))


def test_a_report_of_headers_alone_is_read_as_well() -> None:
    """A relay may return the headers and not the mail."""
    headers = REPORT.replace("message/rfc822", "text/rfc822-headers")
    assert read(headers) == read(REPORT)


@pytest.mark.parametrize("action", ["delayed", "delayed (will retry)"])
def test_a_delay_is_no_failure(action: str) -> None:
    report = read(REPORT.replace("Action: failed", f"Action: {action}").replace("5.1.1", "4.4.1"))
    assert isinstance(report, Bounce)
    assert (report.failed, report.delayed) == (frozenset(), frozenset({DESK}))


def test_a_mail_that_was_given_up_for_a_passing_reason_has_failed() -> None:
    """After its last try a relay reports the last passing code: the mail is lost all the same."""
    report = read(REPORT.replace("5.1.1 (no such mailbox)", "4.4.7"))
    assert isinstance(report, Bounce)
    assert report.statuses == ((DESK, "4.4.7"),)


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_a_report_of_success_names_nobody(action: str) -> None:
    report = read(REPORT.replace("Action: failed", f"Action: {action}"))
    assert isinstance(report, Bounce)
    assert not report.failed | report.delayed


def test_the_original_recipient_counts_before_the_final_one() -> None:
    """A relay that expands our address names ours as well, if it was asked to."""
    both = REPORT.replace(
        "Final-Recipient", f"Original-Recipient: rfc822; {DESK}\nFinal-Recipient"
    ).replace("Desk@Police.example", "elsewhere@inside.example")
    report = read(both)
    assert isinstance(report, Bounce)
    assert report.statuses == ((DESK, "5.1.1"),)


def test_a_server_that_knows_no_form_of_reports_is_understood_by_its_words() -> None:
    assert read(EXIM) == Bounce(frozenset({DESK}), frozenset(), ((DESK, ""),), (OURS,))


def test_a_message_id_in_the_thread_of_what_came_back_is_not_taken_for_it() -> None:
    """Somebody's own answer to us bounced: that says nothing of our mail."""
    answer = REPORT.replace(
        f"Message-ID: {OURS}", f"Message-ID: <x@b.example>\nIn-Reply-To: {OURS}"
    )
    report = read(answer)
    assert isinstance(report, Bounce)
    assert report.message_ids == ("<x@b.example>",)


# -- answers ----------------------------------------------------------------------------------


def test_an_answer_is_read_with_its_sender_and_what_it_answers() -> None:
    expected = Reply(DESK, "", (OURS,), Answer(Command.TAKEN))
    assert read(an_answer()) == expected


def test_the_newest_of_a_thread_is_likeliest_to_be_answered() -> None:
    mail = an_answer(References="<first@b.example> <last@b.example>")
    reply = read(mail)
    assert isinstance(reply, Reply)
    assert reply.message_ids == (OURS, "<last@b.example>", "<first@b.example>")


@pytest.mark.parametrize(
    "html",
    [
        "<html><head><style>p {color: red}</style></head><body><p>TAKEN&nbsp;2</p><hr>From: x",
        '<div dir="ltr">TAKEN <b>2</b></div><blockquote>OFFICIAL</blockquote>',
        "<p>OFFICIAL-SENSITIVE</p>\n<p>\n<span>TAKEN</span>\n2</p>",
    ],
)
def test_a_page_is_read_as_its_words(html: str) -> None:
    """Some mail programs send no plain text."""
    mail = EmailMessage()
    mail["From"], mail["In-Reply-To"] = DESK, OURS
    mail.set_content(html, subtype="html")
    reply = read(mail.as_bytes())
    assert isinstance(reply, Reply)
    assert reply.answer == Answer(Command.TAKEN, (2,))


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit"])
@pytest.mark.parametrize("charset", ["utf-8", "windows-1252", "utf-16", "no-such", "idna", "\0"])
def test_a_charset_that_is_odd_or_wrong_stops_nobody(encoding: str, charset: str) -> None:
    mail = an_answer("TAKEN 2\nüü", Content_Transfer_Encoding=encoding)
    wrong = mail.replace(b'charset="utf-8"', f'charset="{charset}"'.encode())
    assert isinstance(read(wrong), Reply)


@pytest.mark.parametrize(
    "mark",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; owner=x"},
        {"Precedence": "bulk"},
        {"Precedence": "Auto_Reply"},
        {"X_Auto_Response_Suppress": "OOF"},
        {"X_Autoreply": "yes"},
        {"Return_Path": "<>"},
    ],
)
def test_a_machine_says_that_it_is_one(mark: dict[str, str]) -> None:
    assert read(an_answer(**mark)) == Automatic((OURS,))


@pytest.mark.parametrize(
    "subject",
    [
        *("Automatic reply: Overdue", "Out of Office: x", "Auto: away", "Autoreply"),
        *("AutoResponse: x", "Vacation", "Out of the office until Monday", "Auto-Reply: RE: x"),
    ],
)
def test_the_subject_is_the_last_resort(subject: str) -> None:
    mail = an_answer().replace(b"RE: OFFICIAL-SENSITIVE | Overdue", subject.encode())
    assert isinstance(read(mail), Automatic)


def test_a_person_who_says_no_machine_sent_it_is_believed() -> None:
    assert isinstance(read(an_answer(Auto_Submitted="no")), Reply)


def test_a_receipt_is_automatic_and_a_mail_of_its_own_is_another() -> None:
    receipt = REPORT.replace("delivery-status", "disposition-notification")
    assert isinstance(read(receipt), Automatic | Bounce)
    assert read("From: a@b.example\nSubject: Hello\n\nHow are you?\n") == Other()


# -- hostile bytes ----------------------------------------------------------------------------


def is_read_or_set_aside(content: bytes) -> bool:
    """Whatever the bytes are, there is an answer, and it comes soon."""
    began = time.monotonic()
    with suppress(MailUnreadable):
        read(content)
    return time.monotonic() - began < 20


def nested(depth: int) -> bytes:
    """Parts within parts."""
    head = "".join(
        f'Content-Type: multipart/mixed; boundary="{n}"\n\n--{n}\n' for n in range(depth)
    )
    return ("From: a@b.example\n" + head + "\nTAKEN\n").encode()


HOSTILE = {
    "10,000 nested parts": nested(10_000),
    "as many nested parts as are looked at": nested(mailbox.MOST_BOUNDARIES) + b"x\n" * 70_000,
    "mails within mails": b"From: a@b.example\n" + b"Content-Type: message/rfc822\n\n" * 20_000,
    "10,000 parts beside each other": (
        b'From: a@b.example\nContent-Type: multipart/mixed; boundary="b"\n\n'
        + b"--b\nContent-Type: text/plain\n\nTAKEN\n" * 10_000
    ),
    "10,000 blocks of a report": (
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\n'
        b"Content-Type: message/delivery-status\n\n"
        + b"Final-Recipient: rfc822; a@b.example\nAction: failed\n\n"
        * 10_000
    ),
    "too large": b"From: a@b.example\n\n" + b"x" * mailbox.LARGEST_MAIL,
    "one long line": b"From: " + b"(" * 1_000_000,
    "many lines": b"From: a@b.example\n\n" + b"\n" * 200_000,
    "many headers": b"From: a@b.example\n" * 70_000 + b"\n",
    "many identifiers": b"References: " + b"<a@b.example> " * 100_000 + b"\n\n",
    "null bytes": b"From: a@b\0.example\nIn-Reply-To: \0\nContent-Type: text/\0plain\n\n\0\0\0",
    "no mail": b"\xff\xfe" * 1000,
    "nothing": b"",
    "an unknown encoding": (
        b"In-Reply-To: <a@b.example>\nContent-Transfer-Encoding: x-uuencode\n\nbegin 666 x\n\xff"
    ),
    "a broken word": b"From: =?utf-8?B?/////?= <a@b.example>\nIn-Reply-To: <a@b.example>\n\nx",
    "broken base64": (
        b"In-Reply-To: <a@b.example>\nContent-Transfer-Encoding: base64\n\n=A=A=A\xff\n"
    ),
    "a page of open tags": (
        b"In-Reply-To: <a@b.example>\nContent-Type: text/html\n\n" + b"<![ <!-- <a <? " * 4_000
    ),
    "a report by a daemon of nothing": b"From: mailer-daemon@b.example\n\n" + b"<a@b>\n" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_is_read_or_set_aside_soon(name: str) -> None:
    assert is_read_or_set_aside(HOSTILE[name])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("10,000 nested parts", "too many parts"),
        ("mails within mails", "RecursionError"),
        ("many lines", "too many lines"),
        ("nothing", "no headers"),
    ],
)
def test_the_reason_shows_nothing_of_the_mail(name: str, why: str) -> None:
    with pytest.raises(MailUnreadable, match=why):
        read(HOSTILE[name])


def test_a_mail_too_large_to_be_read_is_known_by_its_digest_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "mail"
    path.write_bytes(b"x" * (mailbox.LARGEST_MAIL + 1))
    picked = pick(path)
    assert picked.digest == file_digest(path)
    with pytest.raises(MailUnreadable, match="larger than"):
        read_mail(picked.content, authserv_id=RELAY)


WORDS = st.sampled_from(
    [
        *(b"From: ", b"In-Reply-To: ", b"Content-Type: ", b"multipart/report", b"message/rfc822"),
        *(b"message/delivery-status", b"text/html", b"; boundary=b", b"\n--b\n", b"\n--b--\n"),
        *(b"Final-Recipient: rfc822; ", b"Action: failed", b"a@b.example", b"<a@b.example>"),
        *(b"; charset=", b"utf-7", b'"', b"(", b"\\", b"=?utf-8?q?", b"?=", b"\r\n", b"\n\n"),
        *(b"Content-Transfer-Encoding: ", b"base64", b"quoted-printable", b"Status: 5.1.1"),
        *(b"Authentication-Results: relay.police.example; dmarc=pass", b"<p>", b"&#x;", b"TAKEN"),
    ]
)


@settings(deadline=None)
@given(parts=st.lists(st.one_of(WORDS, st.binary(max_size=20)), max_size=60))
def test_any_bytes_are_read_or_set_aside(parts: list[bytes]) -> None:
    """Nothing else is ever raised."""
    assert is_read_or_set_aside(b"".join(parts))


@settings(deadline=None)
@given(place=st.integers(0, len(REPORT)), junk=st.binary(min_size=1, max_size=8))
@example(place=REPORT.index("--R\nContent-Type: message/del"), junk=b"\n")
def test_a_damaged_report_accuses_nobody_else(place: int, junk: bytes) -> None:
    """Bytes put anywhere make it name our mail's address, or one that is nobody's."""
    damaged = REPORT.encode()[:place] + junk + REPORT.encode()[place:]
    try:
        report = read(damaged)
    except MailUnreadable:
        return
    if isinstance(report, Bounce):
        assert not {"timeliness@police.example", "other@police.example"} & report.failed


# -- the Maildir ------------------------------------------------------------------------------


def test_new_and_seen_mails_wait_and_unfinished_ones_do_not(tmp_path: Path) -> None:
    for part in ("new", "cur", "tmp"):
        (tmp_path / part).mkdir()
    for name in ("new/2.host", "cur/1.host:2,S", "tmp/3.host", "new/.hidden"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "new/link").symlink_to(tmp_path / "tmp/3.host")
    assert [path.name for path in waiting_mails(tmp_path)] == ["2.host", "1.host:2,S"]


def test_a_folder_that_is_no_maildir_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(FaultsFound, match="no Maildir here"):
        waiting_mails(tmp_path)


def test_what_is_gone_or_is_no_file_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(FileChanged):
        pick(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileChanged):
        pick(tmp_path / "pipe")
