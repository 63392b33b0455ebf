"""Row 6: a thousand mails to a mail server on this machine, beside the bare client library.

What comes in: a scratch folder. What goes out: mails a second. The server is a process of its own,
takes everything and keeps nothing. The bare library sends the same bytes over as many connections.
The monitor has the mails in its outbox, on SQLite with synchronous writes: it claims each under a
lease, counts the attempt, sends, records what became of it and writes its audit, at most 20 mails
or a tenth of a second after the server's word. Apart from that: mails that are not written yet,
whose case is read and whose text is composed when they are claimed.
"""

from __future__ import annotations

import asyncio
import csv
import io
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import aiosmtplib

from benchmarks.force import DOMAIN, installed
from benchmarks.measure import Bench, Comparison, Sample, in_turn
from benchmarks.sink import sink
from monitor.cycle.delivery import deliver
from monitor.cycle.intake import take_in_waiting
from monitor.model import Alert, AlertKind
from monitor.store import alerts, clocks, outbox
from monitor.store.engine import reading, writing

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.cycle.parts import Monitor

RULE: Final = "notice-triaged-high"
LEAST_SHARE: Final = 0.7


def measure(bench: Bench) -> list[Comparison]:
    """Mails that are written, and mails that are not."""
    mails = 30 if bench.is_smoke else 1_000
    with sink(bench.folder / "took.txt") as port:
        quiet = {"config/monitor.toml": _measures_only}
        monitor = installed(bench.folder / "force", now=_now(), port=port, edits=quiet)
        _take_in(monitor, cases=mails)
        content = _written(monitor)
        connections = monitor.settings.mail.connections
        work = {
            "bare": lambda: mails / asyncio.run(_send_bare(content, mails, port, connections)),
            "written": lambda: _rate(monitor, mails, lambda: _queue(monitor, mails, content)),
            "unwritten": lambda: _rate(monitor, mails, lambda: _owe(monitor, mails)),
        }
        rates = in_turn(max(bench.repeats, 1), work)
        monitor.engine.dispose()
    bare = Sample("bare aiosmtplib", "mails/s", tuple(rates["bare"]))
    done = f"{mails:,} mails of {len(content):,} bytes over {connections} connections"
    written = Sample("monitor", "mails/s", tuple(rates["written"]))
    unwritten = Sample("monitor", "mails/s", tuple(rates["unwritten"]))
    share = written.median / bare.median
    return [
        Comparison(
            row=6,
            work=f"deliver {done}",
            ours=written,
            others=(bare,),
            ratio=share,
            ratio_says="of its rate",
            target="at least 0.7",
            is_met=None if bench.is_smoke else share >= LEAST_SHARE,
            note="on record as well: killed in between, at most 20 mails or 100 ms are repeated",
        ),
        Comparison(
            row=6,
            work="the same, each mail read from its case and composed as well",
            ours=unwritten,
            others=(bare,),
            ratio=unwritten.median / bare.median,
            ratio_says="of its rate",
            target="none: the library composes nothing",
            is_met=None,
        ),
    ]


# -- the bare library -------------------------------------------------------------------------


async def _send_bare(content: bytes, mails: int, port: int, connections: int) -> float:
    """Seconds for so many mails, shared out over the connections."""
    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port) for _ in range(connections)]
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


def _measures_only(written: str) -> str:
    """Rules tell nobody: whatever is sent is what this script puts into the outbox."""
    return written.replace('alerts = "on"', 'alerts = "digest"')


def _take_in(monitor: Monitor, *, cases: int) -> None:
    """So many notices at which nobody looked in time."""
    file = monitor.settings.path("drop/occurrence") / "notices-1.csv"
    late = f"{datetime.now(ZoneInfo('Europe/London')) - timedelta(hours=12):%d/%m/%Y %H:%M:%S}"
    columns = (
        *("PPN_NO", "CHILD_ID", "ROW_VERSION", "CONCERN_TYPE", "RISK_GRADE", "BCU", "TEAM"),
        *(
            "FIRST_KNOWN",
            "SUBMITTED",
            "SUBMITTED_ENTERED",
            "SUPERVISED",
            "TRIAGED",
            "REGRADED",
            "CHILD_VIEWS",
            "SCHOOL_NAMED",
            "GP_NAMED",
        ),
        *("RISK_AFTER", "DECIDED", "DECISION", "DECISION_REASON", "REVIEW_BY", "REVIEWED"),
        *("COUNCIL_SET", "COUNCIL_CODE", "HEALTH_SET", "HEALTH_CODE", "LINKED", "LINKED_TO"),
        *("STATUS", "CLOSED", "CLOSE_REASON", "PP_FROM", "PP_TO"),
    )
    written = io.StringIO()
    rows = csv.DictWriter(written, columns, restval="")
    rows.writeheader()
    for number in range(cases):
        told = {"PPN_NO": f"PPN-2027-{number:06}", "CHILD_ID": f"C{number}", "ROW_VERSION": "1"}
        told |= {"CONCERN_TYPE": "PHYS ABUSE", "RISK_GRADE": "H", "BCU": "east"}
        rows.writerow(told | {"TEAM": "response", "FIRST_KNOWN": late, "SUBMITTED": late})
    file.write_text(written.getvalue(), "utf-8")
    take_in_waiting(monitor, now=_now())


def _written(monitor: Monitor) -> bytes:
    """The bytes of an alert as it is sent; the first use of everything is over then."""
    _rate(monitor, 1, lambda: _owe(monitor, 1))
    with reading(monitor.engine) as connection:
        (sent,) = outbox.messages_to(connection, states=("sent",), limit=1)
    return bytes(sent["content"])


def _rate(monitor: Monitor, mails: int, queue: Callable[[], None]) -> float:
    """Mails a second from the outbox to the server's word on record."""

    async def one_round() -> tuple[int, float]:
        began = time.perf_counter()
        done = await deliver(monitor, now=_now())
        took = time.perf_counter() - began
        await monitor.post.close()
        return done.sent, took

    queue()
    sent, took = asyncio.run(one_round())
    assert sent == mails, sent
    return mails / took


def _queue(monitor: Monitor, mails: int, content: bytes) -> None:
    now = _now()
    with writing(monitor.engine) as connection:
        for number in range(mails):
            outbox.queue_message(
                connection,
                kind="digest",
                address=f"person-{number}@{DOMAIN}",
                role="inspector",
                domain=DOMAIN,
                now=now,
                not_before=now,
                content=content,
                subject="A mail",
            )


def _owe(monitor: Monitor, mails: int) -> None:
    """An alert to somebody else for each case."""
    now = _now()
    with reading(monitor.engine) as connection:
        late = [kept for kept in clocks.open_clocks(connection) if kept.clock.key.rule == RULE]
    told = [
        Alert(
            clock_id=kept.id,
            episode=1,
            rung=f"rung {now}",
            repeat=0,
            recipient=f"person-{now}-{kept.id}@{DOMAIN}",
            kind=AlertKind.OVERDUE,
            role="mash_sergeant",
            asked_role="mash_sergeant",
            reason="overdue",
            rung_at=kept.clock.due_at or 0,
            decided_at=now,
        )
        for kept in late[:mails]
    ]
    with writing(monitor.engine) as connection:
        alerts.insert_alerts(connection, told)


def _now() -> int:
    return time.time_ns() // 1000
