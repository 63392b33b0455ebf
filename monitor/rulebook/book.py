"""The rulebook: all rules, ladders, calendars and the vocabulary, fitted together.

What comes in: the documents as written. What goes out: one value that answers which version of a
rule governs a start, when a clock is due, and which ladder tells of it; or every fault at once.
It does not care whether the documents came from files or from the database.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import ClassVar, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field

from monitor.model import Event, Instant
from monitor.rulebook.language import (
    WEEKDAYS,
    Alerts,
    Holidays,
    Ladder,
    Rule,
    Vocabulary,
    Written,
    WrittenCalendar,
)
from monitor.rulebook.match import Matcher, attribute_reader
from monitor.worktime.calendar import (
    Calendar,
    CalendarDefinition,
    PastHorizon,
    compile_calendar,
    elapsed,
)
from monitor.worktime.limits import EventTime, due
from monitor.worktime.zones import day_of

MEASURING_FIELDS = (
    "partner",
    "applies",
    "for_each",
    "owed_to",
    "start",
    "each_start",
    "stop",
    "exempt",
    "void",
    "defer",
    "resume",
    "confirm",
    "threshold",
    "calendar",
    "day_ends",
    "closed_day_receipt",
    "stop_feeds",
)
"""What decides a measurement. A change here needs a new version; wording and ladders do not."""


class Documents(Written):
    """Everything a rulebook is made of, as written."""

    GAINED: ClassVar[frozenset[str]] = frozenset({"trial"})

    rules: tuple[Rule, ...]
    ladders: tuple[Ladder, ...] = ()
    calendars: tuple[WrittenCalendar, ...] = ()
    holidays: dict[str, Holidays] = Field(default={})
    vocabulary: Vocabulary
    trial: tuple[tuple[str, int], ...] = ()
    """Rules and versions that are in force and that nobody has approved."""

    def as_json(self) -> str:
        """Canonical JSON: the same documents in any order give the same text."""
        ordered = self.model_copy(
            update={
                "rules": tuple(sorted(self.rules, key=lambda rule: (rule.id, rule.version))),
                "ladders": tuple(sorted(self.ladders, key=lambda ladder: ladder.id)),
                "calendars": tuple(sorted(self.calendars, key=lambda calendar: calendar.id)),
                "holidays": dict(sorted(self.holidays.items())),
                "trial": tuple(sorted(self.trial)),
            }
        )
        return ordered.model_dump_json(by_alias=True)

    @classmethod
    def from_json(cls, text: str) -> Documents:
        """The documents that `as_json` wrote."""
        return cls.model_validate_json(text)


def measuring_digest(rule: Rule) -> str:
    """SHA-256 over the parsed measuring part of a rule and its first effective date."""
    written = rule.model_dump(mode="json", by_alias=True, include=set(MEASURING_FIELDS))
    written["effective_from"] = rule.effective.from_.isoformat()
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()


class PlaceHours(NamedTuple):
    """The calendar by which a limit is counted: its version and what is remarked of it."""

    calendar: Calendar
    version: str
    remark: str


class Duty:
    """One version of one rule, ready to be applied: its matchers, calendar and ladder."""

    def __init__(
        self,
        rule: Rule,
        *,
        calendar: Calendar,
        calendar_version: str,
        ladder: Ladder | None,
        superseded_from: dt.date | None,
        remark: str = "",
        elsewhere: Mapping[str, PlaceHours] = MappingProxyType({}),
    ) -> None:
        self.rule = rule
        self.calendar = calendar
        self.calendar_version = calendar_version
        self.ladder = ladder
        self.remark = remark
        """What a mail says of a limit of this calendar beside the limit itself."""
        self._elsewhere = elsewhere
        self._at: dict[str, Duty] = {}
        self.zone = ZoneInfo(calendar.zone.key)
        self._superseded_from = superseded_from
        self.owed_to = Matcher(rule.owed_to) if rule.owed_to else None
        self.organisations_of = _organisations_of(rule)
        """The kind of partner of which this duty tells organisations apart."""
        self.starts = Matcher(rule.start)
        self.stops = Matcher(rule.stop)
        self.exempts = Matcher(rule.exempt)
        self.voids = Matcher(rule.void)
        self.defers = Matcher(rule.defer.when if rule.defer else ())
        self.resumes = Matcher(rule.resume)
        self.confirms = Matcher(rule.confirm.by if rule.confirm else ())
        self.applies = tuple(
            (name, attribute_reader(name), values) for name, values in rule.case_attributes.items()
        )
        self._claims = tuple(
            (attribute_reader(name), frozenset(values))
            for name, values in (rule.confirm.where if rule.confirm else {}).items()
        )

    def at(self, organisation: str) -> Duty:
        """This duty as it is owed to an organisation, by the days and hours of its own."""
        if organisation not in self._elsewhere:
            return self
        if (owed := self._at.get(organisation)) is None:
            owed = self._at[organisation] = copy(self)
            hours = self._elsewhere[organisation]
            owed.calendar, owed.calendar_version, owed.remark = hours
        return owed

    @property
    def has_other_hours(self) -> bool:
        """Whether some organisations keep days and hours of their own."""
        return bool(self._elsewhere)

    @property
    def calendar_versions(self) -> frozenset[str]:
        """By which versions of calendars it is counted, for one organisation or another."""
        return frozenset({self.calendar_version, *(h.version for h in self._elsewhere.values())})

    @property
    def in_force(self) -> tuple[dt.date, dt.date | None]:
        """The first date on which this version governs, and the last; None: until further."""
        ends = [self.rule.effective.to] if self.rule.effective.to else []
        if self._superseded_from is not None:
            ends.append(self._superseded_from - dt.timedelta(days=1))
        return self.rule.effective.from_, min(ends, default=None)

    def governs(self, start: Instant) -> bool:
        """Whether this version is the one in force at a start."""
        day = day_of(start, self.zone)
        if day < self.rule.effective.from_:
            return False
        if self.rule.effective.to is not None and day > self.rule.effective.to:
            return False
        return self._superseded_from is None or day < self._superseded_from

    def due(self, start: Instant, event: Event) -> tuple[Instant | None, str]:
        """The last instant at which the clock is still in time; or None and the reason."""
        limit, named = self.rule.threshold, None
        if isinstance(limit, EventTime):
            if limit.at_most is None:
                reason = "" if event.review_at is not None else "the event names no time"
                return event.review_at, reason
            limit, named = limit.at_most, event.review_at
        try:
            latest = due(
                start,
                limit,
                calendar=self.calendar,
                day_end=self.rule.day_ends,
                receipt=self.rule.closed_day_receipt,
            )
        except PastHorizon as past:
            return None, str(past)
        return latest if named is None else min(named, latest), ""

    def is_claim(self, stop: Event) -> bool:
        """Whether a stop is a claim that must be confirmed if it was recorded after due."""
        return bool(self._claims) and all(read(stop) in values for read, values in self._claims)


def _organisations_of(rule: Rule) -> str:
    """The partner that is owed; or, for a duty of a partner's own, the one that starts all name."""
    if rule.partner:
        return rule.partner
    named = {frozenset(start.where.get("partner", ())) for start in rule.start}
    only = named.pop() if len(named) == 1 else frozenset()
    return next(iter(only)) if len(only) == 1 else ""


