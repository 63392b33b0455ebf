"""One installation is made by the real command, and every test works on a copy of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.approved import approve_installed
from tests.process.installed import CHECKOUT, KEPT_RULES, Installation, Sink


@pytest.fixture(scope="session")
def environment(bare_environment: dict[str, str]) -> dict[str, str]:
    """Commands import the package that is under test, wherever they run."""
    return bare_environment | {"PYTHONPATH": str(CHECKOUT)}


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """What `monitor init` makes, with a few of its rules."""
    folder = tmp_path_factory.mktemp("made") / "force"
    Installation(folder.parent, environment).type("init", str(folder))
    for rule in (folder / "rules").glob("*.yaml"):
        if rule.name not in {*KEPT_RULES, "vocabulary.yaml"}:
            rule.unlink()
    approve_installed(folder)
    return folder


@pytest.fixture
def installation(
    made_once: Path, tmp_path: Path, environment: dict[str, str]
) -> Iterator[Installation]:
    """An installation of this test's own; no daemon of it outlives the test."""
    folder = tmp_path / "force"
    shutil.copytree(made_once, folder)
    made = Installation(folder, dict(environment))  # a test may add to it
    try:
        yield made
    finally:
        made.end_all()


@pytest.fixture
def sink(installation: Installation) -> Iterator[Sink]:
    """A mail server to which the installation sends everything at once."""
    sink = Sink()
    with sink.listening() as port:
        installation.mail_to(port)
        yield sink
