"""Commands that make, check and migrate an installation."""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import sys
from pathlib import Path

import click

from monitor.cli.doors import (
    NEEDS_A_PERSON,
    counted,
    faults_said,
    read_settings_of,
    refuse,
    system_now,
    with_config,
)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Make an installation in FOLDER: rules, templates, settings, database."""
    from monitor.installation import AlreadyThere, install

    with faults_said():
        try:
            install(folder)
        except AlreadyThere as there:
            refuse(str(there))
        except OSError as error:
            refuse(f"{error.filename or folder}: {error.strerror}")
    click.echo(f"An installation is in {folder}. Next:")
    click.echo(f"  cd {folder}")
    click.echo("  edit monitor.toml, recipients.toml, partners.toml and feeds/, all in config/")
    click.echo("  monitor check     says what is still wrong, file by file")
    click.echo("  monitor rules list, show and approve: until they are approved, rules tell nobody")
    click.echo("  monitor once      one whole pass")
    click.echo("  monitor run       the daemon")


@click.command()
@with_config
def check(config: Path) -> None:
    """Check settings, rules, feeds, recipients, partners, templates and database."""
    from monitor.wiring import check_everything, held_back

    with faults_said():
        settings = read_settings_of(config)
        if faults := check_everything(settings, now=system_now()):
            refuse(*map(str, faults), f"{counted(len(faults), 'fault')}.")
        if why := held_back(settings, system_now=system_now):
            for each in why:
                click.echo(f"this node would hold back: {each}", err=True)
            sys.exit(NEEDS_A_PERSON)
    click.echo("Everything is in order.")


@click.command()
@click.option("--plan", is_flag=True, help="Only say what would be done.")
@with_config
def migrate(config: Path, plan: bool) -> None:
    """Bring the database to this program's schema."""
    from monitor.store.engine import open_engine
    from monitor.store.schema import migrate as bring_up
    from monitor.store.schema import waiting_migrations

    with faults_said():
        engine = open_engine(read_settings_of(config).database_url())
        done = waiting_migrations(engine) if plan else bring_up(engine)
        engine.dispose()
    for revision in done:
        click.echo(f"{'would apply' if plan else 'applied'} {revision}")
    if not done:
        click.echo("The database is current.")
