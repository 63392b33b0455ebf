"""The folder of rules, read whole.

What comes in: a folder with `*.yaml` rules, `ladders/`, `calendars/`, `holidays/` and
`vocabulary.yaml`. What goes out: documents that fit together, or every fault in every file at once,
each with its place. It does not care what was accepted before: `store` keeps that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from monitor.faults import Fault, FaultsFound, Location, Position, faults_of
from monitor.rulebook.book import Documents
from monitor.rulebook.language import Condition, Holidays, Ladder, Rule, Vocabulary, WrittenCalendar
from monitor.rulebook.match import STANDING_ATTRIBUTES

if TYPE_CHECKING:
    from pathlib import Path

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Page(Generic[M]):
    """One file that was read, with the way back to a place in it."""

    file: str
    content: M
    source: Any = field(repr=False)

    def line(self, location: Location) -> int:
        """The line of a place of this file."""
        line, _ = _position(self.source, location) or (1, 1)
        return line

    def fault(self, location: Location, *, expected: str, found: str = "", mend: str = "") -> Fault:
        """A fault at a place of this file."""
        line, column = _position(self.source, location) or (None, None)
        name = ".".join(str(step) for step in location)
        return Fault(
            file=self.file,
            line=line,
            column=column,
            field=name,
            found=found,
            expected=expected,
            mend=mend,
        )


def read_documents(folder: Path) -> Documents:
    """All files of a rules folder. Raises FaultsFound with every fault in every file."""
    return read_pages(folder).documents()


def read_pages(folder: Path) -> Pages:
    """The same, each with its file. Raises FaultsFound with every fault in every file."""
    faults: list[Fault] = []
    vocabulary = read_page(folder / "vocabulary.yaml", Vocabulary, faults)
    holidays = {path.stem: read_page(path, Holidays, faults) for path in _yaml(folder / "holidays")}
    calendars = [read_page(path, WrittenCalendar, faults) for path in _yaml(folder / "calendars")]
    ladders = [read_page(path, Ladder, faults) for path in _yaml(folder / "ladders")]
    rules = [read_page(path, Rule, faults) for path in _yaml(folder)]
    pages = Pages(
        rules=[page for page in rules if page],
        ladders=[page for page in ladders if page],
        calendars=[page for page in calendars if page],
        holidays={name: page for name, page in holidays.items() if page},
        vocabulary=vocabulary,
    )
    faults += _faults_between(pages)
    if not rules:
        faults.append(Fault(file=str(folder), expected="a rules folder holds at least one rule"))
    if faults:
        raise FaultsFound(faults)
    return pages


def _yaml(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.yaml") if path.name != "vocabulary.yaml")


def read_page(path: Path, kind: type[M], faults: list[Fault]) -> Page[M] | None:
    """One file as a model; its faults are added to `faults`, and None answered."""
    try:
        source = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        faults.append(Fault(file=str(path), expected="there is no such file"))
        return None
    except UnicodeDecodeError:
        faults.append(Fault(file=str(path), expected="the file must be UTF-8 text"))
        return None
    except YAMLError as error:
        faults.append(_not_yaml(str(path), error))
        return None
    try:
        content = kind.model_validate(_plain(source))
    except ValidationError as error:
        found = faults_of(error, file=str(path), locate=lambda at: _position(source, at))
        faults.extend(found)
        return None
    return Page(str(path), content, source)


def _not_yaml(file: str, error: YAMLError) -> Fault:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    problem = error.problem if isinstance(error, MarkedYAMLError) and error.problem else str(error)
    return Fault(
        file=file,
        line=mark.line + 1 if mark else None,
        column=mark.column + 1 if mark else None,
        expected=f"this is not YAML: {problem.splitlines()[0]}",
    )


def _plain(value: Any) -> Any:
    """The reader's annotated containers as plain ones."""
    if isinstance(value, CommentedMap):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, CommentedSeq):
        return [_plain(item) for item in value]
    return value


def _position(source: Any, location: Location) -> Position | None:
    """Line and column of the nearest value at or above a location."""
    position: Position | None = None
    node = source
    for step in location:
        place = _place_of(node, step)
        if place is None:
            break
        position = (place[0] + 1, place[1] + 1)
        node = node[step]
    return position or ((1, 1) if source is not None else None)


