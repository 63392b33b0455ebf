"""One file, read under a lease from where it was left, batch by batch.

What comes in: a file that waits. What goes out: what became of it, with an account of every row. A
batch is one transaction: its events, the clocks they lead to and how far the file is read are kept
together or not at all. One node reads a file, under a lease that each batch renews; a node that is
held back stores and folds nothing. It does not care where the file lies afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from monitor.cycle.intake.dirty import assess_dirty
from monitor.cycle.intake.hearing import hear
from monitor.cycle.intake.mending import take_out
from monitor.cycle.intake.storing import store_batch
from monitor.cycle.intake.taken import ELSEWHERE, REFUSED_BEFORE, Taken
from monitor.cycle.nodes import not_deciding
from monitor.faults import FaultsFound
from monitor.ingest.batches import Batch, bad_share, batches, share_of_bad_rows
from monitor.ingest.files import RowReader, open_rows
from monitor.ingest.mapping import compile_mapper
from monitor.logs import get_logger
from monitor.memory import rare_collections
from monitor.store import actions, intakes
from monitor.store.engine import (
    Connection,
    OperationalError,
    in_transaction,
    reading,
    take_stock,
    writing,
)

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.cycle.parts import Monitor
    from monitor.ingest.feeds import Feed
    from monitor.model import Instant

log = get_logger("intake")

Progress = Callable[[int, int], None]
"""Told after each batch: bytes read, bytes in all."""

GROWN: Final = frozenset(4**power for power in range(1, 8))
"""Batches of one file after which the database is to take stock of what it holds."""

SKIPPED_AT_ONCE: Final = 100_000
"""Rows passed over between two renewals of a lease, where a file is taken up again."""

_Counts: TypeAlias = Mapping[Any, Any]


class FileReading:
    """The reading of one file by this process."""

    def __init__(
        self, monitor: Monitor, feed: Feed, path: Path, digest: bytes, *, now: Instant
    ) -> None:
        """Prepare; nothing is opened before `take_in`. `digest`: of the file's bytes."""
        self._monitor = monitor
        self._feed = feed
        self._path = path
        self._digest = digest
        self._now = now
        self._mapper = compile_mapper(feed, child_secret=monitor.child_secret)

    def take_in(self, node: str, *, progress: Progress | None = None) -> Taken:
        """Read what is not read yet, in the name of a node.

        Raises FileChanged and FileNotFoundError; the lease is let go then.
        """
        intake = in_transaction(self._monitor.engine, lambda c: self._open(c, node))
        if intake.state == intakes.TAKEN:
            return self._elsewhere(intake.held_by)
        if intake.state != "reading":
            why = REFUSED_BEFORE if intake.state == "set aside" else ""
            return self._became("known already", why)
        try:
            return self._judge_and_read(intake, progress)
        except intakes.LeaseLost:
            return self._lost(intake)
        except BaseException:
            if not self._let_go(intake):
                return self._lost(intake)
            raise

    def _became(self, state: str, why: str = "") -> Taken:
        return Taken(feed=self._feed.name, file=self._path.name, state=state, why=why)

    # -- holding it ---------------------------------------------------------------------------

    def _open(self, connection: Connection, node: str) -> intakes.Intake:
        intake = intakes.open_intake(
            connection,
            feed_name=self._feed.name,
            file_name=self._path.name,
            file_digest=self._digest,
            mapping_digest=self._feed.mapping_digest,
            now=self._now,
            node=node,
        )
        if intake.state == "done":
            hear(self._monitor, connection, self._feed, self._path, now=self._now)
        return intake

    def _elsewhere(self, held_by: str) -> Taken:
        return self._became(ELSEWHERE, f"{held_by} reads it")

    def _let_go(self, intake: intakes.Intake) -> bool:
        """Let another read on at once, where this one cannot; False where another does already.

        With the database out of reach the lease ends by itself.
        """
        try:
            with writing(self._monitor.engine) as connection:
                intakes.release_lease(connection, intake.id, intake.lease_token)
        except intakes.LeaseLost:
            return False
        except OperationalError:
            log.warning("lease_not_released", intake=intake.id)
        return True

    def _lost(self, intake: intakes.Intake) -> Taken:
        """It was taken over while it was read, or undone: then nobody wants it again."""
        counts = self._counts(intake)
        log.info("file_lost", feed=self._feed.name, state=counts["state"])
        if counts["state"] == "undone":
            return self._became("set aside", "it was undone while it was read")
        return self._elsewhere(counts["lease_token"].rpartition("/")[0] or "another node")

    def _counts(self, intake: intakes.Intake) -> _Counts:
        with reading(self._monitor.engine) as connection:
            counts = intakes.intake_by_id(connection, intake.id)
        assert counts is not None
        return counts

    # -- whether it can be believed -----------------------------------------------------------

    def _judge_and_read(self, intake: intakes.Intake, progress: Progress | None) -> Taken:
        try:
            if not intake.rows_read and (why := self._unbelievable()):
                return self._set_aside_whole(intake, why)
            return self._read_on(intake, progress)
        except FaultsFound as found:
            return self._set_aside_whole(intake, str(found))

    def _unbelievable(self) -> str:
        share = share_of_bad_rows(self._path, self._feed, self._mapper, received_at=self._now)
        return self._too_many_bad(share)

    def _unbelievable_after_all(self, intake: intakes.Intake) -> str:
        """A long file is judged by its beginning first; here by the whole of it."""
        counts = self._counts(intake)
        return self._too_many_bad(bad_share(counts["rows_set_aside"], of=counts["rows_read"]))

    def _too_many_bad(self, share: float) -> str:
        if share <= self._monitor.settings.intake.bad_share:
            return ""
        return f"{share:.0%} of its rows cannot be read: the extract or the mapping has changed"

    def _set_aside_whole(
        self, intake: intakes.Intake, why: str, *, after_all: bool = False
    ) -> Taken:
        """`after_all`: what was stored of it is undone, and nobody can begin it anew in between."""

        def set_aside(connection: Connection) -> None:
            if after_all:
                intakes.renew_lease(connection, intake.id, intake.lease_token)
                take_out(connection, intake.id, actor="system:intake", now=self._now)
            intakes.finish_intake(
                connection,
                intake.id,
                state="set aside",
                dropped_columns={},
                vanished=0,
                now=self._now,
                why=why,
                lease_token="" if after_all else intake.lease_token,
            )
            intakes.set_red(connection, self._feed.name, f"{self._path.name}: {why}")

        in_transaction(self._monitor.engine, set_aside)
        if after_all:
            assess_dirty(self._monitor, now=self._now)
        log.error("file_set_aside", feed=self._feed.name, why=why)
        return self._became("set aside", why)

    # -- reading it ---------------------------------------------------------------------------

    def _read_on(self, intake: intakes.Intake, progress: Progress | None) -> Taken:
        """Store the rest of it, from where it was left."""
        seen: set[str] = set()
        with rare_collections(), open_rows(self._path, self._feed) as reader:
            self._skip(reader, intake)
            rows = self._monitor.settings.intake.batch_rows
            read = batches(reader, self._mapper, received_at=self._now, rows=rows)
            for number, batch in enumerate(read, start=1):
                self._store(intake, batch)
                if number in GROWN:
                    take_stock(self._monitor.engine, "case_", "event", "clock")
                if self._feed.mode == "snapshot":
                    seen |= {event.reference for event, _ in batch.told}
                if progress:
                    progress(batch.bytes_read, reader.size)
                if self._monitor.stopping.is_set():
                    self._let_go(intake)
                    return self._became("left", "asked to stop")
            dropped = reader.dropped
        if why := self._unbelievable_after_all(intake):
            return self._set_aside_whole(intake, why, after_all=True)
        return self._read_to_its_end(intake, dropped, seen)

    def _skip(self, reader: RowReader, intake: intakes.Intake) -> None:
        """Pass over what is stored already; of a long file that takes longer than a lease."""
        for upto in count(SKIPPED_AT_ONCE, SKIPPED_AT_ONCE):
            reader.skip_rows(min(upto, intake.rows_read))
            if upto >= intake.rows_read:
                return
            with writing(self._monitor.engine) as connection:
                intakes.renew_lease(connection, intake.id, intake.lease_token)

    def _store(self, intake: intakes.Intake, batch: Batch) -> None:
        """One transaction: whether this node may decide, that it holds the file, and the batch."""

        def store(connection: Connection) -> None:
            held_back = bool(not_deciding(self._monitor, connection))
            intakes.renew_lease(connection, intake.id, intake.lease_token)
            store_batch(
                connection,
                self._monitor,
                self._feed,
                intake.id,
                batch,
                now=self._now,
                held_back=held_back,
            )

        in_transaction(self._monitor.engine, store)

    def _read_to_its_end(
        self, intake: intakes.Intake, dropped: Mapping[str, int], seen: set[str]
    ) -> Taken:
        counts = in_transaction(
            self._monitor.engine, lambda c: self._finish(c, intake, dropped, seen)
        )
        return Taken(
            feed=self._feed.name,
            file=self._path.name,
            state="done",
            rows=counts["rows_read"],
            events_new=counts["events_new"],
            events_known=counts["events_known"],
            events_amended=counts["events_amended"],
            events_conflicting=counts["events_conflicting"],
            rows_set_aside=counts["rows_set_aside"],
            rows_without_event=counts["rows_without_event"],
        )

    def _finish(
        self,
        connection: Connection,
        intake: intakes.Intake,
        dropped: Mapping[str, int],
        seen: set[str],
    ) -> _Counts:
        intakes.finish_intake(
            connection,
            intake.id,
            state="done",
            dropped_columns=dropped,
            vanished=self._vanished(connection, seen, resumed=bool(intake.rows_read)),
            now=self._now,
            lease_token=intake.lease_token,
        )
        hear(self._monitor, connection, self._feed, self._path, now=self._now)
        counts = intakes.intake_by_id(connection, intake.id)
        assert counts is not None
        actions.write_audit(
            connection,
            operation="collection",
            actor="system:intake",
            subject=f"intake {intake.id}",
            now=self._now,
            detail={"feed": self._feed.name, "events": counts["events_new"]},
        )
        return counts

    def _vanished(self, connection: Connection, seen: set[str], *, resumed: bool) -> int:
        """How many references a snapshot no longer names: reported, never inferred from.

        After an interruption the first part was not seen by this pass, and nothing is said.
        """
        if self._feed.mode != "snapshot" or resumed:
            return 0
        return len(intakes.known_references(connection, self._feed.name) - seen)
