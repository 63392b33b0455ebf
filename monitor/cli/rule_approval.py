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
    from monitor.approving import Plan
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

    if not (role := role.strip()):
        refuse("say for which role you approve: --by 'head of safeguarding'")
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
        click.echo("\n".join(_shown(plan)))
        click.echo("\n".join(_foreseen(config, plan)))
        for line in _past(settings, plan):
            click.echo(line)
        if not yes and not click.confirm(f"\nApprove this, as the {role}?"):
            click.echo("Nothing was approved.")
            sys.exit(NEEDS_A_PERSON)
        done = approve(settings, plan, role=role, account=account, now=system_now())
    click.echo(f"\n{counted(len(plan.pages), 'file')} approved by the {role}.")
    click.echo(f"is in force: {done.after}")
    click.echo("A daemon that runs takes it up by itself.")


def _foreseen(config: Path, plan: Plan) -> Iterator[str]:
    """The mails of the last weeks by the rules that are to be approved."""
    from monitor.cycle.preview import preview
    from monitor.replay.load import MANY_A_SHIFT

    now = system_now()
    with opened(config, now=now) as monitor:
        found = preview(monitor, plan.after_unlimited, plan.rules, now=now)
    yield ""
    yield "Mails of the last 28 days by these rules, had they been in force and alerts on:"
    if not found.roles:
        yield f"  none, in {counted(found.cases, 'case')}"
        return
    yield f"  {'to the':<24}" + "".join(f"{hour:>3}" for hour in range(24))
    for load in found.roles:
        hours = "".join(f"{mails or '.':>3}" for mails in load.by_hour)
        yield f"  {load.role.replace('_', ' ')[:23]:<24}{hours}"
    for load in found.roles:
        role, most = load.role.replace("_", " "), load.busiest_shift
        told = f"  {role}: {counted(load.mails, 'mail')}, at most {most} in 8 hours"
        yield f"{told}: TOO MANY, more than {MANY_A_SHIFT}" if load.is_too_many else told


def _past(settings: Settings, plan: Plan) -> Iterator[str]:
    """What was measured already and would be measured otherwise."""
    from monitor.worktime.zones import day_of

    today = day_of(system_now(), ZoneInfo(settings.service.zone))
    for each in plan.beginnings(today):
        said = f"TAKE CARE: rule {each.about}: {each.what}. To mend it: {each.mend}."
        yield ""
        yield from textwrap.wrap(said, WIDTH, subsequent_indent="  ")


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
