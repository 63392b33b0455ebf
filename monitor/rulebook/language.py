"""The language in which rules, ladders, calendars and the vocabulary are written.

What comes in: one file's content as plain values. What goes out: frozen models, one for each kind
of file, with every value in the form the rest of the house uses.
It does not care where the files lie, nor whether they fit together: `book` checks that.
"""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PositiveInt,
    SerializerFunctionWrapHandler,
    StringConstraints,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from monitor.worktime.limits import ClosedDayReceipt, DayEnd, Limit, Unit, parse_limit

NONE = "none"
"""Written in a condition for "not said": `risk: [standard, none]`."""

HOLDER = "holder"
"""The role a rung names for whoever has the case at that hour."""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=60)]
Sentence = Annotated[str, StringConstraints(min_length=3, max_length=2000, strip_whitespace=True)]
OneOrMore = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError):
        msg = f"{name!r} is not a time zone such as 'Europe/London'"
        raise ValueError(msg) from None


Zone = Annotated[str, AfterValidator(_zone)]


def _limit(value: Any) -> Limit:
    """Whatever stands there is read as text, so that a bare number is told the forms too."""
    return value if isinstance(value, Limit) else parse_limit("" if value is None else str(value))


WrittenLimit = Annotated[
    Limit,
    BeforeValidator(_limit),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["4h", "4 working hours", "1 working day"]}),
]


def _length(limit: Limit) -> Limit:
    if limit.unit in (Unit.EVENT_TIME, Unit.NEXT_OPENING):
        msg = f"a {limit} says when a clock is due; a length is wanted here, such as '4h'"
        raise ValueError(msg)
    return limit


WrittenLength = Annotated[WrittenLimit, AfterValidator(_length)]
"""A limit that can be reckoned with: neither a time on the event nor the next opening."""


class Written(BaseModel):
    """A piece of a file: frozen, and nothing that is not known here is accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    GAINED: ClassVar[frozenset[str]] = frozenset()
    """What the language gained since it was first accepted: not written where it is not used, so
    that what was accepted before keeps its text and its digest."""

    @model_serializer(mode="wrap")
    def _without_unused(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        for name in self.GAINED:
            if name in written and not getattr(self, name):
                del written[name]
        return written


class AuthorityClass(StrEnum):
    """Who says so: the five classes a figure can rest on."""

    STATUTE = "statute"
    STATUTORY_GUIDANCE = "statutory guidance"
    NON_STATUTORY_GUIDANCE = "non-statutory guidance"
    LOCAL_PROCEDURE = "local procedure"
    LOCAL_ASSUMPTION = "local assumption"


class Alerts(StrEnum):
    """How much a rule may say: nothing, figures in the digest, or alerts as well."""

    OFF = "off"
    DIGEST = "digest"
    ON = "on"


class Authority(Written):
    """On what a rule rests, and who looks at it again when."""

    class_: AuthorityClass = Field(alias="class")
    citation: Sentence
    number_is_assumed: bool = True
    """True where no text found sets this figure: mails then say the limit is the force's own."""
    note: str = ""
    jurisdiction: str = "England"
    guidance_version: str = ""
    approved_by: str = ""
    """The role that approved it; empty: not yet approved."""
    review_due: dt.date


class Effective(Written):
    """From which start date on a version governs, and until which (inclusive)."""

    from_: dt.date = Field(alias="from")
    to: dt.date | None = None


