"""Mails that came back, flagged addresses, and the numbers under which a mail tells of cases."""

from __future__ import annotations

from monitor.model import HOUR, Alert, AlertKind
from monitor.store import alerts, mailbox, outbox
from monitor.store.engine import Connection, Engine, reading, writing
from monitor.store.mailbox import Carried
from tests.store.world import T0, kept, rulebook, take_in, told

DESK = "desk@police.example"


def a_clock(engine: Engine, reference: str) -> int:
    take_in(engine, told(reference), book=rulebook())
    return min(each.id for each in kept(engine, reference).values())


def an_alert(clock_id: int, rung: str = "when due", recipient: str = DESK) -> Alert:
    return Alert(
        clock_id=clock_id,
        episode=1,
        rung=rung,
        repeat=0,
        recipient=recipient,
        kind=AlertKind.OVERDUE,
        role="sergeant",
        asked_role="sergeant",
        reason="overdue",
        rung_at=T0,
        decided_at=T0,
    )


def a_mail(connection: Connection, *, attempted: bool = True, address: str = DESK) -> int:
    """A mail in the outbox, written, and perhaps handed over."""
    message_id = outbox.queue_message(
        connection,
        kind=alerts.ALERTS,
        address=address,
        role="sergeant",
        domain="police.example",
        now=T0,
        not_before=T0,
        message_id=f"<{address} {attempted}>",
        content=b"To: desk",
    )
    if attempted:
        (claimed,) = outbox.claim_messages(connection, now=T0, lease=HOUR, limit=1, node="n")
        outbox.count_attempts(connection, [claimed])
    return message_id


def test_a_mail_is_recorded_once(engine: Engine) -> None:
    """The second time its digest is known."""
    with writing(engine) as connection:
        row = {"kind": "other", "outcome": "", "message_id": None, "now": T0}
        assert not mailbox.is_known(connection, b"1")
        assert mailbox.record_mail(connection, b"1", **row)  # type: ignore[arg-type]
        assert not mailbox.record_mail(connection, b"1", **row)  # type: ignore[arg-type]
        assert mailbox.is_known(connection, b"1")
    with reading(engine) as connection:
        assert [each["kind"] for each in mailbox.list_mails_in(connection, limit=9)] == ["other"]
        assert mailbox.count_mails_in(connection, since=T0) == {("other", ""): 1}
        assert mailbox.count_mails_in(connection, since=T0 + 1) == {}


def test_only_a_mail_that_was_handed_over_is_ours_to_answer(engine: Engine) -> None:
    """And of several that are named, the first."""
    with writing(engine) as connection:
        first = a_mail(connection)
        a_mail(connection, attempted=False, address="other@police.example")
        names = ["<nobody's>", "<other@police.example False>", f"<{DESK} True>"]
        found = mailbox.our_mail(connection, names)
        assert found is not None
        assert (found.id, found.address, found.content) == (first, DESK, b"To: desk")
        assert mailbox.our_mail(connection, names[:2]) is None
        assert mailbox.our_mail(connection, []) is None


def test_an_address_is_flagged_once_until_it_is_cleared(engine: Engine) -> None:
    """Cleared in any spelling of its letters; flagged again, it is flagged anew."""
    with writing(engine) as connection:
        message_id = a_mail(connection)
        flag = {"status": "5.1.1", "message_id": message_id, "now": T0}
        assert mailbox.flag_address(connection, DESK, **flag)  # type: ignore[arg-type]
        assert not mailbox.flag_address(connection, DESK, **flag)  # type: ignore[arg-type]
        assert mailbox.flagged_addresses(connection) == {DESK}
        ((address, role, status),) = [
            (row["address"], row["role"], row["status"]) for row in mailbox.list_flags(connection)
        ]
        assert (address, role, status) == (DESK, "sergeant", "5.1.1")
        assert not mailbox.clear_flag(connection, "other@police.example", now=T0)
        assert mailbox.clear_flag(connection, DESK.upper(), now=T0)
        assert mailbox.flagged_addresses(connection) == frozenset()
        assert not mailbox.clear_flag(connection, DESK, now=T0)
        assert mailbox.flag_address(connection, DESK, **flag)  # type: ignore[arg-type]


def test_a_mail_keeps_the_numbers_of_its_cases_and_says_what_it_carries(engine: Engine) -> None:
    """What was cancelled it carries no more; what waits for an address is found too."""
    first, second = a_clock(engine, "PPN-1"), a_clock(engine, "PPN-2")
    with writing(engine) as connection:
        message_id = a_mail(connection)
        alerts.insert_alerts(connection, [an_alert(first), an_alert(second)])
        assert [each.line for each in mailbox.not_yet_sent_to(connection, DESK)] == [0, 0]
        alerts.put_in_message(connection, DESK, alerts.ALERTS, message_id)
        numbered = {
            id_: number
            for number, (id_, _) in enumerate(alerts.alerts_in_message(connection, message_id), 1)
        }
        mailbox.number_lines(connection, numbered)
        carried = mailbox.carried_by(connection, message_id)
        assert carried == [Carried(1, an_alert(first)), Carried(2, an_alert(second))]
        assert mailbox.not_yet_sent_to(connection, DESK) == carried
        assert mailbox.not_yet_sent_to(connection, "other@police.example") == []
