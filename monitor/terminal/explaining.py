"""An explanation as the terminal shows it: the answer, then why, then the evidence.

What comes in: an explained case. What goes out: lines of at most a hundred columns for people, and
plain values for machines. Times for people are local; times for machines are ISO 8601 UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from monitor.model import Verdict
from monitor.terminal import CHILD_SHOWN, wrapped
from monitor.words import capital, count, day_said, limit, listed, moment, said_of, time_of_day
from monitor.worktime.instants import isoformat

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.cycle.explained import (
        CaseExplanation,
        ClockExplanation,
        DoneLine,
        Evidence,
        GoverningRule,
        ToldLine,
    )
    from monitor.model import Instant

Title = Callable[[str], str]
"""Role → how people call it."""

_INDENT: Final = 2


# -- for machines -----------------------------------------------------------------------------


def explanation_values(found: CaseExplanation) -> dict[str, Any]:
    """An explanation as plain values; instants as ISO 8601 UTC (docs/explain.md)."""
    values: dict[str, Any] = _plain(found)
    return values


def _plain(value: Any, name: str = "") -> Any:
    """Dataclasses, however deep, as dictionaries; what is named as an instant as one."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name), field.name) for field in fields(value)
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, int) and (name == "at" or name.endswith("_at")):
        return isoformat(value)
    return value


# -- for people -------------------------------------------------------------------------------


def explanation_lines(found: CaseExplanation, *, zone: ZoneInfo, title: Title) -> Iterator[str]:
    """A case's clocks in words: the most urgent first, of each the answer before the reasons."""
    yield f"{found.reference}, at {moment(found.at, zone=zone)}"
    if found.as_known_then:
        yield "As known then: only what the monitor had been told by that instant."
    if len(found.references) > 1:
        yield from wrapped(f"One case under the references {', '.join(found.references)}.")
    if not found.clocks:
        yield "No clock runs or ran on it then."
        return
    yield from wrapped(_counts(found.clocks))
    for clock in found.clocks:
        yield ""
        yield from _Lines(clock, at=found.at, zone=zone, title=title).all()
    yield ""
    yield from _rules(found, zone=zone)


def _counts(clocks: Iterable[ClockExplanation]) -> str:
    """`3 duties: 1 overdue, 2 met.`; what gave way is no duty."""
    standing = [each for each in clocks if each.verdict is not Verdict.SUPERSEDED]
    names = Counter(
        "not known of then" if each.verdict is None else each.verdict.replace("_", " ")
        for each in standing
    )
    said = ", ".join(f"{number} {name}" for name, number in names.items())
    trial = sum(each.governed_by.on_trial for each in standing)
    by_trial = f" On trial, so telling nobody: {trial}." if trial else ""
    return f"{capital(count(len(standing), 'duty', 'duties'))}: {said or 'none'}.{by_trial}"


_ON_TRIAL: Final = (
    "On trial: nobody has approved this rule. It measures, it tells nobody, and what it says is no"
    " decided policy."
)