@dataclass(frozen=True)
class Rulebook:
    """All rules with every version, fitted to their calendars and ladders."""

    documents: Documents
    calendars: Mapping[str, Calendar]
    ladders: Mapping[str, Ladder]
    duties: Mapping[str, tuple[Duty, ...]]
    """Rule id → its versions, oldest first."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The words events may use."""
        return self.documents.vocabulary

    @cached_property
    def _startable(self) -> dict[frozenset[str], tuple[tuple[Duty, ...], ...]]:
        return {}

    def startable_by(self, kinds: frozenset[str]) -> tuple[tuple[Duty, ...], ...]:
        """The rules, each with all its versions, that facts of some kinds can start.

        Kept: most rules start by other kinds, and many cases hold the same kinds of facts.
        """
        found = self._startable.get(kinds)
        if found is None:
            found = self._startable[kinds] = tuple(
                duties
                for duties in self.duties.values()
                if any(not kinds.isdisjoint(duty.starts.kinds) for duty in duties)
            )
        return found

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all documents: two nodes with the same digest decide the same."""
        return hashlib.sha256(self.documents.as_json().encode()).hexdigest()

    def duty(self, rule: str, version: int) -> Duty:
        """One version of a rule; KeyError where it is not in the book."""
        for duty in self.duties[rule]:
            if duty.rule.version == version:
                return duty
        raise KeyError((rule, version))

    def newest(self, rule: str) -> Duty:
        """The newest version of a rule."""
        return self.duties[rule][-1]

    def is_trial(self, rule: str, version: int) -> bool:
        """Whether nobody has approved a version of a rule: it measures, and tells nobody."""
        return (rule, version) in self.documents.trial


def build_rulebook(documents: Documents, *, alerts_limit: Alerts = Alerts.ON) -> Rulebook:
    """Fit documents together that were checked before.

    `alerts_limit` is the installation's own switch: no rule says more than it allows. A rule on
    trial says nothing.
    """
    limited = documents.model_copy(
        update={
            "rules": tuple(
                _limited(
                    rule,
                    Alerts.OFF if (rule.id, rule.version) in documents.trial else alerts_limit,
                )
                for rule in documents.rules
            )
        }
    )
    calendars = {written.id: _compiled(written, limited.holidays) for written in limited.calendars}
    ladders = {ladder.id: ladder for ladder in limited.ladders}
    hours = _hours(limited.calendars, calendars)
    return Rulebook(
        documents=limited,
        calendars=calendars,
        ladders=ladders,
        duties=_duties(limited.rules, hours, _elsewhere(limited.calendars, hours), ladders),
    )


def _limited(rule: Rule, limit: Alerts) -> Rule:
    order = list(Alerts)
    if order.index(rule.alerts) <= order.index(limit):
        return rule
    return rule.model_copy(update={"alerts": limit})


def _compiled(written: WrittenCalendar, holidays: Mapping[str, Holidays]) -> Calendar:
    if written.always_open:
        return elapsed(ZoneInfo(written.zone))
    closed = holidays[written.holidays] if written.holidays else None
    covers_from = closed.covers_from if closed else written.covers_from
    covers_to = closed.covers_to if closed else written.covers_to
    if written.terms and covers_from is not None and covers_to is not None:
        covers_from = max(covers_from, min(term.from_ for term in written.terms))
        covers_to = min(covers_to, max(term.to for term in written.terms))
    if covers_from is None or covers_to is None:
        msg = f"calendar {written.id} names neither holidays nor the dates that it covers"
        raise ValueError(msg)
    return compile_calendar(
        CalendarDefinition(
            name=written.id,
            version=str(written.version),
            zone=written.zone,
            weekly={WEEKDAYS.index(day): spans for day, spans in written.weekly.items()},
            holidays=_outside_terms(written, covers_from, covers_to)
            | (dict(closed.days) if closed else {}),
            special=dict(written.special),
            covers_from=covers_from,
            covers_to=covers_to,
        )
    )


def _outside_terms(written: WrittenCalendar, first: dt.date, last: dt.date) -> dict[dt.date, str]:
    """The dates that are covered and lie in no term; none where no terms are loaded."""
    if not written.terms:
        return {}
    days = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
    return {
        day: "outside term"
        for day in days
        if not any(term.from_ <= day <= term.to for term in written.terms)
    }


def _hours(
    written: Iterable[WrittenCalendar], calendars: Mapping[str, Calendar]
) -> dict[str, PlaceHours]:
    return {
        each.id: PlaceHours(calendars[each.id], str(each.version), each.remark) for each in written
    }


def _elsewhere(
    written: Iterable[WrittenCalendar], hours: Mapping[str, PlaceHours]
) -> dict[str, dict[str, PlaceHours]]:
    """Calendar → organisations for which another one stands in its place."""
    found: dict[str, dict[str, PlaceHours]] = {}
    for each in written:
        own = hours[each.id]._replace(version=f"{each.id} {each.version}")
        for code in each.organisations:
            found.setdefault(each.instead_of or "", {})[code] = own
    return found


def _duties(
    rules: Iterable[Rule],
    hours: Mapping[str, PlaceHours],
    elsewhere: Mapping[str, Mapping[str, PlaceHours]],
    ladders: Mapping[str, Ladder],
) -> dict[str, tuple[Duty, ...]]:
    versions: dict[str, list[Rule]] = {}
    for rule in sorted(rules, key=lambda rule: (rule.id, rule.version)):
        versions.setdefault(rule.id, []).append(rule)
    return {
        rule_id: tuple(
            Duty(
                rule,
                calendar=hours[rule.calendar].calendar,
                calendar_version=hours[rule.calendar].version,
                remark=hours[rule.calendar].remark,
                elsewhere=elsewhere.get(rule.calendar, {}),
                ladder=ladders[rule.ladder] if rule.ladder else None,
                superseded_from=newer.effective.from_ if newer else None,
            )
            for rule, newer in zip(ordered, [*ordered[1:], None], strict=True)
        )
        for rule_id, ordered in versions.items()
    }
