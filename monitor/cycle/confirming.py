"""Confirming a verbal claim by hand: a dated fact of the case, like any other.

What comes in: clocks whose stop is a claim written down after due, who confirms and why. What goes
out: an action, and beside it an event of the feed `by hand` in an intake of its own, which the fold
reads as any other and `monitor intake undo` takes back (docs/decisions/0013).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from monitor.assess.assess import assess_cases
from monitor.clocks.verdicts import verdict
from monitor.cycle.nodes import not_deciding
from monitor.cycle.people import (
    Act,
    Done,
    Recorded,
    Refused,
    checked_reason,
    checked_role,
    record,
    when,
)
from monitor.escalate.orders import ActionKind, about_action
from monitor.model import Event, Instant, KeptClock, Verdict
from monitor.store import cases, clocks, intakes
from monitor.store.engine import Connection, writing

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

BY_HAND: Final = "by hand"
"""The feed of facts that people type here. No configured feed can have this name."""

CONFIRMED: Final = "notification_confirmed"


def confirm(
    monitor: Monitor,
    clock_ids: Collection[int],
    *,
    actor: str,
    reason_code: str,
    now: Instant,
    on_behalf_of: str,
) -> Recorded:
    """A named role confirms verbal claims that were written down after due, before they lapse.

    The confirmation is an event of the feed `by hand` beside the action: the fold reads it as any
    other, and `monitor intake undo` takes it back. Raises Refused.
    """
    reason_code = checked_reason(monitor, ActionKind.CONFIRM, reason_code)
    by = checked_role(monitor, on_behalf_of)
    if not by:
        raise Refused("a claim is confirmed by a named role: say --by ROLE")
    act = Act(ActionKind.CONFIRM, actor, by, reason_code, now, None)
    done: list[Done] = []
    refused: list[str] = []
    for clock_id in sorted(clock_ids):
        with writing(monitor.engine) as connection:
            outcome = _confirm_one(monitor, connection, clock_id, act)
        if isinstance(outcome, Done):
            done.append(outcome)
        else:
            refused.append(outcome)
    return Recorded(done=tuple(done), refused=tuple(refused))


def _confirm_one(monitor: Monitor, connection: Connection, clock_id: int, act: Act) -> Done | str:
    if why := not_deciding(monitor, connection):
        raise Refused(f"this node folds no case: {why}")
    (kept,) = clocks.clocks_by_id(connection, [clock_id])
    reference = cases.references_of(connection, [kept.case_id])[kept.case_id]
    locked = cases.lock_cases(connection, [reference])
    (kept,) = clocks.lock_clocks(connection, [clock_id])
    told = _confirmation(kept, reference, now=act.now)
    if why := _why_unconfirmable(monitor, kept, told, now=act.now):
        return f"{reference}, {kept.clock.key.rule}: {why}"
    done = record(connection, kept, reference, act)
    told = told._replace(identity=about_action(done.number).encode())
    intake = _intake_of(connection, done.number, now=act.now)
    batch_id = intakes.open_batch(connection, intake, received_at=act.now)
    appended = cases.append_events(
        connection, [(told, 0)], cases=locked, batch_id=batch_id, is_snapshot=False
    )
    assess_cases(
        connection,
        appended.changed_cases,
        monitor.rulebook,
        tolerances=intakes.tolerances(connection),
        now=act.now,
    )
    intakes.add_progress(
        connection,
        intake,
        rows_read=1,
        rows_without_event=0,
        rows_set_aside=0,
        events_new=appended.new,
        events_known=appended.known,
        events_amended=appended.amended,
        events_conflicting=appended.conflicting,
    )
    intakes.finish_intake(
        connection, intake, state="done", dropped_columns={}, vanished=0, now=act.now
    )
    intakes.number_batch(connection, batch_id)
    return done


def _confirmation(kept: KeptClock, reference: str, *, now: Instant) -> Event:
    """What a confirmation says, as a fact of the case."""
    clock = kept.clock
    said = (reference, clock.partner, clock.key.organisation, clock.key.child, str(now))
    return Event(
        feed=BY_HAND,
        identity=b"",
        revision=0,
        content=hashlib.blake2b("\0".join(said).encode(), digest_size=16).digest(),
        reference=reference,
        kind=CONFIRMED,
        occurred_from=now,
        occurred_to=now,
        recorded_at=now,
        received_at=now,
        partner=clock.partner,
        organisation=clock.key.organisation,
        child=clock.key.child,
    )


def _why_unconfirmable(monitor: Monitor, kept: KeptClock, told: Event, *, now: Instant) -> str:
    clock = kept.clock
    duty = monitor.rulebook.duty(clock.key.rule, clock.rule_version)
    if clock.confirm_by is None:
        return "no claim is to be confirmed here"
    if now > clock.confirm_by:
        lapsed = when(monitor, clock.confirm_by, now=now)
        return f"the claim lapsed at {lapsed}: record in the source how the partner was told"
    if verdict(clock, now=now) is not Verdict.MET or not duty.confirms(told):
        return "its rule takes no confirmation by hand"
    return ""


def _intake_of(connection: Connection, number: int, *, now: Instant) -> int:
    """The intake under which what one action says is kept."""
    name = about_action(number)
    opened = intakes.open_intake(
        connection,
        feed_name=BY_HAND,
        file_name=name,
        file_digest=hashlib.blake2b(name.encode(), digest_size=32).digest(),
        mapping_digest="",
        now=now,
    )
    return opened.id