class _Lines:
    """One clock in lines."""

    def __init__(
        self, clock: ClockExplanation, *, at: Instant, zone: ZoneInfo, title: Title
    ) -> None:
        self.clock, self.at, self.zone, self.title = clock, at, zone, title
        self.several_references = len({each.reference for each in clock.events}) > 1

    def all(self) -> Iterator[str]:
        """Everything about it."""
        yield from self.answer()
        yield from self.why()
        yield from self.facts()
        yield from self.said()

    def when(self, instant: Instant | None) -> str:
        return "-" if instant is None else said_of(instant, at=self.at, zone=self.zone)

    # -- the answer -----------------------------------------------------------------------

    def answer(self) -> Iterator[str]:
        """The verdict, whom it concerns, where it waits, what comes next."""
        clock = self.clock
        headline = clock.headline
        if clock.verdict is None:
            headline = f"NOT KNOWN OF THEN (as known today: {headline})"
        yield from wrapped(f"{headline}: {clock.title}")
        if clock.governed_by.on_trial:
            yield from wrapped(_ON_TRIAL, indent=_INDENT)
        yield from wrapped(self._about(), indent=_INDENT)
        yield from wrapped(clock.answer, indent=_INDENT)
        if clock.as_known_today:
            yield from wrapped(clock.as_known_today, indent=_INDENT)
        if clock.waiting is not None:
            yield from wrapped(self._waits(), indent=_INDENT)
        if clock.verdict in _OPEN and (clock.next or not clock.is_closed):
            yield from wrapped(self._next(), indent=_INDENT)

    def _about(self) -> str:
        """Whom the clock is about, where its rule counts by child or organisation."""
        clock = self.clock
        child = f"child {clock.child[:CHILD_SHOWN]}" if clock.child else ""
        whom = clock.organisation_name or clock.organisation
        return ", ".join(part for part in (whom, child) if part)

    def _waits(self) -> str:
        waiting = self.clock.waiting
        assert waiting is not None
        since = "" if waiting.since_at is None else f" since {self.when(waiting.since_at)}"
        return f"Waiting for {waiting.waits_for}{since}, with the {self.title(waiting.role)}."

    def _next(self) -> str:
        step, why = self.clock.next, self.clock.next_why
        if step is None:
            return f"Next: {why}."
        kind = step.kind.replace("_", " ")
        said = f"{self.title(step.role)}, {self.when(step.at)} ({kind}, {step.rung})"
        rest = f"; {why}" if why else ""
        waits = "nobody confirms it" if self.clock.verdict is Verdict.MET else "no record comes"
        return f"Next, if {waits}: {said}{rest}."

    # -- why --------------------------------------------------------------------------------

    def why(self) -> Iterator[str]:
        """The reckoning, the two truths, the rule, and each span of time."""
        clock = self.clock
        yield "  Why"
        due = "due not known" if clock.due_at is None else f"due by {self.when(clock.due_at)}"
        rule = clock.governed_by
        yield from self._line(
            f"Started {self.when(clock.started_at)}, limit {limit(rule.threshold)}, {due}."
        )
        yield from self._line(f"Shared in time? {capital(clock.shared_in_time)}.")
        yield from self._line(f"Could we have known? {capital(clock.could_have_known)}.")
        for sentence in clock.because:
            yield from self._line(capital(sentence).rstrip(".") + ".")
        yield from self._windows()
        yield from self._line(f"Rule {rule.id}, version {rule.version}: {rule.why}.")

    def _windows(self) -> Iterator[str]:
        windows = self.clock.windows
        calendar = self.clock.governed_by.calendar
        if len(windows) == 1:
            yield from self._line(f"Time counted: {windows[0].text}.")
        elif windows:
            yield from self._line(f"Time counted, by the calendar {calendar}:")
            for window in windows:
                yield from wrapped(window.text, indent=6)

    def _line(self, text: str) -> list[str]:
        return wrapped(text, indent=4)

    # -- the evidence -------------------------------------------------------------------------

    def facts(self) -> Iterator[str]:
        """Each fact with two lines: what came of it, and where it is from."""
        clock = self.clock
        if clock.events:
            known = ", as known today" if clock.verdict is None else ""
            yield f"  Facts looked at{known} (+ counts, - does not)"
        for event in clock.events:
            yield from self._fact(event)
        if clock.verdict is None:
            return
        if clock.learnt_since:
            yield "  Learnt since, as known today"
        for event in clock.learnt_since:
            yield from self._fact(event)

    def _fact(self, event: Evidence) -> Iterator[str]:
        mark = "+" if event.counts else "-"
        kind = _KINDS.get(event.kind, event.kind.replace("_", " "))
        part = "" if event.part in _SAID_BY_KIND else f"{event.part}: "
        is_own = event.child in ("", self.clock.child)
        whose = "" if is_own or not self.clock.child else f" (child {event.child[:CHILD_SHOWN]})"
        yield from wrapped(
            f"{mark} {self._happened(event)}  {part}{kind}{whose}: {event.why}", indent=4
        )
        yield from wrapped(self._source(event), indent=8)

    def _happened(self, event: Evidence) -> str:
        if event.read == "exact":
            return self.short(event.at)
        first, last = self.short(event.occurred_from_at), self.short(event.occurred_to_at)
        read = f"the {event.read} is read, as the less flattering"
        return f"between {first} and {last} ({read})"

    def short(self, instant: Instant) -> str:
        """`Tue 9 Mar 02:47`, with its year where it is another."""
        day = day_said(instant, at=self.at, zone=self.zone).split(" ")
        day[2] = day[2][:3]
        return f"{' '.join(day)} {time_of_day(instant, zone=self.zone)}"

    def _source(self, event: Evidence) -> str:
        times = [("recorded", event.recorded_at), ("received", event.received_at)]
        said = {name: self.short(at) for name, at in times if at is not None}
        if said.get("recorded") == said["received"]:
            said = {"recorded and received": said["received"]}
        when = ", ".join(f"{name} {at}" for name, at in said.items())
        line = f", line {event.line}" if event.line else ""
        place = "" if event.intake is None else f", intake {event.intake}{line}"
        again = f", told again {_times(event.told_again)}" if event.told_again else ""
        says = f"; {', '.join(event.says)}" if event.says else ""
        of = f"; {event.reference}" if self.several_references else ""
        return f"{event.feed}: {when}{place}{again}{of}{says}"

    # -- what was said ------------------------------------------------------------------------

    def said(self) -> Iterator[str]:
        """Who was told what and when, and what people did about it."""
        clock = self.clock
        if clock.told or clock.done:
            yield "  Said (>) and done (=)"
        for alike in _alike(clock.told):
            yield from self._line(self._told(alike))
        for done in clock.done:
            yield from self._line(self._done(done))

    def _told(self, alike: Sequence[ToldLine]) -> str:
        """Who was told what, why and when; a reason that begins as the kind says it once."""
        told = alike[0]
        kind = _TOLD.get(told.kind, told.kind.replace("_", " "))
        reason = told.reason.removeprefix(kind).removeprefix(";").strip()
        why = f", {reason}" if reason else ""
        who = listed([self.title(each.role) for each in alike])
        return f"> {who}: {kind}{why}; {self._outcome(told)}"

    def _outcome(self, told: ToldLine) -> str:
        decided = f"decided {self.when(told.decided_at)}"
        if told.sent_at is None:
            said = {
                "waiting": "not sent yet",
                "cancelled": "cancelled before it was sent",
                "tried": "tried, and not known to have arrived",
                "nobody to tell": "nobody could be told",
            }
            return f"{decided}, {said.get(told.outcome, told.outcome)}"
        if told.sent_at - told.decided_at < _AT_ONCE:
            return f"sent {self.when(told.sent_at)}"
        return f"{decided}, sent {self.when(told.sent_at)}"

    def _done(self, done: DoneLine) -> str:
        """What somebody did about its telling, for which role and why."""
        by = f", for the {done.by}" if done.by else ""
        until = "" if done.until_at is None else f" until {self.when(done.until_at)}"
        ended = "" if done.ended_at is None else f"; taken back {self.when(done.ended_at)}"
        at = self.when(done.from_at)
        kind = _DONE.get(done.kind, done.kind)
        why = f": {done.reason}" if done.reason else ""
        return f"= {kind} {at}{until}{by}{why} (number {done.number}){ended}"


