"""The schema: what migrations make is what the tables say, and no row is lost on the way."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from monitor.store import schema
from monitor.store.engine import open_engine, reading, writing
from monitor.store.schema import (
    BrokenReferences,
    SchemaNotCurrent,
    check_current,
    is_current,
    migrate,
    waiting_migrations,
)
from monitor.store.tables import metadata
from tests.postgres import PostgresServer
from tests.store.world import T0, rulebook, take_in, told


@pytest.fixture
def empty(request: pytest.FixtureRequest, sort: str, tmp_path: Path) -> Iterator[Engine]:
    """A database in which there is nothing yet."""
    if sort == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")
        yield engine
        engine.dispose()
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as url:
        engine = open_engine(url)
        yield engine
        engine.dispose()


def test_an_empty_database_becomes_current_once(empty: Engine) -> None:
    """The second time there is nothing to do."""
    assert not is_current(empty)
    planned = waiting_migrations(empty)
    assert planned[0] == "0001 The first schema"
    assert migrate(empty) == planned
    assert is_current(empty)
    assert waiting_migrations(empty) == []
    assert migrate(empty) == []
    check_current(empty)


def test_a_database_that_waits_says_what_to_type(empty: Engine) -> None:
    with pytest.raises(SchemaNotCurrent, match=r"0001 The first .*: type `monitor migrate`"):
        check_current(empty)


def test_a_newer_database_is_left_alone(engine: Engine) -> None:
    """An old program must not write what a newer one would misread."""
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert not is_current(engine)
    for question in (migrate, check_current, waiting_migrations):
        with pytest.raises(SchemaNotCurrent, match=r"newer than this program: .* 9999"):
            question(engine)


def test_the_migrated_schema_is_that_of_the_tables(engine: Engine) -> None:
    """Alembic finds nothing to change."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []


def test_checks_keys_and_partial_indexes_are_those_of_the_tables(
    engine: Engine, empty: Engine
) -> None:
    """What Alembic does not compare: read back from both, everything is the same."""
    metadata.create_all(empty)
    migrated, written = _read_back(engine), _read_back(empty)
    assert migrated.pop("alembic_version")
    assert migrated == written
    assert any(each["dialect_options"] for each in written["event"]["indexes"])
    assert written["message"]["checks"]


def _read_back(engine: Engine) -> dict[str, dict[str, Any]]:
    look = inspect(engine)
    return {
        name: {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"], c["default"])
                for c in look.get_columns(name)
            ],
            "key": look.get_pk_constraint(name),
            "references": _in_order(look.get_foreign_keys(name)),
            "unique": _in_order(look.get_unique_constraints(name)),
            "checks": _in_order(look.get_check_constraints(name)),
            "indexes": [
                {**each, "dialect_options": {k: str(v) for k, v in _options(each).items()}}
                for each in _in_order(look.get_indexes(name))
            ],
        }
        for name in look.get_table_names()
    }


def _in_order(found: Any) -> list[dict[str, Any]]:
    return sorted(map(dict, found), key=lambda each: str(each["name"]))


