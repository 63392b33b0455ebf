"""What a person would miss in an installation's rules, feeds, roles and partners taken together.

What comes in: settings. What goes out: findings in words, each with the way to mend it; or the
faults of files that cannot be read. It changes nothing and needs no database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor.escalate.gaps import gaps
from monitor.ingest.sources import source_of
from monitor.rulebook.book import build_rulebook
from monitor.rulebook.files import read_documents
from monitor.rulebook.findings import Finding, findings
from monitor.wiring import read_files
from monitor.worktime.zones import day_of

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.model import Instant
    from monitor.settings import Settings


def rule_findings(settings: Settings, *, now: Instant, folder: Path | None = None) -> list[Finding]:
    """Everything to look at; `folder`: of rules, in place of the settings' own.

    Raises FaultsFound where a file cannot be read.
    """
    documents = read_documents(folder or settings.path(settings.paths.rules))
    rulebook = build_rulebook(documents)
    files = read_files(settings, rulebook)
    zone = ZoneInfo(settings.service.zone)
    sources = {name: source_of(feed) for name, feed in files.feeds.items()}
    return [
        *findings(rulebook, sources, now=now, today=day_of(now, zone)),
        *gaps(rulebook, files.roster, files.partners, now=now, zone=zone),
    ]
