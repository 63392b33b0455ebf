"""In which order the duties of one mail stand."""

from __future__ import annotations

from monitor.cycle.lines import in_order
from monitor.letters import DutyLine
from monitor.model import HOUR, Clock, ClockKey, KeptClock

KEPT = KeptClock(
    id=1,
    case_id=1,
    clock=Clock(key=ClockKey("r"), rule_version=1, started_at=0, due_at=0, known_at=0),
)


def line(reference: str, *, risk: str = "", due: int = 0) -> DutyLine:
    """A duty of a case."""
    return DutyLine(reference=reference, risk=risk, due_at=due * HOUR)


def test_the_gravest_risk_stands_first_and_then_the_longest_overdue() -> None:
    """By reference where both are equal, so that the order never changes by chance."""
    lines = [
        line("PPN-5", risk="medium", due=1),
        line("PPN-4", risk="high", due=9),
        line("PPN-3", risk="high", due=2),
        line("PPN-2", risk="standard", due=3),
        line("PPN-1", risk="medium", due=3),
    ]
    ordered = [found.reference for found, _ in in_order((one, KEPT) for one in lines)]
    assert ordered == ["PPN-3", "PPN-4", "PPN-5", "PPN-1", "PPN-2"]
