"""Nothing is lost: leases on files, nodes, bounces, and what the monitor finds wrong itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Written out here, not imported: a migration must go on doing what it did.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "node",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("rulebook", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("ahead", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("holds_back", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_node")),
    )
    op.create_table(
        "relay_fault",
        sa.Column("relay", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("tried_at", INSTANT, nullable=False),
        sa.Column("wait_until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("relay", name=op.f("pk_relay_fault")),
    )
    op.create_table(
        "silence_told",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("told_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence_told")),
        sa.UniqueConstraint(
            "feed", "address", "since", name=op.f("uq_silence_told_feed_address_since")
        ),
    )
    op.create_table(
        "watch_fault",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("told_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_fault")),
        sa.UniqueConstraint("what", "since", name=op.f("uq_watch_fault_what_since")),
    )
    with op.batch_alter_table("watch_fault", schema=None) as batch_op:
        batch_op.create_index(
            "ix_watch_fault_open",
            ["what"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "address_flag",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.Column("message_id", BIG_ID, nullable=True),
        sa.Column("flagged_at", INSTANT, nullable=False),
        sa.Column("cleared_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_address_flag_message_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_flag")),
    )
    with op.batch_alter_table("address_flag", schema=None) as batch_op:
        batch_op.create_index("ix_address_flag_address", ["address"], unique=False)

    op.create_table(
        "mail_in",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message_id", BIG_ID, nullable=True),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("read_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('bounce', 'reply', 'automatic', 'other')", name=op.f("ck_mail_in_kind")
        ),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_mail_in_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_in")),
        sa.UniqueConstraint("digest", name=op.f("uq_mail_in_digest")),
    )
    with op.batch_alter_table("action", schema=None) as batch_op:
        batch_op.add_column(sa.Column("detail", sa.Text(), server_default="", nullable=False))

    with op.batch_alter_table("activation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("written", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("dirty_from", BIG_ID, nullable=True))

    with op.batch_alter_table("intake", schema=None) as batch_op:
        batch_op.add_column(sa.Column("lease_token", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("lease_until", INSTANT, nullable=True))

    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.create_index(
            "ix_message_dead",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("state = 'dead'"),
            postgresql_where=sa.text("state = 'dead'"),
        )

    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("line", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
        )
        batch_op.create_index(
            "ix_alert_untold",
            ["decided_at"],
            unique=False,
            sqlite_where=sa.text("recipient = ''"),
            postgresql_where=sa.text("recipient = ''"),
        )

    op.execute("UPDATE clock SET waits_for = '' WHERE next_action_at IS NULL")
    with op.batch_alter_table("clock", schema=None) as batch_op:
        batch_op.create_check_constraint(
            "waiting_has_an_end", "waits_for = '' OR next_action_at IS NOT NULL"
        )
