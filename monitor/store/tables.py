"""The tables, their keys and their indexes.

Instants are integer microseconds UTC on SQLite and `timestamptz` on PostgreSQL; digests are blobs
of 16 or 32 bytes; every part of a unique key is NOT NULL (absent text is ''). Internal ids are
integers handed out in order, so that inserts stay local in their indexes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    cast,
    extract,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeEngine

from monitor.model import Instant
from monitor.worktime.instants import from_datetime, to_datetime


class InstantType(TypeDecorator[int]):
    """An instant: an integer where the database has no exact zoned time, else `timestamptz`."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Which type a database uses."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def bind_processor(self, dialect: Dialect) -> Callable[[Instant | None], Any] | None:
        """How an instant is written; None where it goes as it is."""
        return zoned if dialect.name == "postgresql" else None

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[dt.datetime | None], Instant | None] | None:
        """How an instant is read; None where it comes as it is."""
        del coltype
        return _instant_of if dialect.name == "postgresql" else None


def zoned(instant: Instant | None) -> dt.datetime | None:
    """An instant as PostgreSQL's driver takes it."""
    return None if instant is None else to_datetime(instant)


def as_number(column: Column[Any]) -> ColumnElement[int]:
    """An instant of PostgreSQL as whole microseconds, reckoned there, exactly: by a numeric."""
    return cast(extract("epoch", column) * 1_000_000, BigInteger)


