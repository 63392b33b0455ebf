"""An installation from its outbox to its mail server: what waits, what goes, what status says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from monitor.cycle.delivery import Delivered, deliver, next_delivery_at
from monitor.cycle.parts import Monitor
from monitor.cycle.status import read_status
from monitor.deliver.smtp import MailServer, Post
from monitor.model import SECOND, Instant
from monitor.store import outbox
from monitor.store.engine import reading, writing
from monitor.store.relays import RelayFault, relay_faults
from monitor.store.tables import message

T0: Instant = 1_800_000_000 * SECOND
DOMAIN = "eastshire.police.example"
CURSED = f"cursed@{DOMAIN}"
"""The address of which a server may think otherwise than of the others."""


@dataclass
class Office:
    """One installation, at a time that only a test moves."""

    monitor: Monitor
    port: int
    folder: Path
    now: Instant = T0
    server: dict[str, Any] = field(default_factory=dict)
    """What is set of the mail server beside its port."""

    def __post_init__(self) -> None:
        self.use()

    def use(self, **server: Any) -> None:
        """Reach the mail server so from now on, over fresh connections."""
        self.server |= server
        settings: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.port,
            "security": "none-loopback-only",
            "allowed_domains": (DOMAIN,),
            "helo": f"monitor.{DOMAIN}",
            "connect_seconds": 5,
            "exchange_seconds": 10,
        }
        post = Post(MailServer(**settings | self.server))
        self.monitor = replace(self.monitor, post=post)

    def another_node(self) -> Office:
        """Another daemon on the same database."""
        other = replace(self.monitor, node="another")
        return Office(other, self.port, self.folder, self.now, self.server)

    def queue(self, *addresses: str, kind: str = "digest", content: bytes | None = None) -> None:
        """Mails whose bytes are settled already, to these addresses in this order.

        `content`: other bytes; b"" for mails that are still to be written.
        """
        with writing(self.monitor.engine) as connection:
            for address in addresses:
                outbox.queue_message(
                    connection,
                    kind=kind,
                    address=address,
                    role="inspector",
                    domain=DOMAIN,
                    now=self.now,
                    not_before=self.now,
                    content=None if content == b"" else content or _usual(address),
                    subject="A mail",
                )

    async def round(self) -> Delivered:
        """One round of delivery at this time."""
        return await deliver(self.monitor, now=self.now)

    def wait(self) -> None:
        """Until the next thing is due by itself."""
        due = next_delivery_at(self.monitor)
        assert due is not None
        assert due > self.now
        self.now = due

    @property
    def mails(self) -> list[Any]:
        """The rows of the outbox, as they were queued."""
        with reading(self.monitor.engine) as connection:
            return list(connection.execute(select(message).order_by(message.c.id)).mappings())

    @property
    def states(self) -> list[str]:
        return [row["state"] for row in self.mails]

    @property
    def attempts(self) -> list[int]:
        return [row["attempts"] for row in self.mails]

    @property
    def faults(self) -> list[RelayFault]:
        with reading(self.monitor.engine) as connection:
            return relay_faults(connection)

    @property
    def status(self) -> str:
        """What the operator is told to see to, of mail."""
        said = read_status(self.monitor, now=self.now).service_faults
        return "\n".join(line for line in said if "mail" in line)


def _usual(address: str) -> bytes:
    return f"To: {address}\r\n\r\nA mail.\r\n".encode()


def people(number: int) -> list[str]:
    """So many addresses at which nothing is wrong."""
    return [f"person-{each}@{DOMAIN}" for each in range(number)]