def _place_of(node: Any, step: int | str) -> Position | None:
    if isinstance(node, CommentedMap) and step in node:
        line, column = node.lc.value(step)
        return (line, column)
    if isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
        line, column = node.lc.item(step)
        return (line, column)
    return None


@dataclass(frozen=True, kw_only=True)
class Pages:
    """All files that could be read by themselves, to be held against each other."""

    rules: list[Page[Rule]]
    ladders: list[Page[Ladder]]
    calendars: list[Page[WrittenCalendar]]
    holidays: dict[str, Page[Holidays]]
    vocabulary: Page[Vocabulary] | None

    def documents(self) -> Documents:
        """What the files say, without where it stands. Of pages in which there is no fault."""
        assert self.vocabulary is not None, "a folder without one has a fault"
        return Documents(
            rules=tuple(page.content for page in self.rules),
            ladders=tuple(page.content for page in self.ladders),
            calendars=tuple(page.content for page in self.calendars),
            holidays={name: page.content for name, page in self.holidays.items()},
            vocabulary=self.vocabulary.content,
        )


def _faults_between(pages: Pages) -> Iterator[Fault]:
    """Everything that is wrong only when the files are seen together."""
    yield from _twice(pages.rules, lambda rule: (rule.id, rule.version), "rule and version")
    yield from _twice(pages.ladders, lambda ladder: ladder.id, "ladder")
    yield from _twice(pages.calendars, lambda calendar: calendar.id, "calendar")
    if pages.vocabulary is not None:
        yield from _vocabulary_faults(pages.vocabulary)
    for calendar in pages.calendars:
        yield from _calendar_faults(calendar, pages)
    for rule in pages.rules:
        yield from _rule_faults(rule, pages)


def _twice(pages: Iterable[Page[M]], key_of: Callable[[M], object], what: str) -> Iterator[Fault]:
    first: dict[object, str] = {}
    for page in pages:
        key = key_of(page.content)
        if key in first:
            expected = f"the same {what} stands in {first[key]} already"
            yield page.fault(("id",), expected=expected, found=str(key))
        first.setdefault(key, page.file)


def _calendar_faults(page: Page[WrittenCalendar], pages: Pages) -> Iterator[Fault]:
    calendar = page.content
    yield from _place_faults(page, pages)
    if calendar.always_open:
        return
    if calendar.holidays and calendar.holidays not in pages.holidays:
        yield _unknown(page, ("holidays",), calendar.holidays, pages.holidays)
    if not calendar.holidays and not (calendar.covers_from and calendar.covers_to):
        expected = "a calendar names its holidays, or covers_from and covers_to"
        yield page.fault((), expected=expected)
    if not calendar.weekly:
        yield page.fault(("weekly",), expected="a calendar opens on at least one weekday")


def _place_faults(page: Page[WrittenCalendar], pages: Pages) -> Iterator[Fault]:
    """Of a calendar that stands in another's place for some organisations."""
    calendar = page.content
    if calendar.instead_of is None:
        return
    others = {other.content.id: other.content for other in pages.calendars if other is not page}
    place = others.get(calendar.instead_of)
    if place is None:
        yield _unknown(page, ("instead_of",), calendar.instead_of, others)
        return
    if place.zone != calendar.zone:
        expected = f"the zone of the calendar in whose place it stands, {place.zone}"
        yield page.fault(("zone",), found=calendar.zone, expected=expected)
    for index, code in enumerate(calendar.organisations):
        for other in others.values():
            if other.instead_of == calendar.instead_of and code in other.organisations:
                expected = f"calendar {other.id} stands in that place for this organisation already"
                yield page.fault(("organisations", index), found=code, expected=expected)


def _rule_faults(page: Page[Rule], pages: Pages) -> Iterator[Fault]:
    rule = page.content
    calendars = {calendar.content.id for calendar in pages.calendars}
    ladders = {ladder.content.id for ladder in pages.ladders}
    if rule.calendar not in calendars:
        yield _unknown(page, ("calendar",), rule.calendar, calendars)
    if rule.ladder is not None and rule.ladder not in ladders:
        yield _unknown(page, ("ladder",), rule.ladder, ladders)
    if pages.vocabulary is not None:
        yield from _word_faults(page, pages.vocabulary.content)


