"""The command that tries other rules on the stored history.

What comes in: arguments. What goes out: what would change, and what would fall on whom at which
hour: in the terminal, as JSON, or as CSV files and a page. Nothing is written to the database.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.doors import (
    INSTANT,
    actor,
    faults_said,
    read_settings_of,
    refuse,
    system_now,
    with_config,
)

if TYPE_CHECKING:
    from monitor.cycle.backtesting import Tried
    from monitor.model import Instant
    from monitor.report.backtest import BacktestFigures


@click.command()
@click.option(
    "--rules",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The rules to try.",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Rules to compare with, in place of those in force.",
)
@click.option(
    "--from", "since", type=INSTANT, required=True, help="Clocks that start from here on."
)
@click.option("--to", "until", type=INSTANT, required=True, help="Up to here, and as of then.")
@click.option("--rule", "only", multiple=True, help="This rule only; may be given again.")
@click.option(
    "--workers", type=click.IntRange(1), default=None, help="Processes.  [default: cores]"
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for CSV files and a page.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@with_config
def backtest(
    *,
    folder: Path,
    against: Path | None,
    since: Instant,
    until: Instant,
    only: tuple[str, ...],
    workers: int | None,
    out: Path | None,
    as_json: bool,
    config: Path,
) -> None:
    """Try other rules on what is stored: verdicts, alerts and mails, before and after.

    Each rule counts in its newest version, as if it had been in force throughout, and every event
    as if it had been learnt when it was recorded. Nothing is written.
    """
    from monitor.backtesting import ask, try_out

    if since >= until:
        refuse("--from must be before --to")
    with faults_said():
        settings = read_settings_of(config)
        asked = ask(settings, folder, against=against, since=since, until=until, only=only)
        tried, figures = try_out(
            settings,
            asked,
            workers=workers or os.cpu_count() or 1,
            actor=actor(),
            now=system_now(),
            progress=_progress if sys.stderr.isatty() else None,
        )
    if out is not None:
        _save(figures, out, page=_page(config, figures, folder, since, until))
    if as_json:
        click.echo(json.dumps(_values(figures, tried), indent=2))
    else:
        _say(figures, tried, out)


def _progress(done: int, of: int) -> None:
    click.echo(f"\r{100 * done // of:3} %", err=True, nl=done == of)


def _say(figures: BacktestFigures, tried: Tried, out: Path | None) -> None:
    from monitor.terminal.backtest import backtest_lines

    for line in backtest_lines(figures):
        click.echo(line)
    click.echo()
    click.echo(
        f"{tried.events} events in {tried.seconds:.1f} s"
        f" (reading {tried.reading_seconds:.1f} s, computing {tried.computing_seconds:.1f} s"
        " over all processes)"
    )
    if out is not None:
        click.echo(f"saved in {out}: changes.csv, shares.csv, mails.csv, backtest.html")


def _save(figures: BacktestFigures, out: Path, *, page: str) -> None:
    from monitor.terminal.backtest import write_changes, write_loads, write_shares

    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, write in (
        ("changes.csv", write_changes),
        ("shares.csv", write_shares),
        ("mails.csv", write_loads),
    ):
        with (out / name).open("w", encoding="utf-8", newline="") as file:
            write(figures, file)
    (out / "backtest.html").write_text(page, encoding="utf-8")


def _page(
    config: Path, figures: BacktestFigures, folder: Path, since: Instant, until: Instant
) -> str:
    from monitor.wiring import composer_of

    composer = composer_of(read_settings_of(config))
    return composer.page(
        "backtest.html", figures=figures, rules=folder.name, since=since, until=until
    )


def _values(figures: BacktestFigures, tried: Tried) -> dict[str, object]:
    return {
        "cases": figures.cases,
        "events": tried.events,
        "changes": [turn._asdict() for turn in figures.turns],
        "by_rule": [share._asdict() for share in figures.by_rule],
        "by_district": [share._asdict() for share in figures.by_district],
        "by_category": [share._asdict() for share in figures.by_category],
        "roles": [role._asdict() for role in figures.roles],
        "seconds": round(tried.seconds, 3),
        "reading_seconds": round(tried.reading_seconds, 3),
        "computing_seconds": round(tried.computing_seconds, 3),
    }
