"""Commands that keep what is known: a copy of the database while it is in use, and the way back."""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.doors import (
    NEEDS_A_PERSON,
    actor,
    faults_said,
    read_settings_of,
    refuse,
    system_now,
    with_config,
)

if TYPE_CHECKING:
    from monitor.settings import Settings
    from monitor.store.backup import Account
    from monitor.store.engine import Engine


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@with_config
def backup(config: Path, file: Path) -> None:
    """Copy the whole database into a new FILE while daemons run.

    The copy is one private SQLite file, whatever the database is; in it all mail is held.
    """
    from monitor.store.backup import make_copy

    with _database(config, must_exist=True) as (_, engine):
        account = make_copy(engine, file.absolute(), actor=actor(), now=system_now())
    click.echo(f"{file}: {_words(account)}. In it all mail is held.")
    _say_where_audit_breaks(account)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@with_config
def restore(config: Path, file: Path) -> None:
    """Fill the empty database from FILE, a copy that `monitor backup` made.

    All mail is held afterwards, until `monitor mail release`.
    """
    from monitor.store.backup import restore_copy

    with _database(config) as (settings, engine):
        scratch = settings.path("var")
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        account = restore_copy(
            file.absolute(), engine, scratch=scratch, actor=actor(), now=system_now()
        )
    click.echo(f"Restored: {_words(account)}.")
    click.echo("All mail is held: monitor mail release")
    _say_where_audit_breaks(account)


@contextmanager
def _database(config: Path, *, must_exist: bool = False) -> Iterator[tuple[Settings, Engine]]:
    """The database alone: neither rules nor feeds need be in order to keep what is known."""
    from monitor.store.backup import CannotCopy
    from monitor.store.engine import open_engine

    with faults_said():
        settings = read_settings_of(config)
        engine = open_engine(settings.database_url(), must_exist=must_exist)
        try:
            yield settings, engine
        except CannotCopy as why:
            refuse(str(why))
        finally:
            engine.dispose()


def _words(account: Account) -> str:
    cases, events = account.rows["case_"], account.rows["event"]
    return f"{cases} cases, {events} events, {account.rows['message']} mails"


def _say_where_audit_breaks(account: Account) -> None:
    if account.audit_breaks_at is not None:
        click.echo(
            f"its audit log is not whole: row {account.audit_breaks_at} does not follow", err=True
        )
        sys.exit(NEEDS_A_PERSON)
