"""What differs between two sets of documents, said in the words of the field.

What comes in: documents before and after. What goes out: for each rule, ladder, calendar, list of
holidays and the vocabulary that differ, its fields before and after, and what the change means. It
does not care which of the two is in force.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from monitor.rulebook.book import MEASURING_FIELDS, Documents
from monitor.rulebook.language import Rule


class Effect(StrEnum):
    """What a change means."""

    MEASURED = "changes what is measured"
    TOLD = "changes who is told"
    WORDING = "wording only"


class Change(NamedTuple):
    """One field, before and after."""

    field: str
    before: str
    after: str
    effect: Effect


class Difference(NamedTuple):
    """One document that differs."""

    kind: str
    id: str
    how: str
    """`new`, `gone`, `edited`, or `version 2 takes over from version 1 on 2026-12-01`."""
    changes: tuple[Change, ...] = ()
    remark: str = ""
    """What the change leaves unsaid."""


NOTHING: Final = "nothing"

UNFOUNDED: Final = (
    "the limit changed, and its citation and note did not: say on what the new figure rests"
)

_IN_WORDS: Final = {
    "threshold": "how long",
    "applies": "which cases",
    "start": "what starts the time",
    "stop": "what ends it",
    "exempt": "what exempts it",
    "void": "what makes it fall away",
    "defer": "what puts telling off",
    "resume": "what takes an exemption or a deferral back",
    "confirm": "what must be confirmed",
    "for_each": "counted for each",
    "owed_to": "owed to",
    "each_start": "every start counts by itself",
    "stop_feeds": "sources that must be heard",
    "wakes": "may wake people at night",
    "alerts": "how much is said",
    "rungs": "who is told when",
    "repeat": "reminders",
    "weekly": "opening hours",
    "special": "dates with hours of their own",
    "days": "holidays",
    "effective": "in force",
}
_TELLING: Final = frozenset({"alerts", "wakes", "ladder", "rungs", "repeat", "stages"})
_WORDING: Final = frozenset({"title", "subject", "authority", "source", "source_version", "nation"})


def difference(before: Documents, after: Documents) -> list[Difference]:
    """Everything that differs, rules first, each kind by its id."""
    return [
        *_rules(before, after),
        *_by_id("ladder", before.ladders, after.ladders),
        *_by_id("calendar", before.calendars, after.calendars),
        *_named("holidays", before.holidays, after.holidays),
        *_named("vocabulary", {"": before.vocabulary}, {"": after.vocabulary}),
    ]


def _rules(before: Documents, after: Documents) -> Iterator[Difference]:
    """A version is held against the same one before, or else against the newest before it."""
    old = {(rule.id, rule.version): rule for rule in before.rules}
    newest: dict[str, Rule] = {}
    for rule in sorted(before.rules, key=lambda rule: rule.version):
        newest[rule.id] = rule
    for rule in sorted(after.rules, key=lambda rule: (rule.id, rule.version)):
        was = old.get((rule.id, rule.version)) or newest.get(rule.id)
        yield from _compared("rule", rule.id, was, rule)
    there = {rule.id for rule in after.rules}
    yield from (Difference("rule", name, "gone") for name in sorted(newest.keys() - there))


def _by_id(kind: str, before: Any, after: Any) -> Iterator[Difference]:
    return _named(kind, {each.id: each for each in before}, {each.id: each for each in after})


def _named(
    kind: str, before: Mapping[str, BaseModel], after: Mapping[str, BaseModel]
) -> Iterator[Difference]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield Difference(kind, name, "gone")
        else:
            yield from _compared(kind, name, before.get(name), after[name])


def _compared(kind: str, name: str, was: BaseModel | None, now: BaseModel) -> Iterator[Difference]:
    if was is None:
        yield Difference(kind, name, "new")
        return
    changes, remark = tuple(_changes(was, now)), ""
    versions = [getattr(each, "version", None) for each in (was, now)]
    how = "edited"
    if isinstance(was, Rule) and isinstance(now, Rule):
        remark = UNFOUNDED if _is_unfounded(was, now) else ""
        how = _takes_over(was, now) if versions[0] != versions[1] else how
    elif versions[0] != versions[1]:
        how = f"version {versions[1]} in place of version {versions[0]}"
    if changes or versions[0] != versions[1]:
        yield Difference(kind, name, how, changes, remark)


def _takes_over(was: Rule, now: Rule) -> str:
    """A clock keeps the version under which it started: the older one holds until then."""
    begins = now.effective.from_
    if now.version > was.version and begins > was.effective.from_:
        return f"version {now.version} takes over from version {was.version} on {begins}"
    return f"version {now.version} in place of version {was.version}, from {begins} on"


def _is_unfounded(was: Rule, now: Rule) -> bool:
    """Whether another figure rests on the words on which the one before did."""
    rests_on = (
        (each.authority.citation, each.authority.note, each.authority.number_is_assumed)
        for each in (was, now)
    )
    return was.threshold != now.threshold and len(set(rests_on)) == 1


def _changes(was: BaseModel, now: BaseModel) -> Iterator[Change]:
    old, new = (each.model_dump(mode="json", by_alias=True) for each in (was, now))
    for field in dict.fromkeys([*old, *new]):
        if field in {"id", "version"} or old.get(field) == new.get(field):
            continue
        effect = _effect(field, now)
        label = _IN_WORDS.get(field, field.replace("_", " "))
        for part, before, after in _parts(old.get(field), new.get(field)):
            if (field, part) == ("effective", "from") and old["version"] != new["version"]:
                continue  # how it takes over says so
            yield Change(f"{label}: {part}" if part else label, before, after, effect)


def _effect(field: str, of: BaseModel) -> Effect:
    if field in _TELLING:
        return Effect.TOLD
    if field in _WORDING:
        return Effect.WORDING
    if isinstance(of, Rule) and field not in {*MEASURING_FIELDS, "effective"}:
        return Effect.WORDING
    return Effect.MEASURED


def _parts(before: Any, after: Any) -> Iterator[tuple[str, str, str]]:
    """(which part, before, after): of two mappings, only the keys that differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            if before.get(key) != after.get(key):
                yield str(key).replace("_", " "), said(before.get(key)), said(after.get(key))
        return
    yield "", said(before), said(after)


def said(value: Any) -> str:
    """A written value, for people: lists by semicolons, mappings as `kind: contact, risk: high`."""
    if value in (None, "", [], {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        there = {key: item for key, item in value.items() if item not in (None, "", [], {})}
        return ", ".join(f"{key.replace('_', ' ')}: {said(item)}" for key, item in there.items())
    if isinstance(value, list):
        inside = " or " if all(isinstance(item, str) for item in value) else "; "
        return inside.join(said(item) for item in value)
    return str(value)
