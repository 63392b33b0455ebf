"""The commands that others script against: all are there, helpful, and written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from monitor.cli import main

ROOT = Path(__file__).resolve().parents[2]
COMMANDS_PAGE = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")

CONTRACT = {
    "init": ("folder",),
    "check": (),
    "migrate": ("--plan",),
    "rules activate": (),
    "rules approve": ("ids", "--all", "--by", "--yes"),
    "rules check": ("ids", "--json", "--rules"),
    "rules diff": ("ids", "--rules", "--against"),
    "rules list": ("--json",),
    "rules schema": ("kind",),
    "rules show": ("rule", "--version", "--json"),
    "rules test": ("ids", "--rules", "--newest"),
    "run": (),
    "once": ("--now",),
    "ingest": ("path", "--feed"),
    "status": ("--json", "--service", "--caseload"),
    "clocks": ("--as-of", "--format"),
    "explain": ("reference", "--rule", "--as-of", "--json"),
    "evidence": (
        *("--from", "--to", "--out", "--cases", "--sample", "--seed"),
        *("--backlog", "--outside"),
    ),
    "export": ("what", "--format", "--from", "--to", "--out"),
    "digest": ("--week", "--scope", "--out", "--send", "--as-known", "--outside"),
    "take": (
        *("reference", "--rule", "--child", "--organisation"),
        *("--reason", "--by", "--until"),
    ),
    "pass": (
        *("reference", "--rule", "--child", "--organisation"),
        *("--reason", "--by", "--to"),
    ),
    "silence": ("reference", "--rule", "--until", "--reason", "--by", "--end"),
    "confirm": ("reference", "--rule", "--child", "--organisation", "--reason", "--by"),
    "close": ("reference", "--rule", "--child", "--organisation", "--reason", "--by"),
    "actions list": ("--limit",),
    "actions end": ("number",),
    "quarantine list": ("--feed",),
    "quarantine show": ("number",),
    "quarantine retry": (),
    "intake list": (),
    "intake undo": ("number",),
    "mail flagged": (),
    "mail clear": ("address",),
    "mail returned": (),
    "mail hold": (),
    "mail release": (),
    "backup": ("file",),
    "restore": ("file",),
    "backtest": (
        *("--rules", "--against", "--from", "--to", "--rule"),
        *("--verdicts-only", "--workers", "--out", "--json"),
    ),
    "reassess": ("--dry-run", "--apply", "--rule", "--by", "--reason"),
    "demo": ("--folder", "--seconds"),
}
"""Command → its own arguments and options; all but those below take --config as well."""

WITHOUT_SETTINGS = {"init", "demo", "rules schema"}


def commands(group: click.Group = main, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def names(command: click.Command) -> set[str]:
    """Arguments by name, options as they are typed."""
    return {
        name
        for parameter in command.params
        for name in (parameter.opts if isinstance(parameter, click.Option) else [parameter.name])
        if name is not None
    }


EVERY = dict(commands())


def test_the_commands_are_those_of_the_contract() -> None:
    """One more is a change of the contract: write it here and in docs/commands.md."""
    assert set(EVERY) == set(CONTRACT)


@pytest.mark.parametrize("name", CONTRACT)
def test_a_command_takes_what_the_contract_says(name: str) -> None:
    settings = set() if name in WITHOUT_SETTINGS else {"--config"}
    assert names(EVERY[name]) == {*CONTRACT[name], *settings}


@pytest.mark.parametrize("name", CONTRACT)
def test_a_command_and_its_options_have_help(name: str) -> None:
    """A sentence each."""
    command = EVERY[name]
    assert command.help
    assert command.help.strip().partition("\n")[0].endswith(".")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and "--format" not in parameter.opts:
            assert parameter.help, parameter.name


@pytest.mark.parametrize("name", CONTRACT)
def test_a_command_and_its_options_are_written_down(name: str) -> None:
    """Under a heading of its own, with everything that it takes."""
    headings = re.findall(rf"(?m)^### `monitor {name}(?: ([^`]*))?`$", COMMANDS_PAGE)
    assert len(headings) == 1, f"docs/commands.md has no heading for monitor {name}"
    for taken in CONTRACT[name]:
        word = taken if taken.startswith("--") else taken.upper()
        assert word in headings[0], f"{taken} is not in the heading of monitor {name}"


def test_the_page_names_no_command_that_is_not_there() -> None:
    written = re.findall(r"(?m)^### `monitor ([a-z ]+?)(?: [A-Z\[-].*)?`$", COMMANDS_PAGE)
    assert set(written) == set(CONTRACT)


def test_what_the_readme_types_is_there() -> None:
    """A command, and a subcommand where it has some."""
    typed = re.findall(r"(?m)(?:^|`)monitor ([a-z]+)(?: ([a-z]+))?", README + COMMANDS_PAGE)
    assert typed
    for group, maybe in typed:
        found = main.commands.get(group)
        assert found is not None, group
        if isinstance(found, click.Group):
            assert maybe in found.commands, f"{group} {maybe}"
    assert "docs/commands.md" in README


def test_the_statuses_are_written_down() -> None:
    for status, meaning in ((0, "done"), (1, "something needs a person"), (2, "wrong use")):
        assert re.search(rf"\| {status} \| {meaning}", COMMANDS_PAGE)
    assert main.help is not None
    assert "0 done, 1 something needs a person, 2 wrong use" in main.help
