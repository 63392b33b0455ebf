"""An installation with a few rules, approved or on trial; each test works on a copy of its own."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from monitor.installation import install
from tests.approved import approve_installed
from tests.cli.commands import HIGH, IN_TIME, LATE, OTHER, extract, typed
from tests.process.installed import KEPT_RULES, hours_ago, notice


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = _made(tmp_path_factory, KEPT_RULES)
    approve_installed(folder)
    return folder


@pytest.fixture(scope="session")
def made_on_trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = _made(tmp_path_factory, (f"{HIGH}.yaml", f"{OTHER}.yaml"))
    settings = folder / "config/monitor.toml"
    settings.write_text(settings.read_text().replace('alerts = "digest"', 'alerts = "on"'))
    return folder


def _made(tmp_path_factory: pytest.TempPathFactory, rules: Collection[str]) -> Path:
    """What `monitor init` makes, with a few of its rules."""
    folder = tmp_path_factory.mktemp("made") / "force"
    install(folder)
    for rule in (folder / "rules").glob("*.yaml"):
        if rule.name not in {*rules, "vocabulary.yaml"}:
            rule.unlink()
    return folder


@pytest.fixture
def force(made_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose rules are approved; commands are typed in its folder."""
    return _copied(made_once, tmp_path, monkeypatch)


@pytest.fixture
def on_trial(made_on_trial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with two rules that nobody approved, and that may alert; commands are typed there."""
    return _copied(made_on_trial, tmp_path, monkeypatch)


def _copied(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(made, tmp_path / "force"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def approved(on_trial: Path) -> Path:
    """The same, in force as it was approved."""
    approve_installed(on_trial)
    typed("rules", "activate")
    return on_trial


@pytest.fixture
def somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account that types owns no file."""
    monkeypatch.setattr(os, "getuid", lambda: 64_000)


@pytest.fixture
def two_cases(force: Path, tmp_path: Path) -> Path:
    """One notice triaged in time and one that waits since five hours."""
    submitted = hours_ago(5)
    rows = (
        notice(LATE, submitted=submitted),
        notice(IN_TIME, submitted=submitted, triaged=submitted + timedelta(hours=1)),
    )
    typed("ingest", extract(tmp_path, *rows), "--feed", "occurrence")
    return force
