"""A new installation: a folder of its own copies, its secret and its database.

What comes in: an empty folder. What goes out: everything that `monitor check` looks for. A service
runs on these copies and never on those that came with the package, so that an upgrade changes no
rule behind anybody's back.
"""

from __future__ import annotations

import secrets
import shutil
import stat
from pathlib import Path
from typing import Final

from monitor.data import data_folder
from monitor.faults import read_toml
from monitor.settings import read_settings
from monitor.store.engine import open_engine
from monitor.store.schema import migrate

COPIED: Final = ("rules", "templates", "config")
PRIVATE: Final = ("var", "var/done", "var/set-aside")
SECRET_BYTES: Final = 32


class AlreadyThere(Exception):
    """The folder holds something already; nothing was changed."""


def install(folder: Path) -> None:
    """Make an installation. Raises AlreadyThere where the folder is not empty."""
    if folder.exists() and any(folder.iterdir()):
        msg = f"{folder} is not empty: choose a new folder, or empty it first"
        raise AlreadyThere(msg)
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        _copy(data_folder(name), folder / name)
    for private in PRIVATE:
        _make_private(folder / private)
    _write_secret(folder / "var" / "child-secret")
    for drop in _drop_folders(folder):
        drop.mkdir(parents=True, exist_ok=True)
    settings = read_settings(folder / "config" / "monitor.toml")
    engine = open_engine(settings.database_url())
    migrate(engine)
    engine.dispose()


def _copy(shipped: Path, to: Path) -> None:
    """Copies that their owner may edit, whatever the modes of what came with the package."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(shipped, to, ignore=ignored, copy_function=shutil.copyfile)
    for path in (to, *to.rglob("*")):
        if path.is_dir():
            path.chmod(path.stat().st_mode | stat.S_IRWXU)


def _make_private(folder: Path) -> None:
    """The mode is set apart from the making, where the umask could take from it."""
    folder.mkdir(mode=0o700)
    folder.chmod(0o700)


def _write_secret(path: Path) -> None:
    """Under this secret children are hashed: it never leaves the installation."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(secrets.token_hex(SECRET_BYTES) + "\n", encoding="ascii")


def _drop_folders(folder: Path) -> list[Path]:
    feeds = sorted((folder / "config" / "feeds").glob("*.toml"))
    return [folder / str(read_toml(feed).data["folder"]) for feed in feeds]