class Condition(BaseModel):
    """One kind of event, narrowed by attributes: all that are named must match.

    An attribute takes one value or several of which any will do; `none` means "not said".
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: OneOrMore

    @model_validator(mode="after")
    def _values_are_words(self) -> Self:
        for name, value in (self.model_extra or {}).items():
            values = [value] if isinstance(value, str) else value
            if not isinstance(values, list | tuple) or not all(isinstance(v, str) for v in values):
                msg = f"{name} takes a word or a list of words"
                raise ValueError(msg)
        return self

    @property
    def where(self) -> dict[str, frozenset[str]]:
        """Attribute → values of which it must have one; "not said" is the empty string."""
        return {name: _values(value) for name, value in (self.model_extra or {}).items()}


def _values(value: str | list[str] | tuple[str, ...]) -> frozenset[str]:
    words = [value] if isinstance(value, str) else value
    return frozenset("" if word == NONE else word for word in words)


class Deferral(Written):
    """Which decision defers telling, and for how long at most where it names no review."""

    when: tuple[Condition, ...] = Field(min_length=1)
    at_most: WrittenLength


class Confirmation(Written):
    """Which stops are claims that must be confirmed when they were recorded after due."""

    where: dict[str, OneOrMore] = Field(min_length=1)
    by: tuple[Condition, ...] = Field(min_length=1)
    within: WrittenLength


class Rule(Written):
    """One duty: which cases, what starts and stops its clock, how long, who is told."""

    GAINED: ClassVar[frozenset[str]] = frozenset({"owed_to", "resume"})

    id: Name
    title: Sentence
    version: PositiveInt
    effective: Effective
    authority: Authority
    alerts: Alerts = Alerts.DIGEST
    wakes: bool = False
    """Whether it may be told in the night; otherwise telling waits for duty hours."""
    partner: str = ""
    """The kind of partner that is owed the information; empty for a stage inside the force."""
    subject: str = ""
    """What is not yet on record, in words, where it is not "PARTNER told": `notice supervised`."""
    applies: dict[str, OneOrMore] = {}
    for_each: tuple[Literal["child", "organisation"], ...] = ()
    owed_to: tuple[Condition, ...] = ()
    """Which events name the organisations that this duty is owed to; not said: any that names one.

    For duties to different organisations of one kind: the council where a child was found, and the
    council where it lives.
    """
    start: tuple[Condition, ...] = Field(min_length=1)
    each_start: bool = False
    stop: tuple[Condition, ...] = Field(min_length=1)
    exempt: tuple[Condition, ...] = ()
    void: tuple[Condition, ...] = ()
    defer: Deferral | None = None
    resume: tuple[Condition, ...] = ()
    """Which decision takes an exemption or a deferral back: the duty is on again from it."""
    confirm: Confirmation | None = None
    threshold: WrittenLimit
    calendar: Name = "clock-hours"
    day_ends: DayEnd | None = None
    """When day n ends; not said: a working day at close of business, a calendar day at the same
    time of day."""
    closed_day_receipt: ClosedDayReceipt = ClosedDayReceipt.THAT_DATE
    stop_feeds: tuple[Name, ...] = ()
    """Feeds that must have been heard before silence about a stop means anything."""
    ladder: Name | None = None

    @model_validator(mode="after")
    def _alerts_need_a_ladder(self) -> Self:
        if self.alerts is Alerts.ON and self.ladder is None:
            msg = "a rule whose alerts are on needs a ladder: name one, or set alerts to digest"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _owed_to_organisations(self) -> Self:
        if self.owed_to and "organisation" not in self.for_each:
            msg = "owed_to says which organisations: add organisation to for_each, or leave it out"
            raise ValueError(msg)
        return self

    @property
    def case_attributes(self) -> dict[str, frozenset[str]]:
        """Attribute → values of which the case must have one for the rule to apply."""
        return {name: _values(value) for name, value in self.applies.items()}


_OFFSET = re.compile(r"^(?P<limit>.+?) (?P<side>before|after) due$")


class Offset(Written):
    """A signed distance from due: `4 working hours before due`, `when due`, `1h after due`."""

    limit: WrittenLength | None
    """None: at due itself."""
    sign: Literal[-1, 1] = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the words; ValueError says which forms there are."""
        if text == "when due":
            return cls(limit=None)
        if not (found := _OFFSET.match(text)):
            msg = f"{text!r} is none of 'when due', '1h before due', '1 working day after due'"
            raise ValueError(msg)
        return cls(limit=parse_limit(found["limit"]), sign=-1 if found["side"] == "before" else 1)

    def __str__(self) -> str:
        if self.limit is None:
            return "when due"
        return f"{self.limit} {'before' if self.sign < 0 else 'after'} due"


WrittenOffset = Annotated[
    Offset,
    BeforeValidator(lambda value: Offset.parse(value) if isinstance(value, str) else value),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["1h before due", "when due", "1h after due"]}),
]


class Rung(Written):
    """One step of a ladder: when, and which role; `holder` is whoever has the case then."""

    at: WrittenOffset
    tell: Name

    @property
    def is_warning(self) -> bool:
        """A rung before due."""
        return self.at.limit is not None and self.at.sign < 0


class Repeat(Written):
    """Reminders after the last rung, to the roles named, until taken or `for_days` are over."""

    every: WrittenLength
    tell: Name
    for_days: PositiveInt = 3


class Ladder(Written):
    """An escalation policy: its rungs from the earliest warning upward, and the reminders."""

    id: Name
    title: Sentence
    version: PositiveInt
    rungs: tuple[Rung, ...] = Field(min_length=1)
    repeat: Repeat | None = None


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"^(\d\d):(\d\d)-(\d\d):(\d\d)$")
MINUTES_A_DAY = 24 * 60


def _span(text: str) -> tuple[int, int]:
    """`08:30-17:00` → minutes (510, 1020); a close not after the opening is on the next day."""
    if not isinstance(text, str) or not (found := _SPAN.match(text)):
        msg = f"{text!r} is not opening hours such as '08:30-17:00'"
        raise ValueError(msg)
    opens, closes = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if opens >= MINUTES_A_DAY or closes > MINUTES_A_DAY or found[2] > "59" or found[4] > "59":
        msg = f"{text!r} names a time that no day has"
        raise ValueError(msg)
    return opens, closes if closes > opens else closes + MINUTES_A_DAY


