"""What every command needs: its options, an installation that is ready, and how faults are said.

What comes in: arguments. What goes out: an installation, or words on standard error and an exit
status. It knows no command.
"""

# ruff: noqa: PLC0415
# Imports stand inside the commands, so that help is there at once.

from __future__ import annotations

import functools
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.model import Instant
    from monitor.settings import Settings


DONE, NEEDS_A_PERSON, WRONG_USE = 0, 1, 2

WIDTH = 100
"""A line in the terminal is no longer than this."""

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_CONFIG = Path("config/monitor.toml")


class InstantParam(click.ParamType[int]):
    """ISO 8601 with offset: `2027-03-09T02:47:00+00:00`."""

    name = "instant"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Instant:
        """An instant, or a usage error that says the form."""
        from monitor.worktime.instants import parse_instant

        if isinstance(value, int):
            return value
        try:
            return parse_instant(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


INSTANT = InstantParam()


def with_config(command: F) -> F:
    """Every command takes `--config`, before or after its name."""

    @click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help="Settings file.  [default: config/monitor.toml]",
    )
    @click.pass_context
    @functools.wraps(command)
    def wrapped(ctx: click.Context, /, *args: Any, config: Path | None, **named: Any) -> Any:
        chosen = config or (ctx.find_root().obj or {}).get("config") or DEFAULT_CONFIG
        return command(*args, config=chosen, **named)

    return wrapped  # type: ignore[return-value]


def system_now() -> Instant:
    """What time it is, in microseconds UTC."""
    return time.time_ns() // 1000


def read_settings_of(config: Path) -> Settings:
    """The settings of an installation; raises FaultsFound."""
    from monitor.settings import read_settings

    return read_settings(config)


@contextmanager
def faults_said() -> Iterator[None]:
    """Faults of files and of the database become words, one a line, and an exit status."""
    from monitor.deliver.smtp import UnsafeMailServer
    from monitor.faults import FaultsFound
    from monitor.store.engine import (
        DatabaseGone,
        NetworkFile,
        NotADatabase,
        WrongOwner,
        is_unusable,
        why_unusable,
    )
    from monitor.store.schema import SchemaNotCurrent

    try:
        yield
    except FaultsFound as found:
        refuse(*map(str, found.faults))
    except (SchemaNotCurrent, WrongOwner, NetworkFile, UnsafeMailServer) as error:
        refuse(str(error))
    except (DatabaseGone, NotADatabase) as error:
        refuse(str(error))
    except PermissionError as error:
        refuse(_not_allowed(error))
    except Exception as error:
        if not is_unusable(error):
            raise
        click.echo(f"the database cannot be used now: {why_unusable(error)}", err=True)
        sys.exit(NEEDS_A_PERSON)


def _not_allowed(error: PermissionError) -> str:
    """Which file an account may not use, and as whom the command is to be run."""
    file, mine = Path(str(error.filename or "")), os.getuid()
    said = f"{file}: the account {account_name(mine)} may not use it"
    owner = next((uid for uid in map(_owner, (file, *file.parents)) if uid), mine)
    if owner == mine:
        return said
    lent = account_name(owner, nameless="#{}")
    return f"{said}. Commands run as the account that runs the monitor: sudo -u '{lent}' monitor …"


def _owner(file: Path) -> int | None:
    """Whose a file is; None where it cannot be seen, or is the system's."""
    try:
        return file.stat().st_uid or None
    except OSError:
        return None


def refuse(*why: str) -> NoReturn:
    """Say why, a line each, and end as wrong use."""
    for line in why:
        click.echo(line, err=True)
    sys.exit(WRONG_USE)


@contextmanager
def opened(
    config: Path, *, now: Instant, activate: bool = False, is_service: bool = False
) -> Iterator[Monitor]:
    """An installation that is ready; only a service logs what goes well."""
    import asyncio

    from monitor.logs import configure_logs
    from monitor.store.engine import is_unusable, why_unusable
    from monitor.wiring import outage_of, ready

    with faults_said():
        settings = read_settings_of(config)
        if is_service:
            configure_logs(settings.service.log_format)
        else:
            configure_logs("text", level=logging.CRITICAL)
        try:
            monitor = ready(settings, now=now, actor=actor(), activate=activate)
        except Exception as error:
            if is_service and is_unusable(error):
                told = outage_of(settings).goes_on(why_unusable(error), now=now)
                asyncio.run(told)
            raise
        yield monitor


def actor() -> str:
    """Who types: the account, and beside it that which it was lent by `sudo`.

    As the operating system knows it, and never by a variable that whoever types can set; but for
    those that `sudo` sets itself, which are believed of who could do all that the account can.
    """
    typed_as, typed_by = accounts()
    if typed_by == typed_as:
        return account_name(typed_as)
    return f"{account_name(typed_by)} (by sudo as {account_name(typed_as)})"


def accounts() -> tuple[int, int]:
    """The number of the account by which a command runs, and of who typed it."""
    runs_as, lent_to = os.getuid(), os.environ.get("SUDO_UID", "")
    return runs_as, int(lent_to) if lent_to.isdecimal() else runs_as


def account_name(number: int, *, nameless: str = "uid {}") -> str:
    """The name of an account; `nameless`: how its number is said where it has none."""
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return nameless.format(number)


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it has to be."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
