"""The command line: what an operator types.

What comes in: arguments. What goes out: text or JSON on standard output, faults on standard error,
and an exit status: 0 done, 1 something needs a person, 2 wrong use or configuration. It translates
and decides nothing.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import functools
import getpass
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from monitor import __version__

if TYPE_CHECKING:
    from monitor.cycle import Pass
    from monitor.cycle.parts import Monitor
    from monitor.model import Instant
    from monitor.settings import Settings

DONE, NEEDS_A_PERSON, WRONG_USE = 0, 1, 2

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_CONFIG = Path("config/monitor.toml")


class InstantParam(click.ParamType[int]):
    """ISO 8601 with offset: `2027-03-09T02:47:00+00:00`."""

    name = "instant"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Instant:
        """An instant, or a usage error that says the form."""
        from monitor.worktime.instants import parse_instant

        if isinstance(value, int):
            return value
        try:
            return parse_instant(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


INSTANT = InstantParam()


def with_config(command: F) -> F:
    """Every command takes `--config`, before or after its name."""

    @click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help="Settings file.  [default: config/monitor.toml]",
    )
    @click.pass_context
    @functools.wraps(command)
    def wrapped(ctx: click.Context, /, *args: Any, config: Path | None, **named: Any) -> Any:
        chosen = config or (ctx.find_root().obj or {}).get("config") or DEFAULT_CONFIG
        return command(*args, config=chosen, **named)

    return wrapped  # type: ignore[return-value]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Settings file.  [default: config/monitor.toml]",
)
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """Watch whether safeguarding partners are told in time.

    Exit status: 0 done, 1 something needs a person, 2 wrong use or configuration.
    """
    ctx.obj = {"config": config}


# -- doors ------------------------------------------------------------------------------------


def system_now() -> Instant:
    """What time it is, in microseconds UTC."""
    return time.time_ns() // 1000


def _settings(config: Path) -> Settings:
    from monitor.settings import read_settings

    return read_settings(config)


@contextmanager
def _faults_said() -> Iterator[None]:
    """Faults of files and of the database become words, one a line, and an exit status."""
    from monitor.deliver.smtp import UnsafeMailServer
    from monitor.faults import FaultsFound
    from monitor.store.engine import OperationalError, WrongOwner
    from monitor.store.schema import SchemaNotCurrent

    try:
        yield
    except FaultsFound as found:
        _refuse(*map(str, found.faults))
    except (SchemaNotCurrent, WrongOwner, UnsafeMailServer) as error:
        _refuse(str(error))
    except OperationalError as error:
        why = str(error.orig or error).strip().partition("\n")[0]
        click.echo(f"the database cannot be used now: {why}", err=True)
        sys.exit(NEEDS_A_PERSON)


def _refuse(*why: str) -> NoReturn:
    for line in why:
        click.echo(line, err=True)
    sys.exit(WRONG_USE)


@contextmanager
def _monitor(
    config: Path, *, now: Instant, activate: bool = False, is_service: bool = False
) -> Iterator[Monitor]:
    """An installation that is ready; only a service logs what goes well."""
    from monitor.logs import configure_logs
    from monitor.wiring import ready

    with _faults_said():
        settings = _settings(config)
        if is_service:
            configure_logs(settings.service.log_format)
        else:
            configure_logs("text", level=logging.CRITICAL)
        yield ready(settings, now=now, actor=_actor(), activate=activate)


def _actor() -> str:
    """Who types: the name of the account, or its number where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