def _word_faults(page: Page[Rule], vocabulary: Vocabulary) -> Iterator[Fault]:
    """Words of a rule that no event can ever say."""
    rule = page.content
    words = known_words(vocabulary)
    if rule.partner and rule.partner not in vocabulary.partners:
        yield _unknown(page, ("partner",), rule.partner, vocabulary.partners)
    for name, values in rule.case_attributes.items():
        yield from _attribute_faults(page, ("applies", name), name, values, words)
    for part in ("owed_to", "start", "stop", "exempt", "void", "resume"):
        for index, condition in enumerate(getattr(rule, part)):
            yield from _condition_faults(page, (part, index), condition, words)
    for index, condition in enumerate(rule.defer.when if rule.defer else ()):
        yield from _condition_faults(page, ("defer", "when", index), condition, words)
    for name, claimed in _claimed(rule).items():
        yield from _attribute_faults(page, ("confirm", "where", name), name, claimed, words)
    for index, condition in enumerate(rule.confirm.by if rule.confirm else ()):
        yield from _condition_faults(page, ("confirm", "by", index), condition, words)


def _claimed(rule: Rule) -> dict[str, tuple[str, ...]]:
    return rule.confirm.where if rule.confirm else {}


def _vocabulary_faults(page: Page[Vocabulary]) -> Iterator[Fault]:
    """Words that the vocabulary itself uses without defining them."""
    vocabulary = page.content
    for index, stage in enumerate(vocabulary.stages):
        if stage.kind not in vocabulary.kinds:
            yield _unknown(page, ("stages", index, "kind"), stage.kind, vocabulary.kinds)
    yield from _correction_faults(page)
    marker = vocabulary.restricted_attribute
    if marker is not None and marker not in vocabulary.attributes:
        yield _unknown(page, ("restricted_attribute",), marker, vocabulary.attributes)


def _correction_faults(page: Page[Vocabulary]) -> Iterator[Fault]:
    vocabulary, correction = page.content, page.content.start_correction
    if correction is None:
        return
    if correction.kind not in vocabulary.kinds:
        yield _unknown(page, ("start_correction", "kind"), correction.kind, vocabulary.kinds)
    carried = (*STANDING_ATTRIBUTES, *vocabulary.attributes)
    if correction.corrects not in carried:
        yield _unknown(page, ("start_correction", "corrects"), correction.corrects, carried)
    for index, name in enumerate(correction.needs):
        if name not in carried:
            yield _unknown(page, ("start_correction", "needs", index), name, carried)


Words = dict[str, Iterable[str] | None]
"""What may be said of each attribute; None: anything."""


def known_words(vocabulary: Vocabulary) -> Words:
    """Every attribute that an event may carry → the words that it may say there."""
    known: Words = dict.fromkeys((*STANDING_ATTRIBUTES, *vocabulary.attributes))
    known |= {
        "kind": vocabulary.kinds,
        "partner": vocabulary.partners,
        "category": vocabulary.categories,
        "risk": vocabulary.risks,
        "decision": vocabulary.decisions,
    }
    return known


def _condition_faults(
    page: Page[Rule], location: Location, condition: Condition, words: Words
) -> Iterator[Fault]:
    kinds = frozenset(condition.kind)
    yield from _attribute_faults(page, (*location, "kind"), "kind", kinds, words)
    for name, values in condition.where.items():
        yield from _attribute_faults(page, (*location, name), name, values, words)


def _attribute_faults(
    page: Page[Rule], location: Location, name: str, values: Iterable[str], words: Words
) -> Iterator[Fault]:
    if name not in words:
        yield _unknown(page, location, name, words)
        return
    known = words[name]
    for value in sorted(values):
        if known is not None and value and value not in known:
            yield _unknown(page, location, value, known)


def _unknown(page: Page[M], location: Location, found: str, known: Iterable[str]) -> Fault:
    listed = ", ".join(sorted(known)) or "none is defined"
    return page.fault(location, found=repr(found), expected=f"expected one of: {listed}")
