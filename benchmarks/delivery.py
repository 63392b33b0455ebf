"""Sending mails: the monitor beside the bare client library, in one run, in turn.

    python benchmarks/delivery.py [MAILS] [REPEATS]

A mail server on this machine, in a process of its own, takes everything and keeps nothing. The bare
library sends the same bytes over as many connections. The monitor has them in its outbox, on
SQLite with synchronous writes: it claims each under a lease, counts the attempt, sends, records
what became of it and writes its audit. Printed apart: mails that are not written yet, whose case
is read and whose text is composed when they are claimed. Prints each pair's rates and ratio.
"""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiosmtplib
from aiosmtpd.smtp import SMTP

from monitor.cycle.delivery import deliver
from monitor.cycle.intake import assess_dirty, take_in_waiting
from monitor.deliver.smtp import MailServer, Post
from monitor.installation import install
from monitor.logs import configure_logs
from monitor.model import Alert, AlertKind
from monitor.rulebook.files import read_documents
from monitor.settings import read_settings
from monitor.store import alerts, clocks, outbox, rulebooks
from monitor.store.engine import open_engine, reading, writing
from monitor.store.schema import migrate
from monitor.wiring import ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.cycle.parts import Monitor

CONNECTIONS = 2
DOMAIN = "eastshire.police.example"
RULE = "notice-triaged-high"


def main(mails: int, repeats: int) -> None:
    port = multiprocessing.get_context("spawn").Queue()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    server.start()
    at = port.get()
    ratios, unwritten = [], []
    with tempfile.TemporaryDirectory() as folder:
        monitor = installed(Path(folder), at, mails)
        for number in range(repeats):
            writing_too = rate(monitor, mails, queue_alerts, repeat=number)
            content = a_content(monitor)
            bare = mails / asyncio.run(send_bare(content, mails, at))
            ours = rate(monitor, mails, queue_written, content=content)
            ratios.append(ours / bare)
            unwritten.append(writing_too / bare)
            print(
                f"pair {number + 1}: bare {bare:.0f} mails/s, monitor {ours:.0f}"
                f" ({ours / bare:.0%}), writing them too {writing_too:.0f} ({unwritten[-1]:.0%})"
            )
    server.terminate()
    print(
        f"median of {mails} mails of {len(content)} bytes over {CONNECTIONS} connections:"
        f" {statistics.median(ratios):.0%} of the bare library's rate;"
        f" writing them too {statistics.median(unwritten):.0%};"
        f" load of the machine {os.getloadavg()[0]:.1f}"
    )


class Taker:
    """Takes every mail."""

    async def handle_DATA(self, *_: Any) -> str:  # noqa: D102, N802 - the server library's name
        return "250 taken"


def serve(port: multiprocessing.Queue[int]) -> None:
    async def until_ended() -> None:
        loop = asyncio.get_running_loop()
        made = await loop.create_server(
            lambda: SMTP(Taker(), hostname="sink.example", loop=loop), "127.0.0.1", 0
        )
        port.put(made.sockets[0].getsockname()[1])
        await made.serve_forever()

    asyncio.run(until_ended())


# -- the bare library -------------------------------------------------------------------------


async def send_bare(content: bytes, mails: int, port: int) -> float:
    """Seconds for so many mails, shared out over the connections."""
    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port) for _ in range(CONNECTIONS)]
    for client in clients:
        await client.connect()
    waiting = iter(range(mails))

    async def some(client: aiosmtplib.SMTP) -> None:
        for number in waiting:
            await client.sendmail(f"monitor@{DOMAIN}", [f"person-{number}@{DOMAIN}"], content)

    began = time.perf_counter()
    await asyncio.gather(*(some(client) for client in clients))
    took = time.perf_counter() - began
    for client in clients:
        await client.quit()
    return took


# -- the monitor ------------------------------------------------------------------------------


def installed(folder: Path, port: int, cases: int) -> Monitor:
    """An installation with so many cases in which nobody looked at the notice in time."""
    install(folder / "force")
    settings = read_settings(folder / "force/config/monitor.toml")
    engine = open_engine(settings.database_url())
    migrate(engine)
    documents = read_documents(settings.path(settings.paths.rules))
    with writing(engine) as connection:
        for rule in documents.rules:
            rulebooks.approve(connection, rule, role="benchmark", now=now(), number=0)
        for ladder in documents.ladders:
            rulebooks.approve(connection, ladder, role="benchmark", now=now(), number=0)
    engine.dispose()
    monitor = ready(settings, now=now(), actor="benchmark", activate=True)
    monitor = replace(monitor, post=a_post(port))
    (settings.path("drop/occurrence") / "notices-1.csv").write_text(notices(cases), "utf-8")
    take_in_waiting(monitor, now=now())
    assess_dirty(monitor, now=now())
    return monitor


