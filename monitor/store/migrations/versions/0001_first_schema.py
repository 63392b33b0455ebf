"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Written out here, not imported: a migration must go on doing what it did.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "action",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("on_behalf_of", sa.Text(), server_default="", nullable=False),
        sa.Column("reason_code", sa.Text(), server_default="", nullable=False),
        sa.Column("from_at", INSTANT, nullable=False),
        sa.Column("until_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_action")),
        sa.UniqueConstraint("number", name=op.f("uq_action_number")),
    )
    op.create_index("ix_action_target", "action", ["target", "kind"], unique=False)
    op.create_table(
        "activation",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("documents", sa.Text(), nullable=False),
        sa.Column("activated_at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activation")),
    )
    op.create_table(
        "audit",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("sealed", sa.BigInteger(), nullable=True),
        sa.Column("chain", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "operation IN ('collection', 'alteration', 'consultation', 'disclosure', 'combination', 'erasure')",  # noqa: E501 - as it is stored
            name=op.f("ck_audit_operation"),
        ),
        sa.CheckConstraint("(sealed IS NULL) = (chain IS NULL)", name=op.f("ck_audit_sealed")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sa.UniqueConstraint("sealed", name=op.f("uq_audit_sealed")),
    )
    op.create_index(
        "ix_audit_unsealed",
        "audit",
        ["id"],
        unique=False,
        sqlite_where=sa.text("sealed IS NULL"),
        postgresql_where=sa.text("sealed IS NULL"),
    )
    op.create_table(
        "case_",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("merged_into", BIG_ID, nullable=True),
        sa.Column("dirty", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("assessed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["merged_into"], ["case_.id"], name=op.f("fk_case__merged_into")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_")),
        sa.UniqueConstraint("reference", name=op.f("uq_case__reference")),
    )
    op.create_index(
        "ix_case_dirty",
        "case_",
        ["id"],
        unique=False,
        sqlite_where=sa.text("dirty <> assessed"),
        postgresql_where=sa.text("dirty <> assessed"),
    )
    op.create_index(
        "ix_case_merged_into",
        "case_",
        ["merged_into"],
        unique=False,
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_table(
        "feed",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_heard_at", INSTANT, nullable=True),
        sa.Column("heard_through", INSTANT, nullable=True),
        sa.Column("trusted_until", INSTANT, nullable=True),
        sa.Column("tolerance", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lag", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("red", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
        sa.UniqueConstraint("name", name=op.f("uq_feed_name")),
    )
    op.create_table(
        "feed_gap",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("silent_from", INSTANT, nullable=False),
        sa.Column("silent_to", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_gap")),
        sa.UniqueConstraint("feed", "silent_from", name=op.f("uq_feed_gap_feed_silent_from")),
    )
    op.create_table(
        "intake",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("file_digest", sa.LargeBinary(), nullable=False),
        sa.Column("mapping_digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("rows_read", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "rows_without_event", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("rows_set_aside", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("events_new", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("events_known", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("events_amended", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "events_conflicting", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("dropped_columns", sa.JSON(), nullable=False),
        sa.Column("vanished", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state IN ('reading', 'done', 'set aside', 'undone')", name=op.f("ck_intake_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intake")),
        sa.UniqueConstraint("feed", "file_digest", name=op.f("uq_intake_feed_file_digest")),
    )
    op.create_table(
        "known_number",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("last", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_known_number_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_number")),
    )
    op.create_table(
        "loop_turn",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("loop", sa.Text(), nullable=False),
        sa.Column("turned_at", INSTANT, nullable=False),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("node", "loop", name=op.f("pk_loop_turn")),
    )
    op.create_table(
        "message",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("frozen_at", INSTANT, nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=True),
        sa.Column("lease_token", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "(state = 'sent') = (sent_at IS NOT NULL)", name=op.f("ck_message_sent")
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'sent', 'dead', 'cancelled')", name=op.f("ck_message_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("message_id", name=op.f("uq_message_message_id")),
    )
    op.create_index("ix_message_address", "message", ["address", "created_at"], unique=False)
    op.create_index(
        "ix_message_waiting",
        "message",
        ["next_attempt_at"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_table(
        "rule_version",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("measuring_digest", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("accepted_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_version")),
        sa.UniqueConstraint("rule", "version", name=op.f("uq_rule_version_rule_version")),
    )
    op.create_table(
        "batch",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("intake_id", BIG_ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["intake_id"], ["intake.id"], name=op.f("fk_batch_intake_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("number", name=op.f("uq_batch_number")),
    )
    op.create_index("ix_batch_intake_id", "batch", ["intake_id"], unique=False)
    op.create_table(
        "clock",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("case_id", BIG_ID, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("child", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("start", sa.Text(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("calendar_version", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("due_unknown", sa.Text(), server_default="", nullable=False),
        sa.Column("due_before", INSTANT, nullable=True),
        sa.Column("due_soon_at", INSTANT, nullable=True),
        sa.Column("stopped_at", INSTANT, nullable=True),
        sa.Column("exempt_at", INSTANT, nullable=True),
        sa.Column("void_at", INSTANT, nullable=True),
        sa.Column("superseded_at", INSTANT, nullable=True),
        sa.Column("regraded_at", INSTANT, nullable=True),
        sa.Column("breached_at", INSTANT, nullable=True),
        sa.Column("known_at", INSTANT, nullable=False),
        sa.Column("stop_known_at", INSTANT, nullable=True),
        sa.Column("stop_recorded_at", INSTANT, nullable=True),
        sa.Column("confirm_by", INSTANT, nullable=True),
        sa.Column("held_from", INSTANT, nullable=True),
        sa.Column("held_until", INSTANT, nullable=True),
        sa.Column("stage", sa.Text(), server_default="", nullable=False),
        sa.Column("stage_at", INSTANT, nullable=True),
        sa.Column("partner", sa.Text(), server_default="", nullable=False),
        sa.Column("district", sa.Text(), server_default="", nullable=False),
        sa.Column("unit", sa.Text(), server_default="", nullable=False),
        sa.Column("category", sa.Text(), server_default="", nullable=False),
        sa.Column("risk", sa.Text(), server_default="", nullable=False),
        sa.Column("restricted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("cannot_route", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("raised_after", sa.BigInteger(), nullable=True),
        sa.Column("reason_code", sa.Text(), server_default="", nullable=False),
        sa.Column("episode", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("steps_done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("inherits", sa.JSON(), nullable=True),
        sa.Column("next_action_at", INSTANT, nullable=True),
        sa.Column("waits_for", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_.id"], name=op.f("fk_clock_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock")),
        sa.UniqueConstraint(
            "case_id",
            "rule",
            "child",
            "organisation",
            "start",
            name=op.f("uq_clock_case_id_rule_child_organisation_start"),
        ),
    )
    op.create_index("ix_clock_due_at", "clock", ["due_at"], unique=False)
    op.create_index(
        "ix_clock_next_action_at",
        "clock",
        ["next_action_at"],
        unique=False,
        sqlite_where=sa.text("next_action_at IS NOT NULL"),
        postgresql_where=sa.text("next_action_at IS NOT NULL"),
    )
    op.create_index(
        "ix_clock_waits_for",
        "clock",
        ["waits_for"],
        unique=False,
        sqlite_where=sa.text("waits_for <> ''"),
        postgresql_where=sa.text("waits_for <> ''"),
    )
    op.create_table(
        "digest_run",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("message_id", BIG_ID, nullable=False),
        sa.Column("known", sa.BigInteger(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_digest_run_message_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digest_run")),
        sa.UniqueConstraint(
            "scope", "period", "recipient", name=op.f("uq_digest_run_scope_period_recipient")
        ),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("row_digest", sa.LargeBinary(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("intake_id", BIG_ID, nullable=False),
        sa.Column("line", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("declared", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("first_seen_at", INSTANT, nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=False),
        sa.CheckConstraint("state IN ('open', 'mended')", name=op.f("ck_quarantine_state")),
        sa.ForeignKeyConstraint(["intake_id"], ["intake.id"], name=op.f("fk_quarantine_intake_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint(
            "feed", "row_digest", "field", name=op.f("uq_quarantine_feed_row_digest_field")
        ),
    )
    op.create_index("ix_quarantine_state", "quarantine", ["state", "feed"], unique=False)
    op.create_table(
        "alert",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("clock_id", BIG_ID, nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("rung", sa.Text(), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("asked_role", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rung_at", INSTANT, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message_id", BIG_ID, nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'in message', 'cancelled')", name=op.f("ck_alert_state")
        ),
        sa.ForeignKeyConstraint(["clock_id"], ["clock.id"], name=op.f("fk_alert_clock_id")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_alert_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sa.UniqueConstraint(
            "clock_id",
            "episode",
            "rung",
            "repeat",
            "recipient",
            name=op.f("uq_alert_clock_id_episode_rung_repeat_recipient"),
        ),
    )
    op.create_index("ix_alert_message_id", "alert", ["message_id"], unique=False)
    op.create_index(
        "ix_alert_pending",
        "alert",
        ["recipient"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "event",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("case_id", BIG_ID, nullable=False),
        sa.Column("batch_id", BIG_ID, nullable=False),
        sa.Column("line", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("occurred_from", INSTANT, nullable=False),
        sa.Column("occurred_to", INSTANT, nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=True),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("partner", sa.Text(), server_default="", nullable=False),
        sa.Column("organisation", sa.Text(), server_default="", nullable=False),
        sa.Column("child", sa.Text(), server_default="", nullable=False),
        sa.Column("category", sa.Text(), server_default="", nullable=False),
        sa.Column("risk", sa.Text(), server_default="", nullable=False),
        sa.Column("district", sa.Text(), server_default="", nullable=False),
        sa.Column("unit", sa.Text(), server_default="", nullable=False),
        sa.Column("decision", sa.Text(), server_default="", nullable=False),
        sa.Column("reason_code", sa.Text(), server_default="", nullable=False),
        sa.Column("review_at", INSTANT, nullable=True),
        sa.Column("retracts", sa.LargeBinary(), server_default=sa.text("''"), nullable=False),
        sa.Column("links", sa.Text(), server_default="", nullable=False),
        sa.Column("attributes", sa.Text(), server_default="", nullable=False),
        sa.Column("named", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("undone", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_event_batch_id")),
        sa.ForeignKeyConstraint(["case_id"], ["case_.id"], name=op.f("fk_event_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint(
            "case_id",
            "feed",
            "identity",
            "revision",
            "content",
            "undone",
            name=op.f("uq_event_case_id_feed_identity_revision_content_undone"),
        ),
    )
    op.create_index(
        "ix_event_linking",
        "event",
        ["case_id"],
        unique=False,
        sqlite_where=sa.text("links <> ''"),
        postgresql_where=sa.text("links <> ''"),
    )
    op.create_index(
        "ix_event_links",
        "event",
        ["links"],
        unique=False,
        sqlite_where=sa.text("links <> ''"),
        postgresql_where=sa.text("links <> ''"),
    )
    op.create_index(
        "ix_event_named",
        "event",
        ["feed", "identity"],
        unique=False,
        sqlite_where=sa.text("named"),
        postgresql_where=sa.text("named"),
    )
