"""Who may type what: the installation belongs to one account, and others type through it.

Each command is typed in a process that root began and that became somebody else: everything that
the program needs is loaded by then, so that it does not matter whether others may read the program.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import chown, copytree
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from tests.cli.commands import DONE, HIGH, NEEDS_A_PERSON, OTHER, ROLE, WRONG_USE, change, rows
from tests.process.installed import CHECKOUT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two accounts")

SERVICE, LEAD, HEAD = 54_321, 54_322, 54_323
"""Accounts without a name: the monitor's own, one that writes rules and one that approves them."""

_BECOME: Final = """
import os, sys
from click.testing import CliRunner
from monitor import cli
account, loads, folder, *words = sys.argv[1:]
os.chdir(loads)
CliRunner().invoke(cli.main, words)  # as root, in a copy: whatever it imports is imported now
os.chdir(folder)
os.setgroups([])
os.setresgid(int(account), int(account), int(account))
os.setresuid(int(account), int(account), int(account))
cli.main(words)
"""


class Accounts:
    """An installation of the service's own, and what others type in it."""

    def __init__(self, folder: Path, loads: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._loads = loads
        self._environment = environment | {"PYTHONPATH": str(CHECKOUT)}

    def type(
        self, account: int, *words: str, lent_to: int | None = None, expect: int = DONE
    ) -> subprocess.CompletedProcess[str]:
        """What a command said. `lent_to`: the account that typed `sudo -u`."""
        sudo = {} if lent_to is None else {"SUDO_UID": str(lent_to)}
        ended = subprocess.run(
            [sys.executable, "-c", _BECOME, str(account), self._loads, self.folder, *words],
            env=self._environment | sudo,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        assert ended.returncode == expect, ended.stdout + ended.stderr
        return ended


@pytest.fixture
def accounts(
    made_on_trial: Path, tmp_path: Path, bare_environment: dict[str, str]
) -> Iterator[Accounts]:
    """The folders above the installation are open to everybody; pytest's own are not."""
    bare_environment.pop("SUDO_UID", None)
    with TemporaryDirectory() as open_folder:
        Path(open_folder).chmod(0o755)
        folder = copytree(made_on_trial, Path(open_folder) / "force")
        loads = copytree(made_on_trial, tmp_path / "loads")
        for path in (folder, *folder.rglob("*")):
            chown(path, SERVICE, SERVICE)
        yield Accounts(folder, loads, bare_environment)


@pytest.mark.parametrize(
    "words", [("rules", "list"), ("status",), ("rules", "approve", HIGH, "--by", ROLE, "--yes")]
)
def test_another_account_is_told_as_whom_to_type(
    accounts: Accounts, words: tuple[str, ...]
) -> None:
    """The folder of the database is closed to it: it cannot even see that there is one."""
    said = accounts.type(LEAD, *words, expect=WRONG_USE).stderr
    assert f"the account uid {LEAD} may not use it" in said
    assert f"sudo -u '#{SERVICE}' monitor" in said


def test_it_is_told_so_too_where_it_sees_the_database_and_may_not_read_it(
    accounts: Accounts,
) -> None:
    (accounts.folder / "var").chmod(0o755)
    said = accounts.type(LEAD, "rules", "list", expect=WRONG_USE).stderr
    assert f"sudo -u '#{SERVICE}' monitor" in said


def test_what_needs_no_database_anybody_may_type(accounts: Accounts) -> None:
    """A rule can be read and looked at by whoever may read its file."""
    assert HIGH in accounts.type(LEAD, "rules", "show", HIGH).stdout
    assert "to look at" in accounts.type(LEAD, "rules", "check", expect=NEEDS_A_PERSON).stdout


def test_who_lent_the_account_is_who_typed(accounts: Accounts) -> None:
    accounts.type(SERVICE, "rules", "approve", HIGH, "--by", ROLE, "--yes", lent_to=HEAD)
    accounts.type(SERVICE, "rules", "approve", OTHER, "--by", ROLE, "--yes")
    actors = {actor for (actor,) in rows(accounts.folder, "SELECT actor FROM action")}
    assert actors == {f"uid {HEAD} (by sudo as uid {SERVICE})", f"uid {SERVICE}"}


@pytest.mark.parametrize(
    ("wrote", "approves", "is_refused"),
    [(LEAD, HEAD, False), (LEAD, LEAD, True), (SERVICE, HEAD, True)],
)
def test_neither_who_types_nor_the_account_lent_approves_its_own_file(
    accounts: Accounts, wrote: int, approves: int, *, is_refused: bool
) -> None:
    """What the service's account wrote could have been written by anybody to whom it is lent."""
    change(accounts.folder, f"{HIGH}.yaml", "threshold: 4h", "threshold: 3h")
    chown(accounts.folder / f"rules/{HIGH}.yaml", wrote, wrote)
    expect = WRONG_USE if is_refused else DONE
    words = ("rules", "approve", HIGH, "--by", ROLE, "--yes")
    ended = accounts.type(SERVICE, *words, lent_to=approves, expect=expect)
    assert ("nobody approves what they wrote" in ended.stderr) is is_refused
    assert bool(rows(accounts.folder, "SELECT 1 FROM approval")) is not is_refused
