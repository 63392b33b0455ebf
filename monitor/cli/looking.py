"""Commands that show what is known and change nothing; and the demonstration."""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.doors import (
    DONE,
    INSTANT,
    NEEDS_A_PERSON,
    actor,
    counted,
    faults_said,
    opened,
    refuse,
    system_now,
    with_config,
)

if TYPE_CHECKING:
    from monitor.model import Instant


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--service", "only", flag_value="service", help="Only the service's own health.")
@click.option("--caseload", "only", flag_value="caseload", help="Only the police's workload.")
@with_config
def status(config: Path, as_json: bool, only: str | None) -> None:
    """What is waiting, late, failed or silent, on one screen.

    Exit status 1 where something needs a person: a fault of the service, or with --caseload a duty
    that is overdue.
    """
    from monitor.cycle.status import read_status
    from monitor.terminal import status_lines, status_values

    now = system_now()
    with opened(config, now=now) as monitor:
        found = read_status(monitor, now=now)
        if as_json:
            click.echo(json.dumps(status_values(found, only), indent=2))
        else:
            click.echo("\n".join(status_lines(found, only, zone=monitor.zone)))
    notes = found.caseload_notes if only == "caseload" else found.service_faults
    sys.exit(NEEDS_A_PERSON if notes else DONE)


@click.command()
@click.option("--as-of", type=INSTANT, default=None, help="What the clocks say at this instant.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table")
@with_config
def clocks(config: Path, as_of: Instant | None, form: str) -> None:
    """Every clock: rule, reference, child, organisation, times and verdict."""
    from monitor.cycle.lists import clock_rows
    from monitor.terminal import write_clocks

    now = system_now()
    with opened(config, now=now) as monitor:
        at = now if as_of is None else as_of
        write_clocks(clock_rows(monitor, as_of=at), form, sys.stdout, at=at, zone=monitor.zone)


@click.command()
@click.argument("reference")
@click.option("--rule", default=None, help="Only this rule.")
@click.option("--as-of", type=INSTANT, default=None, help="What was so at this instant.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@with_config
def explain(
    config: Path, reference: str, rule: str | None, as_of: Instant | None, as_json: bool
) -> None:
    """Why the clocks of a case say what they say."""
    from monitor.cycle.explaining import explain_case
    from monitor.terminal import explanation_lines, explanation_values

    now = system_now()
    with opened(config, now=now) as monitor:
        found = explain_case(
            monitor, reference, rule=rule, now=now if as_of is None else as_of, actor=actor()
        )
        if found is None:
            click.echo(f"nothing is known of {reference}", err=True)
            sys.exit(NEEDS_A_PERSON)
        if as_json:
            click.echo(json.dumps(explanation_values(found), indent=2))
        else:
            lines = explanation_lines(found, zone=monitor.zone, title=monitor.roster.title)
            click.echo("\n".join(lines))
        if rule and not found.clocks:
            click.echo(f"rule {rule} has no clock of {reference} at that time", err=True)
            sys.exit(NEEDS_A_PERSON)


@click.command()
@click.option("--week", default=None, help="An ISO week such as 2026-W46.  [default: last week]")
@click.option("--scope", default=None, help="force, district:NAME or unit:NAME.  [default: all]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Write exactly what would be sent into this folder.",
)
@click.option("--send", is_flag=True, help="Put the digests into the outbox.")
@with_config
def digest(config: Path, week: str | None, scope: str | None, out: Path | None, send: bool) -> None:
    """The weekly digest: on the terminal, into a folder, or into the outbox."""
    from monitor.cycle.weekly import UnknownScope, make_digests, queue_digests

    if out is not None and send:
        raise click.UsageError("--out and --send exclude each other")
    now = system_now()
    with opened(config, now=now, activate=send) as monitor:
        try:
            if send:
                queued = queue_digests(monitor, now=now, week=week, scope=scope)
                click.echo(f"{counted(queued, 'digest')} put into the outbox")
                if not queued:
                    click.echo("none was due: nobody reads that scope, or it was made before")
                return
            for made in make_digests(monitor, now=now, week=week, scope=scope):
                if out is None:
                    click.echo(made.text)
                    continue
                out.mkdir(parents=True, exist_ok=True)
                for path in made.write(out):
                    click.echo(str(path))
        except (UnknownScope, ValueError) as error:
            raise click.UsageError(str(error)) from None


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    help="Where the demonstration lives.",
    show_default=True,
)
@click.option("--seconds", type=float, default=None, help="End by itself after so long.")
def demo(folder: Path, seconds: float | None) -> None:
    """See it work: a small force's events, real clocks, real mails to a local inbox."""
    with faults_said():
        try:
            from monitor.demo import run_demo
        except ModuleNotFoundError as missing:
            refuse(
                f"the demonstration needs {missing.name}: type"
                " pip install 'safeguarding-timeliness-monitor[demo]'"
            )
        sys.exit(run_demo(folder, seconds=seconds))
