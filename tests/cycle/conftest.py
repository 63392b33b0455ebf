"""An empty database of either sort; a room of tests that needs more of it has its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.store.engine import Engine, open_engine
from monitor.store.tables import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database of today's tables with nothing in them."""
    if request.param == "sqlite":
        made = open_engine(f"sqlite:///{tmp_path / 'monitor.db'}")
    else:
        url: str = request.getfixturevalue("fresh_postgres")
        made = open_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    metadata.create_all(made)
    yield made
    made.dispose()
