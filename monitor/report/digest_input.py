"""Everything that a digest of one scope and week is made of, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.report.completeness import NOTHING_ASKED, Completeness

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.report.change import ControlChart
    from monitor.report.figures import Figures
    from monitor.report.periods import Week
    from monitor.report.questions import NearLimit
    from monitor.report.restated import Restated
    from monitor.report.scopes import Scope
    from monitor.report.stages import StepFigures
    from monitor.report.trust import FeedHours, Said, TakenIn
    from monitor.report.wording import Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestInput:
    """Everything a digest of one scope is made of."""

    figures: Figures
    scope: Scope
    week: Week
    wording: Wording
    references: Mapping[int, str]
    """Case id → reference, of the cases that `named_cases` names."""
    charts: Mapping[str, ControlChart] = field(default_factory=dict)
    """Partner → its weeks up to this one; `""` holds all partners together."""
    steps: Sequence[StepFigures] = ()
    """In the order of the way of a notice."""
    completeness: Completeness = NOTHING_ASKED
    near: Mapping[str, NearLimit] = field(default_factory=dict)
    """Rule → how its duties of half a year lie about its limit."""
    feeds: Sequence[FeedHours] = ()
    taken_in: TakenIn | None = None
    said: Said | None = None
    restated: Restated | None = None
    """What the week before says otherwise than its own digest did; None where it had none."""
    people: Sequence[str] = ()
    """Sentences: silences in force, and what was closed by hand, of this scope."""
    as_known: str = ""
    """Where figures are not as known now: up to when everything was known."""
    is_outside: bool = False
    """For readers outside the force: no sentence has a count that could be of a few cases."""
    zone: ZoneInfo
