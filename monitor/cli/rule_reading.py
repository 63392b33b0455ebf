"""Commands that read rules out: list, show, schema. They change nothing.

What comes in: arguments. What goes out: rules as people and machines read them.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import click

from monitor.cli.doors import (
    WIDTH,
    faults_said,
    read_settings_of,
    refuse,
    system_now,
    with_config,
)

if TYPE_CHECKING:
    from datetime import date

    from monitor.model import Instant
    from monitor.rulebook.aloud import Paragraph
    from monitor.rulebook.book import Documents
    from monitor.rulebook.versions import Version
    from monitor.settings import Settings
    from monitor.standing import RuleLine, VersionLine

WAITS: Final = "waits for approval"
_KINDS: Final = ("rule", "ladder", "calendar", "vocabulary", "scenarios")


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@with_config
def rules_list(config: Path, as_json: bool) -> None:
    """Every rule: its versions, since when, who approved each, and how much it may say."""
    from monitor.standing import rule_lines

    with faults_said():
        settings = read_settings_of(config)
        zone = ZoneInfo(settings.service.zone)
        lines = rule_lines(settings, today=day_now(zone))
    if as_json:
        click.echo(json.dumps([_values(line) for line in lines], indent=2))
        return
    for line in lines:
        click.echo("\n".join(_listed(line, zone)))


def day_now(zone: ZoneInfo) -> date:
    """The date where the force is."""
    from monitor.worktime.zones import day_of

    return day_of(system_now(), zone)


def _values(line: RuleLine | VersionLine) -> dict[str, Any]:
    from monitor.worktime.instants import isoformat

    at, values = line.approved_at, line._asdict()
    values["approved_at"] = None if at is None else isoformat(at)
    if "by_version" in values:
        values["by_version"] = [_values(each) for each in values["by_version"]]
    return values


def _listed(line: RuleLine, zone: ZoneInfo) -> Iterator[str]:
    yield _cut(f"{line.id}  {line.title}")
    if len(line.by_version) > 1:
        for each in line.by_version:
            yield _cut(f"    {_version_said(each, line, zone)}")
        yield f"    alerts {line.alerts}; review due {line.review_due}"
        return
    versions = ", ".join(map(str, line.versions))
    said = f"version {versions}, from {line.since}; alerts {line.alerts}"
    yield f"    {said}; review due {line.review_due}"
    yield _cut(f"    {_approved(line, zone)}")


def _version_said(each: VersionLine, line: RuleLine, zone: ZoneInfo) -> str:
    """One of several versions: `version 1 until 2026-11-30, approved by the …`."""
    span = "" if each.holds and each.until else f" from {each.since}"
    span += f" until {each.until}" if each.until else ""
    if each.state == WAITS:
        return f"version {each.version}{span}, {WAITS} ({line.state})"
    if each.approved_at is None:
        return f"version {each.version}{span}, {each.state}"
    return f"version {each.version}{span}, approved {_by(each.approved_by, each.approved_at, zone)}"


def _approved(line: RuleLine, zone: ZoneInfo) -> str:
    if line.approved_at is None:
        return f"{line.state}: it measures and tells nobody"
    said = _by(line.approved_by, line.approved_at, zone)
    begins = line.by_version[0].state.partition(", ")[2] if line.by_version else ""
    if line.state != "approved":
        return f"{line.state} ({said})"
    return f"approved {said}" + (f"; {begins}" if begins else "")


def _by(role: str, at: Instant, zone: ZoneInfo) -> str:
    """Who approved it and when: `by the head of safeguarding, 2026-11-22`."""
    from monitor.words import without_article
    from monitor.worktime.zones import day_of

    if not role:
        return "before approvals were kept"
    return f"by the {without_article(role)}, {day_of(at, zone).isoformat()}"


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


@click.command("show")
@click.argument("rule")
@click.option("--version", "number", type=int, help="This version only.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@with_config
def rules_show(config: Path, rule: str, number: int | None, as_json: bool) -> None:
    """Read RULE aloud, in sentences; roles by their titles in recipients.toml, with their ids.

    First the version that is in force, then each other one with how it stands.
    """
    from monitor.rulebook.aloud import read_aloud
    from monitor.rulebook.files import read_documents
    from monitor.standing import readable
    from monitor.words import nearest

    with faults_said():
        settings = read_settings_of(config)
        zone = ZoneInfo(settings.service.zone)
        documents = read_documents(settings.path(settings.paths.rules))
        found = readable(settings, documents, rule, today=day_now(zone))
    if not found.versions:
        known = {each.id for each in documents.rules}
        refuse(f"there is no rule {rule}; {nearest(rule, known, list_all='monitor rules list')}")
    meant = [each for each in found.versions if number in (None, each.rule.version)]
    if not meant:
        known_numbers = ", ".join(str(each.rule.version) for each in found.versions)
        refuse(f"rule {rule} has no version {number}; known: {known_numbers}")
    titles = _titles(settings, documents)
    shown = []
    for each in sorted(meant, key=lambda each: not each.holds):
        words_of = documents if each.waits else found.in_force
        shown.append((each, read_aloud(each.rule, words_of, titles)))
    if as_json:
        click.echo(json.dumps([_as_read(each, said) for each, said in shown], indent=2))
        return
    for index, (each, said) in enumerate(shown):
        click.echo("\n" * bool(index) + "\n".join(_aloud(each, said, zone)))


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


def _as_read(version: Version, said: Iterable[Paragraph]) -> dict[str, Any]:
    written = version.rule.model_dump(mode="json", by_alias=True)
    return {
        "rule": written,
        "state": version.state,
        "holds": version.holds,
        "until": None if version.until is None else version.until.isoformat(),
        "approved_by": version.approval.role if version.approval else "",
        "aloud": {each.about: each.text for each in said},
    }


def _aloud(version: Version, said: Iterable[Paragraph], zone: ZoneInfo) -> Iterator[str]:
    from monitor.words import capital

    rule = version.rule
    yield f"{rule.title} ({rule.id}, version {rule.version})"
    yield from textwrap.wrap(capital(_stands(version, zone)) + ".", WIDTH)
    for each in said:
        yield ""
        yield from textwrap.wrap(f"{each.about}. {each.text}", WIDTH)


def _stands(version: Version, zone: ZoneInfo) -> str:
    """How a version stands: `in force since 2026-01-01, approved by the …`."""
    if not version.state:
        return "whether it is approved is not known: the database cannot be read here"
    approval = version.approval
    if approval is None:
        return version.state
    by = _by(approval.role, approval.approved_at, zone)
    if version.holds:
        until = f", until {version.until}" if version.until else ""
        return f"in force since {version.rule.effective.from_}{until}; approved {by}"
    return f"{version.state}; approved {by}"


@click.command("schema")
@click.argument("kind", type=click.Choice(_KINDS), default="rule")
def rules_schema(kind: str) -> None:
    """Print the JSON schema of a rule, or of another kind of file, for editors."""
    from monitor.replay.scenarios import SCHEMA, scenarios_schema
    from monitor.rulebook.schema import schemas

    written = schemas() | {SCHEMA: scenarios_schema()}
    click.echo(written[f"{kind}.schema.json"], nl=False)
