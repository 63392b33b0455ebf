"""A rule read aloud: what it says, in sentences for people who cannot program.

What comes in: a rule, and the documents in which its words stand. What goes out: plain text, a
paragraph for each question. It does not care whether the rule is in force, nor how wide a page is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from monitor.rulebook.book import Documents
from monitor.rulebook.language import (
    HOLDER,
    WEEKDAYS,
    Alerts,
    Condition,
    Ladder,
    Rule,
    Rung,
    Vocabulary,
    WrittenCalendar,
)
from monitor.words import capital, count, listed
from monitor.worktime.limits import ClosedDayReceipt, EventTime, Limit, Unit

NO_TITLES: Final[Mapping[str, str]] = MappingProxyType({})
"""Where no installation is at hand: roles are named by their ids, in words."""


class Paragraph(NamedTuple):
    """What is answered, and the answer."""

    about: str
    text: str


def read_aloud(
    rule: Rule, documents: Documents, titles: Mapping[str, str] = NO_TITLES
) -> list[Paragraph]:
    """Everything a rule says, in the order in which people ask.

    `titles`: role → how this force calls it, which then stands before its id.
    """
    words = _Words(documents.vocabulary)
    calendar = {each.id: each for each in documents.calendars}.get(rule.calendar)
    ladder = {each.id: each for each in documents.ladders}.get(rule.ladder or "")
    paragraphs = [
        Paragraph("The duty", _duty(rule, words)),
        Paragraph("Time", _time(rule, calendar)),
        Paragraph("What ends it", _done(rule, words)),
        *_exceptions(rule, words),
        Paragraph("Who says so", _authority(rule)),
        Paragraph("Who is told", _told(rule, ladder, titles)),
        Paragraph("Which version", _effective(rule)),
    ]
    return [each for each in paragraphs if each.text]


# -- the duty ---------------------------------------------------------------------------------


def _duty(rule: Rule, words: _Words) -> str:
    begins = "each time" if rule.each_start else "when"
    about = words.cases(rule.case_attributes)
    said = f"{capital(begins)} {words.any_of(rule.start, 'or')}{about}, {_owed(rule, words)}."
    if rule.for_each:
        told = {"child": "child", "organisation": "organisation that is to be told"}
        said += f" Time runs for each {listed([told[name] for name in rule.for_each])} by itself."
    if getattr(rule, "owed_to", ()):
        said += f" It is owed to the organisation named when {words.any_of(rule.owed_to, 'or')}."
    return said


def _owed(rule: Rule, words: _Words) -> str:
    if rule.partner and not rule.subject:
        return f"it must be on record {_within(rule)} that {words.partner(rule.partner)} was told"
    return f"it must be on record {_within(rule)}: {rule.subject or rule.title}"


def _within(rule: Rule) -> str:
    if isinstance(rule.threshold, EventTime):
        return "by the time that the record itself names"
    if rule.threshold.unit is Unit.NEXT_OPENING:
        return "before the next opening"
    return f"within {spoken(rule.threshold)}"


def _time(rule: Rule, calendar: WrittenCalendar | None) -> str:
    limit = rule.threshold
    if isinstance(limit, EventTime):
        at_most = getattr(limit, "at_most", None)
        return f"At most {spoken(at_most)}, at any hour of day or night." if at_most else ""
    if calendar is None:
        return f"By the calendar {rule.calendar}, which is not there."
    if limit.unit is Unit.ELAPSED or calendar.always_open:
        return "Every hour counts, at any hour of day or night, weekends and holidays too."
    said = f"Only the opening hours of the calendar {calendar.id} count: {in_words(calendar)}"
    if limit.unit is Unit.CALENDAR_DAYS:
        said = "Days are dates: weekends and holidays count."
    if rule.day_ends is not None:
        said += f" The last day ends at {rule.day_ends.value}."
    if limit.unit is Unit.WORKING_DAYS and rule.closed_day_receipt is ClosedDayReceipt.THAT_DATE:
        said += " What comes in on a closed day counts from that date."
    elif limit.unit is Unit.WORKING_DAYS:
        said += " What comes in on a closed day counts from the next open day."
    return said


_DAYS: Final = dict(
    zip(
        WEEKDAYS,
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        strict=True,
    )
)


def in_words(calendar: WrittenCalendar) -> str:
    """A calendar's hours: "Monday to Friday 08:30 to 17:00, but not on bank holidays"."""
    if calendar.always_open:
        return "every hour of every day."
    groups: list[tuple[list[str], str]] = []
    for day in WEEKDAYS:
        hours = _hours(calendar.weekly.get(day, ()))  # type: ignore[call-overload]  # a weekday's name
        if groups and groups[-1][1] == hours:
            groups[-1][0].append(_DAYS[day])
        else:
            groups.append(([_DAYS[day]], hours))
    open_ones = [f"{_from_to(days)} {hours}" for days, hours in groups if hours]
    said = "; ".join(open_ones)
    if calendar.holidays:
        said += f"; not on the bank holidays of {calendar.holidays.replace('-', ' ').title()}"
    if calendar.special:
        said += f"; {count(len(calendar.special), 'date has', 'dates have')} hours of their own"
    return f"{said}. Times are those of {calendar.zone}."


