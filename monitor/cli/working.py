"""Commands that carry events to mails: the daemon, one whole pass, one file."""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.doors import (
    DONE,
    INSTANT,
    NEEDS_A_PERSON,
    actor,
    counted,
    opened,
    read_settings_of,
    refuse,
    system_now,
    with_config,
)

if TYPE_CHECKING:
    from monitor.cycle import Pass
    from monitor.cycle.parts import Monitor
    from monitor.model import Instant


@click.command()
@with_config
def run(config: Path) -> None:
    """Run the daemon until it is asked to stop.

    SIGTERM finishes the mail in hand; SIGHUP takes new rules and settings, or refuses them.
    """
    import asyncio
    import gc
    import signal

    from monitor.daemon import AnotherDaemon, Daemon, Pace, only_daemon, settle
    from monitor.wiring import ready, refuse_on_reload

    # Until the daemon listens itself: what has changed meanwhile is read anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def again(now: Instant, *, only_first: bool) -> Monitor:
        gc.unfreeze()
        settings = read_settings_of(config)
        refuse_on_reload(settings, now=now)
        return ready(settings, now=now, actor=actor(), activate=True, only_first=only_first)

    with opened(config, now=system_now(), activate=True, is_service=True) as monitor:
        try:
            with only_daemon(monitor.settings.path("var"), monitor.node):
                settle()
                sys.exit(asyncio.run(Daemon(monitor, pace=Pace(), reload=again).run()))
        except AnotherDaemon as there:
            refuse(str(there))


@click.command()
@click.option("--now", type=INSTANT, default=None, help="The instant that the pass works with.")
@with_config
def once(config: Path, now: Instant | None) -> None:
    """One whole pass: files in, clocks, alerts, digests, mail out."""
    import asyncio

    is_present = now is None
    now = system_now() if now is None else now
    with opened(config, now=now, activate=True, is_service=True) as monitor:
        held_back = _held_back(monitor, is_present=is_present)
        _let_go_of_files(monitor)
        done = asyncio.run(_whole_pass(monitor, now=now))
    click.echo(
        f"{counted(len(done.taken), 'file')},"
        f" {counted(sum(taken.events_new for taken in done.taken), 'new event')},"
        f" {counted(done.swept.clocks, 'clock')} decided, {counted(done.swept.alerts, 'alert')},"
        f" {counted(done.kept.digests, 'digest')}, {counted(done.delivered.sent, 'mail')} sent"
    )
    refused = [taken for taken in done.taken if taken.state in {"set aside", "left"}]
    for taken in refused:
        click.echo(f"{taken.file}: {taken.state}: {taken.why}", err=True)
    aside = sum(taken.rows_set_aside for taken in done.taken)
    if aside:
        click.echo(f"{counted(aside, 'row')} set aside: monitor quarantine list", err=True)
    unsent = done.delivered.dead + done.delivered.retried
    if unsent:
        click.echo(f"{counted(unsent, 'mail')} not taken by the mail server", err=True)
    at_fault = done.delivered.relay_at_fault
    if at_fault:
        click.echo("the mail server takes nothing at present: monitor status", err=True)
    if held_back:
        click.echo(f"nothing was assessed, decided or digested: {held_back}", err=True)
    sys.exit(NEEDS_A_PERSON if refused or aside or unsent or at_fault or held_back else DONE)


def _held_back(monitor: Monitor, *, is_present: bool) -> str:
    """Why this node does not decide; it ends here where it may not even take on work."""
    from monitor.cycle.nodes import look_around

    look = look_around(monitor, system_now=system_now)
    if is_present and look.not_claiming:
        click.echo(f"nothing was done: {look.not_claiming}", err=True)
        sys.exit(NEEDS_A_PERSON)
    return look.not_deciding


def _let_go_of_files(monitor: Monitor) -> None:
    """An earlier pass that was killed holds its file; a daemon of this name lets go of its own."""
    from monitor.daemon import AnotherDaemon, only_daemon
    from monitor.store.engine import writing
    from monitor.store.intakes import release_leases

    with (
        suppress(AnotherDaemon),
        only_daemon(monitor.settings.path("var"), monitor.node),
        writing(monitor.engine) as connection,
    ):
        release_leases(connection, monitor.node)


async def _whole_pass(monitor: Monitor, *, now: Instant) -> Pass:
    from monitor.cycle import one_pass

    try:
        return await one_pass(monitor, now=now)
    finally:
        await monitor.post.close()


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--feed", required=True, help="Which feed the file is of.")
@with_config
def ingest(config: Path, path: Path, feed: str) -> None:
    """Take in one file now; it stays where it is."""
    from monitor.cycle.intake import take_in_file

    now = system_now()
    with opened(config, now=now, activate=True) as monitor:
        if feed not in monitor.feeds:
            known = ", ".join(sorted(monitor.feeds)) or "none is configured"
            refuse(f"there is no feed {feed!r}; known: {known}")
        with _progress(path) as progress:
            held_back = _held_back(monitor, is_present=True)
            taken = take_in_file(
                monitor, monitor.feeds[feed], path, now=now, progress=progress, keep=True
            )
    click.echo(f"{taken.file}: {taken.state}{': ' + taken.why if taken.why else ''}")
    if taken.state == "done":
        click.echo(
            f"{counted(taken.rows, 'row')}: {taken.events_new} new,"
            f" {taken.events_known} known already, {taken.events_amended} amended,"
            f" {taken.events_conflicting} conflicting;"
            f" {counted(taken.rows_set_aside, 'row')} set aside,"
            f" {taken.rows_without_event} without an event"
        )
    if held_back:
        click.echo(f"its cases wait for another node to assess them: {held_back}", err=True)
    troubled = taken.state not in {"done", "known already"} or taken.rows_set_aside or held_back
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
