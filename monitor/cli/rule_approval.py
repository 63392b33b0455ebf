"""The command by which rules and ladders are approved.

What comes in: arguments, and a yes or no. What goes out: what would change, then what is in force.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from monitor.cli.doors import (
    NEEDS_A_PERSON,
    WIDTH,
    accounts,
    actor,
    counted,
    faults_said,
    opened,
    read_settings_of,
    refuse,
    system_now,
    with_config,
)
from monitor.cli.rule_diff import difference_lines

if TYPE_CHECKING:
    from datetime import date

    from monitor.approving import Plan
    from monitor.cycle.preview import RoleChange
    from monitor.replay.load import RoleLoad
    from monitor.settings import Settings


@click.command("approve")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every rule and ladder that waits.")
@click.option(
    "--by", "role", required=True, metavar="ROLE", help="Who approves: 'head of safeguarding'."
)
@click.option("--yes", is_flag=True, help="Do not ask. What would change is shown all the same.")
@with_config
def rules_approve(config: Path, ids: Sequence[str], everything: bool, role: str, yes: bool) -> None:
    """Approve rules, each with its ladder, or ladders by themselves, as their files stand.

    ID is a rule or a ladder; `ladder/ID` where a rule has the same name. Nobody approves what
    their own account wrote.
    """
    from monitor.approving import Account, approve, own_writing, plan_approval
    from monitor.wiring import refuse_to_govern
    from monitor.words import without_article

    role = without_article(role)
    if not any(letter.isalpha() for letter in role):
        refuse("say in words for which role or post you approve: --by 'head of safeguarding'")
    if bool(ids) == everything:
        refuse("name what is to be approved, or --all: monitor rules list")
    account = Account(frozenset(accounts()), actor())
    with faults_said():
        settings = read_settings_of(config)
        plan = plan_approval(settings, ids, everything=everything)
        if not plan.pages:
            click.echo("It is approved as it stands.")
            return
        if faults := own_writing(settings, plan, account):
            refuse(*map(str, faults))
        refuse_to_govern(settings, plan.after_unlimited, now=system_now())
        click.echo("\n".join(_shown(plan)))
        click.echo("\n".join(_foreseen(config, plan)))
        for line in (*_past(settings, plan), *_unknown_role(settings, plan, role)):
            click.echo(line)
        if not yes and not click.confirm(f"\nApprove this, as the {role}?"):
            click.echo("Nothing was approved.")
            sys.exit(NEEDS_A_PERSON)
        done = approve(settings, plan, role=role, account=account, now=system_now())
    click.echo(f"\n{counted(len(plan.pages), 'file')} approved by the {role}.")
    for line in _since_when(settings, plan):
        click.echo(line)
    click.echo(f"A daemon that runs takes it up by itself. Rulebook in force: {done.after[:12]}")


def _unknown_role(settings: Settings, plan: Plan, role: str) -> Iterator[str]:
    """That nobody is called so in this force, for posts differ from the roles that are told."""
    from monitor.escalate.roster import read_roster
    from monitor.faults import FaultsFound

    recipients = settings.path(settings.paths.recipients)
    try:
        roles = read_roster(recipients, plan.after.calendars).file.roles
    except FaultsFound:
        return
    known = {name.replace("_", " ") for name in roles} | {each.title for each in roles.values()}
    if role.replace("_", " ").casefold() not in {each.casefold() for each in known}:
        yield ""
        yield f"no role of {settings.paths.recipients} is called '{role}': it is kept as you say it"


def _since_when(settings: Settings, plan: Plan) -> Iterator[str]:
    """From which day each holds that was approved, and what holds until then."""
    from monitor.rulebook.language import Rule
    from monitor.words import dates

    today = _today(settings)
    for content in plan.contents:
        if not isinstance(content, Rule):
            yield f"ladder {content.id}, version {content.version}, is in force from now"
            continue
        begins = content.effective.from_
        said = f"version {content.version} of {content.id}"
        if begins <= today:
            yield f"{said} is in force from now"
            continue
        older = [
            rule
            for rule in plan.after_unlimited.rules
            if rule.id == content.id and rule.version < content.version
        ]
        holds = f"; version {older[-1].version} holds until then" if older else ""
        yield f"{said} begins on {dates(begins, begins)}{holds}"


def _foreseen(config: Path, plan: Plan) -> Iterator[str]:
    """The mails of the last weeks by the rules that are to be approved."""
    from monitor.cycle.preview import preview

    now = system_now()
    with opened(config, now=now) as monitor:
        before, after = plan.before_unlimited, plan.after_unlimited
        found = preview(monitor, after, plan.rules, before=before, now=now)
    yield ""
    yield "Mails of the last 28 days by these rules, had they been in force and alerts on:"
    if not found.roles:
        yield f"  none, in {counted(found.cases, 'case')}"
        return
    yield f"  {'to the':<24}" + "".join(f"{hour:>3}" for hour in range(24))
    for change in found.roles:
        if found.is_compared and _hours(change.now) != _hours(change.then):
            yield f"  {_called(change)[:18] + ', now':<24}{_hours(change.now)}"
            yield f"  {'  then':<24}{_hours(change.then)}"
        else:
            yield f"  {_called(change)[:23]:<24}{_hours(change.then)}"
    for change in found.roles:
        yield _load_said(change, is_compared=found.is_compared)


def _called(change: RoleChange) -> str:
    return change.role.replace("_", " ")


def _hours(load: RoleLoad | None) -> str:
    by_hour = load.by_hour if load else (0,) * 24
    return "".join(f"{mails or '.':>3}" for mails in by_hour)


def _load_said(change: RoleChange, *, is_compared: bool) -> str:
    """`duty inspector: 2 mails, at most 1 in 8 hours`; where it differs, `now 3, then 1 mail`."""
    from monitor.replay.load import MANY_A_SHIFT

    was, then = (load.mails if load else 0 for load in (change.now, change.then))
    most = change.then.busiest_shift if change.then else 0
    mails = counted(then, "mail")
    if is_compared and was != then:
        mails = f"now {was}, then {mails}"
    told = f"  {_called(change)}: {mails}, at most {most} in 8 hours"
    is_too_many = change.then is not None and change.then.is_too_many
    return f"{told}: TOO MANY, more than {MANY_A_SHIFT}" if is_too_many else told


def _past(settings: Settings, plan: Plan) -> Iterator[str]:
    """What was measured already and would be measured otherwise."""
    for each in plan.beginnings(_today(settings)):
        said = f"TAKE CARE: rule {each.about}: {each.what}. To mend it: {each.mend}."
        yield ""
        yield from textwrap.wrap(said, WIDTH, subsequent_indent="  ")


def _today(settings: Settings) -> date:
    from monitor.worktime.zones import day_of

    return day_of(system_now(), ZoneInfo(settings.service.zone))


def _shown(plan: Plan) -> Iterator[str]:
    """What is to be approved, and what would change by it."""
    from monitor.rulebook.aloud import told_by
    from monitor.rulebook.language import Rule

    yield "To be approved:"
    for content, digest in plan.approvables:
        kind = "rule" if isinstance(content, Rule) else "ladder"
        yield f"  {kind} {content.id}, version {content.version} ({digest[:12]})"
        said = content.title if isinstance(content, Rule) else told_by(content)
        yield from textwrap.wrap(said, WIDTH, initial_indent="    ", subsequent_indent="    ")
    for ladder, rules in plan.also_told_by.items():
        said = f"  ladder {ladder} tells of other rules too: {', '.join(rules)}"
        yield from textwrap.wrap(said, WIDTH, subsequent_indent="    ")
    yield ""
    yield "What it changes:"
    yield from difference_lines(plan.differences) if plan.differences else ("  nothing but that",)
