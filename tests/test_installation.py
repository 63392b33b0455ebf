"""`monitor init`: a folder of its own copies, private where it must be."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import monitor
from monitor import installation
from monitor.data import data_folder
from monitor.installation import AlreadyThere, install
from monitor.settings import read_settings
from monitor.wiring import check_everything
from monitor.worktime.instants import from_datetime

NOW = from_datetime(datetime(2026, 12, 1, 12, tzinfo=UTC))
CHECKOUT = Path(monitor.__file__).parents[1]
PRIVATE_FOLDERS = ("var", "var/done", "var/set-aside")
PRIVATE_FILES = ("var/child-secret", "var/monitor.db")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def assert_private(folder: Path) -> None:
    assert {mode(folder / name) for name in PRIVATE_FOLDERS} == {0o700}
    assert {mode(folder / name) for name in PRIVATE_FILES} == {0o600}


def test_check_accepts_what_init_makes(tmp_path: Path) -> None:
    """Its copies, its secret and its database are all that is looked for."""
    install(tmp_path / "force")
    settings = read_settings(tmp_path / "force" / "config" / "monitor.toml")
    assert check_everything(settings, now=NOW) == []
    feeds = sorted(path.stem for path in (tmp_path / "force/config/feeds").glob("*.toml"))
    assert sorted(path.name for path in (tmp_path / "force/drop").iterdir()) == feeds


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_is_private_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        install(tmp_path / "force")
    finally:
        os.umask(before)
    assert_private(tmp_path / "force")


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    install(tmp_path)
    assert (tmp_path / "var/monitor.db").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    """Even one hidden file."""
    (tmp_path / ".keep").touch()
    with pytest.raises(AlreadyThere, match="is not empty"):
        install(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".keep"]


def test_each_installation_has_a_secret_of_its_own(tmp_path: Path) -> None:
    """A child's hash means nothing in another."""
    for name in ("one", "two"):
        install(tmp_path / name)
    secrets = {(tmp_path / name / "var/child-secret").read_text() for name in ("one", "two")}
    assert len(secrets) == 2
    assert {len(bytes.fromhex(secret.strip())) for secret in secrets} == {32}


def test_copies_can_be_edited_where_the_package_is_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package's files may belong to root, without a write bit: the copies are their owner's."""
    shipped = tmp_path / "shipped"
    for name in installation.COPIED:
        installation._copy(data_folder(name), shipped / name)
    for path in shipped.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setattr(installation, "data_folder", lambda name: shipped / name)
    install(tmp_path / "force")
    for path in (tmp_path / "force").rglob("*"):
        assert mode(path) & stat.S_IWUSR, path
    for path in shipped.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


class OrdinaryUser:
    """Types commands as a user without a name, as services in containers often are."""

    NUMBER = 54_321

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home = home
        self.environment = environment | {"PYTHONPATH": str(CHECKOUT), "HOME": str(home)}
        self._become: dict[str, Any] = {}
        self._before: tuple[str, ...] = ()

    def is_possible(self) -> bool:
        """Whether this environment lets somebody else run our commands.

        Where its folders are closed to others, a user namespace still opens them: there we own
        what root owns, under another number.
        """
        if self._can_import():
            return True
        if os.geteuid() != 0:
            return False
        os.chown(self.home, self.NUMBER, self.NUMBER)
        self._become = {"user": self.NUMBER, "group": self.NUMBER, "extra_groups": []}
        if self._can_import():
            return True
        os.chown(self.home, 0, 0)
        self._become = {}
        number = self.NUMBER
        self._before = ("unshare", "--user", f"--map-user={number}", f"--map-group={number}")
        return self._can_import()

    def _can_import(self) -> bool:
        asked = "import os, monitor, click; raise SystemExit(os.geteuid() == 0)"
        try:
            return self.type("-c", asked).returncode == 0
        except (PermissionError, FileNotFoundError):
            return False

    def type(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._before, sys.executable, *words],
            cwd=self.home,
            env=self.environment,
            umask=0,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **self._become,
        )


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that can be given to somebody else: pytest's own are below a closed one."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def test_an_ordinary_user_can_make_and_check_one(
    home: Path, bare_environment: dict[str, str]
) -> None:
    """With a umask that hides nothing, and no name in the list of accounts."""
    user = OrdinaryUser(home, bare_environment)
    if not user.is_possible():
        pytest.skip("this environment is closed to any user but root")
    for words in (
        ("init", "force"),
        ("check", "--config", "force/config/monitor.toml"),
        ("mail", "hold", "--config", "force/config/monitor.toml"),
    ):
        ended = user.type("-m", "monitor", *words)
        assert ended.returncode == 0, ended.stderr
    assert_private(home / "force")
