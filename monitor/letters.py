"""What each mail says, as plain values: the contract between those who know and the templates.

What comes in: nothing. What goes out: frozen values that a template can print.
It does not care where the facts come from, nor how they are worded and sent.

Every fact but the few without a default is optional, and an absent one drops its line: a mail says
nothing that the monitor does not know. Absent text is the empty string, absent instants are None.
Texts are phrases in British English without a full stop, unless a field says "sentence".
No field takes a name, an address or an account of a person; roles and references only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.model import Duration, Instant

CASES_IN_FULL: Final = 25
"""How many cases a bundle tells in full: a flood is one mail, and one that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Whom to ring."""

    name: str
    """`Eastshire emergency duty team`."""
    telephone: str = ""
    """As a person reads it: `01632 960101`."""
    hours: str = ""
    """How it can be reached at the time of the mail: `open now`, `open until 08:30`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One thing that is on the record of a case."""

    what: str
    """`contact`, `submitted`, `supervised`."""
    at: Instant
    source: str = ""
    """Where it was read: `command and control log`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Who was alerted, and when."""

    role: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """Who is alerted next if the record stays as it is, and when."""

    role: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who has taken the duty on."""

    role: str = ""
    """Empty where that was not said."""
    until: Instant | None = None
    reason: str = ""
    """In words: `GP being traced`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A feed that has not been heard although it should have been."""

    feed: str
    """`sending log`."""
    since: Instant | None
    """To when it was read; None where it never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRead:
    """How far a feed had been read when the mail was written."""

    feed: str
    read_to: Instant
    note: str = ""
    """`no gaps since the contact`, `silent Wed 14:00 to 19:20`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherDuty:
    """Another duty of the same case, for context."""

    partner: str
    """`health`, `school`."""
    due_at: Instant | None = None
    state: str = ""
    """`no record yet`, `told`, `nothing due`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyLine:
    """One duty to tell a partner, or to complete a stage, that is late or about to be.

    A restricted one is reduced to its reference and its times before any template sees it.
    """

    reference: str
    due_at: Instant | None = None
    """None where it cannot be computed."""
    started_at: Instant | None = None
    restricted: bool = False

    partner: str = ""
    """One word: `council`, `health`, `school`. Empty for a stage of the force's own."""
    whom: str = ""
    """The partner as a sentence names it: `the council`, `health`. Falls back to organisation."""
    organisation: str = ""
    """`Eastshire children's social care`."""
    awaited: str = ""
    """Where there is no partner, what has no record: `supervision`, `a notice`, `triage`."""
    which: str = ""
    """Which of several: `child 2 of 3`."""
    action: str = ""
    """What to do, as an imperative sentence without full stop; else one is made from the above."""
    ring: tuple[Route, ...] = ()
    """Whom to ring to do it, the best at this hour first."""
    cannot_route: str = ""
    """Why nobody can be told: `no school on the record`."""
    mend: str = ""
    """How to mend that, as a sentence."""

    risk: str = ""
    """`high`, `medium`, `standard`."""
    concern: str = ""
    """Category in words. Never printed in a subject."""
    raised: str = ""
    """`raised from medium to high at 04:47, 10 h 00 after contact`."""
    stages: tuple[Stage, ...] = ()
    waiting_for: str = ""
    """`triage`, `sending`."""
    waiting_since: Instant | None = None
    place: str = ""
    """About the place where it waits: `MASH opens 08:00`, `MASH closed at 18:00`."""
    others: tuple[OtherDuty, ...] = ()

    told: tuple[Told, ...] = ()
    """Alerted before this mail, in order."""
    owner: Owner | None = None
    unowned: bool = False
    """True where it is known that nobody has taken it."""
    next_steps: tuple[NextStep, ...] = ()
    """In order; empty where nobody further is to be told, or it is not known."""

    unconfirmed: Silence | None = None
    """The feed that could hold the stop and is silent: the alert is then unconfirmed."""
    learnt_late: str = ""
    """Why this is told later than it could have been: `the record was typed at 06:00`."""
    reopened: str = ""
    """Why a duty that counted as told counts no more: `the message to the council bounced`."""
    held: str = ""
    """`it was taken until 08:00 today, and that time has passed`."""

    limit: str = ""
    """In words: `4 h`, `1 working day`."""
    authority: str = ""
    """Sentence: `It is this force's own limit and is not set by law.`"""
    rule: str = ""
    """`significant-harm-council`."""
    rule_version: int | None = None
    afterwards: str = ""
    """Sentence: `Written confirmation is then due within 24 hours.`"""

    @property
    def named(self) -> str:
        """The partner as a sentence names it; empty for a stage."""
        return self.whom or self.organisation or self.partner

    @property
    def high_risk(self) -> bool:
        """Whether the case is graded high."""
        return self.risk.casefold() == "high"

    def overdue_by(self, at: Instant) -> Duration | None:
        """How long after due `at` is; None where it is not after due, or due is not known."""
        return at - self.due_at if self.due_at is not None and at > self.due_at else None

    def due_in(self, at: Instant) -> Duration | None:
        """How long before due `at` is, 0 at due; None after due, or where due is not known."""
        return self.due_at - at if self.due_at is not None and at <= self.due_at else None

    def veiled(self) -> DutyLine:
        """Reference and time alone, if restricted (blueprint 5); else the duty as it is."""
        if not self.restricted:
            return self
        return DutyLine(reference=self.reference, due_at=self.due_at, restricted=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedLate:
    """A duty of which the reader was told that it is overdue, and that ended after it was due."""

    reference: str
    ended_at: Instant
    late_by: Duration
    whom: str = ""
    """`the council`; empty for a stage of the force's own, and for a restricted case."""
    awaited: str = ""
    """Where there is no partner: `supervision`."""
    decided: bool = False
    """True where it was decided not to share, instead of sharing."""
    which: str = ""
    """`child 2 of 3`."""
    restricted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What every mail has."""

    at: Instant
    """The time the mail speaks of."""
    role: str = ""
    """Whom it is for: `on-call DI`."""
    relay: str = ""
    """Sentence for a staffed desk that is to pass it on: `Ring the on-call DI on 01632 960110.`"""
    redirected: str = ""
    """Where mails are redirected: whom it was meant for, a role."""
    why_you: str = ""
    """Sentence: `MASH closed at 18:00, so this comes to your desk.`"""
    feeds: tuple[FeedRead, ...] = ()
    answer: str = ""
    """Sentences on how to take a duty on. Only where somebody reads the answer."""
    ended_late: tuple[EndedLate, ...] = ()
    """What this reader was told of before and ended since, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningLetter(Letter):
    """A duty that falls due soon. Nothing is late."""

    duty: DutyLine


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueLetter(Letter):
    """A duty that is overdue, told for the first time to this person."""

    duty: DutyLine
    still: bool = False
    """True for a repeat: this person was told of this duty before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLines:
    """The duties of one case in a bundle."""

    reference: str
    duties: tuple[DutyLine, ...]

    @property
    def first(self) -> DutyLine:
        """The duty whose case facts (risk, stage, owner) stand for all of them."""
        return self.duties[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleLetter(Letter):
    """Several duties, of one case or many, in the order in which to do them."""

    duties: tuple[DutyLine, ...]
    """At least one. Those of one case are brought together at the place of its first."""
    scope: str = ""
    """`East district`."""
    still: bool = False
    """True where this person was told of every one of them before."""
    why_bundled: str = ""
    """Sentence: `The sending log was silent from Thu 18:00 to 08:00 today and has been read.`"""
    next_reminder: Instant | None = None
    next_reminder_for: str = ""
    """`only for cases without an owner`."""

    @property
    def cases(self) -> tuple[CaseLines, ...]:
        """The duties by case, in order of each case's first."""
        found: dict[str, list[DutyLine]] = {}
        for duty in self.duties:
            found.setdefault(duty.reference, []).append(duty)
        return tuple(CaseLines(reference=name, duties=tuple(own)) for name, own in found.items())

    @property
    def in_full(self) -> tuple[CaseLines, ...]:
        """The cases told in full."""
        return self.cases[:CASES_IN_FULL]

    @property
    def in_brief(self) -> tuple[CaseLines, ...]:
        """All cases after those, of which only the reference and the count are printed."""
        return self.cases[CASES_IN_FULL:]

    @property
    def overdue(self) -> int:
        """How many duties are overdue at the time the mail speaks of."""
        return sum(duty.overdue_by(self.at) is not None for duty in self.duties)

    @property
    def high_risk_cases(self) -> int:
        """How many cases are graded high, restricted ones not among them."""
        return _how_many(any(duty.high_risk for duty in case.duties) for case in self.cases)

    @property
    def cases_without_owner(self) -> int:
        """How many cases have a duty that nobody has taken."""
        return _how_many(any(duty.unowned for duty in case.duties) for case in self.cases)


class Withdrawing(StrEnum):
    """Why an alert is taken back."""

    TOLD_IN_TIME = "told in time"
    LESS_LATE = "later due"
    """It is not overdue, because its due instant moved."""
    STARTED_LATER = "started later"
    NOT_DUE = "no longer due"
    WITHHELD = "decided not to share"
    IN_ERROR = "withdrawn as made in error"
    SAME_CASE = "another case stands for it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """What is still to be done on the case."""

    what: str
    """`tell health`, `written confirmation to the council`."""
    by: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """One duty whose alerts are taken back."""

    duty: DutyLine
    why: Withdrawing
    told_whom: str = ""
    """Who was told, where somebody was: `Eastshire emergency duty team`."""
    told_at: Instant | None = None
    recorded_at: Instant | None = None
    """When that was written down."""
    new_due_at: Instant | None = None
    """Where due has moved."""
    reason: str = ""
    """In words, of a decision or a correction: `shared by another force`."""
    alerts: tuple[Instant, ...] = ()
    """When the alerts that this takes back were sent, in order."""
    remaining: tuple[Remaining, ...] = ()
    confirm_by: Instant | None = None
    confirm_role: str = ""
    """Who is asked to confirm a claim that was recorded after the alert."""

    def veiled(self) -> Withdrawn:
        """Without what would tell of a restricted case more than its reference and times."""
        if not self.duty.restricted:
            return self
        return Withdrawn(duty=self.duty.veiled(), why=self.why, alerts=self.alerts)

    @property
    def recorded_after(self) -> Duration | None:
        """How long after the telling it was written down; None where either is not known."""
        if self.told_at is None or self.recorded_at is None:
            return None
        return max(0, self.recorded_at - self.told_at)

    @property
    def took(self) -> Duration | None:
        """From the clock's start to the telling; None where either is not known."""
        if self.told_at is None or self.duty.started_at is None:
            return None
        return max(0, self.told_at - self.duty.started_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalLetter(Letter):
    """Alerts taken back: one mail to everybody who was told."""

    items: tuple[Withdrawn, ...]
    """At least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestRow:
    """How one rule, or one partner, did in the period."""

    label: str
    """`Council, significant harm, 4 h`."""
    met: int
    of: int
    """The total that `met` is a part of, as the report counts it."""
    percent: int | None = None
    """None under 10 duties."""
    interval: str = ""
    """Where the share lies with 95 % confidence: `72-91 %`; empty under 10 duties."""
    late: int = 0
    open_late: int = 0
    unknown: int = 0
    cannot_route: int = 0
    """Of those open and late, how many cannot be routed."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestSpan:
    """How long it took."""

    label: str
    """`Council, 1 working day`."""
    number: int
    median: str = ""
    """`14 h 10`."""
    ninetieth: str = ""
    """90th percentile; empty under 20 cases."""
    ninety_fifth: str = ""
    """95th percentile; empty under 20 cases."""
    longest: str = ""
    """`2 d 14 h, still open`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture in a mail, of which everything that matters is also said in words."""

    name: str
    """What its content id begins with, and the name of its file: `weeks`."""
    content: bytes
    """A PNG."""
    alt: str
    """The text that stands in for it: its message, with the figures."""
    width: int
    """At which it is shown, in CSS pixels; it may hold more."""
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestTable:
    """The duties to partners, parted by something; in order of names, never of rank."""

    title: str
    """`by district`."""
    rows: tuple[DigestRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestLetter(Letter):
    """The weekly picture of one scope. `at` is the time up to which it was known."""

    scope: str
    """`East district`."""
    period_from: Instant
    period_to: Instant
    """The first instant that is no longer of the period."""
    headline: tuple[str, ...] = ()
    """For the subject: `council 50 of 60, health 33 of 47 in time`, `1 high-risk case open`."""
    do_first: str = ""
    """Sentences: the one case to look at first, and where it waits."""
    sentence: str = ""
    """The week in one sentence."""
    how_to_read: str = ""
    """Sentences: what is counted."""
    rows: tuple[DigestRow, ...] = ()
    beside: tuple[str, ...] = ()
    """Sentences: what is in no share: exempt, deferred, void."""
    changes: tuple[str, ...] = ()
    """Sentences: change or chance."""
    weeks: tuple[DigestRow, ...] = ()
    """The last weeks of the chart, in figures."""
    pictures: tuple[Picture, ...] = ()
    """The chart of the scope first, then its districts'."""
    tables: tuple[DigestTable, ...] = ()
    spans: tuple[DigestSpan, ...] = ()
    waits: tuple[str, ...] = ()
    """Sentences: where it waits."""
    backlog: tuple[str, ...] = ()
    """Sentences: open now, by age and risk."""
    no_notice: tuple[str, ...] = ()
    quality: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    """Sentences: what the figures give cause to ask."""
    alerts: tuple[str, ...] = ()
    coverage: tuple[str, ...] = ()
    """Sentences: hours heard of each feed, rows set aside."""
    notes: tuple[str, ...] = ()
    is_small_unit: bool = False
    """Of a unit with too few notices for any figure."""
    is_outside: bool = False
    """For readers outside the force: rows say what was met and, as late, all that was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One step for the operator."""

    what: str
    """Sentence."""
    command: str = ""
    """What to type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLetter(Letter):
    """Something is wrong with the service itself, not with anybody's work."""

    wrong: str
    """For the subject, without figures of cases: `no mail accepted for 40 min`."""
    service: str = ""
    """Which installation."""
    since: Instant | None = None
    effect: str = ""
    """Sentences: what is not happening meanwhile, and what still is."""
    steps: tuple[Remedy, ...] = ()
    facts: tuple[str, ...] = ()
    """Sentences or short lines: figures, last error codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentFeed:
    """A feed that is silent now."""

    feed: str
    """`sending log`."""
    since: Instant | None = None
    """To when it was read; None where it never was."""
    expected: str = ""
    """How often it is expected: `every 15 min`."""
    is_news: bool = True
    """Whether this reader is told of this silence for the first time."""
    comes: bool = False
    """Whether files come, and what they tell ends at `since`."""
    duties: int = 0
    """Open duties of which the feed would show that they are done, due within a day or overdue."""
    high_risk: int = 0
    """How many of these are graded high."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardAgain:
    """A feed that was silent and is so no more."""

    feed: str
    silent_from: Instant
    silent_to: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceLetter(Letter):
    """Feeds that are silent, and feeds that are heard again: one mail about all of them."""

    silent: tuple[SilentFeed, ...] = ()
    """What was told for the first time comes first. At least one here or under `heard`."""
    heard: tuple[HeardAgain, ...] = ()
    service: str = ""
    """Which installation."""
    steps: tuple[Remedy, ...] = ()
    """What to do; only for the operator, who can see to it."""

    @property
    def news(self) -> tuple[SilentFeed, ...]:
        """The feeds of which this reader has not been told."""
        return tuple(each for each in self.silent if each.is_news)

    @property
    def since(self) -> Instant | None:
        """From when on the record is incomplete; None where a feed was never heard."""
        return min((each.since for each in self.silent if each.since is not None), default=None)


AnyLetter: TypeAlias = (
    WarningLetter
    | OverdueLetter
    | BundleLetter
    | WithdrawalLetter
    | DigestLetter
    | OperatorLetter
    | SilenceLetter
)


def _how_many(answers: Iterable[bool]) -> int:
    return sum(1 for answer in answers if answer)
