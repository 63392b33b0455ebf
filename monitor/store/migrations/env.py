"""How migrations run: on the connection that `schema` hands over, in its transaction.

There is no ini file, and nothing to set: `monitor migrate` is the only way in.
"""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["target_metadata"],
    render_as_batch=True,  # SQLite can change a table only by building it anew
)
context.run_migrations()
