"""Commands that show what is known and change nothing; and the demonstration."""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from monitor.cli.doors import (
    DONE,
    INSTANT,
    NEEDS_A_PERSON,
    actor,
    counted,
    faults_said,
    opened,
    read_settings_of,
    refuse,
    system_now,
    with_config,
)

if TYPE_CHECKING:
    from monitor.cycle.status import Status
    from monitor.model import Instant
    from monitor.settings import Settings

ANSWER_SECONDS: Final = 45
"""Longer than a writer waits for another; `status` says then that the database does not answer."""


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
    from zoneinfo import ZoneInfo

    from monitor.terminal import status_lines, status_values

    now = system_now()
    with faults_said():
        settings = read_settings_of(config)
        found = _status(settings, only, now=now)
    if as_json:
        click.echo(json.dumps(status_values(found, only), indent=2))
    else:
        zone = ZoneInfo(settings.service.zone)
        click.echo("\n".join(status_lines(found, only, zone=zone)))
    notes = found.caseload_notes if only == "caseload" else found.service_faults
    is_whole = only == "service" or found.caseload is not None
    sys.exit(DONE if is_whole and not notes else NEEDS_A_PERSON)


def _status(settings: Settings, only: str | None, *, now: Instant) -> Status:
    """The status; where the database does not answer in time, that."""
    import threading

    from monitor.cycle.status import nothing_known, read_status
    from monitor.logs import configure_logs
    from monitor.store.engine import is_unusable, why_unusable
    from monitor.wiring import ready

    found: list[Status | Exception] = []

    def look() -> None:
        try:
            monitor = ready(settings, now=now, actor=actor(), activate=False)
            found.append(read_status(monitor, now=now, only=only))
        except Exception as error:  # noqa: BLE001 - it is raised again where it can be seen
            found.append(error)

    configure_logs("text", level=logging.CRITICAL)
    # A thread that nobody waits for: a database that hangs must not hang whoever asks after it.
    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(ANSWER_SECONDS)
    if not found:
        return nothing_known(f"it has not answered for {ANSWER_SECONDS} s", now=now)
    if isinstance(found[0], Exception):
        if not is_unusable(found[0]):
            raise found[0]
        return nothing_known(why_unusable(found[0]), now=now)
    return found[0]


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
@click.option("--as-of", type=INSTANT, default=None, help="What was known at this instant.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@with_config
def explain(
    config: Path, reference: str, rule: str | None, as_of: Instant | None, as_json: bool
) -> None:
    """Why the clocks of a case say what they say."""
    from monitor.cycle.asked import unknown
    from monitor.cycle.explaining import explain_case
    from monitor.terminal.explaining import explanation_lines, explanation_values

    now = system_now()
    with opened(config, now=now) as monitor:
        found = explain_case(monitor, reference, rule=rule, now=now, actor=actor(), as_of=as_of)
        if found is None:
            click.echo(unknown(reference), err=True)
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
@click.option(
    "--as-known",
    default="now",
    help="now; then, as when the week's own digest was made; or an instant.",
    show_default=True,
)
@click.option("--outside", is_flag=True, help="As readers outside the force may have it.")
@with_config
def digest(
    config: Path,
    week: str | None,
    scope: str | None,
    out: Path | None,
    send: bool,
    as_known: str,
    outside: bool,
) -> None:
    """The weekly digest: on the terminal, into a folder, or into the outbox."""
    from monitor.cli.progress import progress_told
    from monitor.cycle.weekly import UnknownScope, make_digests, queue_digests

    if send and (out is not None or outside or as_known != "now"):
        raise click.UsageError("--send excludes --out, --outside and --as-known")
    now = system_now()
    with opened(config, now=now, activate=send) as monitor, progress_told() as told:
        try:
            if send:
                queued = queue_digests(monitor, now=now, week=week, scope=scope)
                click.echo(f"{counted(queued, 'digest')} put into the outbox")
                if not queued:
                    click.echo("none was due: nobody reads that scope, or it was made before")
                return
            for made in make_digests(
                monitor,
                now=now,
                week=week,
                scope=scope,
                as_known=as_known,
                outside=outside,
                progress=told,
            ):
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
