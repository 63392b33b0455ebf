"""A back-test of an installation: its history, the rules in force, and others to try.

What comes in: settings, a folder of rules and a period. What goes out: what was tried and its
figures. It writes nothing but that somebody looked (law 10: who consulted what is kept).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor.cycle.backtesting import Asked, Progress, Tried, backtest
from monitor.faults import Fault, FaultsFound
from monitor.model import MINUTE
from monitor.replay.load import Alerted, loads
from monitor.report.backtest import BacktestFigures, Counted, Load, figures
from monitor.rulebook.book import Documents, build_rulebook
from monitor.rulebook.files import read_documents
from monitor.store import actions, rulebooks
from monitor.store.engine import open_engine, reading, writing
from monitor.wiring import read_files
from monitor.words import nearest

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.model import Instant
    from monitor.settings import Settings


def ask(
    settings: Settings,
    folder: Path,
    *,
    against: Path | None,
    since: Instant,
    until: Instant,
    only: Collection[str],
    telling: bool = True,
) -> Asked:
    """What is to be tried. Raises FaultsFound where rules cannot be read, or there is no such rule.

    `against`: rules to compare with; those in force where there are none. `telling`: whether it is
    asked who would have been told, too.
    """
    after = read_documents(folder)
    before = _in_force(settings) if against is None else read_documents(against)
    files = read_files(settings, build_rulebook(after))
    return Asked(
        database_url=settings.database_url(),
        before=_only(before, only, settings),
        after=_only(after, only, settings),
        roster=files.roster.file,
        since=since,
        until=until,
        telling=telling,
    )


def _in_force(settings: Settings) -> Documents:
    engine = open_engine(settings.database_url(), must_exist=True)
    try:
        with reading(engine) as connection:
            active = rulebooks.active_rulebook(connection)
    finally:
        engine.dispose()
    return read_documents(settings.path(settings.paths.rules)) if active is None else active[0]


def _only(documents: Documents, only: Collection[str], settings: Settings) -> Documents:
    """These rules of some documents. Raises FaultsFound where there is no such rule."""
    known = {rule.id for rule in documents.rules}
    if unknown := sorted(set(only) - known):
        near = nearest(unknown[0], known, list_all="monitor rules list")
        expected = f"there is no such rule; {near}"
        file = settings.paths.rules
        raise FaultsFound([Fault(file=file, found=", ".join(unknown), expected=expected)])
    rules = tuple(rule for rule in documents.rules if not only or rule.id in only)
    return documents.model_copy(update={"rules": rules})


def try_out(
    settings: Settings,
    asked: Asked,
    *,
    workers: int,
    actor: str,
    now: Instant,
    progress: Progress | None = None,
) -> tuple[Tried, BacktestFigures]:
    """Try it, and count. Raises what the database raises."""
    _keep_that_it_was_looked_at(asked, actor=actor, now=now)
    tried = backtest(asked, workers=workers, progress=progress)
    tally = tried.tally
    return tried, figures(
        tally.cases,
        [Counted(*change, clocks) for change, clocks in tally.clocks.items()],
        tally.examples,
        _loads(settings, tally.before),
        _loads(settings, tally.after),
    )


def _keep_that_it_was_looked_at(asked: Asked, *, actor: str, now: Instant) -> None:
    engine = open_engine(asked.database_url, must_exist=True)
    try:
        with writing(engine) as connection:
            actions.write_audit(
                connection,
                operation="consultation",
                actor=actor,
                subject="back-test",
                now=now,
                detail={"command": "backtest", "since": asked.since, "until": asked.until},
            )
    finally:
        engine.dispose()


def _loads(settings: Settings, told: Iterable[Alerted]) -> dict[str, Load]:
    window = settings.telling.bundle_minutes * MINUTE
    zone = ZoneInfo(settings.service.zone)
    return {
        load.role: Load(
            alerts=load.alerts,
            mails=load.mails,
            by_hour=load.by_hour,
            at_night=load.at_night,
            busiest_shift=load.busiest_shift,
            busiest_on=load.busiest_on,
            is_too_many=load.is_too_many,
        )
        for load in loads(told, window=window, zone=zone)
    }
