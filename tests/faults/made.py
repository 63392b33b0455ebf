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
from tests.approved import approve_all, approve_installed
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
    approve_installed(home)
    return home


@contextmanager
def database(name: str, server: PostgresServer | None, home: Path) -> Iterator[str]:
    """The address of a database of one's own; empty where it comes with the installation.

    The rules of the installation at `home` are approved in it.
    """
    if name == "sqlite" or server is None:
        yield ""
        return
    with server.database(server.template("faults", lambda url: _furnish(url, home))) as url:
        yield url


def _furnish(url: str, home: Path) -> None:
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    approve_all(home / "rules", url)
