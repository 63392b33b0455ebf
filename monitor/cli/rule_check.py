"""The command that says what a person would miss in the rules and what they rest on.

What comes in: arguments. What goes out: findings, grouped by what they are about, each with the way
to mend it. It needs no database; where there is one, it says of versions that wait to be approved
what was measured already and would change.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from monitor.cli.doors import (
    NEEDS_A_PERSON,
    counted,
    faults_said,
    read_settings_of,
    refuse,
    system_now,
    with_config,
)

if TYPE_CHECKING:
    from monitor.rulebook.findings import Finding


@click.command("check")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option(
    "--rules",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder of rules, in place of the one that the settings name.",
)
@with_config
def rules_check(ids: Sequence[str], as_json: bool, folder: Path | None, config: Path) -> None:
    """Look for what a person would miss: cases, hours and people that no rule reaches.

    With IDs of rules, only what is found about these. Exit status 1 where there is something to
    look at.
    """
    from monitor.approving import waiting_beginnings
    from monitor.checking import rule_findings
    from monitor.rulebook.files import read_documents
    from monitor.standing import gone_files
    from monitor.words import nearest
    from monitor.worktime.zones import day_of

    with faults_said():
        settings, now = read_settings_of(config), system_now()
        today = day_of(now, ZoneInfo(settings.service.zone))
        found = rule_findings(settings, now=now, folder=folder)
        found += waiting_beginnings(settings, folder, today=today)
        found += gone_files(settings, folder, today=today)
        documents = read_documents(folder or settings.path(settings.paths.rules))
    known = {rule.id for rule in documents.rules}
    if unknown := sorted(set(ids) - known):
        near = nearest(unknown[0], known, list_all="monitor rules list")
        refuse(f"there is no rule {', '.join(unknown)}; {near}")
    found = [each for each in found if not ids or each.about in ids]
    if as_json:
        click.echo(json.dumps([each._asdict() for each in found], indent=2))
    else:
        _say(found, ids)
    if found:
        sys.exit(NEEDS_A_PERSON)


def _say(found: list[Finding], ids: Sequence[str]) -> None:
    for about, group in groupby(found, key=lambda each: each.about):
        click.echo(about)
        for each in group:
            click.echo(f"  {'REFUSED: ' if each.refused else ''}{each.what}")
            click.echo(f"    {each.mend}")
    refused = sum(each.refused for each in found)
    if ids and not found:
        click.echo(f"Nothing to look at about {', '.join(ids)}.")
        return
    if not found:
        click.echo(
            "Nothing to look at: every category has a rule, every role and partner is there."
        )
        return
    click.echo(
        f"{counted(len(found), 'thing')} to look at"
        + (f", {refused} of them refused while alerts are on" if refused else "")
    )
