"""A PostgreSQL that keeps what it was given, for measuring: the tests' server is not durable.

What goes out: URLs of fresh databases. It runs as root and as an ordinary user, as the tests' does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.postgres import PostgresServer, postgres_folder, running_server

_DURABLE = {
    "fsync": "on",
    "full_page_writes": "on",
    "listen_addresses": "127.0.0.1",
    "max_connections": "120",
    "synchronous_commit": "on",
}
"""All else as a server comes, autovacuum and 128 MB of buffers included."""


@contextlib.contextmanager
def durable_server() -> Iterator[PostgresServer]:
    """A server of one's own, gone afterwards; `.database()` yields the URL of a fresh database."""
    with postgres_folder() as folder:
        yield running_server(folder, _DURABLE)


@contextlib.contextmanager
def durable_database() -> Iterator[str]:
    """The URL of a fresh database on a server of its own."""
    with durable_server() as server, server.database() as url:
        yield url
