"""What an explanation is given: all that is known of a case, as of an instant.

What comes in: nothing. What goes out: the shape of a view, of now or of an earlier instant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor import words
from monitor.clocks.verdicts import is_closed

if TYPE_CHECKING:
    from monitor.clocks.timeline import Identity, Timeline
    from monitor.cycle.explaining_measure import PastRulebooks
    from monitor.cycle.parts import Monitor
    from monitor.model import Action, Duration, Event, Instant, KeptClock, SaidAlert, Verdict
    from monitor.rulebook.approval import Approval
    from monitor.rulebook.book import Duty, Rulebook
    from monitor.store.engine import Connection
    from monitor.store.known import Received


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is known of a case, as of an instant."""

    monitor: Monitor
    connection: Connection
    at: Instant
    is_now: bool
    """Whether it is the present, of which alone the store knows what telling waits for."""
    number: int
    """What was known at the instant, up to this number."""
    told_to: int
    """Up to which number this view takes in: that, or everything that is known today."""
    rulebook: Rulebook
    timeline: Timeline
    clocks: Sequence[KeptClock]
    speaks: Callable[[KeptClock], Verdict]
    trusted: Mapping[str, Instant]
    """Feed → until when its silence means that nothing happened."""
    silent: Mapping[str, Instant]
    """Feed → since when it was not heard, where it is in doubt."""
    tolerances: Mapping[str, Duration]
    said: Sequence[SaidAlert]
    asked: Mapping[int, Sequence[Action]]
    sources: Mapping[Event, Received]
    by_identity: Mapping[Identity, Sequence[Received]]
    approvals: Mapping[tuple[str, int], Approval]
    """(rule, version) → the newest approval of it by then."""
    first_approvals: Mapping[str, Approval]
    """Rule → the first approval of any of its versions, by then."""
    past: PastRulebooks
    """Those that were in force by then."""

    def duty(self, kept: KeptClock) -> Duty:
        """The version of the rule that measured a clock, with the calendar by which it did."""
        duty = self.duty_in_force(kept)
        if duty.calendar_version == kept.clock.calendar_version or not is_closed(kept.clock):
            return duty
        return self.past.duty(kept.clock) or duty

    def duty_in_force(self, kept: KeptClock) -> Duty:
        """The same with the calendar that is in force, which may be a corrected one."""
        duty = self.rulebook.duty(kept.clock.key.rule, kept.clock.rule_version)
        return duty.at(kept.clock.key.organisation)

    def feed_title(self, feed: str) -> str:
        """A feed as people call it."""
        known = self.monitor.feeds.get(feed)
        return feed if known is None else known.title.partition(":")[0].lower()

    def when(self, instant: Instant) -> str:
        """An instant in words."""
        return words.said_of(instant, at=self.at, zone=self.monitor.zone)
