"""The commands that hand out what is stored: exports for other programs.

What comes in: arguments. What goes out: a file, or standard output; the audit log keeps that it
left.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from monitor.cli.backtest import MOMENT, Moment
from monitor.cli.doors import actor, counted, opened, refuse, system_now, with_config
from monitor.cli.progress import Told, progress_told

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.model import Instant


@click.command("export")
@click.argument("what", type=click.Choice(["clocks", "events", "alerts", "messages"]))
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl", "parquet"]), default="csv",
    show_default=True,
)  # fmt: skip
@click.option("--from", "begins", type=MOMENT, help="From here on: a date, or an instant.")
@click.option("--to", "ends", type=MOMENT, help="Up to the end of this date, or before an instant.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Write this new file.  [default: standard output]",
)
@with_config
def export(
    *,
    what: str,
    form: str,
    begins: Moment | None,
    ends: Moment | None,
    out: Path | None,
    config: Path,
) -> None:
    """Clocks, events, alerts or messages as CSV, JSON Lines or Parquet, streamed.

    --from and --to: clocks by due, events by received, alerts by decided, messages by created.
    Restricted cases are in none of them, and no address and no account. Each use is logged.
    """
    from monitor.cycle.exporting import export as write_out
    from monitor.report.parquet import NoParquet, check_parquet
    from monitor.store.exports import Span

    now = system_now()
    if form == "parquet":
        try:
            check_parquet()
        except NoParquet as missing:
            refuse(str(missing))
    if out is not None and out.exists():
        refuse(f"{out} is there already: name a new file")
    with opened(config, now=now) as monitor, progress_told() as told, _new_file(out) as file:
        span = Span(first_of(begins, monitor.zone), after(ends, monitor.zone))
        if span.since is not None and span.until is not None and span.until <= span.since:
            refuse("--to lies before --from")
        done = write_out(
            monitor, what, form, file, span=span, now=now, actor=actor(),
            progress=_rows_of(what, told),
        )  # fmt: skip
    if out is not None:
        noun = what.removesuffix("s")
        click.echo(f"{out}: {counted(done.rows, noun)}, sha256 {done.sha256}")


def first_of(moment: Moment | None, zone: ZoneInfo) -> Instant | None:
    """The instant from which on is meant; a date begins where the force is."""
    from monitor.worktime.zones import start_of_day

    return start_of_day(moment, zone) if isinstance(moment, dt.date) else moment


def after(moment: Moment | None, zone: ZoneInfo) -> Instant | None:
    """The instant before which is meant; a date is in it to its end."""
    from monitor.worktime.zones import start_of_day

    if not isinstance(moment, dt.date):
        return moment
    return start_of_day(moment + dt.timedelta(days=1), zone)


def _rows_of(what: str, told: Told | None) -> Callable[[int, int], None] | None:
    return None if told is None else lambda done, of: told(what, done, of)


@contextmanager
def _new_file(path: Path | None) -> Iterator[IO[bytes]]:
    """A file that is there when it is whole, readable by its owner alone; or standard output."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        with open(unfinished, "xb", opener=_privately) as file:
            yield file
        unfinished.replace(path)
    except FileExistsError:
        refuse(f"{unfinished} is there: an export is under way, or was broken off; remove it")
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
