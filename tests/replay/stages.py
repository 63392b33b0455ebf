"""The real stages over a database in memory: taken in, swept, and every mail taken at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count, groupby

from sqlalchemy import StaticPool, create_engine, event, select, update

from monitor.assess.assess import assess_cases
from monitor.cycle.sweep import CLOCKS_AT_ONCE, _decide_all
from monitor.escalate.decide import Circumstances
from monitor.escalate.roster import Roster
from monitor.escalate.telling import FORGET_UNSAID_AFTER
from monitor.model import AlertKind, Duration, Event, Instant, KeptClock
from monitor.replay.hearing import Hearing
from monitor.replay.replay import Told
from monitor.rulebook.book import Rulebook
from monitor.store import alerts, cases, clocks, intakes, outbox
from monitor.store.engine import (
    Connection,
    Engine,
    _begin_sqlite,
    _prepare_sqlite,
    reading,
    writing,
)
from monitor.store.tables import alert, message, metadata

_files = count(1)


@contextmanager
def database() -> Iterator[Engine]:
    """An empty database in memory."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    with engine.begin() as connection:
        metadata.create_all(connection)
    yield engine
    engine.dispose()


def emptied(engine: Engine) -> Engine:
    """The same database with nothing in it."""
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    return engine


class Stages:
    """One installation, as far as deciding goes."""

    def __init__(
        self,
        engine: Engine,
        rulebook: Rulebook,
        roster: Roster,
        tolerances: dict[str, Duration],
        hearing: Hearing,
    ) -> None:
        self.engine, self.rulebook, self.roster = engine, rulebook, roster
        self.hearing = hearing
        self.tolerances = tolerances

    def live(self, events: Iterable[Event], *, until: Instant) -> None:
        """Take in every event when it was received, and sweep whenever anything can happen."""
        received = sorted((e for e in events if e.received_at <= until), key=_received_at)
        for now, told in groupby(received, key=_received_at):
            self._go_to(now - 1)
            self._take_in(list(told), now=now)
            self._pass(now)
        self._go_to(until)

    def stored(self, references: Iterable[str]) -> list[Event]:
        """The events as they are kept."""
        with reading(self.engine) as connection:
            ids = cases.known_ids(connection, list(references))
            kept = cases.events_of(connection, list(ids.values()))
        return [each for told in kept.values() for each in told]

    def kept(self) -> list[tuple[str, KeptClock]]:
        """(reference, clock) of every clock."""
        with reading(self.engine) as connection:
            return list(clocks.all_clocks(connection))

    def told(self) -> list[Told]:
        """Everything that was decided to be told, as a replay says it."""
        known = {kept.id: (reference, kept) for reference, kept in self.kept()}
        with reading(self.engine) as connection:
            rows = connection.execute(select(alert).order_by(alert.c.id)).mappings().all()
        return [
            Told(
                at=row["decided_at"],
                reference=known[row["clock_id"]][0],
                clock=known[row["clock_id"]][1].clock.key,
                kind=AlertKind(row["kind"]),
                rung=row["rung"],
                repeat=row["repeat"],
                episode=row["episode"],
                role=row["role"],
                asked_role=row["asked_role"],
                recipient=row["recipient"],
                reason=row["reason"],
            )
            for row in rows
        ]

    def _take_in(self, events: list[Event], *, now: Instant) -> None:
        """What several feeds tell in one instant is known at once: the cases are assessed after."""
        with writing(self.engine) as connection:
            parts = [
                self._append(connection, list(of_feed), now=now)
                for _, of_feed in groupby(sorted(events, key=_feed), key=_feed)
            ]
            assess_cases(
                connection,
                set[int]().union(*(part.changed_cases for part in parts)),
                self.rulebook,
                tolerances=self.tolerances,
                now=now,
                whole=parts[0].whole if len(parts) == 1 else {},
            )

    def _append(
        self, connection: Connection, events: list[Event], *, now: Instant
    ) -> cases.Appended:
        intake = intakes.open_intake(
            connection,
            feed_name=events[0].feed,
            file_name="extract.csv",
            file_digest=b"file %d" % next(_files),
            mapping_digest="mapping",
            now=now,
        )
        batch_id = intakes.open_batch(connection, intake.id, received_at=now)
        named = {e.reference for e in events} | {e.links for e in events if e.links}
        appended = cases.append_events(
            connection,
            [(each, line) for line, each in enumerate(events, start=2)],
            cases=cases.lock_cases(connection, named),
            batch_id=batch_id,
            is_snapshot=False,
        )
        intakes.number_batch(connection, batch_id)
        return appended

    def _go_to(self, until: Instant) -> None:
        while (now := self._wakes()) is not None and now <= until:
            with writing(self.engine) as connection:
                for feed in self.hearing.sources:
                    if self.hearing.next_at(feed, now - 1) == now:
                        clocks.wake_waiting_for(connection, feed, now=now)
            self._pass(now)

    def _wakes(self) -> Instant | None:
        with reading(self.engine) as connection:
            by_itself = clocks.next_action_at(connection)
        heard = [
            self.hearing.next_at(kept.waits_for, self._last)
            for _, kept in self.kept()
            if kept.waits_for
        ]
        return min((at for at in (by_itself, *heard) if at is not None), default=None)

    _last: Instant = 0

    def _pass(self, now: Instant) -> None:
        self._last = now
        with writing(self.engine) as connection:
            alerts.forget_unsaid(connection, before=now - FORGET_UNSAID_AFTER)
            while due := clocks.due_clocks(connection, now=now, limit=CLOCKS_AT_ONCE):
                circumstances = Circumstances(
                    rulebook=self.rulebook,
                    roster=self.roster,
                    feeds=self.hearing.at(now),
                    now=now,
                )
                _decide_all(connection, due, circumstances)
            for address, role, kind in alerts.waiting_recipients(connection):
                message_id = outbox.queue_message(
                    connection,
                    kind=kind,
                    address=address,
                    role=role,
                    domain="force.example",
                    now=now,
                    not_before=now,
                )
                alerts.put_in_message(connection, address, kind, message_id)
                taken = update(message).where(message.c.id == message_id)
                connection.execute(taken.values(attempts=1, state="sent", sent_at=now))


def _received_at(told: Event) -> Instant:
    return told.received_at


def _feed(told: Event) -> str:
    return told.feed
