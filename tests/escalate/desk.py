"""One case at a desk: facts are learnt, clocks decided, alerts handed over. No store, no mails."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from monitor.assess.reconcile import reconcile
from monitor.clocks.fold import fold
from monitor.clocks.verdicts import verdict
from monitor.escalate.decide import (
    CLOSED,
    NOT_YET_DUE,
    Circumstances,
    Decision,
    FeedHeard,
    decide,
    told_as_overdue,
    unsaid,
)
from monitor.escalate.orders import ActionKind, about_case, about_clock, about_rule, targets
from monitor.escalate.roster import Roster, RosterFile
from monitor.model import (
    Action,
    Alert,
    AlertKind,
    Event,
    Instant,
    KeptClock,
    SaidAlert,
    Verdict,
)
from monitor.rulebook.book import Rulebook
from tests.clocks.histories import TOLERANCES

ROLES = ("sergeant", "supervisor", "mash", "inspector", "on_call", "desk")


def address(role: str) -> str:
    """The mailbox of a role."""
    return f"{role}@force.example"


def roster(**changed: object) -> Roster:
    """Every role at every hour with a mailbox of its own; fields of the file may be changed."""
    written = {
        "fallback": "desk",
        "roles": {role: {"title": role} for role in ROLES},
        "posts": [{"role": role, "address": address(role), "restricted": True} for role in ROLES],
    }
    return Roster.of(RosterFile.model_validate({**written, **changed}), {})


EVERYBODY = roster()

REFERENCE = "PPN-2027-004211"


@dataclass
class Desk:
    """What is kept of one case, in memory."""

    rulebook: Rulebook
    roster: Roster = EVERYBODY
    feeds: dict[str, FeedHeard] = field(default_factory=dict)
    kept: dict[int, KeptClock] = field(default_factory=dict)
    said: list[SaidAlert] = field(default_factory=list)
    spoke_of: dict[int, set[int]] = field(default_factory=dict)
    """Alert → the clocks of which the mail that carried it spoke."""
    actions: list[Action] = field(default_factory=list)
    """What people did, oldest first."""

    # -- people -------------------------------------------------------------------------------

    def take(self, kept: KeptClock, *, now: Instant, until: Instant) -> None:
        """Somebody has a clock in hand."""
        self._act_on(kept, ActionKind.TAKE, now=now, until=until)

    def pass_on(self, kept: KeptClock, *, now: Instant, to: str = "", by: str = "") -> None:
        """Somebody says that it is with another role, or with the next."""
        self._act_on(kept, ActionKind.PASS, now=now, by=by, to=to)

    def close(self, kept: KeptClock, *, now: Instant) -> None:
        """Somebody ends the telling of a clock."""
        self._act_on(kept, ActionKind.CLOSE, now=now)

    def silence(self, *, now: Instant, until: Instant, rule: str = "") -> None:
        """Nobody is told of the case, or of a rule."""
        target = about_rule(rule) if rule else about_case(REFERENCE)
        self._act(ActionKind.SILENCE, target, now=now, until=until)

    def end(self, action: Action, *, now: Instant) -> None:
        """Somebody takes back what was done, and every clock is looked at."""
        place = self.actions.index(action)
        self.actions[place] = action._replace(ended_at=now)
        for kept in self.kept.values():
            if kept.next_action_at is not None or action.kind == ActionKind.CLOSE:
                self.kept[kept.id] = replace(kept, next_action_at=now)

    def _act_on(
        self,
        kept: KeptClock,
        kind: ActionKind,
        *,
        now: Instant,
        until: Instant | None = None,
        by: str = "",
        to: str = "",
    ) -> None:
        said = json.dumps({"episode": str(kept.episode)} | ({"to": to} if to else {}))
        self._act(kind, about_clock(kept.id), now=now, until=until, by=by, detail=said)
        self.kept[kept.id] = replace(kept, next_action_at=now, waits_for="")

    def _act(
        self,
        kind: ActionKind,
        target: str,
        *,
        now: Instant,
        until: Instant | None,
        by: str = "",
        detail: str = "",
    ) -> None:
        number = len(self.actions) + 1
        action = Action(number, kind, target, "account", by, "reason", now, until, detail)
        self.actions.append(action)

    def asked(self, kept: KeptClock) -> list[Action]:
        """What people did about a clock, its case or its rule."""
        meant = set(targets(kept, [REFERENCE]))
        return [action for action in self.actions if action.target in meant]

    # -- facts and time -----------------------------------------------------------------------

    def learn(self, events: Iterable[Event], *, now: Instant) -> None:
        """Fold what is known and keep the clocks, as the assess stage does."""
        folded = fold(events, self.rulebook, tolerances=TOLERANCES)
        changes = reconcile(self.kept.values(), {1: folded}, self.rulebook, groups=(), now=now)
        for changed in changes.updated:
            self.kept[changed.id] = replace(changed, revision=changed.revision + 1)
        for new in changes.new:
            number = len(self.kept) + 1
            self.kept[number] = KeptClock(
                id=number,
                case_id=1,
                clock=new.clock,
                inherits=new.inherits,
                steps_done=new.steps_done,
                episode=new.episode,
                next_action_at=new.next_action_at,
            )

    def next_action_at(self) -> Instant | None:
        """When the next clock is to be looked at."""
        at = (each.next_action_at for each in self.kept.values())
        return min((each for each in at if each is not None), default=None)

    def sweep(self, *, now: Instant) -> None:
        """Decide every clock that is due until none is, in the order of the sweep stage."""
        for _ in range(10):
            due = [
                kept
                for kept in self.kept.values()
                if kept.next_action_at is not None and kept.next_action_at <= now
            ]
            if not due:
                return
            self._decide_all(due, now=now)
        message = "the sweep does not come to an end"
        raise AssertionError(message)

    def _decide_all(self, due: Sequence[KeptClock], *, now: Instant) -> None:
        heirs = self.inherited()
        for kept in due:
            if kept.id not in heirs:
                for number in unsaid(kept, self.about(kept), now=now):
                    self._cancel(number)
        for kept in due:
            decision = self.decision(kept, now=now)
            self.kept[kept.id] = decision.clock
            for alert in decision.alerts:
                self._say(alert)

    def decision(self, kept: KeptClock, *, now: Instant) -> Decision:
        """What would be decided about a clock."""
        return decide(
            kept,
            self.about(kept),
            has_successor=kept.id in self.inherited(),
            circumstances=Circumstances(
                rulebook=self.rulebook,
                roster=self.roster,
                feeds=self.feeds,
                now=now,
                asked={kept.id: self.asked(kept)},
            ),
        )

    def hand_over(self, *, now: Instant) -> None:
        """Send what waits and is still true; the rest drops out, as when a mail is written.

        That something ended late goes with another alert to its reader, or waits.
        """
        written_to: set[str] = set()
        for told in list(self.said):
            if told.state == "pending" and told.alert.kind is not AlertKind.STOPPED_LATE:
                self.spoke_of[told.id] = self._still_true(told.alert, now=now)
                if self.spoke_of[told.id]:
                    self._put(told._replace(state="in message", attempted=True, sent_at=now))
                    if told.alert.kind is not AlertKind.WITHDRAWAL:
                        written_to.add(told.alert.recipient)
                else:
                    self._cancel(told.id)
        for told in list(self.said):
            if told.state != "pending" or told.alert.recipient not in written_to:
                continue
            if verdict(self.kept[told.alert.clock_id].clock, now=now) is Verdict.LATE:
                self._put(told._replace(state="in message", attempted=True, sent_at=now))
            else:
                self._cancel(told.id)

    def about(self, kept: KeptClock) -> list[SaidAlert]:
        """What was said about a clock and those whose place it took, oldest first."""
        ids = {kept.id, *kept.inherits}
        return [told for told in self.said if told.alert.clock_id in ids]

    def inherited(self) -> set[int]:
        """Clocks whose place another took."""
        return {earlier for kept in self.kept.values() for earlier in kept.inherits}

    def standing(self, kept: KeptClock) -> list[SaidAlert]:
        """Alerts that said a clock is overdue, or said so of those before it, and that stand."""
        family = {kept.id, *kept.inherits}
        return [one for one in told_as_overdue(self.about(kept)) if self.spoke_of[one.id] & family]

    def _still_true(self, alert: Alert, *, now: Instant) -> set[int]:
        """Of which clocks a mail that is written now speaks because of an alert."""
        own = self.kept[alert.clock_id]
        if alert.kind is AlertKind.WITHDRAWAL:
            return {own.id}
        speaking: Sequence[KeptClock] = [own]
        if own.clock.superseded_at is not None:
            heirs = [kept for kept in self.kept.values() if own.id in kept.inherits]
            speaking = [kept for kept in heirs if kept.clock.superseded_at is None] or [own]
        return {
            kept.id
            for kept in speaking
            if (says := verdict(kept.clock, now=now)) not in CLOSED
            and kept.clock.regraded_at is None
            and not (alert.kind is AlertKind.OVERDUE and says in NOT_YET_DUE)
        }

    def _say(self, alert: Alert) -> None:
        key = alert[:5]
        assert all(told.alert[:5] != key for told in self.said), f"{key} was decided before"
        state = "pending" if alert.recipient else "cancelled"
        number = len(self.said) + 1
        self.said.append(SaidAlert(number, alert, state, attempted=False, sent_at=None))

    def _cancel(self, number: int) -> None:
        told = self.said[number - 1]
        if not told.attempted:
            self._put(told._replace(state="cancelled"))

    def _put(self, told: SaidAlert) -> None:
        self.said[told.id - 1] = told