# -- setting up -------------------------------------------------------------------------------


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Make an installation in FOLDER: rules, templates, settings, database."""
    from monitor.installation import AlreadyThere, install

    with _faults_said():
        try:
            install(folder)
        except AlreadyThere as there:
            _refuse(str(there))
        except OSError as error:
            _refuse(f"{error.filename or folder}: {error.strerror}")
    click.echo(f"An installation is in {folder}. Next:")
    click.echo(f"  cd {folder}")
    click.echo("  edit monitor.toml, recipients.toml, partners.toml and feeds/, all in config/")
    click.echo("  monitor check     says what is still wrong, file by file")
    click.echo("  monitor once      one whole pass")
    click.echo("  monitor run       the daemon")


@main.command()
@with_config
def check(config: Path) -> None:
    """Check settings, rules, feeds, recipients, partners, templates and database."""
    from monitor.wiring import check_everything

    with _faults_said():
        faults = check_everything(_settings(config))
    if faults:
        _refuse(*map(str, faults), f"{_counted(len(faults), 'fault')}.")
    click.echo("Everything is in order.")


@main.command()
@click.option("--plan", is_flag=True, help="Only say what would be done.")
@with_config
def migrate(config: Path, plan: bool) -> None:
    """Bring the database to this program's schema."""
    from monitor.store.engine import open_engine
    from monitor.store.schema import migrate as bring_up
    from monitor.store.schema import waiting_migrations

    with _faults_said():
        engine = open_engine(_settings(config).database_url())
        done = waiting_migrations(engine) if plan else bring_up(engine)
        engine.dispose()
    for revision in done:
        click.echo(f"{'would apply' if plan else 'applied'} {revision}")
    if not done:
        click.echo("The database is current.")


# -- working ----------------------------------------------------------------------------------


@main.command()
@with_config
def run(config: Path) -> None:
    """Run the daemon until it is asked to stop.

    SIGTERM finishes the mail in hand; SIGHUP takes new rules and settings, or refuses them.
    """
    import asyncio
    import signal

    from monitor.daemon import AnotherDaemon, Daemon, Pace, only_daemon
    from monitor.wiring import ready

    # Until the daemon listens itself: what has changed meanwhile is read anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def again(now: Instant) -> Monitor:
        return ready(_settings(config), now=now, actor=_actor(), activate=True)

    with _monitor(config, now=system_now(), activate=True, is_service=True) as monitor:
        try:
            with only_daemon(monitor.settings.path("var"), monitor.node):
                sys.exit(asyncio.run(Daemon(monitor, pace=Pace(), reload=again).run()))
        except AnotherDaemon as there:
            _refuse(str(there))


@main.command()
@click.option("--now", type=INSTANT, default=None, help="The instant that the pass works with.")
@with_config
def once(config: Path, now: Instant | None) -> None:
    """One whole pass: files in, clocks, alerts, digests, mail out."""
    import asyncio

    now = system_now() if now is None else now
    with _monitor(config, now=now, activate=True, is_service=True) as monitor:
        done = asyncio.run(_whole_pass(monitor, now=now))
    click.echo(
        f"{_counted(len(done.taken), 'file')},"
        f" {_counted(sum(taken.events_new for taken in done.taken), 'new event')},"
        f" {_counted(done.swept.clocks, 'clock')} decided, {_counted(done.swept.alerts, 'alert')},"
        f" {_counted(done.kept.digests, 'digest')}, {_counted(done.delivered.sent, 'mail')} sent"
    )
    refused = [taken for taken in done.taken if taken.state in {"set aside", "left"}]
    for taken in refused:
        click.echo(f"{taken.file}: {taken.state}: {taken.why}", err=True)
    aside = sum(taken.rows_set_aside for taken in done.taken)
    if aside:
        click.echo(f"{_counted(aside, 'row')} set aside: monitor quarantine list", err=True)
    unsent = done.delivered.dead + done.delivered.retried
    if unsent:
        click.echo(f"{_counted(unsent, 'mail')} not taken by the mail server", err=True)
    sys.exit(NEEDS_A_PERSON if refused or aside or unsent else DONE)


