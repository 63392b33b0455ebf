"""What people asked of the telling about a clock: takes, passes, silences and closes.

What comes in: the actions about a clock, and what was said of it. What goes out: whether telling
rests and until when, to whom it was passed on, whether it was ended for good. It does not care who
typed, nor how an action is kept. Nothing here bears on measurement.

An action about a clock holds for the telling (episode) in which it was made; one about a case or a
rule holds for whatever falls into its time.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from monitor.model import Action, AlertKind, Instant, KeptClock, SaidAlert

PASSED: Final = "passed"
"""The rung of an alert that tells of a pass; its repeat is the number of the action."""


class ActionKind(StrEnum):
    """What a person does about telling."""

    TAKE = "take"
    PASS = "pass"  # noqa: S105 - passed on; it is no word that opens anything
    SILENCE = "silence"
    CONFIRM = "confirm"
    CLOSE = "close"
    RESTATE = "restate"
    """Measures what has ended anew; no telling."""
    END = "end"
    """Takes another of these back."""


class Rest(NamedTuple):
    """A span in which nobody is told."""

    from_at: Instant
    until_at: Instant
    action: Action


class Pass(NamedTuple):
    """A case goes on to somebody else."""

    action: Action
    to_role: str
    """Empty: to whoever the ladder names next."""
    to_district: str
    """Empty: the post for the case's own district."""


class Orders(NamedTuple):
    """All that people asked of the telling about one clock."""

    rests: tuple[Rest, ...] = ()
    passes: tuple[Pass, ...] = ()
    """Of this telling, oldest first."""
    closed: Action | None = None
    """Telling was ended for good."""

    def resting(self, now: Instant) -> Rest | None:
        """The rest that lasts longest of those in force."""
        lasting = [rest for rest in self.rests if now < rest.until_at]
        return max(lasting, key=lambda rest: rest.until_at, default=None)

    def rested(self, rung_at: Instant, *, now: Instant) -> Rest | None:
        """The rest that kept from being told what fell due at `rung_at` and is told now."""
        over = [rest for rest in self.rests if rung_at < rest.until_at <= now]
        return max(over, key=lambda rest: rest.until_at, default=None)

    def taken(self, now: Instant) -> Rest | None:
        """The take in force."""
        takes = (rest for rest in self.rests if rest.action.kind == ActionKind.TAKE)
        return next((rest for rest in takes if now < rest.until_at), None)

    def to_tell(self, said: Iterable[SaidAlert]) -> list[Pass]:
        """Passes of which nobody was told yet."""
        told = {one.alert.repeat for one in said if one.alert.rung == PASSED}
        return [each for each in self.passes if each.action.number not in told]

    def holder(self, kept: KeptClock) -> Pass | None:
        """Who was made the holder, unless the case has since moved on to its next stage."""
        named = [each for each in self.passes if each.to_role]
        if not named:
            return None
        stage_at = kept.clock.stage_at
        last = named[-1]
        return last if stage_at is None or stage_at <= last.action.from_at else None


NO_ORDERS: Final = Orders()


def orders(kept: KeptClock, actions: Collection[Action], said: Sequence[SaidAlert]) -> Orders:
    """What people asked of a clock in the telling that it is in.

    `actions`: about it, the clocks whose place it took, its case and its rule; in any order.
    `said`: about it and those before it.
    """
    if not actions:
        return NO_ORDERS
    ordered = sorted(actions)
    here = [each for each in ordered if _of_episode(each, kept.episode)]
    return Orders(
        rests=(*_takes(here, said), *_silences(ordered)),
        passes=tuple(_passes(here, said)),
        closed=next((each for each in ordered if _closes(each)), None),
    )


def _of_episode(action: Action, episode: int) -> bool:
    return action.kind in (ActionKind.TAKE, ActionKind.PASS) and details(action).get(
        "episode"
    ) == str(episode)


def details(action: Action) -> dict[str, str]:
    """What an action says beside its columns."""
    found: dict[str, str] = json.loads(action.detail) if action.detail else {}
    return found


def _takes(here: Sequence[Action], said: Sequence[SaidAlert]) -> Iterator[Rest]:
    """Each take until it ends: by itself, by whatever somebody does next, or with the clock."""
    for place, action in enumerate(here):
        if action.kind != ActionKind.TAKE or action.until_at is None:
            continue
        ends = [action.until_at, *(each.from_at for each in here[place + 1 : place + 2])]
        ends += [] if action.ended_at is None else [action.ended_at]
        ends += _ends_of_clock(said, since=action.from_at)
        yield Rest(action.from_at, min(ends), action)


def _ends_of_clock(said: Iterable[SaidAlert], *, since: Instant) -> Iterator[Instant]:
    """When a clock ended after an instant, as far as anybody was to be told of it."""
    return (
        told.alert.decided_at
        for told in said
        if told.alert.kind in (AlertKind.WITHDRAWAL, AlertKind.STOPPED_LATE)
        and told.alert.decided_at > since
    )


def _silences(ordered: Iterable[Action]) -> Iterator[Rest]:
    for action in ordered:
        if action.kind == ActionKind.SILENCE and action.until_at is not None:
            until = action.until_at
            if action.ended_at is not None:
                until = min(until, action.ended_at)
            yield Rest(action.from_at, until, action)


def _passes(here: Iterable[Action], said: Sequence[SaidAlert]) -> Iterator[Pass]:
    for action in here:
        if action.kind == ActionKind.PASS and not any(_ends_of_clock(said, since=action.from_at)):
            known = details(action)
            yield Pass(action, known.get("to", ""), known.get("district", ""))


def _closes(action: Action) -> bool:
    return action.kind == ActionKind.CLOSE and action.ended_at is None


# -- what an action is about ------------------------------------------------------------------


def about_clock(clock_id: int) -> str:
    """How an action names one clock."""
    return f"clock {clock_id}"


def about_case(reference: str) -> str:
    """How an action names a case."""
    return f"case {reference}"


def about_rule(rule: str) -> str:
    """How an action names a rule."""
    return f"rule {rule}"


def about_rule_of_case(reference: str, rule: str) -> str:
    """How an action names a rule of a case."""
    return f"case {reference} rule {rule}"


def about_action(number: int) -> str:
    """How an action names another."""
    return f"action {number}"


def targets(kept: KeptClock, references: Iterable[str]) -> list[str]:
    """Everything by which an action can mean a clock, whose case has these references."""
    rule = kept.clock.key.rule
    named = [about_clock(each) for each in (kept.id, *kept.inherits)]
    for reference in references:
        named += [about_case(reference), about_rule_of_case(reference, rule)]
    return [*named, about_rule(rule)]
