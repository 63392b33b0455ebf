"""Commands for what needs a person: rows set aside, intakes, mail that is held."""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import sys
from pathlib import Path

import click

from monitor.cli.doors import (
    DONE,
    NEEDS_A_PERSON,
    actor,
    counted,
    opened,
    refuse,
    system_now,
    with_config,
)


@click.group()
def quarantine() -> None:
    """Rows that could not be read."""


@quarantine.command("list")
@click.option("--feed", default=None, help="Only this feed.")
@with_config
def quarantine_list(config: Path, feed: str | None) -> None:
    """Every row set aside, newest first."""
    from monitor.store.engine import reading
    from monitor.store.intakes import list_quarantine

    with opened(config, now=system_now()) as monitor, reading(monitor.engine) as connection:
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

    with opened(config, now=system_now()) as monitor, reading(monitor.engine) as connection:
        row = quarantined_row(connection, number)
    if row is None:
        refuse(f"there is no row {number} in quarantine: monitor quarantine list")
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
    with opened(config, now=now, activate=True) as monitor:
        mended, aside = retry_quarantine(monitor, now=now)
    click.echo(f"{counted(mended, 'row')} taken in, {aside} still set aside")
    sys.exit(NEEDS_A_PERSON if aside else DONE)


@click.group()
def intake() -> None:
    """Files that were taken in."""


@intake.command("list")
@with_config
def intake_list(config: Path) -> None:
    """The newest files taken in, with the account of their rows."""
    from monitor.store.engine import reading
    from monitor.store.intakes import list_intakes

    with opened(config, now=system_now()) as monitor, reading(monitor.engine) as connection:
        rows = list_intakes(connection, limit=50)
    for row in rows:
        click.echo(f"{row['id']}  {row['feed']}, {row['file_name']}: {row['state']}")
        click.echo(
            f"    {counted(row['rows_read'], 'row')}: {row['events_new']} new,"
            f" {row['events_known']} known already, {row['events_amended']} amended,"
            f" {row['events_conflicting']} conflicting;"
            f" {counted(row['rows_set_aside'], 'row')} set aside,"
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
    with opened(config, now=now, activate=True) as monitor:
        with reading(monitor.engine) as connection:
            known = intake_by_id(connection, number)
        if known is None:
            refuse(f"there is no intake {number}: monitor intake list")
        if known["state"] == "undone":
            refuse(f"intake {number} is undone already")
        changed = undo_intake(monitor, number, actor=actor(), now=now)
    click.echo(f"intake {number} is undone; {counted(changed, 'case')} changed")


@click.group()
def mail() -> None:
    """Mail that is held, and mail that came back."""


def _hold_or_release(config: Path, kind: str) -> None:
    from monitor.cycle.registration import release
    from monitor.store.actions import record_action
    from monitor.store.engine import writing

    now = system_now()
    with opened(config, now=now) as monitor:
        with writing(monitor.engine) as connection:
            record_action(connection, kind=kind, target="mail", actor=actor(), now=now)
        if kind == "release mail":
            release(monitor.settings, monitor.engine, now=now)


@mail.command("flagged")
@with_config
def mail_flagged(config: Path) -> None:
    """Addresses to which mail bounces; whoever stands in for them is told meanwhile."""
    from monitor.store.engine import reading
    from monitor.store.mailbox import list_flags
    from monitor.words import moment

    with opened(config, now=system_now()) as monitor, reading(monitor.engine) as connection:
        rows = list_flags(connection)
        for row in rows:
            since = moment(row["flagged_at"], zone=monitor.zone)
            click.echo(f"{row['address']}, {monitor.roster.title(row['role'])}")
            click.echo(f"    since {since}, code {row['status'] or 'unknown'}")
    if not rows:
        click.echo("Mail bounces from no address.")
    sys.exit(NEEDS_A_PERSON if rows else DONE)


@mail.command("clear")
@click.argument("address")
@with_config
def mail_clear(config: Path, address: str) -> None:
    """Mail to this address arrives again: its post is told as before."""
    from monitor.store.actions import record_action
    from monitor.store.engine import writing
    from monitor.store.mailbox import clear_flag

    now = system_now()
    with opened(config, now=now) as monitor, writing(monitor.engine) as connection:
        if not clear_flag(connection, address, now=now):
            refuse(f"mail does not bounce from {address}: monitor mail flagged")
        record_action(connection, kind="clear address", target=address, actor=actor(), now=now)
    click.echo(f"{address} is used again.")


@mail.command("returned")
@with_config
def mail_returned(config: Path) -> None:
    """The newest mails that came back, and what became of each."""
    from monitor.store.engine import reading
    from monitor.store.mailbox import list_mails_in
    from monitor.words import moment

    with opened(config, now=system_now()) as monitor, reading(monitor.engine) as connection:
        rows = list_mails_in(connection, limit=50)
        for row in rows:
            about = f", of the {monitor.roster.title(row['role'])}" if row["role"] else ""
            click.echo(f"{moment(row['read_at'], zone=monitor.zone)}  {row['kind']}{about}")
            click.echo(f"    {row['outcome'] or 'nothing follows from it'}")
    if not rows:
        click.echo("No mail came back.")


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