async def _whole_pass(monitor: Monitor, *, now: Instant) -> Pass:
    from monitor.cycle import one_pass

    try:
        return await one_pass(monitor, now=now)
    finally:
        await monitor.post.close()


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@main.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--feed", required=True, help="Which feed the file is of.")
@with_config
def ingest(config: Path, path: Path, feed: str) -> None:
    """Take in one file now; it stays where it is."""
    from monitor.cycle.intake import take_in_file

    now = system_now()
    with _monitor(config, now=now, activate=True) as monitor:
        if feed not in monitor.feeds:
            known = ", ".join(sorted(monitor.feeds)) or "none is configured"
            _refuse(f"there is no feed {feed!r}; known: {known}")
        with _progress(path) as progress:
            taken = take_in_file(
                monitor, monitor.feeds[feed], path, now=now, progress=progress, keep=True
            )
    click.echo(f"{taken.file}: {taken.state}{': ' + taken.why if taken.why else ''}")
    if taken.state == "done":
        click.echo(
            f"{_counted(taken.rows, 'row')}: {taken.events_new} new,"
            f" {taken.events_known} known already, {taken.events_amended} amended,"
            f" {taken.events_conflicting} conflicting;"
            f" {_counted(taken.rows_set_aside, 'row')} set aside,"
            f" {taken.rows_without_event} without an event"
        )
    troubled = taken.state in {"set aside", "left"} or taken.rows_set_aside
    sys.exit(NEEDS_A_PERSON if troubled else DONE)


@contextmanager
def _progress(path: Path) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar over the bytes of a file, on a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=path.stat().st_size, label=path.name, file=sys.stderr) as bar:

        def advance(read: int, _size: int) -> None:
            bar.update(read - bar.pos)

        yield advance


# -- looking ----------------------------------------------------------------------------------


@main.command()
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
    with _monitor(config, now=now) as monitor:
        found = read_status(monitor, now=now)
        if as_json:
            click.echo(json.dumps(status_values(found, only), indent=2))
        else:
            click.echo("\n".join(status_lines(found, only, zone=monitor.zone)))
    notes = found.caseload_notes if only == "caseload" else found.service_faults
    sys.exit(NEEDS_A_PERSON if notes else DONE)


@main.command()
@click.option("--as-of", type=INSTANT, default=None, help="What the clocks say at this instant.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table")
@with_config
def clocks(config: Path, as_of: Instant | None, form: str) -> None:
    """Every clock: rule, reference, child, organisation, times and verdict."""
    from monitor.cycle.lists import clock_rows
    from monitor.terminal import write_clocks

    now = system_now()
    with _monitor(config, now=now) as monitor:
        at = now if as_of is None else as_of
        write_clocks(clock_rows(monitor, as_of=at), form, sys.stdout, at=at, zone=monitor.zone)


