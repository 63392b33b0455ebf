"""The command that lives through the scenarios beside the rules.

What comes in: arguments. What goes out: a line a rule, and of each scenario that does not hold what
was expected and what came. It needs no database.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from monitor.cli.doors import (
    NEEDS_A_PERSON,
    counted,
    faults_said,
    read_settings_of,
    refuse,
    with_config,
)

if TYPE_CHECKING:
    from monitor.replay.running import Outcome
    from monitor.rulebook.language import Rule

SCENARIOS_WANTED: Final = 3
"""A rule with fewer is named."""


@click.command("test")
@click.argument("ids", metavar="[IDS]...", nargs=-1)
@click.option(
    "--rules",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder of rules, in place of the one that the settings name.",
)
@click.option(
    "--newest",
    is_flag=True,
    help="Each rule in its newest version, as if it had been in force throughout.",
)
@with_config
def rules_test(ids: Sequence[str], folder: Path | None, *, newest: bool, config: Path) -> None:
    """Live through the scenarios beside the rules, those of all rules or of IDS."""
    from monitor.replay.backtest import as_if_always
    from monitor.replay.running import never_reached, run_scenarios
    from monitor.replay.scenarios import read_scenarios
    from monitor.rulebook.files import read_documents
    from monitor.words import nearest

    with faults_said():
        folder = folder or _configured(config)
        documents = read_documents(folder)
        scenarios = read_scenarios(folder, documents)
    known = sorted({rule.id for rule in documents.rules})
    if unknown := sorted(set(ids).difference(known)):
        near = nearest(unknown[0], known, list_all="monitor rules list")
        refuse(f"there is no rule {', '.join(unknown)} in {folder}; {near}")
    chosen = [each for each in scenarios if not ids or not set(ids).isdisjoint(each.rules)]
    governing = as_if_always(documents) if newest else documents
    outcomes = run_scenarios(chosen, governing)
    shown = sorted(set(ids)) or known
    _say(outcomes, shown)
    _say_untried([rule for rule in never_reached(chosen, governing) if rule.id in shown])
    if len(shown) > 1:
        _say_all(outcomes)
    if not all(outcome.holds for outcome in outcomes):
        sys.exit(NEEDS_A_PERSON)


def _configured(config: Path) -> Path:
    settings = read_settings_of(config)
    return settings.path(settings.paths.rules)


def _say(outcomes: Sequence[Outcome], rules: Sequence[str]) -> None:
    from monitor.replay.difference import difference

    width = max(map(len, rules))
    for rule in rules:
        if own := [each for each in outcomes if rule in each.scenario.rules]:
            click.echo(f"{rule:<{width}}  {_how_many_hold(own)}")
    for outcome in outcomes:
        if lines := list(difference(outcome)):
            click.echo()
            click.echo("\n".join(lines))
    few = [r for r in rules if sum(r in o.scenario.rules for o in outcomes) < SCENARIOS_WANTED]
    if few:
        click.echo()
        click.echo(f"Fewer than {SCENARIOS_WANTED} scenarios: {', '.join(few)}")


def _say_untried(rules: Sequence[Rule]) -> None:
    """Versions that no scenario is late enough for: that all hold says nothing of them."""
    if rules:
        click.echo()
    for rule in rules:
        click.echo(
            f"{rule.id}: version {rule.version} begins on {rule.effective.from_}:"
            " no scenario is that late; it was not tried"
        )
    if rules:
        click.echo("  To try it on all scenarios, as if it had always been in force: --newest")


def _say_all(outcomes: Sequence[Outcome]) -> None:
    wrong = sum(not outcome.holds for outcome in outcomes)
    click.echo()
    if wrong:
        click.echo(f"{wrong} of {len(outcomes)} {'does' if wrong == 1 else 'do'} not hold")
    else:
        click.echo(_how_many_hold(outcomes))


def _how_many_hold(own: Sequence[Outcome]) -> str:
    wrong = sum(not outcome.holds for outcome in own)
    holds = counted(len(own) - wrong, "scenario")
    if not wrong:
        return f"{holds} {'holds' if len(own) == 1 else 'hold'}"
    return f"{wrong} of {counted(len(own), 'scenario')} {'does' if wrong == 1 else 'do'} not hold"
