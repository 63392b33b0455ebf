"""The command line: what an operator types.

What comes in: arguments. What goes out: text or JSON on standard output, faults on standard error,
and an exit status: 0 done, 1 something needs a person, 2 wrong use or configuration. It translates
and decides nothing.
"""

from __future__ import annotations

from pathlib import Path

import click

from monitor import __version__
from monitor.cli import (
    backtest,
    evidence,
    exporting,
    keeping,
    looking,
    mending,
    people,
    reassess,
    rules,
    setting_up,
    working,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Settings file.  [default: config/monitor.toml]",
)
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """Watch whether safeguarding partners are told in time.

    Exit status: 0 done, 1 something needs a person, 2 wrong use or configuration.
    """
    ctx.obj = {"config": config}


for command in (
    *(setting_up.init, setting_up.check, setting_up.migrate),
    *(working.run, working.once, working.ingest),
    *(looking.status, looking.clocks, looking.explain, looking.digest, looking.demo),
    *(rules.rules, backtest.backtest, reassess.reassess),
    *(mending.quarantine, mending.intake, mending.mail),
    *(people.take, people.pass_on, people.silence, people.confirm, people.close, people.actions),
    *(exporting.export, evidence.evidence),
    *(keeping.backup, keeping.restore),
):
    main.add_command(command)
