"""One case while it is folded: its live facts, indexed, and what they can be about.

What comes in: the live facts of a case. What goes out: which of them are of a kind, who the case
is about, and whether a fact concerns a child or an organisation. It does not care what any of them
starts or ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from monitor.clocks.timeline import Fact
from monitor.model import Event
from monitor.rulebook.book import Duty
from monitor.rulebook.match import Matcher, ReadAttribute


class Subject(NamedTuple):
    """Whom a clock is about, where its rule counts by child or organisation."""

    child: str
    organisation: str


WHOLE_CASE = Subject("", "")
_ONLY_THE_CASE: Final = (WHOLE_CASE,)
_NOTHING: Final[Sequence[Fact]] = ()


class Case:
    """The live facts of one case, indexed by kind; what was asked once is kept."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.facts = facts
        self.by_kind: dict[str, list[Fact]] = {}
        self._said: dict[str, AbstractSet[str]] = {}
        self._concerning: dict[str, Sequence[Event]] = {}
        self._children: Mapping[str, AbstractSet[str]] | None = None
        for fact in facts:
            kinds = {version.kind for version in fact.versions}
            for kind in kinds:
                self.by_kind.setdefault(kind, []).append(fact)

    def having(self, matcher: Matcher) -> Sequence[Fact]:
        """Facts of any kind that a matcher asks for."""
        if len(matcher.kinds) == 1:
            return self.by_kind.get(matcher.kinds[0], _NOTHING)
        found = {id(fact): fact for kind in matcher.kinds for fact in self.by_kind.get(kind, ())}
        return list(found.values())

    def said(self, name: str, read: ReadAttribute) -> AbstractSet[str]:
        """Every value that any fact gives an attribute."""
        known = self._said.get(name)
        if known is None:
            known = self._said[name] = {read(v) for fact in self.facts for v in fact.versions}
        return known

    def may_cover(self, duty: Duty) -> bool:
        """Whether anything that was said of the case lets a rule cover it at any time."""
        for name, read, values in duty.applies:
            if "" not in values and values.isdisjoint(self.said(name, read)):
                return False
        return True

    def concerning(self, subject: Subject) -> Sequence[Event]:
        """What was said of a subject's child, or of no child in particular."""
        known = self._concerning.get(subject.child)
        if known is None:
            known = self._concerning[subject.child] = [
                version
                for fact in self.facts
                for version in fact.versions
                if same_child(version, subject)
            ]
        return known

    def subjects(self, duty: Duty, owed_to: Matcher | None = None) -> Sequence[Subject]:
        """The children and organisations that a rule counts by; one with "" where unknown.

        Only a fact that is no stop makes a child or organisation known: having told somebody does
        not show that they were the ones to tell. `owed_to`: which of them name an organisation.
        """
        by_child = "child" in duty.rule.for_each
        by_organisation = "organisation" in duty.rule.for_each
        if not by_child and not by_organisation:
            return _ONLY_THE_CASE
        naming = [
            version
            for fact in self.facts
            if not any(duty.stops(version) for version in fact.versions)
            for version in fact.versions
        ]
        children = sorted({event.child for event in naming if event.child}) if by_child else []
        subjects: list[Subject] = []
        for child in children or [""]:
            owed = naming if owed_to is None else [e for e in naming if owed_to(e)]
            known = _organisations(owed, child, duty) if by_organisation else []
            subjects += [Subject(child, organisation) for organisation in known or [""]]
        return subjects

    def is_of_others(self, ending: Event, subject: Subject) -> bool:
        """Whether an ending that names no child stands under a notice of other children.

        Notices that were linked keep their own: what was sent about one is not about the other's.
        """
        if ending.child or not subject.child:
            return False
        named = self.children_under().get(ending.reference, frozenset())
        return bool(named) and subject.child not in named

    def children_under(self) -> Mapping[str, AbstractSet[str]]:
        """Reference → the children that are named under it; empty unless several are one case."""
        if self._children is None:
            named: dict[str, set[str]] = {}
            for fact in self.facts:
                for version in fact.versions:
                    named.setdefault(version.reference, set()).add(version.child)
            several = len(named) > 1
            self._children = {r: c - {""} for r, c in named.items()} if several else {}
        return self._children


def same_child(event: Event, subject: Subject) -> bool:
    """Whether an event is about a subject's child, or about all children of its reference."""
    return not subject.child or event.child in ("", subject.child)


def may_end(event: Event, subject: Subject, among: Sequence[Subject]) -> bool:
    """Whether an ending that names a child or organisation, or none, is about this subject.

    With `among` (a stop): it counts only where this subject is the only one it can be about.
    """
    if not _could_be_about(event, subject):
        return False
    if len(among) < 2:  # noqa: PLR2004 - nobody else
        return True
    return not any(other != subject and _could_be_about(event, other) for other in among)


def _could_be_about(event: Event, subject: Subject) -> bool:
    child_fits = not event.child or subject.child in ("", event.child)
    place_fits = not event.organisation or subject.organisation in ("", event.organisation)
    return child_fits and place_fits


def _organisations(naming: Iterable[Event], child: str, duty: Duty) -> list[str]:
    return sorted(
        {
            event.organisation
            for event in naming
            if event.organisation
            and event.partner == duty.organisations_of
            and (not child or event.child in ("", child))
        }
    )
