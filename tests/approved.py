"""Rules approved as a force would have them, in one step, for tests that are about what follows."""

from __future__ import annotations

from pathlib import Path

from monitor.model import Instant
from monitor.rulebook.files import read_documents
from monitor.settings import read_settings
from monitor.store import rulebooks
from monitor.store.engine import open_engine, writing


def approve_all(rules: Path, url: str, *, now: Instant = 0) -> None:
    """Every rule and ladder of a folder is approved in a database, whoever wrote them."""
    documents = read_documents(rules)
    engine = open_engine(url)
    with writing(engine) as connection:
        for rule in documents.rules:
            rulebooks.approve(connection, rule, role="test", now=now, number=0)
        for ladder in documents.ladders:
            rulebooks.approve(connection, ladder, role="test", now=now, number=0)
    engine.dispose()


def approve_installed(folder: Path, *, now: Instant = 0) -> None:
    """The same for an installation as `monitor init` made it, with what its rules are now."""
    settings = read_settings(folder / "config" / "monitor.toml")
    approve_all(settings.path(settings.paths.rules), settings.database_url(), now=now)
