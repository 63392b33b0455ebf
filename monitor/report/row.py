"""One clock, as far as figures need it."""

from __future__ import annotations

from typing import NamedTuple

from monitor.model import Instant


class ClockRow(NamedTuple):
    """What figures need of one clock; every field is a column of the same name."""

    case_id: int
    rule: str
    rule_version: int
    partner: str
    district: str
    unit: str
    category: str
    risk: str
    started_at: Instant
    due_at: Instant | None
    due_soon_at: Instant | None
    stopped_at: Instant | None
    exempt_at: Instant | None
    void_at: Instant | None
    superseded_at: Instant | None
    regraded_at: Instant | None
    breached_at: Instant | None
    stop_recorded_at: Instant | None
    confirm_by: Instant | None
    held_until: Instant | None
    stage: str
    stage_at: Instant | None
    restricted: bool
    cannot_route: bool
    reason_code: str
