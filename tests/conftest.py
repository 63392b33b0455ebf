"""What holds for every test: a scrubbed environment, no network but loopback, real PostgreSQL."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import NoPostgres, PostgresServer, postgres_folder, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

# A developer's own installation must not leak into a test.
for _name in [name for name in os.environ if name.startswith("MONITOR_")]:
    del os.environ[_name]
os.environ.pop("SUDO_UID", None)  # nor who lent the account it runs under

# No deadline: a busy machine is no fault. The desk looks at other examples each time; `make check`
# judges a change by the same ones everywhere; HYPOTHESIS_PROFILE=campaign looks much longer.
_PATIENT = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("desk", _PATIENT, max_examples=60)
settings.register_profile("check", _PATIENT, max_examples=100, derandomize=True, database=None)
settings.register_profile("campaign", _PATIENT, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "desk"))

_FOLDER = "TIMELINESS_TESTS_POSTGRES"
_cleanups = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Refuse other machines' names, and give the run a folder where PostgreSQL may be started."""
    _refuse_foreign_names()
    if not hasattr(config, "workerinput"):  # the one process that starts and ends the run
        os.environ[_FOLDER] = str(_cleanups.enter_context(postgres_folder()))


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what the run shared."""
    _cleanups.close()


def _refuse_foreign_names() -> None:
    """pytest-socket watches connections; asking a name server leaves the machine earlier."""
    lookup = socket.getaddrinfo
    at_home = {None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::", socket.gethostname()}

    def lookup_at_home(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in at_home:
            message = f"a test asked for the address of {name!r}; only loopback is allowed"
            raise RuntimeError(message)
        return lookup(host, *args, **kwargs)

    socket.getaddrinfo = lookup_at_home


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """A PostgreSQL shared by the whole run; skipped where none can run, failed under CI."""
    try:
        return running_server(Path(os.environ[_FOLDER]))
    except NoPostgres as reason:
        if os.environ.get("CI"):
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """The server's own database, as superuser; whatever is left there, others see."""
    return postgres_server.url()


@pytest.fixture(scope="session")
def postgres_template() -> str:
    """The database that `fresh_postgres` copies; a room with a schema names its own.

    >>> @pytest.fixture(scope="session")
    ... def postgres_template(postgres_server):
    ...     return postgres_server.template("migrated", migrate)
    """
    return "template0"


@pytest.fixture
def fresh_postgres(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The URL of a database for this test alone."""
    with postgres_server.database(postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
def real_logs() -> Path:
    """The folder of real event logs; skipped where there is none."""
    named = os.environ.get("TIMELINESS_REAL_LOGS")
    if not named:
        pytest.skip("TIMELINESS_REAL_LOGS names no folder of real event logs")
    return Path(named)


@pytest.fixture(scope="session")
def bare_environment() -> dict[str, str]:
    """An environment for a command of ours: the machine's, without any MONITOR_ setting."""
    return {name: text for name, text in os.environ.items() if not name.startswith("MONITOR_")}