_OPEN: Final = frozenset(
    {Verdict.OVERDUE, Verdict.DUE_SOON, Verdict.RUNNING, Verdict.UNKNOWN, Verdict.MET}
)
"""Of these something may still be told: a claim that is met may lapse."""
_AT_ONCE: Final = 60_000_000


_TOLD: Final = {"withdrawal": "alert withdrawn", "stopped_late": "ended late"}
_DONE: Final = {"restate": "measured anew", "approve": "the rule was approved"}
_SAID_BY_KIND: Final = frozenset({"link", "route", "grade", "correction"})
"""Parts of which the kind of the event says enough."""
_KINDS: Final = {"cleared": "no longer in the source", "moved": "under another reference"}


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _alike(told: Iterable[ToldLine]) -> Iterator[list[ToldLine]]:
    """Neighbours that differ in nothing but the role and the seconds."""

    def shown(each: ToldLine) -> tuple[object, ...]:
        sent = None if each.sent_at is None else each.sent_at // _AT_ONCE
        return each.kind, each.reason, each.outcome, each.decided_at // _AT_ONCE, sent

    for _, alike in groupby(told, key=shown):
        yield list(alike)


def _rules(found: CaseExplanation, *, zone: ZoneInfo) -> Iterator[str]:
    """Each rule that measures a clock here, once: on what it rests, and who approved it."""
    yield f"Rules, of {found.rulebook}"
    named = {_rule_key(each.governed_by): each.governed_by for each in found.clocks}
    for _, rule in sorted(named.items()):
        until = f" to {rule.effective_to}" if rule.effective_to else ""
        yield from wrapped(
            f"{rule.id}, version {rule.version}, for starts from {rule.effective_from}{until}."
            f" {_approved(rule, at=found.at, zone=zone)}",
            indent=2,
        )
        yield from wrapped(_authority(rule), indent=4)


def _rule_key(rule: GoverningRule) -> tuple[str, int]:
    return rule.id, rule.version


def _approved(rule: GoverningRule, *, at: Instant, zone: ZoneInfo) -> str:
    if rule.on_trial:
        return "On trial: nobody has approved it, and nobody is told by it."
    edited = (
        " Its file says something else now: that waits for approval, and this version runs on."
        if rule.is_edited
        else ""
    )
    if not rule.approved_by:
        return f"No approval is on record.{edited}"
    when = "" if rule.approved_at is None else f", {said_of(rule.approved_at, at=at, zone=zone)}"
    return f"Approved by: {rule.approved_by}{when}.{edited}"


def _authority(rule: GoverningRule) -> str:
    assumed = (
        " No text found sets this figure: it is this force's own assumption."
        if rule.number_is_assumed
        else ""
    )
    return f"It rests on {rule.authority}: {rule.citation.rstrip('.')}.{assumed}"
