"""Commands about the rules that are in force.

What comes in: arguments. What goes out: which rulebook was in force and which is now.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.doors import actor, faults_said, read_settings_of, system_now, with_config
from monitor.cli.rule_approval import rules_approve
from monitor.cli.rule_check import rules_check
from monitor.cli.rule_diff import rules_diff
from monitor.cli.rule_reading import rules_list, rules_schema, rules_show
from monitor.cli.rule_tests import rules_test


@click.group()
def rules() -> None:
    """The rules that are in force."""


rules.add_command(rules_check)
rules.add_command(rules_test)
for _command in (rules_list, rules_show, rules_schema, rules_diff, rules_approve):
    rules.add_command(_command)


@rules.command("activate")
@with_config
def rules_activate(config: Path) -> None:
    """Put the rules folder in force on purpose, earlier rules too.

    Nodes with other rules then hold back.
    """
    from monitor.governing import activate_files
    from monitor.standing import would_govern
    from monitor.wiring import refuse_to_govern

    with faults_said():
        settings, now = read_settings_of(config), system_now()
        refuse_to_govern(settings, would_govern(settings), now=now)
        before, after = activate_files(settings, now=now, actor=actor())
    if before == after:
        click.echo(f"This rulebook is in force already: {after}")
        return
    click.echo(f"was in force: {before or 'none'}")
    click.echo(f"is in force:  {after}")
    click.echo("A daemon that runs takes it up by itself; other nodes need the same rules.")
