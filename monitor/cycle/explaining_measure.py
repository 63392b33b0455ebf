"""By which rules and calendars a clock was measured: those of when it ended, or restated ones.

What comes in: clocks, what people did about them, and the rulebooks that were in force. What goes
out: the duty that gave a clock its due time, and each time that it was measured anew on purpose.

A clock that has ended keeps the measure by which it ended. So the rulebook in force now, or at an
earlier instant, may count other days than the clock that is spoken of did.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from monitor.assess.reconcile import as_measured
from monitor.clocks.fold import fold_timeline
from monitor.cycle.asked import reason_in_words, said_of_role
from monitor.cycle.explained import Restatement
from monitor.escalate.orders import ActionKind
from monitor.rulebook.book import Duty, Rulebook, build_rulebook
from monitor.store import known

if TYPE_CHECKING:
    from monitor.clocks.timeline import Timeline
    from monitor.cycle.parts import Monitor
    from monitor.model import Action, Clock, ClockKey, Duration, Instant, KeptClock
    from monitor.store.engine import Connection


class PastRulebooks:
    """The rulebooks that were in force by an instant, the newest first; read only when asked."""

    def __init__(self, connection: Connection, until: Instant) -> None:
        self._left = known.rulebooks_until(connection, until)
        self._read: list[Rulebook] = []

    def __iter__(self) -> Iterator[Rulebook]:
        """Those that this program can read."""
        yield from self._read
        for was in self._left:
            if was.documents is not None:
                self._read.append(build_rulebook(was.documents))
                yield self._read[-1]

    def duty(self, clock: Clock) -> Duty | None:
        """The duty with the calendar that measured a clock; None where it can no longer be read."""
        for rulebook in self:
            for duty in rulebook.duties.get(clock.key.rule, ()):
                owed = duty.at(clock.key.organisation)
                measured = (duty.rule.version, owed.calendar_version)
                if measured == (clock.rule_version, clock.calendar_version):
                    return owed
        return None


def rulebook_then(monitor: Monitor, connection: Connection, *, as_of: Instant) -> Rulebook:
    """The rulebook in force at an instant; today's where none was, or it cannot be read."""
    was = known.rulebook_active_at(connection, as_of)
    if was is None or was.documents is None or was.documents == monitor.rulebook.documents:
        return monitor.rulebook
    return build_rulebook(was.documents)


def restatements(
    monitor: Monitor, clock: ClockKey, asked: Iterable[Action]
) -> Iterator[Restatement]:
    """Each time that a clock was measured anew on purpose, oldest first."""
    for action in asked:
        for said in _restated(action):
            if _is_of(said, clock):
                yield Restatement(
                    number=action.number,
                    at=action.from_at,
                    by=said_of_role(monitor, action.on_behalf_of),
                    reason_code=action.reason_code,
                    reason=reason_in_words(monitor, action.kind, action.reason_code),
                    due_before_at=said["due_before"],
                    due_after_at=said["due_after"],
                    verdict_before=said["before"],
                    verdict_after=said["after"],
                )


def concerns(action: Action, clock: ClockKey) -> bool:
    """Whether something that somebody did is about a clock; a restatement names which."""
    if action.kind != ActionKind.RESTATE:
        return True
    return any(_is_of(said, clock) for said in _restated(action))


def _restated(action: Action) -> list[dict[str, Any]]:
    """What a restatement says of each clock of its case."""
    if action.kind != ActionKind.RESTATE:
        return []
    found: list[dict[str, Any]] = json.loads(action.detail)
    return found


def _is_of(said: Mapping[str, Any], clock: ClockKey) -> bool:
    named = (said["rule"], said["child"], said["organisation"])
    return named == (clock.rule, clock.child, clock.organisation)


def measured_then(
    clock: Clock,
    stored: KeptClock | None,
    timeline: Timeline,
    past: PastRulebooks,
    *,
    tolerances: Mapping[str, Duration],
    restated_since: Restatement | None,
) -> Clock:
    """A clock that is folded under the rules of an instant, with the measure that it had then.

    `stored`: the same clock today. `restated_since`: the first restatement after that instant.
    """
    if stored is None:
        return clock
    if restated_since is None:
        return as_measured(stored.clock, clock)
    for rulebook in past:
        for other in fold_timeline(timeline, rulebook, tolerances=tolerances):
            if other.key == clock.key and other.due_at == restated_since.due_before_at:
                return as_measured(other, clock)
    return clock
