"""What comes back to a force's mailbox: delivery reports and answers, as its mail server lays them.

What comes in: a story, and a mail that arrived in it. What goes out: files in the story's Maildir.
"""

from __future__ import annotations

import itertools
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import Final

from tests.stories.harness import Arrived, Story

RELAY: Final = "relay.eastshire.police.example"
VOUCHED: Final = (
    f"{RELAY}; dmarc=pass (p=reject) header.from=eastshire.police.example;"
    " spf=pass smtp.mailfrom=eastshire.police.example"
)
_SETTINGS: Final = {"folder": "mailbox", "authserv_id": RELAY, "keep_done_days": 36_500}
"""Files bear the time of the disk, which is not the story's."""
_NUMBERS: Final = itertools.count(1)


def open_mailbox(story: Story, **more: object) -> Path:
    """A Maildir, read from now on; answers are believed on the relay's word."""
    for part in ("new", "cur", "tmp"):
        (story.folder / "mailbox" / part).mkdir(parents=True)
    story.decide("mailbox", **_SETTINGS, **more)
    return story.folder / "mailbox"


def lay(story: Story, content: bytes) -> Path:
    """Let a mail arrive, and the monitor look."""
    path = story.folder / "mailbox/new" / f"1804500000.M{next(_NUMBERS)}P1.relay,S={len(content)}"
    path.write_bytes(content)
    story.again()
    return path


def report(
    mail: Arrived,
    *,
    recipient: str = "",
    action: str = "failed",
    status: str = "5.1.1",
    message_id: str = "",
) -> bytes:
    """What a relay writes of a mail that it could not deliver (RFC 3464)."""
    returned = mail.content
    if message_id:
        returned = returned.replace(mail.message_id.encode(), message_id.encode())
    head = f"""\
Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@{RELAY}>
To: timeliness@eastshire.police.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Message-ID: {make_msgid(domain=RELAY)}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="REPORT"

--REPORT
Content-Type: text/plain; charset=us-ascii

Your message could not be delivered.

--REPORT
Content-Type: message/delivery-status

Reporting-MTA: dns; {RELAY}

Final-Recipient: rfc822; {recipient or mail.to}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 no such mailbox here

--REPORT
Content-Type: message/rfc822

"""
    return head.encode() + returned + b"\n--REPORT--\n"


def answer(
    mail: Arrived,
    text: str,
    *,
    sender: str = "",
    message_id: str = "",
    headers: tuple[tuple[str, str], ...] = (("Authentication-Results", VOUCHED),),
) -> bytes:
    """What a person answers; the relay's headers stand above the person's."""
    told = EmailMessage()
    told["From"] = sender or mail.to
    told["To"] = "timeliness@eastshire.police.example"
    told["Subject"] = f"RE: {mail.subject}"
    told["In-Reply-To"] = message_id or mail.message_id
    told["References"] = message_id or mail.message_id
    told["Message-ID"] = make_msgid(domain="eastshire.police.example")
    quoted = "\n".join(f"> {line}" for line in mail.text.split(". "))
    told.set_content(f"{text}\n\nOn Tue, 9 Mar 2027 at 02:47, <a@b.example> wrote:\n{quoted}\n")
    above = "".join(f"{name}: {value}\n" for name, value in headers)
    return above.encode() + told.as_bytes()
