"""Print the migration that would turn the newest schema into today's tables; run by hand.

    python -m tests.store.write_migration [--first] > monitor/store/migrations/versions/FILE.py

`--first` writes the first migration anew, which is right only until a first release. What is
printed is a draft: read it, mend it, and let `make format` set it.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext

from monitor.store.engine import open_engine
from monitor.store.schema import migrate
from monitor.store.tables import BigId, InstantType, metadata

_HEAD = '''"""The first schema."""

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
'''


def draft(*, first: bool) -> str:
    """The text of the migration, made by comparing on SQLite."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        engine = open_engine(f"sqlite:///{Path(folder) / 'empty.db'}")
        if not first:
            migrate(engine)
        connection = stack.enter_context(engine.connect())
        context = MigrationContext.configure(
            connection, opts={"render_as_batch": not first, "target_metadata": metadata}
        )
        migrations = produce_migrations(context, metadata)
        assert migrations.upgrade_ops is not None
        body = render_python_code(
            migrations.upgrade_ops, render_as_batch=not first, render_item=_render_type
        )
    return _HEAD + "\n".join(line for line in body.splitlines() if "# ###" not in line)


def _render_type(kind: str, item: Any, _context: object) -> str | Literal[False]:
    if kind == "type" and isinstance(item, InstantType):
        return "INSTANT"
    if kind == "type" and item is BigId:
        return "BIG_ID"
    return False


if __name__ == "__main__":
    sys.stdout.write(draft(first="--first" in sys.argv) + "\n")
