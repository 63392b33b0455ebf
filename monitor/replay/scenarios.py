"""The scenarios that stand beside the rules: `rules/tests/*.yaml`, read and checked.

What comes in: the folder and the documents of the rules. What goes out: scenarios ready to be
lived through, or every fault at once with its line. It does not care whether they hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, TypeVar
from zoneinfo import ZoneInfo

from pydantic import Field, WithJsonSchema

from monitor.faults import Fault, FaultsFound, Location
from monitor.model import Duration, Event, Instant
from monitor.replay.hearing import Hearing, Silence, Source
from monitor.replay.lines import Line, Unreadable, read_clock, read_event, read_told
from monitor.replay.times import MONTHS, WEEKDAYS, NotATime, read_instant
from monitor.rulebook.book import Documents
from monitor.rulebook.files import Page, Words, known_words, read_page
from monitor.rulebook.language import HOLDER, Name, OneOrMore, Sentence, Written
from monitor.rulebook.schema import schema_text
from monitor.worktime.limits import Unit, parse_limit

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

FOLDER: Final = "tests"
"""Where scenarios lie within a rules folder."""


SCHEMA: Final = "scenarios.schema.json"
"""The file beside the other schemas that an editor checks scenarios against."""

_DAY: Final = rf"({'|'.join(WEEKDAYS)}) [0-9]{{1,2}} ({'|'.join(MONTHS)}) [0-9]{{4}}"
_TIME: Final = "([01][0-9]|2[0-3]):[0-5][0-9]( [A-Z]{3})?"


def _shown_as(example: str, pattern: str = "") -> WithJsonSchema:
    """What an editor says of a line, before `lines` reads it."""
    said = {"type": "string", "minLength": 3, "maxLength": 2000, "examples": [example]}
    return WithJsonSchema(said | ({"pattern": pattern} if pattern else {}))


AnEvent = Annotated[
    Sentence, _shown_as("Mon 8 Mar 2027 18:47  contact  category=neglect", rf"^ *{_DAY}( |$)")
]
AnInstant = Annotated[Sentence, _shown_as("Mon 8 Mar 2027 23:00", rf"^ *{_DAY} {_TIME} *$")]
AClock = Annotated[Sentence, _shown_as("overdue, due Mon 8 Mar 2027 22:47")]
ATelling = Annotated[Sentence, _shown_as("Mon 8 Mar 2027 22:47  overdue to duty_inspector")]


class WrittenExpectation(Written):
    """How clocks stand at an instant, and what was told since the expectation before."""

    at: AnInstant
    clocks: tuple[AClock, ...] = ()
    told: tuple[ATelling, ...] = ()


class WrittenScenario(Written):
    """A few events, and what is expected of them."""

    name: Sentence
    rule: OneOrMore = ()
    """Where it is about other rules than its file."""
    feeds: dict[Name, Sentence] = Field(default={})
    """Feed → how it is heard: `silent from Thu 25 Mar 2027 18:00`. Others are always heard."""
    roles: dict[Name, Sentence] = Field(default={})
    """Role → its duty hours: `mash, otherwise on_call_di`. Others are always on duty."""
    events: tuple[AnEvent, ...] = Field(min_length=1)
    expect: tuple[WrittenExpectation, ...] = Field(min_length=1)


class WrittenScenarios(Written):
    """One file."""

    rule: OneOrMore = ()
    scenarios: tuple[WrittenScenario, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """When a role is on duty, and who is told for it at other hours."""

    hours: str
    """The name of a calendar."""
    otherwise: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A line that is expected, and where it stands."""

    line: Line
    at_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is expected at an instant."""

    at: Instant
    at_line: int
    clocks: tuple[Expected, ...]
    told: tuple[Expected, ...]
    """Since the expectation before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario, ready to be lived through."""

    file: str
    at_line: int
    name: str
    rules: tuple[str, ...]
    zone: ZoneInfo
    events: tuple[Event, ...]
    hearing: Hearing
    tolerances: Mapping[str, Duration]
    duties: Mapping[str, Duties]
    expectations: tuple[Expectation, ...]


def read_scenarios(folder: Path, documents: Documents) -> list[Scenario]:
    """The scenarios of a rules folder, in the order of files. Raises FaultsFound."""
    faults: list[Fault] = []
    found: list[Scenario] = []
    for path in sorted((folder / FOLDER).glob("*.yaml")):
        page = read_page(path, WrittenScenarios, faults)
        for place in range(len(page.content.scenarios)) if page else ():
            assert page is not None
            reader = _Reader(page, place, documents, faults)
            if (scenario := reader.scenario()) is not None:
                found.append(scenario)
    if faults:
        raise FaultsFound(faults)
    return found


def scenarios_schema() -> str:
    """The JSON text of the schema of a file of scenarios."""
    return schema_text("scenarios", WrittenScenarios)


def roles_of(documents: Documents) -> frozenset[str]:
    """Every role that the ladders and the stages of a notice name."""
    ladders = [rung.tell for ladder in documents.ladders for rung in ladder.rungs]
    repeats = [ladder.repeat.tell for ladder in documents.ladders if ladder.repeat]
    holders = [stage.holder for stage in documents.vocabulary.stages]
    return frozenset((*ladders, *repeats, *holders)) - {HOLDER}


class _Reader:
    """One scenario while it is read; its faults are added to those of all files."""

    def __init__(
        self, page: Page[WrittenScenarios], place: int, documents: Documents, faults: list[Fault]
    ) -> None:
        self.page = page
        self.written = page.content.scenarios[place]
        self.location: Location = ("scenarios", place)
        self.documents = documents
        self.words: Words = known_words(documents.vocabulary)
        self.roles = roles_of(documents) | frozenset(self.written.roles)
        self.faults = faults

    def scenario(self) -> Scenario | None:
        """The scenario, or None and its faults added."""
        before = len(self.faults)
        rules = self._rules()
        if not rules:
            return None
        self.zone = zone = self._zone(rules[0])
        duties = dict(self._each_named("roles", self.written.roles, self._duties))
        sources = dict(self._each_named("feeds", self.written.feeds, self._source))
        events = self._each("events", self.written.events, self._event)
        expectations = tuple(self._expectations())
        if len(self.faults) > before:
            return None
        return Scenario(
            file=self.page.file,
            at_line=self.page.line((*self.location, "name")),
            name=self.written.name,
            rules=rules,
            zone=zone,
            events=tuple(event for event, _ in events),
            hearing=Hearing(sources={name: source for name, (source, _) in sources.items()}),
            tolerances={name: early for name, (_, early) in sources.items()},
            duties=duties,
            expectations=expectations,
        )

    # -- rules --------------------------------------------------------------------------------

    def _rules(self) -> tuple[str, ...]:
        own = bool(self.written.rule)
        named = self.written.rule or self.page.content.rule
        location = (*self.location, "rule") if own else ("rule",)
        known = {rule.id for rule in self.documents.rules}
        if not named:
            self._fault(self.location, "name the rule that it is about, here or for the whole file")
        unknown = [name for name in named if name not in known]
        for name in unknown:
            listed = ", ".join(sorted(known))
            self._fault(location, f"there is no such rule; there are: {listed}", found=name)
        return () if unknown else tuple(named)

    def _zone(self, rule: str) -> ZoneInfo:
        calendar = next(each.calendar for each in self.documents.rules if each.id == rule)
        zones = {each.id: each.zone for each in self.documents.calendars}
        return ZoneInfo(zones[calendar])

    # -- lines --------------------------------------------------------------------------------

    def _event(self, text: str) -> Event:
        return read_event(text, self.zone, self.words)

    def _expectations(self) -> Iterator[Expectation]:
        latest: Instant | None = None
        for place, written in enumerate(self.written.expect):
            location = (*self.location, "expect", place)
            at = self._read((*location, "at"), written.at, self._instant)
            if at is None:
                continue
            if latest is not None and at <= latest:
                self._fault((*location, "at"), "expectations stand in the order of time")
            latest = at
            yield Expectation(
                at=at,
                at_line=self.page.line((*location, "at")),
                clocks=self._expected((*location, "clocks"), written.clocks, self._clock(at)),
                told=self._expected((*location, "told"), written.told, self._told(at)),
            )

    def _instant(self, text: str) -> Instant:
        return read_instant(text, self.zone)

    def _clock(self, at: Instant) -> Callable[[str], Line]:
        return lambda text: read_clock(text, self.zone, at=at)

    def _told(self, at: Instant) -> Callable[[str], Line]:
        return lambda text: read_told(text, self.zone, at=at, roles=self.roles)

    def _expected(
        self, location: Location, lines: Iterable[str], read: Callable[[str], Line]
    ) -> tuple[Expected, ...]:
        found = []
        for place, text in enumerate(lines):
            here = (*location, place)
            if (line := self._read(here, text, read)) is not None:
                found.append(Expected(line=line, at_line=self.page.line(here)))
        return tuple(found)

    # -- feeds and roles ----------------------------------------------------------------------

    def _source(self, text: str) -> tuple[Source, Duration]:
        return read_source(text, self.zone)

    def _duties(self, text: str) -> Duties:
        hours, _, otherwise = (part.strip() for part in text.partition(", otherwise "))
        calendars = sorted(calendar.id for calendar in self.documents.calendars)
        if hours not in calendars:
            raise Unreadable(f"{hours!r} is no calendar: expected one of {', '.join(calendars)}")
        if otherwise and otherwise not in self.roles:
            listed = ", ".join(sorted(self.roles))
            raise Unreadable(f"{otherwise!r} is no role: expected one of {listed}")
        return Duties(hours=hours, otherwise=otherwise)

    # -- faults -------------------------------------------------------------------------------

    def _each(
        self, part: str, lines: Iterable[str], read: Callable[[str], T]
    ) -> list[tuple[T, int]]:
        found = []
        for place, text in enumerate(lines):
            location = (*self.location, part, place)
            if (one := self._read(location, text, read)) is not None:
                found.append((one, self.page.line(location)))
        return found

    def _each_named(
        self, part: str, written: Mapping[str, str], read: Callable[[str], T]
    ) -> Iterator[tuple[str, T]]:
        for name, text in written.items():
            if (one := self._read((*self.location, part, name), text, read)) is not None:
                yield name, one

    def _read(self, location: Location, text: str, read: Callable[[str], T]) -> T | None:
        try:
            return read(text)
        except (NotATime, Unreadable, ValueError) as wrong:
            self._fault(location, str(wrong), found=repr(text))
            return None

    def _fault(self, location: Location, expected: str, *, found: str = "") -> None:
        self.faults.append(self.page.fault(location, expected=expected, found=found))


_LENGTH: Final = r"(?P<length>\d+ ?[a-z]+)"
_EVERY: Final = re.compile(rf"every {_LENGTH} from (?P<first>.+)")
_LAG: Final = re.compile(rf"up to {_LENGTH} late")
_EARLY: Final = re.compile(rf"up to {_LENGTH} early")
_SILENT: Final = re.compile(r"silent from (?P<begins>.+?)(?: until (?P<ends>.+))?")


def read_source(text: str, zone: ZoneInfo) -> tuple[Source, Duration]:
    """How a feed is heard, and how much too early its times may be. Raises Unreadable or NotATime.

    `every 60 min from Mon 8 Mar 2027 09:30, up to 70 min late, silent from … until …`, any of it.
    """
    every = first_at = lag = early = 0
    silences: list[Silence] = []
    for part in (part.strip() for part in text.split(",")):
        if found := _EVERY.fullmatch(part):
            every, first_at = _length(found["length"]), read_instant(found["first"], zone)
        elif found := _LAG.fullmatch(part):
            lag = _length(found["length"])
        elif found := _EARLY.fullmatch(part):
            early = _length(found["length"])
        elif found := _SILENT.fullmatch(part):
            begins = read_instant(found["begins"], zone)
            ends = read_instant(found["ends"], zone, on=begins) if found["ends"] else None
            silences.append(Silence(begins, ends))
        else:
            forms = "'every 60 min from WHEN', 'up to 70 min late', 'up to 5 min early'"
            raise Unreadable(f"{part!r} is none of: {forms}, 'silent from WHEN until WHEN'")
    source = Source(every=every, first_at=first_at, lag=lag, silences=tuple(silences))
    return source, early


def _length(text: str) -> Duration:
    limit = parse_limit(text)
    if limit.unit is not Unit.ELAPSED:
        raise Unreadable(f"{text!r} is no length of time such as '60 min'")
    return limit.amount