@main.command()
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
    with _monitor(config, now=now) as monitor:
        found = explain_case(
            monitor, reference, rule=rule, now=now if as_of is None else as_of, actor=_actor()
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


@main.command()
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
    with _monitor(config, now=now, activate=send) as monitor:
        try:
            if send:
                queued = queue_digests(monitor, now=now, week=week, scope=scope)
                click.echo(f"{_counted(queued, 'digest')} put into the outbox")
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


# -- rows set aside, intakes, mail --------------------------------------------------------------


@main.group()
def quarantine() -> None:
    """Rows that could not be read."""


@quarantine.command("list")
@click.option("--feed", default=None, help="Only this feed.")
@with_config
def quarantine_list(config: Path, feed: str | None) -> None:
    """Every row set aside, newest first."""
    from monitor.store.engine import reading
    from monitor.store.intakes import list_quarantine

    with _monitor(config, now=system_now()) as monitor, reading(monitor.engine) as connection:
        rows = list_quarantine(connection, feed_name=feed)
    for row in rows:
        click.echo(f"{row['id']}  {row['feed']}, {row['file_name']}, line {row['line']}")
        click.echo(f"    {row['field']}: {row['reason']}; expected {row['expected']}")
    if not rows:
        click.echo("No rows are set aside.")


@quarantine.command("show")
@click.argument("number", type=int)
@with_config
def quarantine_show(config: Path, number: int) -> None:
    """One row set aside: its declared fields, and what was expected."""
    from monitor.store.engine import reading
    from monitor.store.intakes import quarantined_row

    with _monitor(config, now=system_now()) as monitor, reading(monitor.engine) as connection:
        row = quarantined_row(connection, number)
    if row is None:
        _refuse(f"there is no row {number} in quarantine: monitor quarantine list")
    click.echo(
        f"file      {row['file_name']} ({row['file_digest'].hex()[:16]}), line {row['line']}"
    )
    click.echo(f"feed      {row['feed']}")
    click.echo(f"field     {row['field']}")
    click.echo(f"reason    {row['reason']}; expected {row['expected']}")
    for name, value in sorted(row["declared"].items()):
        click.echo(f"  {name} = {value}")


@quarantine.command("retry")
@with_config
def quarantine_retry(config: Path) -> None:
    """Read every row set aside again, under today's mapping."""
    from monitor.cycle.intake import retry_quarantine

    now = system_now()
    with _monitor(config, now=now, activate=True) as monitor:
        mended, aside = retry_quarantine(monitor, now=now)
    click.echo(f"{_counted(mended, 'row')} taken in, {aside} still set aside")
    sys.exit(NEEDS_A_PERSON if aside else DONE)


@main.group()
def intake() -> None:
    """Files that were taken in."""


@intake.command("list")
@with_config
def intake_list(config: Path) -> None:
    """The newest files taken in, with the account of their rows."""
    from monitor.store.engine import reading
    from monitor.store.intakes import list_intakes

    with _monitor(config, now=system_now()) as monitor, reading(monitor.engine) as connection:
        rows = list_intakes(connection, limit=50)
    for row in rows:
        click.echo(f"{row['id']}  {row['feed']}, {row['file_name']}: {row['state']}")
        click.echo(
            f"    {_counted(row['rows_read'], 'row')}: {row['events_new']} new,"
            f" {row['events_known']} known already, {row['events_amended']} amended,"
            f" {row['events_conflicting']} conflicting;"
            f" {_counted(row['rows_set_aside'], 'row')} set aside,"
            f" {row['rows_without_event']} without an event"
        )
        if row["why"]:
            click.echo(f"    {row['why']}")
    if not rows:
        click.echo("No file was taken in.")


@intake.command("undo")
@click.argument("number", type=int)
@with_config
def intake_undo(config: Path, number: int) -> None:
    """Make unknown again everything that one intake brought."""
    from monitor.cycle.intake import undo_intake
    from monitor.store.engine import reading
    from monitor.store.intakes import intake_by_id

    now = system_now()
    with _monitor(config, now=now, activate=True) as monitor:
        with reading(monitor.engine) as connection:
            known = intake_by_id(connection, number)
        if known is None:
            _refuse(f"there is no intake {number}: monitor intake list")
        if known["state"] == "undone":
            _refuse(f"intake {number} is undone already")
        changed = undo_intake(monitor, number, actor=_actor(), now=now)
    click.echo(f"intake {number} is undone; {_counted(changed, 'case')} changed")


@main.group()
def mail() -> None:
    """Hold or release all mail."""


def _hold_or_release(config: Path, kind: str) -> None:
    from monitor.store.actions import record_action
    from monitor.store.engine import writing

    now = system_now()
    with _monitor(config, now=now) as monitor, writing(monitor.engine) as connection:
        record_action(connection, kind=kind, target="mail", actor=_actor(), now=now)


@mail.command("hold")
@with_config
def mail_hold(config: Path) -> None:
    """Send nothing until it is released; alerts go on being decided."""
    _hold_or_release(config, "hold mail")
    click.echo("All mail is held: monitor mail release")


@mail.command("release")
@with_config
def mail_release(config: Path) -> None:
    """Send again."""
    _hold_or_release(config, "release mail")
    click.echo("Mail goes out again.")


# -- seeing it work ---------------------------------------------------------------------------


@main.command()
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
    with _faults_said():
        try:
            from monitor.demo import run_demo
        except ModuleNotFoundError as missing:
            _refuse(
                f"the demonstration needs {missing.name}: type"
                " pip install 'safeguarding-timeliness-monitor[demo]'"
            )
        sys.exit(run_demo(folder, seconds=seconds))
