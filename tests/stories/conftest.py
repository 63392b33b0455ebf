"""Stories are told over a copy of one installation, on SQLite or on PostgreSQL."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from monitor import cli
from monitor.cycle.parts import Monitor
from monitor.installation import install
from monitor.rulebook.book import Documents, Rulebook, build_rulebook
from monitor.rulebook.files import read_documents
from monitor.rulebook.language import Alerts
from monitor.settings import read_settings
from monitor.store import intakes, rulebooks
from monitor.store.engine import open_engine, writing
from monitor.store.schema import migrate
from monitor.wiring import ready
from tests.approved import approve_installed
from tests.postgres import PostgresServer
from tests.stories.harness import Story, opened
from tests.stories.told_aloud import CASE, BeginPinned, Tell, as_always, copy_database, pin_rules

Begin: TypeAlias = Callable[..., Story]

USUAL = "significant-harm-council"

_DECIDED = {
    'alerts = "digest"': 'alerts = "on"',
    '\nsecurity = "starttls"': '\nsecurity = "none-loopback-only"',
    'host = "localhost"': 'host = "127.0.0.1"',
    'log_format = "json"': 'log_format = "text"',
    "# restricted_accounts = []": 'restricted_accounts = ["story"]',
}
_ALSO_MAPPED = """
[[events]]
name = "council_of_home"
kind = "organisation_responsible"
time = "HOME_COUNCIL_SET"
columns = { organisation = "HOME_COUNCIL_CODE" }
constants = { partner = "council" }

[[events]]
name = "first_known_put_right"
kind = "start_corrected"
time = "FIRST_KNOWN_WAS"
columns = { recorded_at = "PUT_RIGHT_AT", corrected_by = "PUT_RIGHT_BY", evidence = "EVIDENCE" }
constants = { corrects = "contact", reason_code = "wrongly_typed" }