def _hours(spans: Sequence[tuple[int, int]]) -> str:
    return listed([f"{_clock(opens)} to {_clock(closes)}" for opens, closes in spans])


def _clock(minutes: int) -> str:
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}" if minutes != _MIDNIGHT else "24:00"


_MIDNIGHT: Final = 24 * 60


def _from_to(days: Sequence[str]) -> str:
    if len(days) <= 2:  # noqa: PLR2004 - two days are named, more are a stretch
        return listed(days)
    return f"{days[0]} to {days[-1]}"


# -- what ends it -----------------------------------------------------------------------------


def _done(rule: Rule, words: _Words) -> str:
    said = f"It is settled when {words.any_of(rule.stop, 'or')}."
    if rule.stop_feeds:
        said += f" Silence counts for nothing until {listed(rule.stop_feeds)} was heard."
    if rule.confirm is not None:
        where = words.attributes({n: frozenset(v) for n, v in rule.confirm.where.items()})
        said += (
            f" Where that was {where} and was recorded only after the time was over, it must be"
            f" confirmed within {spoken(rule.confirm.within)}:"
            f" {words.any_of(rule.confirm.by, 'or')}."
        )
    return said


def _exceptions(rule: Rule, words: _Words) -> Iterator[Paragraph]:
    if rule.exempt:
        text = f"It does not apply, and is counted apart, when {words.any_of(rule.exempt, 'or')}."
        yield Paragraph("Exempt", text)
    if rule.void:
        yield Paragraph("Void", f"It falls away when {words.any_of(rule.void, 'or')}.")
    if rule.defer is not None:
        at_most = spoken(rule.defer.at_most)
        text = (
            f"Nobody is told, and time runs on, when {words.any_of(rule.defer.when, 'or')}:"
            f" until the review that was named, and for {at_most} at most where none was."
        )
        yield Paragraph("Put off", text)
    if rule.resume:
        text = (
            f"Either is taken back, and time begins anew, when {words.any_of(rule.resume, 'or')}."
        )
        yield Paragraph("On again", text)


# -- who says so, who is told ------------------------------------------------------------------


def _authority(rule: Rule) -> str:
    authority = rule.authority
    said = [f"{capital(authority.class_.value)}, {authority.jurisdiction}: {authority.citation}."]
    if authority.guidance_version:
        said.append(f"Read in this version: {authority.guidance_version}.")
    if authority.number_is_assumed:
        said.append("This figure is an assumption: no text that was found sets it.")
    said += [authority.note] if authority.note else []
    said.append(f"To be looked at again by {authority.review_due.isoformat()}.")
    return " ".join(re.sub(r"\.\.$", ".", each.strip()) for each in said)


