"""What every run of a campaign copies: an installation with its settings, and empty databases.

What comes in: a folder. What goes out: an installation made as `monitor init` makes one, with a
few of its rules, and databases in PostgreSQL that are as empty as its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from monitor.installation import install
from monitor.store.engine import open_engine
from monitor.store.schema import migrate
from tests.faults.force import RULES
from tests.postgres import PostgresServer

DATABASES: Final = ("sqlite", "postgresql")


def make(folder: Path) -> Path:
    """An installation to copy."""
    home = folder / "made"
    install(home)
    for rule in (home / "rules").glob("*.yaml"):
        if rule.name not in {*RULES, "vocabulary.yaml"}:
            rule.unlink()
    return home


@contextmanager
def database(name: str, server: PostgresServer | None) -> Iterator[str]:
    """The address of a database of one's own; empty where it comes with the installation."""
    if name == "sqlite" or server is None:
        yield ""
        return
    with server.database(server.template("faults", _furnish)) as url:
        yield url


def _furnish(url: str) -> None:
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
