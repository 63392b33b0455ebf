"""A force to measure: an installation that alerts, and clocks in its store by the hundred thousand.

What comes in: an empty folder, and if wanted a database and the port of a mail server. What goes
out: an installation with the whole starter pack approved and alerts switched on, ready to run.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr
from sqlalchemy import text, update

from monitor.clocks.agenda import agenda, next_step_at
from monitor.installation import install
from monitor.model import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Alert,
    AlertKind,
    Clock,
    ClockKey,
    Instant,
    KeptClock,
)
from monitor.rulebook.files import read_documents
from monitor.rulebook.language import Alerts, Ladder, Rule
from monitor.settings import read_settings
from monitor.store import alerts, clocks, rulebooks
from monitor.store.at_once import insert_rows
from monitor.store.engine import open_engine, reading, writing
from monitor.store.schema import migrate
from monitor.store.tables import case_, clock, feed
from monitor.wiring import ready

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from monitor.cycle.parts import Monitor
    from monitor.rulebook.book import Duty

DOMAIN: Final = "eastshire.police.example"

NO_EDITS: Final[Mapping[str, Callable[[str], str]]] = {}

_LIVE: Final = {
    'alerts = "digest"': 'alerts = "on"',
    'log_format = "json"': 'log_format = "text"',
    'security = "starttls" ': 'security = "none-loopback-only" ',
    'host = "localhost"': 'host = "127.0.0.1"',
}


def installed(
    folder: Path,
    *,
    now: Instant,
    url: str = "",
    port: int = 25,
    edits: Mapping[str, Callable[[str], str]] = NO_EDITS,
) -> Monitor:
    """An installation in a new folder: everything approved, alerts on.

    `url`: an empty database instead of the installation's own. `edits`: how the text of other files
    is changed, by their paths in the installation.
    """
    install(folder)
    file = folder / "config" / "monitor.toml"
    written = file.read_text("utf-8")
    for before, after in {**_LIVE, "\nport = 25": f"\nport = {port}"}.items():
        assert before in written, before
        written = written.replace(before, after)
    file.write_text(written, "utf-8")
    for path, edit in edits.items():
        (folder / path).write_text(edit((folder / path).read_text("utf-8")), "utf-8")
    settings = read_settings(file)
    if url:
        database = settings.database.model_copy(update={"url": SecretStr(url)})
        settings = settings.model_copy(update={"database": database})
    engine = open_engine(settings.database_url())
    migrate(engine)
    documents = read_documents(settings.path(settings.paths.rules))
    with writing(engine) as connection:
        contents: tuple[Rule | Ladder, ...] = (*documents.rules, *documents.ladders)
        for content in contents:
            rulebooks.approve(connection, content, role="benchmark", now=now, number=0)
    engine.dispose()
    return ready(settings, now=now, actor="benchmark", activate=True)


def hear(monitor: Monitor, *, now: Instant) -> None:
    """Every feed has told everything up to now, and did so before."""
    with writing(monitor.engine) as connection:
        heard = {"last_heard_at": now, "heard_through": now, "trusted_until": now + HOUR}
        connection.execute(update(feed).values(**heard))


# -- clocks -----------------------------------------------------------------------------------


def fill(
    monitor: Monitor, *, quiet: int, late_at: Sequence[Instant] = (), now: Instant, seed: int = 0
) -> None:
    """Open clocks of every rule that alerts, two to a case, written as rows.

    `quiet`: nothing happens to them for an hour; some are overdue, and people were told.
    `late_at`: one clock for each, due within the ten seconds before, so that it is to be told that
    it is overdue. Of half of all that had a warning, the warning was told.
    """
    making = _Making(monitor, now, random.Random(seed))
    wanted: list[Instant | None] = [*late_at, *[None] * quiet]
    making.random.shuffle(wanted)
    for first in range(0, len(wanted), 20_000):
        making.write(wanted[first : first + 20_000])


def grow(monitor: Monitor, *, by: int) -> None:
    """So many times as many more clocks and cases as there are; those there are stay."""
    columns = [column.name for column in clock.columns if column.name not in ("id", "case_id")]
    named = ", ".join(columns)
    with writing(monitor.engine) as connection:
        cases = connection.scalar(text("SELECT max(id) FROM case_")) or 0
    for number in range(1, by + 1):
        with writing(monitor.engine) as connection:
            connection.execute(
                text(
                    "INSERT INTO case_ (id, reference, dirty, assessed)"
                    f" SELECT id + {number * cases}, reference || '-{number}', 1, 1"
                    f" FROM case_ WHERE id <= {cases}"
                )
            )
            connection.execute(
                text(
                    f"INSERT INTO clock (case_id, {named}) SELECT case_id + {number * cases},"
                    f" {named} FROM clock WHERE case_id <= {cases}"
                )
            )


def analyse(monitor: Monitor) -> None:
    """What the database does by itself in time, done now: it counts its rows."""
    at_once = {"isolation_level": "AUTOCOMMIT"}
    with monitor.engine.connect().execution_options(**at_once) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("VACUUM ANALYZE"))


class _Making:
    """Rows of clocks and cases, numbered on from what is stored."""

    def __init__(self, monitor: Monitor, now: Instant, chosen: random.Random) -> None:
        self.monitor, self.now, self.random = monitor, now, chosen
        newest = (monitor.rulebook.newest(rule) for rule in sorted(monitor.rulebook.duties))
        self.duties = [
            duty for duty in newest if duty.ladder is not None and duty.rule.alerts is Alerts.ON
        ]
        self.tell_when_due = [duty for duty in self.duties if _tells_when_due(duty)]
        with reading(monitor.engine) as connection:
            self.cases = connection.scalar(text("SELECT coalesce(max(id), 0) FROM case_")) or 0
            self.clocks = connection.scalar(text("SELECT coalesce(max(id), 0) FROM clock")) or 0

    def write(self, wanted: Sequence[Instant | None]) -> None:
        cases = len(wanted) // 2 + 1
        kept = [
            self._clock(late_at, case_id=self.cases + 1 + number // 2)
            for number, late_at in enumerate(wanted)
        ]
        references = [(f"PPN-2027-{self.cases + 1 + number:07}", 1, 1) for number in range(cases)]
        warned = [self._warning(each) for each in kept if each.steps_done > 1 and each.id % 2]
        new = [
            (each.case_id, each.clock, (), each.steps_done, 1, each.next_action_at) for each in kept
        ]
        with writing(self.monitor.engine) as connection:
            insert_rows(connection, case_, ("reference", "dirty", "assessed"), references)
            clocks.insert_clocks(connection, new)
            alerts.insert_alerts(connection, warned)
        self.cases += cases

    def _clock(self, late_at: Instant | None, *, case_id: int) -> KeptClock:
        self.clocks += 1
        chosen = self.random
        duties = self.duties if late_at is None else self.tell_when_due
        duty = duties[self.clocks % len(duties)]
        due_at = self._due_at() if late_at is None else late_at - chosen.randrange(1, 10 * SECOND)
        started_at = due_at - chosen.randrange(6 * HOUR, 5 * DAY)
        rule = duty.rule
        told = Clock(
            key=ClockKey(
                rule=rule.id,
                child=f"{self.clocks:032x}" if self.clocks % 3 else "",
                organisation=chosen.choice(_COUNCILS) if rule.partner == "council" else "",
                start="",
            ),
            rule_version=rule.version,
            started_at=started_at,
            due_at=due_at,
            known_at=started_at + 5 * MINUTE,
            calendar_version=duty.calendar_version,
            stage=chosen.choice(("notice_submitted", "notice_supervised", "")),
            stage_at=started_at + HOUR,
            partner=rule.partner,
            district=chosen.choice(("east", "west")),
            unit=chosen.choice(("response", "patrol", "")),
            category=chosen.choice(("physical_abuse", "neglect", "domestic_abuse")),
            risk=chosen.choice(("high", "medium", "standard")),
            restricted=self.clocks % 200 == 0,
        )
        steps = agenda(told, duty)
        until = self.now + HOUR if late_at is None else due_at
        done = sum(step.at is None or step.at <= until for step in steps)
        at = next_step_at(told, steps, done)
        return KeptClock(
            id=self.clocks, case_id=case_id, clock=told, steps_done=done, next_action_at=at
        )

    def _due_at(self) -> Instant:
        """One in ten is overdue for days; the others fall due in the next weeks."""
        if self.random.random() < _OVERDUE:
            return self.now - self.random.randrange(DAY, 20 * DAY)
        return self.now + self.random.randrange(2 * HOUR, 30 * DAY)

    def _warning(self, kept: KeptClock) -> Alert:
        return Alert(
            clock_id=kept.id,
            episode=1,
            rung="rung 1",
            repeat=0,
            recipient=f"east.duty-inspector@{DOMAIN}",
            kind=AlertKind.WARNING,
            role="duty_inspector",
            asked_role="duty_inspector",
            reason="due soon",
            rung_at=kept.clock.started_at + HOUR,
            decided_at=kept.clock.started_at + HOUR,
        )


def _tells_when_due(duty: Duty) -> bool:
    rungs = () if duty.ladder is None else duty.ladder.rungs
    return any(rung.at.limit is None for rung in rungs)


_COUNCILS: Final = ("eastshire", "westshire", "")
_OVERDUE: Final = 0.1
