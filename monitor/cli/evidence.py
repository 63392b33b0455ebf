"""The command that makes an evidence pack.

What comes in: arguments. What goes out: a folder, and a line on what was written; the audit log
keeps that it left.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.backtest import MOMENT, Moment
from monitor.cli.doors import actor, counted, opened, refuse, system_now, with_config
from monitor.cli.exporting import after, first_of
from monitor.cli.progress import progress_told

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.cycle.evidence.pack import Wanted
    from monitor.model import Instant


@click.command("evidence")
@click.option(
    "--from", "begins", required=True, type=MOMENT, help="From here on: a date, or an instant."
)
@click.option(
    "--to", "ends", required=True, type=MOMENT, help="Up to the end of this date, or to an instant."
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Write it into this new or empty folder.",
)
@click.option(
    "--cases",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="References to look for, one a line, or a CSV file with a column reference.",
)
@click.option(
    "--sample", type=click.IntRange(0), default=0, help="So many cases, drawn by the seed."
)
@click.option("--seed", default="", help="By which the sample is drawn: the same draws the same.")
@click.option(
    "--backlog",
    "dates",
    multiple=True,
    type=MOMENT,
    help="The backlog at the end of this date; may be given again.  [default: each month's end]",
)
@click.option("--outside", is_flag=True, help="For readers outside the force: no case, no small n.")
@with_config
def evidence(
    *,
    begins: Moment,
    ends: Moment,
    out: Path,
    cases: Path | None,
    sample: int,
    seed: str,
    dates: tuple[Moment, ...],
    outside: bool,
    config: Path,
) -> None:
    """What an inspector asks for: rules, figures, cases, alerts, decisions, data quality.

    A folder of pages, CSV and JSON with a manifest. Each use is logged as a disclosure.
    """
    from monitor.cycle.evidence.asked import no_progress
    from monitor.cycle.evidence.pack import NotEmpty, PeriodNotOver, make_pack

    if sample and not seed:
        raise click.UsageError("--sample needs --seed: by it anybody can draw the same cases")
    now = system_now()
    with opened(config, now=now) as monitor, progress_told() as told:
        wanted = _wanted(
            begins, ends, dates, monitor.zone, cases=cases, sample=sample, seed=seed,
            outside=outside,
        )  # fmt: skip
        try:
            made = make_pack(
                monitor, wanted, out, now=now, actor=actor(), progress=told or no_progress
            )
        except (NotEmpty, PeriodNotOver) as refused:
            refuse(str(refused))
    click.echo(f"{out}: {counted(made.files, 'file')}, {made.size:,} bytes")
    click.echo(f"everything known up to number {made.known}; open {out / 'index.html'}")
    click.echo(f"manifest sha256 {made.manifest}; to check: sha256sum -c SHA256SUMS")


def _wanted(
    begins: Moment,
    ends: Moment,
    dates: tuple[Moment, ...],
    zone: ZoneInfo,
    *,
    cases: Path | None,
    sample: int,
    seed: str,
    outside: bool,
) -> Wanted:
    from monitor.cycle.evidence.listed import read_list
    from monitor.cycle.evidence.pack import Wanted

    return Wanted(
        since=_sure(first_of(begins, zone)),
        until=_sure(after(ends, zone)),
        cases=() if cases is None else read_list(cases),
        sample=sample,
        seed=seed,
        dates=tuple(sorted({_end_of(date, zone) for date in dates})),
        outside=outside,
    )


def _sure(instant: Instant | None) -> Instant:
    assert instant is not None
    return instant


def _end_of(date: Moment, zone: ZoneInfo) -> Instant:
    """The last microsecond of a date; an instant is what it is."""
    end = _sure(after(date, zone))
    return end if isinstance(date, int) else end - 1