def _told(rule: Rule, ladder: Ladder | None, titles: Mapping[str, str]) -> str:
    if rule.alerts is Alerts.OFF:
        return "Nobody: it is only measured."
    if rule.alerts is Alerts.DIGEST:
        return "Nobody by a mail of its own: it is in the weekly figures."
    if ladder is None:
        return f"By the ladder {rule.ladder}, which is not there."
    night = "at any hour" if rule.wakes else "in duty hours; in the night it waits"
    return f"By the ladder {ladder.id}, {night}: {told_by(ladder, titles)}"


def told_by(ladder: Ladder, titles: Mapping[str, str] = NO_TITLES) -> str:
    """A ladder's rungs: "1 hour before it is due, whoever has the case; …"."""
    said = "; ".join(f"{_when(rung)}, {_role(rung.tell, titles)}" for rung in ladder.rungs)
    if (repeat := ladder.repeat) is not None:
        every, days = spoken(repeat.every), count(repeat.for_days, "day")
        said += f"; then again every {every}, {_role(repeat.tell, titles)}, for {days}"
    return f"{said}."


def _when(rung: Rung) -> str:
    if rung.at.limit is None:
        return "when it is due"
    side = "before" if rung.is_warning else "after"
    return f"{spoken(rung.at.limit)} {side} it is due"


def _role(name: str, titles: Mapping[str, str]) -> str:
    if name == HOLDER:
        return "whoever has the case"
    if name in titles:
        return f"the {titles[name]} ({name})"
    parts = [_SHORT.get(part, part) for part in name.replace("on_call", "on-call").split("_")]
    return f"the {' '.join(parts)}"


_SHORT: Final = {"di": "DI", "mash": "MASH", "lado": "LADO"}


def _effective(rule: Rule) -> str:
    said = f"Version {rule.version}, for what starts from {rule.effective.from_.isoformat()}"
    return f"{said} to {rule.effective.to.isoformat()}." if rule.effective.to else f"{said} on."


def spoken(limit: Limit | EventTime) -> str:
    """A length as it is said: "4 hours", "20 minutes", "1 working day"."""
    for short, long in (("h", "hour"), ("min", "minute"), ("s", "second")):
        if found := re.fullmatch(rf"(\d+) ?{short}", str(limit)):
            return count(int(found[1]), long)
    return str(limit)


# -- words ------------------------------------------------------------------------------------


class _Words:
    """The vocabulary, as parts of sentences."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._values: dict[str, Mapping[str, str]] = {
            "partner": vocabulary.partners,
            "category": vocabulary.categories,
            "risk": vocabulary.risks,
            "decision": vocabulary.decisions,
        }

    def partner(self, name: str) -> str:
        """Whom: "the council's children's social care"."""
        return self._vocabulary.partners.get(name, name)

    def any_of(self, conditions: Collection[Condition], last: str) -> str:
        """Any of several kinds of record: "a notice was submitted, or a child was found"."""
        return listed([self._condition(each) for each in conditions], last)

    def _condition(self, condition: Condition) -> str:
        kinds = [self._kind(kind) for kind in condition.kind]
        said = listed(kinds, "or")
        where = self.attributes(condition.where)
        return f"{said} ({where})" if where else said

    def _kind(self, kind: str) -> str:
        """The first part of what the vocabulary says: the rest explains it further."""
        return re.split(r"[;:]", self._vocabulary.kinds.get(kind, kind))[0].strip()

    def cases(self, attributes: Mapping[str, frozenset[str]]) -> str:
        """Which cases: " in a case with high risk"."""
        said = self.attributes(attributes)
        return f" in a case with {said}" if said else ""

    def attributes(self, where: Mapping[str, frozenset[str]]) -> str:
        """What a record must say: "high risk; method: email or letter"."""
        return "; ".join(self._attribute(name, values) for name, values in where.items())

    def _attribute(self, name: str, values: frozenset[str]) -> str:
        known = self._values.get(name, {})
        order = list(known)
        ordered = sorted(values, key=lambda v: (not v, order.index(v) if v in order else 0, v))
        said = listed([known.get(v, v) if v else "none said" for v in ordered], "or")
        return said if known else f"{name.replace('_', ' ')}: {said}"
