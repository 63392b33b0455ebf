"""The nouns that travel between the stages.

What comes in: nothing. What goes out: plain, immutable values that every room may hold.
It does not care where values come from, how they are kept or what is decided about them.

Absent text is the empty string, absent instants are None.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

Instant: TypeAlias = int
"""Microseconds since 1970-01-01T00:00Z. Civil time exists only at the rim (docs/decisions/0002)."""

Duration: TypeAlias = int
"""A signed number of microseconds."""

SECOND: Final[Duration] = 1_000_000
MINUTE: Final[Duration] = 60 * SECOND
HOUR: Final[Duration] = 60 * MINUTE
DAY: Final[Duration] = 24 * HOUR


class Event(NamedTuple):
    """One dated fact from one feed, as received. Never edited: a correction is another event.

    A tuple and not a dataclass: a history is read by the hundred thousand.
    """

    feed: str
    """Name of the feed that said it."""
    identity: bytes
    """What makes it this event within its feed: the source's own id, or time and content."""
    revision: int
    """The source's revision number, 0 where it has none; a greater one supersedes a lesser."""
    content: bytes
    """Digest of the canonical fields; it never covers received_at, file or line."""
    reference: str
    """The source's name for the case."""
    kind: str
    """What happened: a kind of the vocabulary, such as `contact` or `partner_notified`."""
    occurred_from: Instant
    """Earliest instant at which it can have happened; a clock starts here."""
    occurred_to: Instant
    """Latest instant at which it can have happened; a clock stops here."""
    recorded_at: Instant | None
    """When the source says it was written down."""
    received_at: Instant
    """When the monitor took it in."""
    partner: str = ""
    """Kind of partner: `council`, `health`, `school`…"""
    organisation: str = ""
    """Which partner organisation, by its code."""
    child: str = ""
    """Keyed hash of a child within the case; means nothing outside this installation."""
    category: str = ""
    risk: str = ""
    district: str = ""
    unit: str = ""
    decision: str = ""
    """What was decided: `withheld`, `not_for_sharing`, `deferred`…"""
    reason_code: str = ""
    review_at: Instant | None = None
    """When a deferral or withholding is to be looked at again, or a due time the event carries."""
    retracts: bytes = b""
    """Identity, in the same feed, of the event that this one takes out."""
    links: str = ""
    """Another reference that is the same case."""
    attributes: tuple[tuple[str, str], ...] = ()
    """What the vocabulary declares beside these, sorted by name."""


class Verdict(StrEnum):
    """What a clock says at an instant."""

    RUNNING = "running"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"
    MET = "met"
    LATE = "late"
    EXEMPT = "exempt"
    VOID = "void"
    UNKNOWN = "unknown"
    SUPERSEDED = "superseded"


OPEN_VERDICTS: Final = frozenset(
    {Verdict.RUNNING, Verdict.DUE_SOON, Verdict.OVERDUE, Verdict.UNKNOWN}
)


class ClockKey(NamedTuple):
    """Which clock of a case: one rule, and one child, organisation or start where it says so."""

    rule: str
    child: str = ""
    organisation: str = ""
    start: str = ""
    """Identity of the start event in hexadecimal, for a rule that counts each start."""


