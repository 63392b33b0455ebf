"""Why a clock that is due to be told has not been: in a sentence, for an explanation.

What comes in: a clock, its duty, and now. What goes out: what its telling waits for and until when;
nothing where nothing waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from monitor.clocks.agenda import after_hold, agenda
from monitor.escalate.roster import WaitUntil, Whereabouts
from monitor.model import Instant, KeptClock
from monitor.rulebook.book import Duty
from monitor.rulebook.language import HOLDER
from monitor.words import when

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor


def awaited(monitor: Monitor, kept: KeptClock, duty: Duty, *, now: Instant) -> Iterator[str]:
    """Sentences without a full stop; `now` must be the present, of which alone the store knows."""
    until = kept.next_action_at
    if until is None or until <= now:
        return
    said = when(until, at=now, zone=monitor.zone)
    if kept.waits_for:
        feed = monitor.feeds.get(kept.waits_for)
        title = kept.waits_for if feed is None else feed.title.partition(":")[0].lower()
        yield f"telling waits for the {title} to be heard, until {said} at the latest"
        return
    steps = agenda(kept.clock, duty)[kept.steps_done :]
    step = next((each for each in steps if each.at is not None), None)
    if step is None or step.at is None or step.at > now:
        return
    if after_hold(kept.clock, step.at) > now:
        yield f"telling waits for the review of a deferral, until {said}"
    elif _is_off_duty(monitor, kept, duty, step.role, now=now):
        yield f"telling waits for duty hours until {said}"


def _is_off_duty(monitor: Monitor, kept: KeptClock, duty: Duty, role: str, *, now: Instant) -> bool:
    clock = kept.clock
    if role == HOLDER:
        role = monitor.rulebook.vocabulary.holder(clock.stage)
    place = Whereabouts(clock.district, clock.unit, clock.restricted)
    reach = monitor.roster.reach(role, place, at=now, wakes=duty.rule.wakes)
    return isinstance(reach, WaitUntil)