def _options(index: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = index.get("dialect_options", {})
    return options


def test_several_nodes_may_migrate_at_once(empty: Engine) -> None:
    """One does it, the others wait and find it done."""
    with ThreadPoolExecutor(4) as nodes:
        done = [future.result() for future in [nodes.submit(migrate, empty) for _ in range(4)]]
    assert sorted(map(bool, done)) == [False, False, False, True]
    assert is_current(empty)


def test_a_program_that_migrates_nothing_does_not_load_alembic() -> None:
    """`monitor --help` has to be quick."""
    asked = "import sys, monitor.store.schema; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_a_program_that_finds_its_database_current_does_not_load_alembic(sqlite: Engine) -> None:
    """It would be kept in memory for as long as the daemon runs."""
    asked = (
        "import sys; from monitor.store import engine, schema;"
        f"opened = engine.open_engine({str(sqlite.url)!r});"
        "schema.check_usable(opened); schema.check_current(opened);"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_the_migrations_by_name_are_those_that_alembic_knows(next_migration: Any) -> None:
    """What a daemon believes without Alembic is what Alembic would say."""
    next_migration("pass")
    scripts = schema._scripts()
    ordered = [script.revision for script in reversed(list(scripts.walk_revisions()))]
    assert schema._known() == ordered
    assert [schema.newest_known()] == scripts.get_heads() == ["9000"]


# -- migrations to come -----------------------------------------------------------------------

_NEXT = '''"""The next step."""

import sqlalchemy as sa
from alembic import op

revision = "9000"
down_revision = "{newest}"


def upgrade():
    {does}
'''
_REBUILDS = """
    with op.batch_alter_table("case_") as batch:
        batch.alter_column("dirty", server_default="1", existing_type=sa.BigInteger())
        batch.add_column(sa.Column("note", sa.Text(), nullable=False, server_default="none"))
"""


@pytest.fixture
def next_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes one more migration, as a later version of the program would bring it."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(schema, "MIGRATIONS", folder)

    def write(does: str) -> None:
        (newest,) = schema._scripts().get_heads()
        step = _NEXT.format(newest=newest, does=does)
        (folder / "versions" / "9000_next.py").write_text(step, "utf-8")

    return write


def _counts(engine: Engine) -> dict[str, int]:
    with reading(engine) as connection:
        return {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()
            for name in ("case_", "event", "clock", "intake", "batch")
        }


def test_rows_survive_a_rebuild_of_the_table_they_refer_to(
    engine: Engine, next_migration: Any
) -> None:
    """SQLite can change a table only by dropping it: what refers to it must stay as it is."""
    take_in(engine, told("PPN-1"), told("PPN-2"), book=rulebook())
    before = _counts(engine)
    assert before["event"] == 2
    next_migration(_REBUILDS)
    assert migrate(engine) == ["9000 The next step"]
    assert _counts(engine) == before
    with reading(engine) as connection:
        notes = connection.execute(text("SELECT DISTINCT note FROM case_")).scalars().all()
        assert notes == ["none"]
    with pytest.raises(Exception, match=r"(?i)foreign key"), writing(engine) as connection:
        connection.execute(text("DELETE FROM case_"))


def test_a_cascade_does_not_empty_children(sqlite: Engine, next_migration: Any) -> None:
    """The worst case: a child that goes with its parent, and a parent that is rebuilt."""
    with writing(sqlite) as connection:
        connection.execute(
            text("CREATE TABLE child (id INTEGER REFERENCES case_ (id) ON DELETE CASCADE)")
        )
    take_in(sqlite, told("PPN-1"))
    with writing(sqlite) as connection:
        connection.execute(text("INSERT INTO child SELECT id FROM case_"))
    next_migration(_REBUILDS)
    migrate(sqlite)
    with reading(sqlite) as connection:
        assert connection.execute(text("SELECT count(*) FROM child")).scalar_one() == 1


def test_a_migration_that_orphans_rows_is_not_kept(sqlite: Engine, next_migration: Any) -> None:
    """PostgreSQL refuses by itself; for SQLite it is asked at the end."""
    take_in(sqlite, told("PPN-1"))
    before = _counts(sqlite)
    next_migration('op.execute("DELETE FROM case_")')
    with pytest.raises(BrokenReferences, match="event to case_"):
        migrate(sqlite)
    assert _counts(sqlite) == before
    assert waiting_migrations(sqlite) == ["9000 The next step"]


def test_a_migration_that_fails_half_way_leaves_nothing(
    engine: Engine, next_migration: Any
) -> None:
    """Both databases take back what was made, and foreign keys are on again."""
    next_migration('op.create_table("half", sa.Column("a", sa.Text()))\n    raise OSError("full")')
    with pytest.raises(OSError, match="full"):
        migrate(engine)
    assert "half" not in inspect(engine).get_table_names()
    assert waiting_migrations(engine) == ["9000 The next step"]
    if engine.dialect.name == "sqlite":
        with reading(engine) as connection:
            assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1


def test_instants_have_one_second_in_two_databases(engine: Engine) -> None:
    """Microseconds survive, before and after 1970 and far ahead."""
    for at in (T0 + 1, -1, 253_402_300_799_999_999):
        with writing(engine) as connection:
            connection.execute(metadata.tables["feed"].delete())
            connection.execute(
                metadata.tables["feed"].insert().values(name="desk", last_heard_at=at)
            )
            feed = metadata.tables["feed"]
            assert connection.scalar(feed.select().with_only_columns(feed.c.last_heard_at)) == at
