"""The evidence pack: its sections in their order, written into a folder, and logged.

What comes in: an installation, a period and what is asked of it. What goes out: a folder that an
inspector is handed, with a manifest; and one line in the audit log: a pack is a disclosure. It does
not care what a section says, nor how a file is written.

The same program on the same events gives the same bytes, but for the stated time at which the pack
was made, and with it the manifest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from monitor import __version__
from monitor.cycle.evidence import (
    about,
    alerts,
    backlog,
    cases,
    charts,
    decisions,
    definitions,
    figures,
    manual,
    quality,
    register,
    sample,
)
from monitor.cycle.evidence.asked import Asked, no_progress
from monitor.cycle.evidence.writing import PackFolder
from monitor.data import data_folder
from monitor.deliver.compose import Composer
from monitor.report.tables import iso
from monitor.store import actions, intakes
from monitor.store.engine import reading, writing

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.cycle.parts import Monitor
    from monitor.model import Instant
    from monitor.report.evidence import Section

SECTIONS: Final[tuple[tuple[str, Callable[[Asked], Section]], ...]] = (
    ("what this is", about.section),
    ("rule register", register.section),
    ("clock definitions", definitions.section),
    ("control charts", charts.section),
    ("figures", figures.section),
    ("backlog", backlog.section),
    ("named cases", cases.section),
    ("sample", sample.section),
    ("alerts", alerts.section),
    ("decisions", decisions.section),
    ("data quality", quality.section),
    ("manual actions", manual.section),
)
"""What is told while it is made, and what makes it; in the order of the pack."""


class PeriodNotOver(ValueError):
    """The period has not ended, or ends before it begins, or before a date; the words say so."""


class NotEmpty(Exception):
    """The folder holds something already; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asks of a pack. Periods are from `since` to before `until`."""

    since: Instant
    until: Instant
    cases: tuple[str, ...] = ()
    sample: int = 0
    seed: str = ""
    dates: tuple[Instant, ...] = ()
    outside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was written."""

    files: int
    size: int
    """In bytes, of all files."""
    known: int
    manifest: str
    """SHA-256 of the manifest."""


def make_pack(
    monitor: Monitor,
    wanted: Wanted,
    folder: Path,
    *,
    now: Instant,
    actor: str,
    progress: Callable[[str, int, int], None] = no_progress,
) -> Made:
    """Write a pack into a new or empty folder, and log it, whether or not all of it was written.

    Raises PeriodNotOver and NotEmpty before anything is written.
    """
    _check(wanted, folder, now=now)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made: Made | None = None
    try:
        made = _write(monitor, wanted, folder, now=now, progress=progress)
    finally:
        _log(monitor, wanted, made, now=now, actor=actor)
    return made


def _check(wanted: Wanted, folder: Path, *, now: Instant) -> None:
    if wanted.until <= wanted.since:
        msg = "the period ends before it begins: --to lies before --from"
        raise PeriodNotOver(msg)
    if wanted.until > now:
        msg = (
            "the period has not ended: a pack says how things stood at the end of its period, and"
            " would say something else tomorrow. End it with yesterday, or with an instant that has"
            " passed"
        )
        raise PeriodNotOver(msg)
    if any(date > wanted.until for date in wanted.dates):
        msg = "a date of the backlog lies after the end of the period"
        raise PeriodNotOver(msg)
    if folder.exists() and any(folder.iterdir()):
        msg = f"{folder} is not empty: name a new folder"
        raise NotEmpty(msg)


def _write(
    monitor: Monitor,
    wanted: Wanted,
    folder: Path,
    *,
    now: Instant,
    progress: Callable[[str, int, int], None],
) -> Made:
    with reading(monitor.engine) as connection:
        asked = Asked(
            monitor=monitor,
            connection=connection,
            since=wanted.since,
            until=wanted.until,
            now=now,
            known=intakes.last_number(connection),
            cases=wanted.cases,
            sample=wanted.sample,
            seed=wanted.seed,
            dates=wanted.dates,
            outside=wanted.outside,
            progress=progress,
        )
        render = partial(
            _composer(monitor).page,
            since=asked.since,
            until=asked.until,
            known=asked.known,
            release=__version__,
            outside=asked.outside,
        )
        pack = PackFolder(folder, render, zone=asked.zone, outside=asked.outside)
        with pack.figures():
            for number, (name, section) in enumerate(SECTIONS):
                progress(f"evidence: {name}", number, len(SECTIONS))
                pack.add(section(asked))
        return _close(pack, asked)


def _close(pack: PackFolder, asked: Asked) -> Made:
    """The page of contents, what was asked, and the manifest."""
    pack.json("run.json", {"made_at": iso(asked.now), **_said_of(asked)})
    pack.page("index.html", "evidence/index.html", sections=pack.sections, made_at=asked.now)
    manifest = pack.seal(**_said_of(asked))
    size = sum(file.size for file in pack.files.values())
    return Made(files=len(pack.files), size=size, known=asked.known, manifest=manifest)


def _said_of(asked: Asked) -> dict[str, object]:
    """What a pack depends on."""
    return {
        "release": __version__,
        "from": iso(asked.since),
        "until": iso(asked.until),
        "known": asked.known,
        "rulebook": asked.monitor.rulebook.digest,
        "cases": len(asked.cases),
        "sample": asked.sample,
        "seed": asked.seed,
        "backlog_dates": [iso(date) for date in asked.dates],
        "outside": asked.outside,
    }


def _composer(monitor: Monitor) -> Composer:
    """By the templates of the program and not the installation's: a release fixes the bytes."""
    settings = monitor.settings
    return Composer(
        templates=data_folder("templates"),
        zone=monitor.zone,
        marking=settings.service.marking,
        sender=settings.mail.sender,
        domain=monitor.mail_domain,
    )


def _log(monitor: Monitor, wanted: Wanted, made: Made | None, *, now: Instant, actor: str) -> None:
    with writing(monitor.engine) as connection:
        actions.write_audit(
            connection,
            operation="disclosure",
            actor=actor,
            subject="evidence pack",
            now=now,
            detail={
                "command": "evidence",
                "from": wanted.since,
                "to": wanted.until,
                "cases": len(wanted.cases),
                "sample": wanted.sample,
                "outside": wanted.outside,
                "whole": made is not None,
                "files": made.files if made else 0,
                "manifest_sha256": made.manifest if made else "",
            },
        )
