"""The shape of an explanation: what `explain` says of a case, for people and for machines.

What comes in: nothing. What goes out: plain values; their field names are those of
`monitor explain --json` (docs/explain.md). Instants are microseconds UTC, children keyed hashes.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model import Instant, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One fact that a rule looked at."""

    part: str
    """What it could have done: `start`, `stop`, `exemption`, `withdrawal`, `deferral`…"""
    kind: str
    counts: bool
    why: str
    at: Instant
    """When it happened, as it was read."""
    occurred_from_at: Instant
    occurred_to_at: Instant
    read: str
    """`exact`; of a time that is an interval, which end was read: `earliest` or `latest`."""
    recorded_at: Instant | None
    received_at: Instant
    feed: str
    intake: int | None
    """Which intake told it (`monitor intake list`); None where that is not kept."""
    line: int
    told_again: int
    """How often the source told the same once more."""
    reference: str
    says: tuple[str, ...]
    """What else it says that a rule may ask: organisation, method, decision, risk…"""
    child: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedWindow:
    """A span of time that a threshold counted, or did not."""

    from_at: Instant
    to_at: Instant
    counted: bool
    counted_seconds: int
    days: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldLine:
    """One alert that was decided about a clock."""

    kind: str
    role: str
    reason: str
    decided_at: Instant
    sent_at: Instant | None
    outcome: str
    """`sent`, `waiting`, `cancelled`, `tried`, `nobody to tell`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneLine:
    """Something that a person did about the telling of a clock."""

    number: int
    kind: str
    by: str
    """A role in words; never an account."""
    reason_code: str
    reason: str
    from_at: Instant
    until_at: Instant | None
    ended_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restatement:
    """A clock that had ended and was measured anew on purpose."""

    number: int
    at: Instant
    by: str
    """A role in words; never an account."""
    reason_code: str
    reason: str
    due_before_at: Instant | None
    due_after_at: Instant | None
    verdict_before: str
    verdict_after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What will be told next, if no new fact comes."""

    rung: str
    kind: str
    role: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Where a case waits."""

    waits_for: str
    since_at: Instant | None
    """When the last stage was completed; None where none was."""
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentFeed:
    """A feed that the stop relies on and that was not heard."""

    feed: str
    since_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class GoverningRule:
    """Which version of a rule measures a clock, why that one, and on whose authority."""

    id: str
    version: int
    why: str
    effective_from: str
    effective_to: str
    authority: str
    """Its class: `statute`, `local assumption`…"""
    citation: str
    number_is_assumed: bool
    note: str
    approved_by: str
    """The role that approved it; empty: no approval is on record."""
    approved_at: Instant | None
    on_trial: bool
    """In force without an approval: it measures, and nobody is told."""
    is_edited: bool
    """Its file says something else now, which waits for approval; this version runs on."""
    threshold: str
    calendar: str
    calendar_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockExplanation:
    """One clock and why."""

    rule: str
    version: int
    title: str
    partner: str
    child: str
    organisation: str
    organisation_name: str
    verdict: Verdict | None
    """As known at `at`; None where the clock was not known of then."""
    verdict_as_known_today: Verdict | None
    """Of the same instant; None where nothing today asks for this clock."""
    headline: str
    answer: str
    as_known_today: str
    """Where today's knowledge says otherwise of that instant: both, in a sentence."""
    shared_in_time: str
    could_have_known: str
    started_at: Instant
    due_at: Instant | None
    due_before_at: Instant | None
    """The due instant before a start or a calendar was corrected."""
    stopped_at: Instant | None
    exempt_at: Instant | None
    void_at: Instant | None
    superseded_at: Instant | None
    breached_at: Instant | None
    confirm_by_at: Instant | None
    is_closed: bool
    """Whether a fact has ended it for good; a claim that is to be confirmed has not."""
    known_at: Instant
    stop_known_at: Instant | None
    stop_recorded_at: Instant | None
    waiting: Waiting | None
    governed_by: GoverningRule
    because: tuple[str, ...]
    silent: tuple[SilentFeed, ...]
    windows: tuple[CountedWindow, ...]
    events: tuple[Evidence, ...]
    learnt_since: tuple[Evidence, ...]
    restated: tuple[Restatement, ...]
    """Each time that it was measured anew on purpose, by then, oldest first."""
    told: tuple[ToldLine, ...]
    done: tuple[DoneLine, ...]
    next: NextStep | None
    next_why: str
    """Why nothing is told next, or what its telling waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseExplanation:
    """A case at an instant."""

    reference: str
    references: tuple[str, ...]
    at: Instant
    as_known_then: bool
    """Whether it was asked of an earlier instant: then only what was known by it is told."""
    known_number: int
    """Up to which number everything is taken in (`intake`, `action`)."""
    rulebook: str
    """Which rulebook it is read under, in a sentence."""
    clocks: tuple[ClockExplanation, ...]
