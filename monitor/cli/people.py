"""Commands by which people act on telling: take, pass, silence, confirm, close; and their list."""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monitor.cli.doors import (
    INSTANT,
    NEEDS_A_PERSON,
    actor,
    opened,
    refuse,
    system_now,
    with_config,
)

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.cycle.people import Recorded
    from monitor.model import Instant

F = TypeVar("F", bound=Callable[..., Any])


def _meaning_clocks(command: F) -> F:
    """The options by which clocks of a case are meant, and who acts and why."""
    for option in (
        click.option("--organisation", default="", help="Only of this organisation, by its code."),
        click.option("--child", default="", help="Only of this child: the beginning of its hash."),
        click.option("--rule", default="", help="Only this rule.  [default: all that fit]"),
    ):
        command = option(command)
    return _giving_reasons(click.argument("reference")(command))


def _giving_reasons(command: F) -> F:
    for option in (
        click.option(
            "--by",
            default="",
            metavar="ROLE",
            help="For which role or post: 'east duty inspector'.",
        ),
        click.option(
            "--reason",
            "reason_code",
            required=True,
            metavar="CODE",
            help="Why; see the vocabulary.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@_meaning_clocks
@click.option("--until", type=INSTANT, default=None, help="When the take ends.  [default: 4 hours]")
@with_config
def take(  # noqa: PLR0917 - each is an option of its own
    config: Path,
    reference: str,
    rule: str,
    child: str,
    organisation: str,
    reason_code: str,
    by: str,
    until: Instant | None,
) -> None:
    """Take overdue duties of a case on: reminders and further alerts to all rest meanwhile."""
    from monitor.cycle import people

    now = system_now()
    with _acting(config, now=now) as monitor:
        recorded = people.take(
            monitor,
            _clocks(monitor, reference, rule, child, organisation),
            actor=actor(),
            reason_code=reason_code,
            now=now,
            on_behalf_of=by,
            until=until,
        )
        _say(
            monitor,
            recorded,
            lambda until: f"taken until {until}; nobody is told of it before then",
            now=now,
        )


@click.command("pass")
@_meaning_clocks
@click.option(
    "--to", default="", metavar="ROLE", help="To whom.  [default: the next of the ladder]"
)
@with_config
def pass_on(  # noqa: PLR0917 - each is an option of its own
    config: Path,
    reference: str,
    rule: str,
    child: str,
    organisation: str,
    reason_code: str,
    by: str,
    to: str,
) -> None:
    """Pass duties of a case on: whoever has them next is told at once."""
    from monitor.cycle import people

    now = system_now()
    with _acting(config, now=now) as monitor:
        recorded = people.pass_on(
            monitor,
            _clocks(monitor, reference, rule, child, organisation),
            actor=actor(),
            reason_code=reason_code,
            now=now,
            to_role=to,
            on_behalf_of=by,
        )
        whom = f"the {to.replace('_', ' ')}" if to else "the next of its ladder"
        _say(monitor, recorded, lambda _: f"passed on to {whom}, who is told next", now=now)


@click.command()
@click.argument("reference", default="")
@click.option("--rule", default="", help="Only this rule, of the case or of all cases.")
@click.option("--until", type=INSTANT, default=None, help="When it ends; required.")
@click.option("--reason", "reason_code", default="", metavar="CODE", help="Why; required.")
@click.option("--by", default="", metavar="ROLE", help="For which role or post.")
@click.option("--end", "ended", type=int, default=None, metavar="NUMBER", help="End one early.")
@with_config
def silence(
    config: Path,
    reference: str,
    rule: str,
    until: Instant | None,
    reason_code: str,
    by: str,
    ended: int | None,
) -> None:
    """Tell nobody of a case, a rule of a case, or a rule, until an instant; measuring goes on."""
    from monitor.cycle import asked, people
    from monitor.words import when

    now = system_now()
    if ended is None and (until is None or not reason_code):
        raise click.UsageError("a silence has an end and a reason: --until INSTANT --reason CODE")
    with _acting(config, now=now) as monitor:
        if ended is not None:
            people.end(monitor, ended, actor=actor(), now=now, kind="silence")
            click.echo(f"silence {ended} is over; what was missed is told now")
            return
        assert until is not None
        number = people.silence(
            monitor,
            actor=actor(),
            reason_code=reason_code,
            until=until,
            now=now,
            reference=reference,
            rule=rule,
            on_behalf_of=by,
        )
        about = asked.said_of_target(people.silence_target(reference, rule))
        ends = when(until, at=now, zone=monitor.zone)
        click.echo(f"{number}  {about}: silent until {ends}; it is measured on")
        click.echo(f"    end it before: monitor silence --end {number}")


@click.command()
@_meaning_clocks
@with_config
def confirm(
    config: Path,
    reference: str,
    rule: str,
    child: str,
    organisation: str,
    reason_code: str,
    by: str,
) -> None:
    """Confirm that a partner was told by word of mouth, where that was written down after due."""
    from monitor.cycle import confirming

    now = system_now()
    with _acting(config, now=now) as monitor:
        recorded = confirming.confirm(
            monitor,
            _clocks(monitor, reference, rule, child, organisation),
            actor=actor(),
            reason_code=reason_code,
            now=now,
            on_behalf_of=by,
        )
        _say(monitor, recorded, lambda _: "confirmed; it stays in time", now=now)


@click.command()
@_meaning_clocks
@with_config
def close(
    config: Path,
    reference: str,
    rule: str,
    child: str,
    organisation: str,
    reason_code: str,
    by: str,
) -> None:
    """End the telling of overdue duties for good; in every figure they stay overdue."""
    from monitor.cycle import people

    if not rule:
        raise click.UsageError("say which rule: --rule ID")
    now = system_now()
    with _acting(config, now=now) as monitor:
        recorded = people.close(
            monitor,
            _clocks(monitor, reference, rule, child, organisation),
            actor=actor(),
            reason_code=reason_code,
            now=now,
            on_behalf_of=by,
        )
        _say(monitor, recorded, lambda _: "nobody is told of it any more; it counts on", now=now)


@click.group()
def actions() -> None:
    """What people did about telling."""


@actions.command("list")
@click.option("--limit", type=int, default=50, show_default=True, help="How many.")
@with_config
def actions_list(config: Path, limit: int) -> None:
    """The newest takes, passes, silences, confirmations and closes, newest first."""
    from monitor.cycle import asked
    from monitor.words import moment, when

    now = system_now()
    with _acting(config, now=now) as monitor:
        listed = asked.list_actions(monitor, actor=actor(), limit=limit)
        for each in listed:
            at = moment(each.from_at, zone=monitor.zone)
            click.echo(f"{each.number}  {each.kind} {each.about}, {at}")
            by = f" for the {each.by}" if each.by else ""
            click.echo(f"    by {each.actor}{by}: {each.reason}")
            if each.until_at is not None:
                until = when(each.until_at, at=now, zone=monitor.zone)
                click.echo(f"    until {until}{', ended before' if each.ended else ''}")
            elif each.ended:
                click.echo("    taken back")
        if not listed:
            click.echo("Nobody has taken, passed on, silenced, confirmed or closed anything.")


@actions.command("end")
@click.argument("number", type=int)
@with_config
def actions_end(config: Path, number: int) -> None:
    """Take back a take, a silence or a close; what was missed meanwhile is told now."""
    from monitor.cycle import people

    now = system_now()
    with _acting(config, now=now) as monitor:
        ended = people.end(monitor, number, actor=actor(), now=now)
        click.echo(f"{ended.kind} {number} is over; what was missed is told now")


@contextmanager
def _acting(config: Path, *, now: Instant) -> Iterator[Monitor]:
    """An installation that is ready; a refusal becomes words and an exit status."""
    from monitor.cycle.people import Refused

    with opened(config, now=now) as monitor:
        try:
            yield monitor
        except Refused as refused:
            refuse(str(refused))


def _clocks(
    monitor: Monitor, reference: str, rule: str, child: str, organisation: str
) -> list[int]:
    from monitor.cycle.people import find_clocks

    return find_clocks(
        monitor, reference, actor=actor(), rule=rule, child=child, organisation=organisation
    )


def _say(monitor: Monitor, recorded: Recorded, what: Callable[[str], str], *, now: Instant) -> None:
    """A line for each clock; without any, why not, and exit status 1."""
    from monitor.words import when

    for done in recorded.done:
        until = "" if done.until is None else when(done.until, at=now, zone=monitor.zone)
        click.echo(f"{done.number}  {done.reference}, {done.rule}: {what(until)}")
    if not recorded.done:
        for line in recorded.refused:
            click.echo(line, err=True)
        sys.exit(NEEDS_A_PERSON)
