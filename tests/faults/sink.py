"""A mail server that keeps what it accepted through anything, and misbehaves when it is told to.

What comes in: mails on loopback. What goes out: a folder with one file for each that was accepted,
on the disk before the answer is given.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.process.installed import _free_port


@dataclass(frozen=True)
class Accepted:
    """One mail, each time that it was accepted."""

    recipient: str
    message_id: str
    content: bytes


@dataclass
class Sink:
    """Takes mails in a thread of its own."""

    folder: Path
    hang_up_after: int = 0
    """The mail after which the connection is dropped before the answer; 0: none."""
    before_answer: Callable[[int, str], None] = lambda _number, _message_id: None
    """Called with a mail's number and Message-ID when it is on the disk and not yet answered."""
    hung_up_on: list[str] = field(default_factory=list)
    _taken: int = 0

    async def handle_DATA(  # noqa: N802 - the sink library's name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self._taken += 1
        number = self._taken
        self._keep(number, envelope.rcpt_tos[0], envelope.content)
        message_id = message_id_of(envelope.content)
        self.before_answer(number, message_id)
        if number == self.hang_up_after and isinstance(server.transport, asyncio.WriteTransport):
            self.hung_up_on.append(message_id)
            server.transport.abort()
        return f"250 taken as {number}"

    def _keep(self, number: int, recipient: str, content: bytes) -> None:
        part = self.folder / f"{number:06}.part"
        with part.open("wb") as file:
            file.write(recipient.encode() + b"\n" + content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(part.with_suffix(".mail"))

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Listen on a port of this machine for as long as this lasts."""
        self.folder.mkdir()
        controller = Controller(self, hostname="127.0.0.1", port=_free_port())
        controller.start()
        try:
            yield controller.port
        finally:
            controller.stop()

    def accepted(self) -> list[Accepted]:
        """Everything that was accepted, in order."""
        whole = [path.read_bytes() for path in sorted(self.folder.glob("*.mail"))]
        parts = [kept.split(b"\n", 1) for kept in whole]
        return [
            Accepted(recipient.decode(), message_id_of(content), content)
            for recipient, content in parts
        ]


def message_id_of(content: bytes) -> str:
    """The Message-ID of a mail's bytes."""
    found = re.search(rb"(?im)^Message-ID:\s*(<[^>]+>)", content)
    assert found is not None
    return found[1].decode()
