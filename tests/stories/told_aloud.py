"""Cases explained by the real command, and texts that were read aloud and kept.

The texts lie in `explained/`; where one is meant to change, run with EXPLAINED_WRITE=1 and read
what has changed before keeping it. Rules and ladders are pinned beside them.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, TypeAlias

from monitor.worktime.instants import isoformat
from tests.stories.harness import Story, _instant

HERE: Final = Path(__file__).parent / "explained"
CASE: Final = "PPN-2027-004211"
HARM: Final = "significant-harm-council"
DIGEST: Final = re.compile(r"\([0-9a-f]{12}\)")
SENT: Final = re.compile(r'("sent_at": "[0-9-]+T\d\d:\d\d):[\d.]+\+')
"""A mail is handed over in real time: the seconds are the machine's."""

Tell: TypeAlias = Callable[..., str]
BeginPinned: TypeAlias = Callable[..., Story]


def pin_rules(folder: Path) -> None:
    """Put the pinned rules in the place of an installation's own."""
    for rule in (folder / "rules").glob("*.yaml"):
        if rule.name != "vocabulary.yaml":
            rule.unlink()
    shutil.copytree(HERE / "rules", folder / "rules", dirs_exist_ok=True)


def as_always(said: str) -> str:
    """A text without what the machine and the moment put into it."""
    return SENT.sub(r"\1:00+", DIGEST.sub("(digest)", said))


def copy_database(story: Story, to: Path) -> None:
    """Lay a story's database where an installation has its own."""
    story.monitor.engine.dispose()
    for left in to.parent.glob("monitor.db*"):
        left.unlink()
    with (
        closing(sqlite3.connect(story.folder / "var/monitor.db")) as source,
        closing(sqlite3.connect(to)) as copy,
    ):
        source.backup(copy)
    to.chmod(0o600)


def reads(name: str, said: str, *, kind: str = "txt") -> None:
    """The text is the one that was read aloud and kept."""
    kept = HERE / f"{name}.{kind}"
    if os.environ.get("EXPLAINED_WRITE"):
        kept.write_text(said, encoding="utf-8")
    assert kind == "json" or max(map(len, said.splitlines())) <= 100
    assert said == kept.read_text(encoding="utf-8")


def as_of(when: str, story: Story) -> tuple[str, str]:
    """The option for an earlier local time."""
    return "--as-of", isoformat(_instant(when, before=story.now))