def _instant_of(value: dt.datetime | None) -> Instant | None:
    return None if value is None else from_datetime(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the key's type is INTEGER."""


def _id() -> Column[int]:
    return Column("id", BigId, primary_key=True)


def _words(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _instant(name: str) -> Column[int]:
    return Column(name, InstantType, nullable=False)


def _instant_or_none(name: str) -> Column[int]:
    return Column(name, InstantType, nullable=True)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


case_ = Table(
    "case_",
    metadata,
    _id(),
    Column("reference", Text, nullable=False, unique=True),
    Column("merged_into", BigId, ForeignKey("case_.id"), nullable=True),
    _count("dirty"),
    _count("assessed"),
    Index(
        "ix_case_dirty",
        "id",
        sqlite_where=text("dirty <> assessed"),
        postgresql_where=text("dirty <> assessed"),
    ),
    Index(
        "ix_case_merged_into",
        "merged_into",
        sqlite_where=text("merged_into IS NOT NULL"),
        postgresql_where=text("merged_into IS NOT NULL"),
    ),
)
"""A case: everything known under one reference. `dirty` counts its causes to be folded again,
`assessed` the cause that the last fold answered."""

feed = Table(
    "feed",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _instant_or_none("last_heard_at"),
    _instant_or_none("heard_through"),
    _instant_or_none("trusted_until"),
    Column("tolerance", BigInteger, nullable=False, server_default=text("0")),
    Column("lag", BigInteger, nullable=False, server_default=text("0")),
    Column("red", Text, nullable=False, server_default=""),
)
"""What is known of a feed: when it was last heard and until when its silence means anything.
`trusted_until` NULL: it has no timetable. `red`: why its last file was refused."""

feed_gap = Table(
    "feed_gap",
    metadata,
    _id(),
    Column("feed", Text, nullable=False),
    _instant("silent_from"),
    _instant_or_none("silent_to"),
    UniqueConstraint("feed", "silent_from"),
)
"""A silence of a feed, kept as a fact; open while `silent_to` is NULL."""

silence_told = Table(
    "silence_told",
    metadata,
    _id(),
    Column("feed", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("role", Text, nullable=False),
    _instant("since"),
    _instant("told_at"),
    _instant_or_none("ended_at"),
    UniqueConstraint("feed", "address", "since"),
)
"""Who was told that a feed is silent, since when it is, and when last; until `ended_at`, when they
were told that it is over."""

intake = Table(
    "intake",
    metadata,
    _id(),
    Column("feed", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("file_digest", LargeBinary, nullable=False),
    Column("mapping_digest", Text, nullable=False),
    Column("state", Text, nullable=False),
    _instant("started_at"),
    _instant_or_none("finished_at"),
    _count("rows_read"),
    _count("rows_without_event"),
    _count("rows_set_aside"),
    _count("events_new"),
    _count("events_known"),
    _count("events_amended"),
    _count("events_conflicting"),
    Column("dropped_columns", JSON, nullable=False),
    _count("vanished"),
    _words("why"),
    _words("lease_token"),
    _instant_or_none("lease_until"),
    UniqueConstraint("feed", "file_digest"),
    CheckConstraint("state IN ('reading', 'done', 'set aside', 'undone')", name="state"),
)
"""A file taken in. `rows_read` is where reading goes on after an interruption.

One node reads a file: it holds the lease, which runs by the database's time."""

batch = Table(
    "batch",
    metadata,
    _id(),
    Column("intake_id", BigId, ForeignKey("intake.id"), nullable=False),
    Column("number", BigInteger, nullable=True, unique=True),
    _instant("received_at"),
    Index("ix_batch_intake_id", "intake_id"),
)
"""One committed part of an intake. `number` orders everything that was ever made known."""

event = Table(
    "event",
    metadata,
    _id(),
    Column("case_id", BigId, ForeignKey("case_.id"), nullable=False),
    Column("batch_id", BigId, ForeignKey("batch.id"), nullable=False),
    _count("line"),
    Column("feed", Text, nullable=False),
    Column("identity", LargeBinary, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False),
    _instant("occurred_from"),
    _instant("occurred_to"),
    _instant_or_none("recorded_at"),
    _instant("received_at"),
    _words("partner"),
    _words("organisation"),
    _words("child"),
    _words("category"),
    _words("risk"),
    _words("district"),
    _words("unit"),
    _words("decision"),
    _words("reason_code"),
    _instant_or_none("review_at"),
    Column("retracts", LargeBinary, nullable=False, server_default=text("''")),
    _words("links"),
    Column("attributes", Text, nullable=False, server_default=""),
    _flag("named"),
    _count("undone"),
    UniqueConstraint("case_id", "feed", "identity", "revision", "content", "undone"),
    Index(
        "ix_event_named",
        "feed",
        "identity",
        sqlite_where=text("named"),
        postgresql_where=text("named"),
    ),
    Index(
        "ix_event_links",
        "links",
        sqlite_where=text("links <> ''"),
        postgresql_where=text("links <> ''"),
    ),
    Index(
        "ix_event_linking",
        "case_id",
        sqlite_where=text("links <> ''"),
        postgresql_where=text("links <> ''"),
    ),
)
"""A fact as received; its content is never edited.

`named`: its source has a name for it, under which it may be told of another case one day; otherwise
its content names it, and with it its case. The unique key begins with the case, so that a history
taken in case by case is written in one place, and is what the events of a case are found by.

Known from the number of its batch on, until `undone`: the number of the action that undid its
intake, 0 where none did."""

quarantine = Table(
    "quarantine",
    metadata,
    _id(),
    Column("feed", Text, nullable=False),
    Column("row_digest", LargeBinary, nullable=False),
    Column("field", Text, nullable=False),
    Column("intake_id", BigId, ForeignKey("intake.id"), nullable=False),
    _count("line"),
    Column("reason", Text, nullable=False),
    Column("expected", Text, nullable=False),
    Column("declared", JSON, nullable=False),
    Column("state", Text, nullable=False),
    _instant("first_seen_at"),
    _instant("last_seen_at"),
    UniqueConstraint("feed", "row_digest", "field"),
    CheckConstraint("state IN ('open', 'mended')", name="state"),
    Index("ix_quarantine_state", "state", "feed"),
)
"""A row set aside: declared fields only."""

clock = Table(
    "clock",
    metadata,
    _id(),
    Column("case_id", BigId, ForeignKey("case_.id"), nullable=False),
    Column("rule", Text, nullable=False),
    Column("child", Text, nullable=False),
    Column("organisation", Text, nullable=False),
    Column("start", Text, nullable=False),
    Column("rule_version", Integer, nullable=False),
    _words("calendar_version"),
    _instant("started_at"),
    _instant_or_none("due_at"),
    _words("due_unknown"),
    _instant_or_none("due_before"),
    _instant_or_none("due_soon_at"),
    _instant_or_none("stopped_at"),
    _instant_or_none("exempt_at"),
    _instant_or_none("void_at"),
    _instant_or_none("superseded_at"),
    _instant_or_none("regraded_at"),
    _instant_or_none("breached_at"),
    _instant("known_at"),
    _instant_or_none("stop_known_at"),
    _instant_or_none("stop_recorded_at"),
    _instant_or_none("confirm_by"),
    _instant_or_none("held_from"),
    _instant_or_none("held_until"),
    _words("stage"),
    _instant_or_none("stage_at"),
    _words("partner"),
    _words("district"),
    _words("unit"),
    _words("category"),
    _words("risk"),
    _flag("restricted"),
    _flag("cannot_route"),
    Column("raised_after", BigInteger, nullable=True),
    _words("reason_code"),
    Column("episode", Integer, nullable=False, server_default=text("1")),
    Column("steps_done", Integer, nullable=False, server_default=text("0")),
    _count("revision"),
    Column("inherits", JSON, nullable=True),
    _instant_or_none("next_action_at"),
    _words("waits_for"),
    UniqueConstraint("case_id", "rule", "child", "organisation", "start"),
    CheckConstraint("waits_for = '' OR next_action_at IS NOT NULL", name="waiting_has_an_end"),
    Index(
        "ix_clock_next_action_at",
        "next_action_at",
        sqlite_where=text("next_action_at IS NOT NULL"),
        postgresql_where=text("next_action_at IS NOT NULL"),
    ),
    Index("ix_clock_due_at", "due_at"),
    Index(
        "ix_clock_waits_for",
        "waits_for",
        sqlite_where=text("waits_for <> ''"),
        postgresql_where=text("waits_for <> ''"),
    ),
)
"""A clock as its events say, and how far telling about it has come.

`episode` and `steps_done`: which telling this is and how many of its steps were decided.
`revision` changes with every write and guards decisions. `next_action_at` NULL: nothing can happen
without a new fact. `waits_for`: the feed whose return is itself a reason to look.
`due_before`: the due time before a start or a calendar was corrected."""

message = Table(
    "message",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("state", Text, nullable=False),
    _instant("created_at"),
    Column("message_id", Text, nullable=False, unique=True),
    Column("subject", Text, nullable=False, server_default=""),
    Column("content", LargeBinary, nullable=True),
    _instant_or_none("frozen_at"),
    _count("attempts"),
    _instant_or_none("next_attempt_at"),
    Column("lease_token", Text, nullable=False, server_default=""),
    _instant_or_none("lease_until"),
    _instant_or_none("sent_at"),
    _words("outcome"),
    CheckConstraint("state IN ('queued', 'sent', 'dead', 'cancelled')", name="state"),
    CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent"),
    Index(
        "ix_message_waiting",
        "next_attempt_at",
        sqlite_where=text("state = 'queued'"),
        postgresql_where=text("state = 'queued'"),
    ),
    Index(
        "ix_message_dead",
        "created_at",
        sqlite_where=text("state = 'dead'"),
        postgresql_where=text("state = 'dead'"),
    ),
    Index("ix_message_address", "address", "created_at"),
)
"""One mail to one address. Its bytes are frozen at the first claim and never change after."""

alert = Table(
    "alert",
    metadata,
    _id(),
    Column("clock_id", BigId, ForeignKey("clock.id"), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("rung", Text, nullable=False),
    Column("repeat", Integer, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("role", Text, nullable=False),
    _words("asked_role"),
    Column("reason", Text, nullable=False),
    _instant("rung_at"),
    _instant("decided_at"),
    Column("state", Text, nullable=False),
    Column("message_id", BigId, ForeignKey("message.id"), nullable=True),
    _count("line"),
    UniqueConstraint("clock_id", "episode", "rung", "repeat", "recipient"),
    CheckConstraint("state IN ('pending', 'in message', 'cancelled')", name="state"),
    Index(
        "ix_alert_pending",
        "recipient",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_alert_untold",
        "decided_at",
        sqlite_where=text("recipient = ''"),
        postgresql_where=text("recipient = ''"),
    ),
    Index("ix_alert_message_id", "message_id"),
)
"""This step of this clock is to be told to this address, and why.

`line`: under which number its mail tells of the case, so that an answer can name it; 0: none."""

digest_run = Table(
    "digest_run",
    metadata,
    _id(),
    Column("scope", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("message_id", BigId, ForeignKey("message.id"), nullable=False),
    Column("known", BigInteger, nullable=False),
    _instant("made_at"),
    UniqueConstraint("scope", "period", "recipient"),
)
"""Which digest went to whom, and up to which number of what was known."""

rule_version = Table(
    "rule_version",
    metadata,
    _id(),
    Column("rule", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("measuring_digest", Text, nullable=False),
    Column("content", Text, nullable=False),
    _instant("accepted_at"),
    UniqueConstraint("rule", "version"),
)
"""A version of a rule as it was accepted; what counts is this, not today's file."""

approval = Table(
    "approval",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("content", Text, nullable=False),
    _words("role"),
    _instant("approved_at"),
    Column("number", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("kind IN ('rule', 'ladder')", name="kind"),
)
"""What was approved, as it was then; of one rule and version, or of one ladder, the newest counts.

`role`: '' for what was in force before approvals were kept. `number`: of the action by which it was
approved; that one names the account."""

activation = Table(
    "activation",
    metadata,
    _id(),
    Column("digest", Text, nullable=False),
    Column("documents", Text, nullable=False),
    _instant("activated_at"),
    Column("actor", Text, nullable=False),
    _words("written"),
    Column("dirty_from", BigId, nullable=True),
)
"""Rulebooks that were made the active one; the newest is.

`written`: the digest of what the files alone gave, without versions accepted earlier. `dirty_from`:
after which case all cases are still to be given this cause to be folded; NULL: they have been."""

action = Table(
    "action",
    metadata,
    _id(),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("actor", Text, nullable=False),
    _words("on_behalf_of"),
    _words("reason_code"),
    _instant("from_at"),
    _instant_or_none("until_at"),
    _words("detail"),
    Index("ix_action_target", "target", "kind"),
)
"""What people did: hold and release mail, take, undo an intake, activate rules…

`actor`: the account that typed, or `mail:ROLE` for a reply. `detail`: what its kind needs."""

address_flag = Table(
    "address_flag",
    metadata,
    _id(),
    Column("address", Text, nullable=False),
    _words("status"),
    Column("message_id", BigId, ForeignKey("message.id"), nullable=True),
    _instant("flagged_at"),
    _instant_or_none("cleared_at"),
    Index("ix_address_flag_address", "address"),
)
"""An address to which mail bounced for good, until somebody clears it. `status`: the reply code of
the delivery report, such as 5.1.1."""

mail_in = Table(
    "mail_in",
    metadata,
    _id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("message_id", BigId, ForeignKey("message.id"), nullable=True),
    _words("outcome"),
    _instant("read_at"),
    CheckConstraint("kind IN ('bounce', 'reply', 'automatic', 'other')", name="kind"),
)
"""A mail that came back to us: which of ours it answers, and what became of it. Nothing of its text
is kept."""

watch_fault = Table(
    "watch_fault",
    metadata,
    _id(),
    Column("what", Text, nullable=False),
    _words("detail"),
    _instant("since"),
    _instant_or_none("told_at"),
    _instant_or_none("ended_at"),
    UniqueConstraint("what", "since"),
    Index(
        "ix_watch_fault_open",
        "what",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)
"""Something that the monitor found wrong with itself, once for each time it begins."""

node = Table(
    "node",
    metadata,
    Column("name", Text, primary_key=True),
    _instant("started_at"),
    _instant("seen_at"),
    Column("rulebook", Text, nullable=False),
    Column("schema", Text, nullable=False),
    Column("ahead", BigInteger, nullable=False, server_default=text("0")),
    _words("holds_back"),
)
"""A daemon, as it last told of itself: the rulebook and the schema that it works with, and by how
much its time is ahead of the database's. `holds_back`: why it does not assess and escalate."""

relay_fault = Table(
    "relay_fault",
    metadata,
    Column("relay", Text, primary_key=True),
    _words("reason"),
    _count("failures"),
    _instant("since"),
    _instant("tried_at"),
    _instant("wait_until"),
)
"""A mail server at fault, until a mail goes through it again: the whole queue waits for it, on all
nodes, and one of them tries it when the wait is over."""

installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("identity", Text, nullable=False),
    _instant("made_at"),
    CheckConstraint("id = 1", name="single"),
)
"""Which database this is: a copy that is restored elsewhere bears the same name."""

known_number = Table(
    "known_number",
    metadata,
    Column("id", Integer, primary_key=True),
    _count("last"),
    CheckConstraint("id = 1", name="single"),
)
"""The last number given to a batch or an action, taken inside the commit that it numbers."""

loop_turn = Table(
    "loop_turn",
    metadata,
    Column("node", Text, primary_key=True),
    Column("loop", Text, primary_key=True),
    _instant("turned_at"),
    _words("outcome"),
)
"""When each loop of each node last went round, and how it went."""

audit = Table(
    "audit",
    metadata,
    _id(),
    _instant("at"),
    Column("operation", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("sealed", BigInteger, nullable=True, unique=True),
    Column("chain", LargeBinary, nullable=True),
    CheckConstraint(
        "operation IN ('collection', 'alteration', 'consultation', 'disclosure', 'combination',"
        " 'erasure')",
        name="operation",
    ),
    CheckConstraint("(sealed IS NULL) = (chain IS NULL)", name="sealed"),
    Index(
        "ix_audit_unsealed",
        "id",
        sqlite_where=text("sealed IS NULL"),
        postgresql_where=text("sealed IS NULL"),
    ),
)
"""Who collected, altered, consulted, disclosed, combined or erased what. No figure reads it.

`sealed`: its place in the chain of digests, which is the order of sealing and not of ids."""