[[events]]
name = "decided_to_share"
kind = "share_decision"
time = "SHARE_AFTER_ALL"
constants = { decision = "shared" }
"""
"""What a force maps beside the sample: the council where the child lives, when police really first
knew where that was typed wrongly, and a decision to share beside an earlier one not to."""


@dataclass(frozen=True)
class Furnished:
    """An installation that stories copy: its files, and a database for each choice of rules."""

    folder: Path
    monitor: Monitor
    rulebooks: dict[frozenset[str], Rulebook] = field(default_factory=dict)
    databases: dict[frozenset[str], Path] = field(default_factory=dict)

    def rulebook(self, rules: Collection[str]) -> Rulebook:
        """The shipped rules, of which these alert and the others only measure."""
        chosen = frozenset(rules)
        if chosen not in self.rulebooks:
            self.rulebooks[chosen] = self._build(chosen)
        return self.rulebooks[chosen]

    def _build(self, rules: Collection[str]) -> Rulebook:
        documents: Documents = self.monitor.rulebook.documents
        known = {rule.id for rule in documents.rules}
        assert known.issuperset(rules), f"no such rule: {set(rules) - known}"
        told = tuple(
            rule.model_copy(update={"alerts": Alerts.ON if rule.id in rules else Alerts.DIGEST})
            for rule in documents.rules
        )
        return build_rulebook(documents.model_copy(update={"rules": told}))

    def furnish(self, url: str, rulebook: Rulebook) -> None:
        """Bring a database to where `monitor run` would begin."""
        engine = open_engine(url)
        migrate(engine)
        with writing(engine) as connection:
            rulebooks.activate(connection, rulebook.documents, actor="story", now=0)
            for feed in self.monitor.feeds.values():
                intakes.register_feed(connection, feed.name, tolerance=feed.tolerance, lag=feed.lag)
        engine.dispose()

    def sqlite(self, rules: Collection[str], rulebook: Rulebook) -> Path:
        """A database file to copy."""
        chosen = frozenset(rules)
        if chosen not in self.databases:
            file = self.folder / f"{len(self.databases)}.db"
            self.furnish(f"sqlite:///{file}", rulebook)
            self.databases[chosen] = file
        return self.databases[chosen]


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    """One installation for the whole run."""
    folder = tmp_path_factory.mktemp("stories")
    install(folder / "force")
    _change(folder / "force/config/monitor.toml", _DECIDED)
    columns = {'unit = "TEAM"': 'unit = "TEAM"\nrestricted = "RESTRICTED"'}
    occurrence = folder / "force/config/feeds/occurrence.toml"
    _change(occurrence, columns)
    occurrence.write_text(occurrence.read_text("utf-8") + _ALSO_MAPPED, "utf-8")
    approve_installed(folder / "force")
    settings = read_settings(folder / "force/config/monitor.toml")
    monitor = ready(settings, now=0, actor="story", activate=True)
    monitor.engine.dispose()
    return Furnished(folder, monitor)


def _change(file: Path, changes: dict[str, str]) -> None:
    text = file.read_text("utf-8")
    for before, after in changes.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    file.write_text(text, "utf-8")


@pytest.fixture
def database() -> str:
    """Which database a story runs on; a story for both says `@ON_BOTH`."""
    return "sqlite"


@pytest.fixture
def begin(
    furnished: Furnished, tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> Iterator[Begin]:
    """Begin a story at a time in words. `rules`: those that alert; `digests`: whether any go."""
    begun: list[Story] = []
    held = ExitStack()

    def begin(
        begins: str,
        *,
        rules: Collection[str] = (USUAL,),
        digests: bool = False,
        never_heard: Collection[str] = (),
        **telling: Any,
    ) -> Story:
        rulebook = furnished.rulebook(rules)
        folder = tmp_path / str(len(begun))
        for feed in furnished.monitor.feeds.values():
            (folder / feed.folder).mkdir(parents=True)
        for private in ("var/done", "var/set-aside"):
            (folder / private).mkdir(parents=True)
        if database == "sqlite":
            shutil.copy(furnished.sqlite(rules, rulebook), folder / "var/monitor.db")
            url = f"sqlite:///{folder}/var/monitor.db"
        else:
            server = request.getfixturevalue("postgres_server")
            url = held.enter_context(server.database(_template(furnished, rules, rulebook, server)))
        monitor = _copied(furnished.monitor, folder, url, telling)
        roster = monitor.roster
        if not digests:
            silent = roster.file.model_copy(update={"digests": ()})
            roster = replace(roster, file=silent)
        furnished_for_it = replace(monitor, rulebook=rulebook, roster=roster)
        story = Story(furnished_for_it, folder, begins=begins, never_heard=never_heard)
        begun.append(story)
        return story

    yield begin
    with held:
        for story in begun:
            if getattr(request.node, "failed", False):
                story.release()
            else:
                story.close()


def _copied(monitor: Monitor, folder: Path, url: str, telling: dict[str, Any]) -> Monitor:
    settings = monitor.settings
    changed = settings.model_copy(
        update={
            "root": folder,
            "database": settings.database.model_copy(update={"url": SecretStr(url)}),
            "telling": settings.telling.model_copy(update=telling),
        }
    )
    return replace(monitor, settings=changed, engine=opened(url))


def _template(
    furnished: Furnished, rules: Collection[str], rulebook: Rulebook, server: PostgresServer
) -> str:
    name = "stories_" + hashlib.sha256(repr(sorted(rules)).encode()).hexdigest()[:12]
    return server.template(name, lambda url: furnished.furnish(url, rulebook))


# -- explained by the real command --------------------------------------------------------------


@pytest.fixture
def force(furnished: Furnished, tmp_path: Path) -> Path:
    """An installation whose files are those of the stories, with the pinned rules."""
    folder = tmp_path / "typed"
    shutil.copytree(furnished.folder / "force", folder)
    pin_rules(folder)
    return folder


@pytest.fixture
def begin_pinned(begin: Begin, force: Path) -> BeginPinned:
    """Begin a story under the pinned rules, with children whose hashes are always the same."""

    def begun(begins: str) -> Story:
        story = begin(begins)
        rulebook = build_rulebook(read_documents(force / "rules"))
        with writing(story.monitor.engine) as connection:
            rulebooks.activate(connection, rulebook.documents, actor="story", now=story.now)
        story.monitor = replace(story.monitor, rulebook=rulebook, child_secret=b"s" * 32)
        return story

    return begun


@pytest.fixture
def tell(force: Path, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """What `monitor explain` prints of a story's case, at the story's time."""

    def told(story: Story, *words: str, reference: str = CASE) -> str:
        story.take_all_mail()
        copy_database(story, force / "var/monitor.db")
        monkeypatch.setattr("monitor.cli.looking.system_now", lambda: story.now)
        config = str(force / "config/monitor.toml")
        result = CliRunner().invoke(cli.main, ["explain", reference, *words, "--config", config])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return as_always(result.stdout)

    return told


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Let a story know that its test failed already: its unexpected mails are then no news."""
    report = yield
    if report.when == "call":
        item.failed = report.failed  # type: ignore[attr-defined]
    return report