def _span_in_words(span: tuple[int, int]) -> str:
    opens, closes = span
    if closes > MINUTES_A_DAY:
        closes -= MINUTES_A_DAY
    return f"{opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02}"


Span = Annotated[
    tuple[int, int],
    BeforeValidator(lambda value: _span(value) if isinstance(value, str) else value),
    PlainSerializer(_span_in_words),
    WithJsonSchema({"type": "string", "pattern": _SPAN.pattern}),
]


class Term(Written):
    """Dates in which a place opens at all, the last one among them."""

    from_: dt.date = Field(alias="from")
    to: dt.date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to < self.from_:
            msg = f"a term that begins on {self.from_} cannot end on {self.to}"
            raise ValueError(msg)
        return self


class WrittenCalendar(Written):
    """Opening hours of one kind of place: a week, bank holidays, and days that differ."""

    GAINED: ClassVar[frozenset[str]] = frozenset({"terms", "instead_of", "organisations", "remark"})

    id: Name
    title: Sentence
    version: PositiveInt
    zone: Zone
    always_open: bool = False
    holidays: Name | None = None
    weekly: dict[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], tuple[Span, ...]] = {}
    special: dict[dt.date, tuple[Span, ...]] = {}
    """Half days, extra days, and closures (an empty list), in place of the week's hours."""
    covers_from: dt.date | None = None
    covers_to: dt.date | None = None
    """The horizon where no holidays are named; otherwise the holidays' own."""
    terms: tuple[Term, ...] = ()
    """School terms: outside them it is closed, and before the first and past the last one nothing
    is known."""
    instead_of: Name | None = None
    """A calendar that rules name, in whose place this one stands for some organisations."""
    organisations: tuple[str, ...] = ()
    """Codes of these organisations, as events name them."""
    remark: str = ""
    """A sentence that every mail about a limit of this calendar bears: what was not known."""

    @model_validator(mode="after")
    def _whose(self) -> Self:
        if bool(self.organisations) is not bool(self.instead_of):
            msg = "instead_of and organisations go together: in whose place it stands, and for whom"
            raise ValueError(msg)
        return self


class Holidays(Written):
    """Bank holidays of one nation, pinned as data with their source."""

    nation: Sentence
    source: Sentence
    source_version: str
    covers_from: dt.date
    covers_to: dt.date
    days: dict[dt.date, str]


class Stage(Written):
    """A step of a notice's way: once completed, the case waits with a holder for the next."""

    kind: Name
    title: Sentence
    """How a mail says that it is done: `submitted`."""
    waiting_for: Sentence
    """How a mail says what comes next: `triage`."""
    holder: Name
    """The role that has the case from here on."""


class StartCorrection(Written):
    """How a start that was recorded wrongly is put right, and what must be said with it."""

    kind: Name
    """The kind of event that says when it really was."""
    corrects: Name
    """What such an event carries to say which kind of event it puts right."""
    needs: tuple[Name, ...] = Field(min_length=1)
    """What such an event must carry: why, on whose word, on what evidence. Without it, it counts
    for nothing."""


class Vocabulary(Written):
    """The words that events may use; a source's own words are mapped onto them by its feed."""

    GAINED: ClassVar[frozenset[str]] = frozenset({"start_correction"})

    kinds: dict[Name, Sentence]
    partners: dict[Name, Sentence]
    categories: dict[Name, Sentence]
    risks: dict[Name, Sentence]
    """From the least to the gravest."""
    decisions: dict[Name, Sentence]
    reason_codes: dict[Name, Sentence] = {}
    """Why a decision was taken, as events say it."""
    action_reasons: dict[
        Literal["take", "pass", "silence", "confirm", "close", "restate"], dict[Name, Sentence]
    ] = {}
    """What a person does → why: the codes of which one is given, and no free text."""
    stages: tuple[Stage, ...]
    attributes: dict[Name, Sentence] = {}
    """What events may carry beside the standing fields."""
    restricted_attribute: Name | None = None
    """An attribute that marks a case as restricted when it says `yes`."""
    start_correction: StartCorrection | None = None
    """The events that correct the start of every duty that counts its earliest one."""

    def holder(self, stage: str) -> str:
        """The role that has a case whose last completed stage is this; at first, the first's."""
        return next((each.holder for each in self.stages if each.kind == stage), self.first_holder)

    @property
    def first_holder(self) -> str:
        """The role that has a case of which no stage is known."""
        return self.stages[0].holder
