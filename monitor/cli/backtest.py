"""The command that tries other rules on the stored history.

What comes in: arguments. What goes out: what would change, and what would fall on whom at which
hour: in the terminal, as JSON, or as CSV files and a page. Nothing is written to the database.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from zoneinfo import ZoneInfo

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

Moment: TypeAlias = "Instant | dt.date"

DAYS: Final = 365
"""So long is the period where nobody says when it begins."""


class MomentParam(click.ParamType[Any]):
    """A date, which begins at midnight where the force is; or an instant."""

    name = "date"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Moment:
        """A date, or an instant; or a usage error that says both forms."""
        if isinstance(value, int | dt.date):
            return value
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            if "T" in value:
                return INSTANT.convert(value, param, ctx)
            said = f"{value!r} is neither a date such as 2026-01-01 nor an instant such as"
            self.fail(f"{said} 2026-01-01T06:00:00+00:00", param, ctx)


MOMENT = MomentParam()


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
    "--from",
    "begins",
    type=MOMENT,
    help="Clocks that start from here on: a date, or an instant.  [default: a year before --to]",
)
@click.option(
    "--to", "ends", type=MOMENT, help="Up to here, and as of then: the same.  [default: now]"
)
@click.option("--rule", "only", multiple=True, help="This rule only; may be given again.")
@click.option(
    "--workers", type=click.IntRange(1), default=None, help="Processes.  [default: cores]"
)
@click.option(
    "--verdicts-only", is_flag=True, help="What clocks say, not who would be told: much quicker."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for CSV files and a page.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@with_config
def backtest(
    *,
    folder: Path,
    against: Path | None,
    begins: Moment | None,
    ends: Moment | None,
    only: tuple[str, ...],
    workers: int | None,
    verdicts_only: bool,
    out: Path | None,
    as_json: bool,
    config: Path,
) -> None:
    """Try other rules on what is stored: verdicts, alerts and mails, before and after.

    Each rule counts in its newest version, as if it had been in force throughout, and every event
    as if it had been learnt when it was recorded. Nothing is written.
    """
    from monitor.backtesting import ask, try_out

    now = system_now()
    with faults_said():
        settings = read_settings_of(config)
        zone = ZoneInfo(settings.service.zone)
        since, until = _period(begins, ends, zone, now=now)
        asked = ask(
            settings,
            folder,
            against=against,
            since=since,
            until=until,
            only=only,
            telling=not verdicts_only,
        )
        tried, figures = try_out(
            settings,
            asked,
            workers=workers or os.cpu_count() or 1,
            actor=actor(),
            now=now,
            progress=_progress if sys.stderr.isatty() else None,
        )
    if out is not None:
        page = _page(config, figures, folder, since, until, telling=tried.telling)
        _save(figures, out, page=page)
    if as_json:
        period = {"from": _iso(since, zone), "to": _iso(until, zone)}
        click.echo(json.dumps(period | _values(figures, tried), indent=2))
    else:
        _say(figures, tried, out, f"{_civil(since, zone)} to {_civil(until, zone)}")


def _period(
    begins: Moment | None, ends: Moment | None, zone: ZoneInfo, *, now: Instant
) -> tuple[Instant, Instant]:
    """From when, and up to when; words and the end where that is no time that was lived."""
    from monitor.model import DAY

    until = now if ends is None else _instant(ends, zone)
    since = until - DAYS * DAY if begins is None else _instant(begins, zone)
    if until > now:
        refuse(
            "--to is ahead of now: whatever is open would count as it would stand then, and every"
            " alert up to then. Leave --to out for up to now"
        )
    if since >= until:
        refuse("--from must be before --to")
    return since, until


def _instant(moment: Moment, zone: ZoneInfo) -> Instant:
    from monitor.worktime.zones import start_of_day

    return start_of_day(moment, zone) if isinstance(moment, dt.date) else moment


def _civil(instant: Instant, zone: ZoneInfo) -> str:
    from monitor.worktime.zones import local

    return f"{local(instant, zone):%Y-%m-%d %H:%M}"


def _iso(instant: Instant, zone: ZoneInfo) -> str:
    from monitor.worktime.instants import isoformat

    return isoformat(instant, zone)


def _progress(done: int, of: int) -> None:
    click.echo(f"\r{100 * done // of:3} %", err=True, nl=done == of)


def _say(figures: BacktestFigures, tried: Tried, out: Path | None, period: str) -> None:
    from monitor.terminal.backtest import backtest_lines

    for line in backtest_lines(figures, telling=tried.telling):
        click.echo(line)
    click.echo()
    click.echo(f"clocks that start from {period}, as they stand then")
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
    config: Path,
    figures: BacktestFigures,
    folder: Path,
    since: Instant,
    until: Instant,
    *,
    telling: bool,
) -> str:
    from monitor.wiring import composer_of

    composer = composer_of(read_settings_of(config))
    return composer.page(
        "backtest.html",
        figures=figures,
        rules=folder.name,
        since=since,
        until=until,
        telling=telling,
    )


def _values(figures: BacktestFigures, tried: Tried) -> dict[str, object]:
    return {
        "cases": figures.cases,
        "events": tried.events,
        "changes": [turn._asdict() for turn in figures.turns],
        "by_rule": [share._asdict() for share in figures.by_rule],
        "by_district": [share._asdict() for share in figures.by_district],
        "by_category": [share._asdict() for share in figures.by_category],
        "roles": [role._asdict() for role in figures.roles] if tried.telling else None,
        "seconds": round(tried.seconds, 3),
        "reading_seconds": round(tried.reading_seconds, 3),
        "computing_seconds": round(tried.computing_seconds, 3),
    }
