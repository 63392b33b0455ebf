"""`monitor run` and its mail server: what is in hand ends well, what an outage cures is unsaid."""

from __future__ import annotations

import signal

import pytest

from monitor.store import outbox
from monitor.store.engine import open_engine, writing
from tests.process.installed import Installation, Sink, eventually, hours_ago, notice

pytestmark = pytest.mark.slow

CASES = ("PPN-2027-004211", "PPN-2027-004212", "PPN-2027-004213")
STATES = "SELECT state, lease_token FROM message ORDER BY id"


def test_sigterm_finishes_every_mail_in_hand_and_lets_go_of_the_others(
    installation: Installation, sink: Sink
) -> None:
    """Two connections, two mails in hand; whoever starts next sends the rest at once."""
    sink.slow = True
    installation.decide(alerts='"off"')
    queue(installation, 5)
    daemon = installation.start()
    eventually(lambda: len(sink.taken) == 2)
    daemon.send(signal.SIGTERM)
    sink.open_gate()
    assert daemon.process.wait(timeout=60) == 0
    rows = installation.rows(STATES)
    assert sum(row["state"] == "sent" for row in rows) == len(sink.taken) == 2
    assert {row["lease_token"] for row in rows if row["state"] == "queued"} == {""}

    again = installation.start()
    eventually(lambda: all(row["state"] == "sent" for row in installation.rows(STATES)))
    assert again.end() == 0
    ours = [recipient for recipient, _ in sink.taken if recipient.startswith("desk-")]
    assert len(set(ours)) == len(ours) == 5


def queue(installation: Installation, mails: int) -> None:
    """Mails whose bytes are settled, each to somebody else."""
    engine = open_engine(f"sqlite:///{installation.folder}/var/monitor.db")
    with writing(engine) as connection:
        for number in range(mails):
            outbox.queue_message(
                connection,
                kind="digest",
                address=f"desk-{number}@eastshire.police.example",
                role="inspector",
                domain="eastshire.police.example",
                now=0,
                not_before=0,
                content=b"Subject: the week\r\n\r\nA mail.\r\n",
            )
    engine.dispose()


def test_what_is_put_right_while_no_server_answers_is_never_said(
    installation: Installation,
) -> None:
    """And `status` says since when, and why."""
    away = Sink()
    with away.listening() as port:
        installation.mail_to(port)
    installation.drop(*(notice(case, submitted=hours_ago(5)) for case in CASES))
    daemon = installation.start()
    daemon.wait_for("mail_server_at_fault")
    assert "no mail goes out by the relay since" in installation.type("status", expect=1)
    rows = [notice(case, submitted=hours_ago(5), triaged=hours_ago(4.5)) for case in CASES]
    installation.drop(*rows, name="notices-2.csv")
    eventually(lambda: len(installation.rows("SELECT id FROM intake WHERE state = 'done'")) == 2)
    assert all(
        row["attempts"] == 0 and row["content"] is None
        for row in installation.rows("SELECT attempts, content FROM message WHERE kind = 'alerts'")
    )
    assert daemon.end() == 0
