"""The command that measures anew, on purpose, what has ended.

What comes in: arguments. What goes out: what changes, or would; with `--apply` it is written.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.doors import (
    NEEDS_A_PERSON,
    actor,
    counted,
    opened,
    refuse,
    system_now,
    with_config,
)

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.cycle.reassess import Restated
    from monitor.model import Instant

_NAMED = 20
"""So many cases are named."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--apply", is_flag=True, help="Write it.")
@click.option(
    "--rule", "only", multiple=True, help="Of this rule; may be given again.  [default: all]"
)
@click.option("--by", default="", metavar="ROLE", help="On whose behalf; needed to apply.")
@click.option("--reason", "reason_code", default="", metavar="CODE", help="Why; needed to apply.")
@with_config
def reassess(
    *, dry_run: bool, apply: bool, only: tuple[str, ...], by: str, reason_code: str, config: Path
) -> None:
    """Measure clocks that have ended anew, by the rules and calendars in force now.

    A correction changes open clocks by itself, and what has ended only so. Killed half way, the
    same command does the rest.
    """
    from monitor.cycle.people import Refused
    from monitor.cycle.reassess import HeldBack, Purpose, restate

    if dry_run is apply:
        raise click.UsageError("say one of --dry-run and --apply")
    if apply and not (by and reason_code):
        raise click.UsageError("to apply, say who and why: --by ROLE --reason CODE")
    now = system_now()
    with opened(config, now=now) as monitor:
        rules = _rules(monitor, only)
        purpose = Purpose(actor=actor(), role=by, reason_code=reason_code) if apply else None
        try:
            _say(monitor, restate(monitor, rules, purpose, now=now), now=now, is_done=apply)
        except Refused as why:
            refuse(str(why))
        except HeldBack as why:
            click.echo(f"nothing was restated: {why}", err=True)
            sys.exit(NEEDS_A_PERSON)


def _rules(monitor: Monitor, only: tuple[str, ...]) -> frozenset[str]:
    from monitor.words import nearest

    known = monitor.rulebook.duties.keys()
    if unknown := sorted(set(only) - known):
        near = nearest(unknown[0], known, list_all="monitor rules list")
        refuse(f"there is no rule {', '.join(unknown)}; {near}")
    return frozenset(only or known)


def _say(monitor: Monitor, restated: Iterable[Restated], *, now: Instant, is_done: bool) -> None:
    kinds: Counter[tuple[str, str, str]] = Counter()
    for number, each in enumerate(restated):
        kinds[each.clock.rule, each.before, each.after] += 1
        if number < _NAMED:
            click.echo(_line(monitor, each, now=now))
        elif number == _NAMED:
            click.echo("and others:")
    changed = sum(kinds.values())
    if not changed:
        click.echo("Nothing that has ended is measured otherwise today.")
        return
    click.echo()
    for (rule, before, after), number in sorted(kinds.items()):
        what = f"{before} -> {after}" if before != after else f"{before}, due at another time"
        click.echo(f"{number:>7}  {rule}: {what}")
    done = "restated; each case has a record" if is_done else "would be restated"
    click.echo(f"{counted(changed, 'clock')} {done}")


def _line(monitor: Monitor, restated: Restated, *, now: Instant) -> str:
    from monitor.cycle.people import when

    named = "a restricted case" if restated.restricted else restated.reference
    was, due = (
        "unknown" if at is None else when(monitor, at, now=now)
        for at in (restated.due_before, restated.due_after)
    )
    return f"{named}  {restated.clock.rule}: due {due} (was {was}), {restated.after}" + (
        f" (was {restated.before})" if restated.before != restated.after else ""
    )
