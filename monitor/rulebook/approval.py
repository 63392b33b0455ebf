"""What of the files is in force: what was approved of them, and the rest on trial.

What comes in: documents as the files have them, versions accepted earlier, and approvals. What goes
out: the documents that govern, and how each rule and ladder of the files stands. It does not care
who may approve, nor where approvals are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from monitor.faults import Fault
from monitor.model import Instant
from monitor.rulebook.book import Documents
from monitor.rulebook.language import Ladder, Rule

BEFORE: str = ""
"""The role of an approval that stands for what was in force before approvals were kept."""


APPROVE: Final = "approve"
"""The kind of the action by which a rule or a ladder is approved."""


class Kind(StrEnum):
    """What is approved by itself."""

    RULE = "rule"
    LADDER = "ladder"


class State(StrEnum):
    """How a file stands to what was approved."""

    APPROVED = "approved"
    TRIAL = "trial"
    """Never approved: a rule measures, and nobody is told anything."""
    EDITED = "edited"
    """Other than what was approved, which runs on."""


class Approval(NamedTuple):
    """One approval of one version of a rule, or of a ladder."""

    kind: Kind
    id: str
    version: int
    digest: str
    """As it was when it was approved; evidence, and never compared: see `content_digest`."""
    content: str
    role: str
    """Who approved it; `BEFORE` where nobody was asked yet."""
    approved_at: Instant
    number: int = 0
    """Of the action by which it was approved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one rule or ladder of the files stands."""

    kind: Kind
    id: str
    version: int
    """Of the file."""
    title: str
    state: State
    runs: int | None
    """The version that is in force."""
    approval: Approval | None = None
    """By which that version is in force; None on trial."""

    @property
    def in_words(self) -> str:
        """The state, for people."""
        if self.state is State.TRIAL:
            return "trial, not approved"
        if self.state is State.APPROVED:
            return "approved"
        if self.runs == self.version:
            return f"edited, version {self.runs} runs on as it was approved"
        return f"edited, version {self.runs} runs on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Governed:
    """The documents that govern."""

    documents: Documents
    """With every version by which a clock may still run."""
    written: Documents
    """Without versions that only the database holds: what the same files give anywhere."""
    standings: tuple[Standing, ...]
    approvals: Mapping[tuple[str, int], Approval]
    """(rule, version) → the newest approval of it."""

    @property
    def waiting(self) -> tuple[Standing, ...]:
        """What waits to be approved; a ladder that never was, with the rules that name it."""
        return tuple(
            each
            for each in self.standings
            if each.state is State.EDITED or (each.state is State.TRIAL and each.kind is Kind.RULE)
        )


def content_digest(content: Rule | Ladder) -> str:
    """SHA-256 over everything that a rule or ladder says, as parsed: comments do not matter."""
    return hashlib.sha256(content_text(content).encode()).hexdigest()


def content_text(content: Rule | Ladder) -> str:
    """A rule or ladder as it is kept."""
    return content.model_dump_json(by_alias=True)


def govern(
    documents: Documents, *, accepted: Iterable[Rule], approvals: Iterable[Approval]
) -> Governed:
    """What governs, of files that fit together.

    `accepted`: every version that ever was in force. An edited rule or ladder runs on as it was
    approved; a rule of which nothing was ever approved is on trial. Raises ValueError where an
    approval holds what this program cannot read.
    """
    approved = Approved.of(approvals)
    ids = {rule.id for rule in documents.rules}
    in_files = {(rule.id, rule.version): rule for rule in documents.rules}
    older = {(rule.id, rule.version): rule for rule in accepted if rule.id in ids}
    by_approval = {key: rule for key, (rule, _) in approved.rules.items() if key[0] in ids}
    everything = older | in_files | by_approval
    running = {key: rule for key, rule in everything.items() if approved.runs(key)}
    trial = tuple(sorted(running.keys() - approved.rules.keys()))
    in_place = {
        (name, approved.newest_version(name)) for name, _ in in_files.keys() - running.keys()
    }
    written = {key: rule for key, rule in running.items() if key in in_files or key in in_place}
    return Governed(
        documents=_documents(documents, running, trial, approved),
        written=_documents(documents, written, trial, approved),
        standings=tuple(_standings(documents, approved)),
        approvals={key: approval for key, (_, approval) in approved.rules.items()},
    )


_Key: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Approved:
    """The newest approval of each version of a rule and of each ladder, with what it holds."""

    rules: Mapping[_Key, tuple[Rule, Approval]]
    ladders: Mapping[str, tuple[Ladder, Approval]]

    @classmethod
    def of(cls, approvals: Iterable[Approval]) -> Approved:
        """Of approvals in the order in which they were given."""
        newest = list(approvals)
        rules = {(each.id, each.version): each for each in newest if each.kind is Kind.RULE}
        ladders = {each.id: each for each in newest if each.kind is Kind.LADDER}
        return cls(
            {key: (Rule.model_validate_json(each.content), each) for key, each in rules.items()},
            {
                name: (Ladder.model_validate_json(each.content), each)
                for name, each in ladders.items()
            },
        )

    def newest_version(self, rule: str) -> int | None:
        """The newest version of a rule that was approved; None where none was."""
        return max((version for id_, version in self.rules if id_ == rule), default=None)

    def runs(self, key: _Key) -> bool:
        """Whether a version is in force: one that nobody approved gives way to older that were.

        An older one that nobody approved goes on for the clocks that started under it.
        """
        newest = self.newest_version(key[0])
        return newest is None or key in self.rules or key[1] < newest


def _documents(
    documents: Documents,
    rules: Mapping[_Key, Rule],
    trial: Sequence[_Key],
    approved: Approved,
) -> Documents:
    ladders = {ladder.id: ladder for ladder in documents.ladders}
    named = {rule.ladder for rule in rules.values()}
    ladders |= {
        name: ladder
        for name, (ladder, _) in approved.ladders.items()
        if name in ladders or name in named
    }
    return documents.model_copy(
        update={
            "rules": tuple(rule for _, rule in sorted(rules.items())),
            "ladders": tuple(ladder for _, ladder in sorted(ladders.items())),
            "trial": tuple(key for key in trial if key in rules),
        }
    )


def _standings(documents: Documents, approved: Approved) -> Iterator[Standing]:
    for rule in sorted(documents.rules, key=lambda rule: (rule.id, rule.version)):
        yield _rule_standing(rule, approved)
    for ladder in sorted(documents.ladders, key=lambda ladder: ladder.id):
        kept, approval = approved.ladders.get(ladder.id, (None, None))
        state = State.TRIAL
        if kept is not None:
            is_same = content_digest(kept) == content_digest(ladder)
            state = State.APPROVED if is_same else State.EDITED
        yield Standing(
            kind=Kind.LADDER,
            id=ladder.id,
            version=ladder.version,
            title=ladder.title,
            state=state,
            runs=ladder.version if kept is None else kept.version,
            approval=approval,
        )


def _rule_standing(rule: Rule, approved: Approved) -> Standing:
    kept, approval = approved.rules.get((rule.id, rule.version), (None, None))
    runs: int | None = rule.version
    state = State.TRIAL
    if kept is not None:
        is_same = content_digest(kept) == content_digest(rule)
        state = State.APPROVED if is_same else State.EDITED
    elif (newest := approved.newest_version(rule.id)) is not None:
        state, runs = State.EDITED, newest
        approval = approved.rules[rule.id, newest][1]
    return Standing(
        kind=Kind.RULE,
        id=rule.id,
        version=rule.version,
        title=rule.title,
        state=state,
        runs=runs,
        approval=approval,
    )


def missing_calendars(governed: Governed) -> list[Fault]:
    """Calendars that what governs relies on, and that the files no longer have."""
    there = {calendar.id for calendar in governed.documents.calendars}
    return [
        Fault(
            file=f"calendars/{rule.calendar}.yaml",
            expected=f"version {rule.version} of rule {rule.id} is in force and counts by this"
            " calendar, and its file is gone",
            mend="put it back",
        )
        for rule in governed.documents.rules
        if rule.calendar not in there
    ]
