"""Mails as their readers see them, for tests to read; and, run as a program, the expected files.

`python -m tests.deliver.reading` writes tests/deliver/expected/ anew. Read what it wrote aloud
before you keep it.
"""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from monitor.deliver.compose import Composer
from monitor.deliver.samples import SAMPLES
from monitor.letters import AnyLetter

TEMPLATES = Path(__file__).parents[2] / "templates"
EXPECTED = Path(__file__).parent / "expected"
MARKING = "OFFICIAL-SENSITIVE"


def a_composer(templates: Path = TEMPLATES, **more: Any) -> Composer:
    """A new one; for reading alone, `COMPOSER` has its templates read already."""
    settings: dict[str, Any] = {
        "zone": ZoneInfo("Europe/London"),
        "marking": MARKING,
        "sender": "monitor@police.example",
        "sender_name": "Timeliness monitor",
        "domain": "monitor.police.example",
        **more,
    }
    return Composer(templates=templates, **settings)


COMPOSER = a_composer()


def composed(letter: AnyLetter, **more: Any) -> bytes:
    return COMPOSER.compose(
        letter,
        to="duty.desk@police.example",
        message_id="<m1@monitor.police.example>",
        date=letter.at,
        **more,
    )


def parsed(mail: bytes) -> EmailMessage:
    message = email.message_from_bytes(mail, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    text = part.get_content()
    assert isinstance(text, str)
    return text


def as_read(letter: AnyLetter) -> str:
    """Subject and text of a mail, wrapped as it is sent."""
    message = parsed(composed(letter))
    lines = body(message, "plain").splitlines()
    return "\n".join([f"Subject: {message['Subject']}", "", *map(str.rstrip, lines), ""])


if __name__ == "__main__":
    for name, letter in SAMPLES.items():
        (EXPECTED / f"{name}.txt").write_text(as_read(letter), encoding="utf-8")
