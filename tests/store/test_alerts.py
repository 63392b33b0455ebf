"""Alerts: each once under its key, cancelled only while no mail that carries it was attempted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import Engine

from monitor.model import HOUR, Alert, AlertKind
from monitor.store import alerts, outbox
from monitor.store.engine import Connection, reading, writing
from tests.store.world import T0, kept, rulebook, take_in, told, until_it_waits


def _clock_id(engine: Engine, reference: str = "PPN-1") -> int:
    take_in(engine, told(reference), book=rulebook())
    return min(each.id for each in kept(engine, reference).values())


def _alert(clock_id: int, recipient: str = "a@x", **changes: Any) -> Alert:
    plain = Alert(
        clock_id=clock_id,
        episode=1,
        rung="rung 1",
        repeat=0,
        recipient=recipient,
        kind=AlertKind.OVERDUE,
        role="inspector",
        asked_role="holder",
        reason="overdue",
        rung_at=T0,
        decided_at=T0 + 1,
    )
    return plain._replace(**changes)


def _mail(connection: Connection, address: str = "a@x", kind: str = alerts.ALERTS) -> int:
    return outbox.queue_message(
        connection,
        kind=kind,
        address=address,
        role="inspector",
        domain="x",
        now=T0,
        not_before=T0,
    )


def _attempt(engine: Engine) -> None:
    """Claim what waits and count an attempt at it."""
    with writing(engine) as connection:
        for claimed in outbox.claim_messages(connection, now=T0, lease=HOUR, limit=9, node="n"):
            outbox.freeze_message(connection, claimed, content=b"m", subject="s", now=T0)


def _states(engine: Engine, clock_id: int) -> list[str]:
    with reading(engine) as connection:
        return [said.state for said in alerts.said_about(connection, [clock_id])]


def test_an_alert_is_decided_once(engine: Engine) -> None:
    """The same rung, episode, repeat and person again is nothing new."""
    clock_id = _clock_id(engine)
    first = _alert(clock_id)
    with writing(engine) as connection:
        assert alerts.insert_alerts(connection, [first, _alert(clock_id, "b@x")]) == 2
        again = [first._replace(reason="again"), first._replace(episode=2)]
        assert alerts.insert_alerts(connection, again) == 1
        said = alerts.said_about(connection, [clock_id])
    assert said[0].alert == first
    assert said[0].alert.kind is AlertKind.OVERDUE
    assert [(each.state, each.attempted, each.sent_at) for each in said] == [
        ("pending", False, None)
    ] * 3


def test_an_alert_for_nobody_is_kept_and_never_waits(engine: Engine) -> None:
    clock_id = _clock_id(engine)
    with writing(engine) as connection:
        alerts.insert_alerts(connection, [_alert(clock_id, "")])
        assert alerts.waiting_recipients(connection) == []
        assert alerts.count_untold(connection) == 1
    assert _states(engine, clock_id) == ["cancelled"]


def test_what_waits_for_a_person_goes_into_one_mail_of_its_kind(engine: Engine) -> None:
    clock_id = _clock_id(engine)
    withdrawal = _alert(clock_id, rung="withdrawal", kind=AlertKind.WITHDRAWAL)
    told_to_a = [_alert(clock_id), _alert(clock_id, rung="rung 2"), withdrawal]
    with writing(engine) as connection:
        alerts.insert_alerts(connection, [*told_to_a, _alert(clock_id, "b@x")])
        assert alerts.waiting_recipients(connection) == [
            ("a@x", "inspector", "alerts"),
            ("a@x", "inspector", "withdrawal"),
            ("b@x", "inspector", "alerts"),
        ]
        mail = _mail(connection)
        assert alerts.put_in_message(connection, "a@x", "alerts", mail) == 2
        carried = alerts.alerts_in_message(connection, mail)
        assert [alert for _, alert in carried] == told_to_a[:2]
        assert alerts.put_in_message(connection, "a@x", "withdrawal", mail) == 1
        assert [address for address, *_ in alerts.waiting_recipients(connection)] == ["b@x"]


def test_only_what_was_never_attempted_is_cancelled(engine: Engine) -> None:
    """Waiting or in a mail that nobody tried to send: gone. Attempted: it has to be withdrawn."""
    clock_id = _clock_id(engine)
    with writing(engine) as connection:
        tried = _alert(clock_id, "tried@x")
        alerts.insert_alerts(connection, [tried])
        alerts.put_in_message(connection, "tried@x", "alerts", _mail(connection, "tried@x"))
    _attempt(engine)
    with writing(engine) as connection:
        alerts.insert_alerts(connection, [_alert(clock_id, "mailed@x"), _alert(clock_id, "w@x")])
        mail = _mail(connection, "mailed@x")
        alerts.put_in_message(connection, "mailed@x", "alerts", mail)
        ids = [said.id for said in alerts.said_about(connection, [clock_id])]
        assert alerts.cancel_unattempted(connection, ids) == 2
        assert alerts.cancel_unattempted(connection, ids) == 0
        assert alerts.alerts_in_message(connection, mail) == []
        (first, *_) = alerts.said_about(connection, [clock_id])
        assert first.attempted
    assert _states(engine, clock_id) == ["in message", "cancelled", "cancelled"]


def test_cancelling_waits_for_a_mail_that_is_being_frozen(postgres: Engine) -> None:
    """Whoever comes second sees what the first did: sent, so it is to be withdrawn."""
    clock_id = _clock_id(postgres)
    with writing(postgres) as connection:
        alerts.insert_alerts(connection, [_alert(clock_id)])
        alerts.put_in_message(connection, "a@x", "alerts", _mail(connection))
        (said,) = alerts.said_about(connection, [clock_id])
        (claimed,) = outbox.claim_messages(connection, now=T0, lease=HOUR, limit=1, node="n")

    def cancel() -> int:
        with writing(postgres) as connection:
            return alerts.cancel_unattempted(connection, [said.id])

    with ThreadPoolExecutor(1) as sweep:
        with writing(postgres) as connection:
            assert outbox.lock_message(connection, claimed)
            cancelled = sweep.submit(cancel)
            until_it_waits(postgres, cancelled)
            outbox.freeze_message(connection, claimed, content=b"m", subject="s", now=T0)
        assert cancelled.result(timeout=60) == 0
    assert _states(postgres, clock_id) == ["in message"]


def test_cancelling_sees_an_alert_that_is_put_into_a_mail_meanwhile(postgres: Engine) -> None:
    """Bundled and attempted between the question and the lock: it is not cancelled."""
    clock_id = _clock_id(postgres)
    with writing(postgres) as connection:
        alerts.insert_alerts(connection, [_alert(clock_id)])
        (said,) = alerts.said_about(connection, [clock_id])

    def cancel() -> int:
        with writing(postgres) as connection:
            return alerts.cancel_unattempted(connection, [said.id])

    with ThreadPoolExecutor(1) as sweep:
        with writing(postgres) as connection:
            alerts.put_in_message(connection, "a@x", "alerts", _mail(connection))
            (claimed,) = outbox.claim_messages(connection, now=T0, lease=HOUR, limit=1, node="n")
            cancelled = sweep.submit(cancel)
            until_it_waits(postgres, cancelled)
            outbox.freeze_message(connection, claimed, content=b"m", subject="s", now=T0)
        assert cancelled.result(timeout=60) == 0
    assert _states(postgres, clock_id) == ["in message"]


def test_what_goes_with_the_next_mail_makes_none_and_joins_one(engine: Engine) -> None:
    """That something ended late goes with the next, or is put back where that is not sent."""
    clock_id = _clock_id(engine)
    over = _alert(clock_id, rung="ended late", kind=AlertKind.STOPPED_LATE)
    with writing(engine) as connection:
        alerts.insert_alerts(connection, [over, over._replace(recipient="b@x")])
        assert alerts.waiting_recipients(connection) == []
        alerts.insert_alerts(connection, [_alert(clock_id, rung="rung 2")])
        assert alerts.waiting_recipients(connection) == [("a@x", "inspector", alerts.ALERTS)]
        mail = _mail(connection)
        assert alerts.put_in_message(connection, "a@x", alerts.ALERTS, mail) == 2
        (first, _), (second, _) = alerts.alerts_in_message(connection, mail)
        alerts.wait_for_another(connection, [first])
        assert [each for each, _ in alerts.alerts_in_message(connection, mail)] == [second]
        ((waiting, kept_alert),) = alerts.waiting_for_next_mail(connection, "a@x")
        assert (waiting, kept_alert) == (first, over)
        alerts.let_carry(connection, _mail(connection, kind="digest"), [first])
        assert alerts.waiting_for_next_mail(connection, "a@x") == []
        assert alerts.forget_unsaid(connection, before=T0 + 1) == 0
        assert alerts.forget_unsaid(connection, before=T0 + 2) == 1