def a_post(port: int) -> Post:
    return Post(
        MailServer(
            host="127.0.0.1",
            port=port,
            security="none-loopback-only",
            allowed_domains=(DOMAIN,),
            connections=CONNECTIONS,
        )
    )


def notices(cases: int) -> str:
    late = datetime.now(UTC) - timedelta(hours=12)
    columns = (
        *("PPN_NO", "CHILD_ID", "ROW_VERSION", "CONCERN_TYPE", "RISK_GRADE", "BCU", "TEAM"),
        *("FIRST_KNOWN", "SUBMITTED", "SUBMITTED_ENTERED", "SUPERVISED", "TRIAGED", "REGRADED"),
        *("RISK_AFTER", "DECIDED", "DECISION", "DECISION_REASON", "REVIEW_BY", "REVIEWED"),
        *("COUNCIL_SET", "COUNCIL_CODE", "HEALTH_SET", "HEALTH_CODE", "LINKED", "LINKED_TO"),
        *("STATUS", "CLOSED", "CLOSE_REASON", "PP_FROM", "PP_TO"),
    )
    text = io.StringIO()
    rows = csv.DictWriter(text, columns, restval="")
    rows.writeheader()
    for number in range(cases):
        rows.writerow(
            {
                "PPN_NO": f"PPN-2027-{number:06}",
                "CHILD_ID": f"C{number}",
                "ROW_VERSION": "1",
                "CONCERN_TYPE": "PHYS ABUSE",
                "RISK_GRADE": "H",
                "BCU": "east",
                "TEAM": "response",
                "FIRST_KNOWN": f"{late:%d/%m/%Y %H:%M:%S}",
                "SUBMITTED": f"{late:%d/%m/%Y %H:%M:%S}",
            }
        )
    return text.getvalue()


def rate(monitor: Monitor, mails: int, queue: Callable[..., None], **more: Any) -> float:
    """Mails a second from the outbox to the server's word on record."""

    async def one_round() -> tuple[int, float]:
        began = time.perf_counter()
        done = await deliver(monitor, now=now())
        took = time.perf_counter() - began
        await monitor.post.close()
        return done.sent, took

    queue(monitor, mails, **more)
    sent, took = asyncio.run(one_round())
    assert sent == mails, sent
    return mails / took


def queue_written(monitor: Monitor, mails: int, *, content: bytes) -> None:
    with writing(monitor.engine) as connection:
        for number in range(mails):
            outbox.queue_message(
                connection,
                kind="digest",
                address=f"person-{number}@{DOMAIN}",
                role="inspector",
                domain=DOMAIN,
                now=now(),
                not_before=now(),
                content=content,
                subject="A mail",
            )


def queue_alerts(monitor: Monitor, mails: int, *, repeat: int) -> None:
    """An alert to somebody else for each case."""
    with reading(monitor.engine) as connection:
        late = [kept for kept in clocks.open_clocks(connection) if kept.clock.key.rule == RULE]
    with writing(monitor.engine) as connection:
        told = [
            Alert(
                clock_id=kept.id,
                episode=1,
                rung=f"rung {repeat}",
                repeat=repeat,
                recipient=f"person-{repeat}-{kept.id}@{DOMAIN}",
                kind=AlertKind.OVERDUE,
                role="mash_sergeant",
                asked_role="mash_sergeant",
                reason="due",
                rung_at=kept.clock.due_at or 0,
                decided_at=now(),
            )
            for kept in late[:mails]
        ]
        alerts.insert_alerts(connection, told)


def a_content(monitor: Monitor) -> bytes:
    """The bytes of a mail that has been sent."""
    with reading(monitor.engine) as connection:
        (sent,) = outbox.messages_to(connection, states=("sent",), limit=1)
    return bytes(sent["content"])


def now() -> int:
    return time.time_ns() // 1000


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    configure_logs("text", level=logging.WARNING)
    main(given[0] if given else 1000, given[1] if given[1:] else 3)
