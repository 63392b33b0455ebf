"""Commands that read rules out: list, show, schema, diff. They change nothing.

What comes in: arguments. What goes out: rules as people and machines read them.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.doors import (
    DONE,
    NEEDS_A_PERSON,
    WIDTH,
    faults_said,
    read_settings_of,
    refuse,
    with_config,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.approving import RuleLine
    from monitor.rulebook.aloud import Paragraph
    from monitor.rulebook.book import Documents
    from monitor.rulebook.difference import Difference
    from monitor.rulebook.language import Rule
    from monitor.settings import Settings

_KINDS: Final = ("rule", "ladder", "calendar", "vocabulary", "scenarios")


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@with_config
def rules_list(config: Path, as_json: bool) -> None:
    """Every rule: its version, since when, who approved it, and who is told."""
    from zoneinfo import ZoneInfo

    from monitor.approving import rule_lines

    with faults_said():
        settings = read_settings_of(config)
        lines = rule_lines(settings)
    if as_json:
        click.echo(json.dumps([_values(line) for line in lines], indent=2))
        return
    zone = ZoneInfo(settings.service.zone)
    for line in lines:
        click.echo("\n".join(_listed(line, zone)))


def _values(line: RuleLine) -> dict[str, Any]:
    from monitor.worktime.instants import isoformat

    at = line.approved_at
    return line._asdict() | {"approved_at": None if at is None else isoformat(at)}


def _listed(line: RuleLine, zone: ZoneInfo) -> Iterator[str]:
    yield _cut(f"{line.id}  {line.title}")
    versions = ", ".join(map(str, line.versions))
    said = f"version {versions}, from {line.since}; alerts {line.alerts}"
    yield f"    {said}; review due {line.review_due}"
    yield _cut(f"    {_approved(line, zone)}")


def _approved(line: RuleLine, zone: ZoneInfo) -> str:
    from monitor.worktime.zones import day_of

    if line.approved_at is None:
        return f"{line.state}: it measures and tells nobody"
    by = f"by the {line.approved_by}" if line.approved_by else "before approvals were kept"
    on = f", {day_of(line.approved_at, zone).isoformat()}" if line.approved_by else ""
    return f"{line.state} ({by}{on})" if line.state != "approved" else f"approved {by}{on}"


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


@click.command("show")
@click.argument("rule")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@with_config
def rules_show(config: Path, rule: str, as_json: bool) -> None:
    """Read RULE aloud, in sentences; roles by their titles in recipients.toml, with their ids."""
    from monitor.rulebook.aloud import read_aloud
    from monitor.rulebook.files import read_documents

    with faults_said():
        settings = read_settings_of(config)
        documents = read_documents(settings.path(settings.paths.rules))
    named = [each for each in documents.rules if each.id == rule]
    if not named:
        known = ", ".join(sorted({each.id for each in documents.rules}))
        refuse(f"there is no rule {rule}; known: {known}")
    titles = _titles(settings, documents)
    shown = [(each, read_aloud(each, documents, titles)) for each in named]
    if as_json:
        click.echo(json.dumps([_as_read(each, said) for each, said in shown], indent=2))
        return
    for each, said in shown:
        click.echo("\n".join(_aloud(each, said)))


def _titles(settings: Settings, documents: Documents) -> Mapping[str, str]:
    """Role → how this force calls it; none where that cannot be read: the rule still can."""
    from monitor.escalate.roster import read_roster
    from monitor.faults import FaultsFound
    from monitor.rulebook.book import build_rulebook

    calendars = build_rulebook(documents).calendars
    try:
        roster = read_roster(settings.path(settings.paths.recipients), calendars)
    except FaultsFound:
        return {}
    return {name: role.title for name, role in roster.file.roles.items()}


def _as_read(rule: Rule, said: Iterable[Paragraph]) -> dict[str, Any]:
    written = rule.model_dump(mode="json", by_alias=True)
    return {"rule": written, "aloud": {each.about: each.text for each in said}}


def _aloud(rule: Rule, said: Iterable[Paragraph]) -> Iterator[str]:
    yield f"{rule.title} ({rule.id}, version {rule.version})"
    for each in said:
        yield ""
        yield from textwrap.wrap(f"{each.about}. {each.text}", WIDTH)


@click.command("schema")
@click.argument("kind", type=click.Choice(_KINDS), default="rule")
def rules_schema(kind: str) -> None:
    """Print the JSON schema of a rule, or of another kind of file, for editors."""
    from monitor.replay.scenarios import SCHEMA, scenarios_schema
    from monitor.rulebook.schema import schemas

    written = schemas() | {SCHEMA: scenarios_schema()}
    click.echo(written[f"{kind}.schema.json"], nl=False)


@click.command("diff")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--against",
    default="approved",
    metavar="approved|DIR",
    help="What was approved, or another folder of rules.  [default: approved]",
)
@with_config
def rules_diff(config: Path, ids: Sequence[str], against: str) -> None:
    """Say what differs between what is approved, or another folder, and the files.

    Exit status 0 where nothing does, 1 where something does.
    """
    from monitor.approving import approved_documents
    from monitor.rulebook.difference import difference
    from monitor.rulebook.files import read_documents

    with faults_said():
        settings = read_settings_of(config)
        files = read_documents(settings.path(settings.paths.rules))
        if against == "approved":
            before = approved_documents(settings, files)
        else:
            before = read_documents(Path(against))
    known = {rule.id for rule in (*files.rules, *before.rules)}
    known |= {ladder.id for ladder in (*files.ladders, *before.ladders)}
    if unknown := sorted(set(ids) - known):
        refuse(f"there is no rule or ladder {', '.join(unknown)}")
    found = [each for each in difference(before, files) if not ids or each.id in ids]
    click.echo("\n".join(difference_lines(found)) if found else "Nothing differs.")
    sys.exit(NEEDS_A_PERSON if found else DONE)


def difference_lines(found: Iterable[Difference]) -> Iterator[str]:
    """Differences for the terminal: a heading, then each field before and after."""
    for each in found:
        yield f"{each.kind} {each.id}".rstrip() + f": {each.how}"
        for change in each.changes:
            yield f"    {change.field} ({change.effect})"
            for sign, text in (("before", change.before), ("after", change.after)):
                head = f"      {sign + ':':<8}"
                yield from textwrap.wrap(
                    text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)
                )
