"""The command that says what differs between two states of the rules.

What comes in: arguments. What goes out: each field as it is on one side and on the other, each
under the name of its side, so that nobody takes one for the other.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from monitor.cli.doors import (
    NEEDS_A_PERSON,
    WIDTH,
    faults_said,
    read_settings_of,
    refuse,
    with_config,
)

if TYPE_CHECKING:
    from monitor.rulebook.difference import Difference

_Sides: TypeAlias = "Callable[[Difference], tuple[str, str]]"
"""A difference → what its two sides are called."""

_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command("diff")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--rules",
    "folder",
    type=_FOLDER,
    help="The folder that is looked at, in place of the one that the settings name.",
)
@click.option(
    "--against",
    default="approved",
    metavar="approved|DIR",
    help="With what it is compared: what is approved, or a folder.  [default: approved]",
)
@with_config
def rules_diff(config: Path, ids: Sequence[str], folder: Path | None, against: str) -> None:
    """Say what the files change of what is approved, or of another folder.

    Where --rules names a folder to be tried, it is compared with what is approved or on trial.
    Exit status 0 where nothing differs, 1 where something does.
    """
    from monitor.rulebook.difference import difference
    from monitor.rulebook.files import read_documents
    from monitor.standing import baseline
    from monitor.words import nearest

    with faults_said():
        settings = read_settings_of(config)
        after = read_documents(folder or settings.path(settings.paths.rules))
        called: dict[tuple[str, str], str] = {}
        if against == "approved":
            before, called = baseline(settings, with_trial=folder is not None)
        else:
            before = read_documents(Path(against))
    known = {rule.id for rule in (*after.rules, *before.rules)}
    known |= {ladder.id for ladder in (*after.ladders, *before.ladders)}
    if unknown := sorted(set(ids) - known):
        near = nearest(unknown[0], known, list_all="monitor rules list")
        refuse(f"there is no rule or ladder {', '.join(unknown)}; {near}")
    found = [each for each in difference(before, after) if not ids or each.id in ids]
    if not found:
        click.echo("Nothing differs.")
        return
    theirs, ours = _names(against, str(folder or settings.paths.rules))
    click.echo(f"What {ours}/ changes of what {_is_there(theirs)}:")
    usual = "in force" if against == "approved" else theirs
    lines = difference_lines(
        found, sides=lambda each: (called.get((each.kind, each.id), usual), ours)
    )
    click.echo("\n".join(lines))
    sys.exit(NEEDS_A_PERSON)


def _names(against: str, folder: str) -> tuple[str, str]:
    """What the sides are called: by the names of folders, in full where these are the same."""
    if against == "approved":
        return against, Path(folder).name
    theirs, ours = Path(against).name, Path(folder).name
    return (against, folder) if theirs == ours else (theirs, ours)


def _is_there(theirs: str) -> str:
    return "is approved or in force" if theirs == "approved" else f"{theirs}/ says"


def _usual_sides(_: Difference) -> tuple[str, str]:
    return "before", "after"


def difference_lines(found: Iterable[Difference], *, sides: _Sides = _usual_sides) -> Iterator[str]:
    """Differences for the terminal: a heading, then each field on both sides."""
    for each in found:
        names = sides(each)
        width = max(map(len, names)) + 2
        yield f"{each.kind} {each.id}".rstrip() + f": {each.how}"
        for change in each.changes:
            yield f"    {change.field} ({change.effect})"
            for name, text in zip(names, (change.before, change.after), strict=True):
                head = f"      {name + ':':<{width}}"
                yield from textwrap.wrap(
                    text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)
                )
        if each.remark:
            yield f"    {each.remark}"
