"""Approval of rules: what is in force counts as approved before approvals were kept."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Written out here, not imported: a migration must go on doing what it did.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "approval",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), server_default="", nullable=False),
        sa.Column("approved_at", INSTANT, nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("kind IN ('rule', 'ladder')", name=op.f("ck_approval_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
    )
    _approve_what_is_in_force()


def _approve_what_is_in_force() -> None:
    """So that a force that runs does not fall silent: every version accepted, and its ladders.

    The active rulebook holds today's wording; a version that is in no file any more, the wording
    with which it was accepted.
    """
    connection = op.get_bind()
    active = connection.execute(
        sa.text("SELECT documents, activated_at FROM activation ORDER BY id DESC LIMIT 1")
    ).one_or_none()
    documents: dict[str, Any] = json.loads(active.documents) if active else {}
    rows: dict[tuple[str, str, int], tuple[str, Any]] = {}
    for rule, version, content, at in connection.execute(
        sa.text("SELECT rule, version, content, accepted_at FROM rule_version ORDER BY id")
    ):
        rows["rule", rule, version] = content, at
    for kind, name in (("rule", "rules"), ("ladder", "ladders")):
        for written in documents.get(name, ()):
            key = (kind, written["id"], written["version"])
            _, at = rows.get(key, ("", active.activated_at if active else None))
            rows[key] = _as_text(written), at
    kept = sa.text(
        "INSERT INTO approval (kind, name, version, digest, content, approved_at)"
        " VALUES (:kind, :name, :version, :digest, :content, :at)"
    )
    for (kind, name, version), (content, at) in rows.items():
        digest = hashlib.sha256(content.encode()).hexdigest()
        told = {"kind": kind, "name": name, "version": version, "at": at}
        connection.execute(kept, {**told, "digest": digest, "content": content})


def _as_text(written: dict[str, Any]) -> str:
    return json.dumps(written, ensure_ascii=False, separators=(",", ":"))
