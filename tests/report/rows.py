"""Rows, figures and digests, made up for tests."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

from monitor.letters import DigestLetter
from monitor.model import DAY, HOUR, Instant
from monitor.report.digest import digest_letter, named_cases
from monitor.report.digest_input import DigestInput
from monitor.report.figures import Figures, figures
from monitor.report.periods import Week
from monitor.report.row import ClockRow
from monitor.report.scopes import Scope
from monitor.report.wording import RuleWords, Wording

LONDON: Final = ZoneInfo("Europe/London")
WEEK: Final = Week.parse("2027-W09")
SINCE: Final[Instant] = WEEK.first(LONDON)
UNTIL: Final[Instant] = WEEK.end(LONDON)
NOW: Final[Instant] = UNTIL + 8 * HOUR
"""Monday 8 March 2027, 08:00."""
FEEDS: Final = {("council-4h", 1): ("sending-log",)}
WORDS: Final = Wording(
    rules={
        "council-4h": RuleWords("Council told, 4 h", "council", ""),
        "council-1d": RuleWords("Council told of another concern, 24 h", "council", ""),
        "health-1d": RuleWords("Health told, 24 h", "health", ""),
        "supervised": RuleWords("Notice supervised, 12 h", "", "notice supervised"),
        "no-notice": RuleWords("A notice after a contact, 24 h", "", "a notice"),
    },
    waiting_for={"supervised": "triage"},
    stages={"notice_submitted": "submitted", "supervised": "supervised"},
)


def row(**changes: Any) -> ClockRow:
    """A council clock of four hours, started on Tuesday 2 March 2027 at 10:00 and not stopped."""
    started_at = changes.pop("started_at", SINCE + DAY + 10 * HOUR)
    usual = ClockRow(
        case_id=1,
        rule="council-4h",
        rule_version=1,
        partner="council",
        district="",
        unit="",
        category="",
        risk="medium",
        started_at=started_at,
        due_at=started_at + 4 * HOUR,
        due_soon_at=None,
        stopped_at=None,
        exempt_at=None,
        void_at=None,
        superseded_at=None,
        regraded_at=None,
        breached_at=None,
        stop_recorded_at=None,
        confirm_by=None,
        held_until=None,
        stage="",
        stage_at=None,
        restricted=False,
        cannot_route=False,
        reason_code="",
    )
    return usual._replace(**changes)


def met(**changes: Any) -> ClockRow:
    """Told after three hours."""
    start = row(**changes).started_at
    return row(**{"stopped_at": start + 3 * HOUR, **changes})


def late(**changes: Any) -> ClockRow:
    """Told after five hours, an hour late."""
    base = row(**changes)
    stopped = {"stopped_at": base.started_at + 5 * HOUR, "breached_at": base.due_at}
    return row(**{**stopped, **changes})


def counted(*rows: ClockRow, **changes: Any) -> Figures:
    """Figures of rows in the week, as known on the Monday after."""
    usual: dict[str, Any] = {"since": SINCE, "until": UNTIL, "as_of": NOW, "stop_feeds": FEEDS}
    return figures(rows, **(usual | changes))


def letter(*rows: ClockRow, scope: str = "force", **changes: Any) -> DigestLetter:
    """The digest of rows."""
    known = counted(*rows, **changes.pop("counted", {}))
    usual: dict[str, Any] = {
        "figures": known,
        "scope": Scope.parse(scope),
        "week": WEEK,
        "wording": WORDS,
        "references": {case: f"PPN-2027-{case:06}" for case in named_cases(known)},
        "zone": LONDON,
    }
    return digest_letter(DigestInput(**(usual | changes)))