class Clock(NamedTuple):
    """One rule on one case, as its events say. Nothing here depends on what time it is now.

    A tuple for the same reason as an event; but for the fold, fields are given by name.
    """

    key: ClockKey
    rule_version: int
    started_at: Instant
    due_at: Instant | None
    """None where it cannot be computed; `due_unknown` then says why."""
    known_at: Instant
    """When the monitor could first know that this clock runs."""
    calendar_version: str = ""
    due_unknown: str = ""
    due_soon_at: Instant | None = None
    """From when on the verdict is `due_soon`: the first warning of the ladder."""
    stopped_at: Instant | None = None
    exempt_at: Instant | None = None
    void_at: Instant | None = None
    superseded_at: Instant | None = None
    """From when on another clock, or none, stands in this one's place."""
    regraded_at: Instant | None = None
    """When the case left the rule after it was overdue: measured on, no longer told."""
    breached_at: Instant | None = None
    """The due instant, where the clock was closed later than it."""
    stop_known_at: Instant | None = None
    """When the monitor could first know that it stopped."""
    stop_recorded_at: Instant | None = None
    """When the source wrote the stop down, where it says so."""
    confirm_by: Instant | None = None
    """A verbal claim recorded after due counts until here unless it is confirmed."""
    held_from: Instant | None = None
    held_until: Instant | None = None
    """A deferral: nobody is told from `held_from` to `held_until`; measurement goes on."""
    stage: str = ""
    """Kind of the last completed stage; the case waits in the place that follows it."""
    stage_at: Instant | None = None
    partner: str = ""
    district: str = ""
    unit: str = ""
    category: str = ""
    risk: str = ""
    restricted: bool = False
    cannot_route: bool = False
    """The child or organisation that the rule counts by is not on the record."""
    raised_after: Duration | None = None
    """How long after the first knowledge of the concern a regrade brought the case here."""
    reason_code: str = ""
    """Why it is exempt or void."""
    due_before: Instant | None = None
    """The due time as it stood before its start was corrected, or its calendar while it ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptClock:
    """A clock as it is stored: what its events say, and how far telling about it has come."""

    id: int
    case_id: int
    clock: Clock
    episode: int = 1
    """Which telling this is: a new one begins when an alert turned out false."""
    steps_done: int = 0
    """How many steps of its agenda were decided in this episode."""
    revision: int = 0
    """Changes with every write; a decision holds only for the revision that it was made on."""
    inherits: tuple[int, ...] = ()
    """Clocks whose place this one took: what was said about them was said about it."""
    next_action_at: Instant | None = None
    """None: nothing can happen without a new fact."""
    waits_for: str = ""
    """The feed whose return is itself a reason to look again."""


class AlertKind(StrEnum):
    """What an alert says."""

    WARNING = "warning"
    OVERDUE = "overdue"
    CANNOT_ROUTE = "cannot_route"
    WITHDRAWAL = "withdrawal"
    STOPPED_LATE = "stopped_late"
    """What was told as overdue ended late: said in the next mail, and never by one of its own."""


class Alert(NamedTuple):
    """This step of this clock is to be told to this address, and why."""

    clock_id: int
    episode: int
    rung: str
    repeat: int
    recipient: str
    """An address; empty where nobody could be told."""
    kind: AlertKind
    role: str
    """The role that the recipient holds at this hour."""
    asked_role: str
    """The role that the ladder named."""
    reason: str
    rung_at: Instant
    decided_at: Instant


class SaidAlert(NamedTuple):
    """An alert that was decided, and how far it got."""

    id: int
    alert: Alert
    state: str
    """`pending`, `in message` or `cancelled`."""
    attempted: bool
    """Whether a mail that carries it was handed to the mail server, whatever came of it."""
    sent_at: Instant | None


class Action(NamedTuple):
    """What somebody did about telling: took a clock, passed it on, silenced, confirmed, closed."""

    number: int
    """Its place among everything that was ever made known."""
    kind: str
    target: str
    """`clock 17`, `rule missing-council`, `case PPN-2027-004211`…"""
    actor: str
    """The account that typed; shown to operators alone, and in no mail."""
    on_behalf_of: str
    """A role, or a district and a role."""
    reason_code: str
    from_at: Instant
    until_at: Instant | None
    detail: str
    """What its kind needs beside this, as JSON."""
    ended_at: Instant | None = None
    """When somebody took it back."""


class WatchFault(NamedTuple):
    """Something that the monitor found wrong with itself."""

    id: int
    what: str
    """Its kind, and after a colon what it is about: `loop: sweep on node-1`."""
    detail: str
    """In words; it names no address and no person."""
    since: Instant
    told_at: Instant | None
    """When the operator was last told."""
    ended_at: Instant | None
