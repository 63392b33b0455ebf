"""The schema of the database, and how an older one becomes today's.

What comes in: an engine. What goes out: a database at the newest migration, or which migrations
wait. Forward only: there is no way back but a backup. It does not care what the tables mean.

Alembic is imported where it is used: who needs no migration must not pay for it, neither a command
with its time nor a daemon with its memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, inspect, text

from monitor.store.engine import reading, take_turn
from monitor.store.nodes import change_what_governs
from monitor.store.tables import metadata

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaNotCurrent(Exception):
    """The database is not at this program's schema; the message says what to type."""


class BrokenReferences(Exception):
    """A migration left rows whose parents are gone; nothing of it was kept."""


def migrate(engine: Engine) -> list[str]:
    """Bring a database to the newest schema; returns the migrations applied, oldest first.

    All of them in one transaction: after an interruption the database is as it was before. Raises
    SchemaNotCurrent where the database is newer than this program, BrokenReferences.
    """
    scripts = _scripts()
    with _migrating(engine) as connection:
        waiting = _waiting(connection, scripts)
        if waiting:
            _upgrade(connection, scripts)
    return waiting


def is_current(engine: Engine) -> bool:
    """Whether a database is at this program's schema."""
    with reading(engine) as connection:
        return _applied(connection) == {newest_known()}


def newest_known() -> str:
    """The newest migration that this program knows."""
    return _known()[-1]


def check_usable(engine: Engine) -> str:
    """The newest migration known here, where a database can be worked with; it may be newer.

    Migrations only add, so that an older program can go on taking in and delivering
    (docs/decisions/0011). Raises SchemaNotCurrent, with what to do, where it is behind.
    """
    known = _known()
    with reading(engine) as connection:
        applied = _applied(connection)
        if applied != {known[-1]} and applied.issubset(known):
            _must_not_wait(_waiting(connection, _scripts()))
    return known[-1]


def waiting_migrations(engine: Engine) -> list[str]:
    """The migrations that `migrate` would apply, oldest first: each its number and what it does.

    Raises SchemaNotCurrent where the database is newer than this program.
    """
    with reading(engine) as connection:
        return _waiting(connection, _scripts())


def check_current(engine: Engine) -> None:
    """Raises SchemaNotCurrent, with what to do, where a database is not at this schema."""
    if not is_current(engine):
        _must_not_wait(waiting_migrations(engine))


def _must_not_wait(waiting: list[str]) -> None:
    if waiting:
        msg = f"the database waits for {', '.join(waiting)}: type `monitor migrate`"
        raise SchemaNotCurrent(msg)


def _known() -> list[str]:
    """The numbers of all migrations, oldest first: files are named by them."""
    files = (MIGRATIONS / "versions").glob("[0-9]*_*.py")
    return sorted(file.name.partition("_")[0] for file in files)


def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - slow to import, seldom needed

    return ScriptDirectory(MIGRATIONS)


def _applied(connection: Connection) -> set[str]:
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.scalars(text("SELECT version_num FROM alembic_version")))


def _waiting(connection: Connection, scripts: ScriptDirectory) -> list[str]:
    applied = _applied(connection)
    ordered = list(reversed(list(scripts.walk_revisions())))
    if unknown := applied - {script.revision for script in ordered}:
        msg = (
            f"the database is newer than this program: it was migrated to {', '.join(unknown)},"
            f" and this program knows up to {ordered[-1].revision}. Install the program's newer"
            " version again; a database never goes back"
        )
        raise SchemaNotCurrent(msg)
    done = {script.revision for head in applied for script in scripts.iterate_revisions(head, None)}
    return [
        f"{script.revision} {script.doc.rstrip('.')}"
        for script in ordered
        if script.revision not in done
    ]


@contextmanager
def _migrating(engine: Engine) -> Iterator[Connection]:
    """One transaction that may rebuild tables, and that no other node's runs beside."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            with connection.begin():
                take_turn(connection, "migrate")
                change_what_governs(connection)
                yield connection
            return
        with _without_foreign_keys(connection), connection.begin():
            yield connection
            _check_references(connection)


@contextmanager
def _without_foreign_keys(connection: Connection) -> Iterator[None]:
    """SQLite rebuilds a table by dropping it, and dropping it would empty those that refer to it.

    The switch works outside a transaction only, so the driver is asked before SQLAlchemy begins.
    """
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def _check_references(connection: Connection) -> None:
    broken = connection.execute(text("PRAGMA foreign_key_check")).all()
    if broken:
        tables = sorted({f"{row[0]} to {row[2]}" for row in broken})
        msg = f"{len(broken)} rows refer to nothing ({', '.join(tables)}); nothing was changed"
        raise BrokenReferences(msg)


def _upgrade(connection: Connection, scripts: ScriptDirectory) -> None:
    from alembic.config import Config  # noqa: PLC0415 - slow to import, seldom needed
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415 - as above

    def to_newest(applied: Any, _context: object) -> Any:
        return scripts._upgrade_revs("head", applied)  # noqa: SLF001 - Alembic's own commands do so

    config = Config(attributes={"connection": connection, "target_metadata": metadata})
    with EnvironmentContext(config, scripts, fn=to_newest):
        scripts.run_env()
