"""A feed made ready for speed: columns looked up and readers chosen once, then facts row by row.

What comes in: a feed, then cells in the order of its declared columns. What goes out: for each
fact that the feed looks for an event, or that the row does not hold it; Unfit where it cannot be
read.
It does not care what becomes of a refusal: `mapping` gathers a row's facts and refusals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from monitor.ingest.cells import (
    IDENTITY_LENGTH,
    Memo,
    Moment,
    Unfit,
    child_digest,
    codes,
    moments,
    references,
    revisions,
    source_codes,
)
from monitor.ingest.feeds import (
    ANYTHING,
    ATTRIBUTE_LENGTH,
    CODE_LENGTH,
    CODE_PATTERN,
    COLUMN_FIELDS,
    IDENTITY,
    REFERENCE_LENGTH,
)
from monitor.ingest.rejected import DIGEST_SIZE, Reason
from monitor.model import Event

if TYPE_CHECKING:
    from monitor.ingest.feeds import EventSource, Feed
    from monitor.model import Instant

Cells: TypeAlias = Sequence[str]
"""The declared columns of a row, in the order of `Feed.declared_columns`."""

SEPARATOR: Final = "\x1f"
"""Parts what digests and identities cover; no value can hold it."""

CANONICAL: Final = (
    "reference",
    "kind",
    "partner",
    "organisation",
    "child",
    "category",
    "risk",
    "district",
    "unit",
    "decision",
    "reason_code",
    "links",
)
"""The texts of an event, in the order in which its digest covers them. Never reorder or extend:
what was taken in before would no longer be recognised. Whatever is new is an attribute."""

_REFERENCE: Final = CANONICAL.index("reference")
_KIND: Final = CANONICAL.index("kind")
_CHILD: Final = CANONICAL.index("child")
_TEXTS: Final = len(CANONICAL)
_NOTHING_MORE: Final = SEPARATOR * 4

_Reader: TypeAlias = tuple[int, int, Memo[str]]
"""Into which slot, from which cell, read how."""

_Joiner: TypeAlias = Callable[[Cells], bytes]


class NoFact(Enum):
    """A row does not hold a fact."""

    UNFILLED = "its time is empty: it has not happened yet"
    IGNORED = "its kind is mapped to nothing, or a filter is not met"


class Plan:
    """A feed with its columns looked up. `children` reads persons, raw or hashed already."""

    def __init__(self, feed: Feed, *, secret: bytes, children: Memo[str]) -> None:
        self.feed = feed
        self.names = feed.declared_columns
        self.secret = secret
        self.children = children
        self.at = {column: index for index, column in enumerate(self.names)}
        self.slots = {field: slot for slot, field in enumerate((*CANONICAL, *_attributes(feed)))}
        self.times = moments(feed)
        self.revisions = revisions(self.times)
        self._words = self._readers_of_words()
        self._template = [""] * len(self.slots)
        for field, word in feed.constants.items():
            self._template[self.slots[field]] = word
        self._readers = self.readers(feed.columns)
        self._identity = self.joiner(feed.identity_columns)
        self.facts = tuple(Fact(self, source) for source in feed.events)

    def shared(self, cells: Cells) -> tuple[list[str], bytes]:
        """The texts and the identity that all facts of a row have in common."""
        texts = self._template.copy()
        _fill(texts, self._readers, cells, self.names)
        if texts[_CHILD]:
            texts[_CHILD] = child_digest(texts[_REFERENCE], texts[_CHILD], self.secret)
        return texts, self._identity(cells) if self._identity else b""

    def readers(self, columns: Mapping[str, str]) -> tuple[_Reader, ...]:
        """How to fill the slots of the texts that these columns hold."""
        return tuple(
            (self.slots[field], self.at[column], self._words[field])
            for field, column in columns.items()
            if field in self.slots
        )

    def joiner(self, columns: tuple[str, ...], *, optional: bool = False) -> _Joiner | None:
        """Joins the cells that name an event at its source; None where there are no such columns.

        All must be filled but a child's, which may not be known yet. A child is hashed: no
        source's name of a person is kept. Where it is optional, all may be empty.
        """
        if not columns:
            return None
        ids = source_codes(self._pattern(IDENTITY), limit=IDENTITY_LENGTH)
        hashed = self.feed.child_columns
        parts = tuple((self.at[name], self.children if name in hashed else ids) for name in columns)
        needed = [index for index, memo in parts if memo is ids] or [parts[0][0]]

        def join(cells: Cells) -> bytes:
            texts = [_read(memo, index, cells, self.names) for index, memo in parts]
            if optional and not any(texts):
                return b""
            for index in needed:
                if not cells[index].strip():
                    raise Unfit(Reason.MISSING, "what names the event", "nothing").at(
                        self.names[index]
                    )
            return SEPARATOR.join(texts).encode()

        return join

    def _readers_of_words(self) -> dict[str, Memo[str]]:
        words = {
            field: codes(
                field,
                self.feed.values.get(field),
                pattern=self._pattern(field),
                limit=CODE_LENGTH if slot < _TEXTS else ATTRIBUTE_LENGTH,
            )
            for field, slot in self.slots.items()
        }
        words["reference"] = references(self.feed.reference_pattern)
        words["links"] = source_codes(self._pattern("links"), limit=REFERENCE_LENGTH)
        words["child"] = self.children
        return words

    def _pattern(self, field: str) -> str:
        return self.feed.codes.get(field, CODE_PATTERN)


class Fact:
    """One kind of fact that a row may hold."""

    def __init__(self, plan: Plan, source: EventSource) -> None:
        feed, columns = plan.feed, plan.feed.columns | source.columns
        self._plan = plan
        self._feed = feed.name
        self._names = plan.names
        self.kind = source.kind
        self._kinds = codes("kind", feed.values.get("kind"), pattern=CODE_PATTERN)
        self._empty_is_a_kind = "" in feed.values.get("kind", {})
        self._kind_column = source.kind_column
        self._kind_at = plan.at[source.kind_column] if source.kind_column else None
        self._time_at, self._times = plan.at[source.time], plan.times
        self._when = tuple((plan.at[name], frozenset(texts)) for name, texts in source.when.items())
        self._constants = tuple((plan.slots[name], word) for name, word in source.constants.items())
        self._readers = plan.readers(source.columns)
        self._has_own = bool(self._constants or self._readers)
        self._own_child = "child" in source.columns
        self._attributes = tuple(list(plan.slots.items())[_TEXTS:])
        self._label = f"#{source.label}".encode() if feed.is_wide else b""
        self._known_by_content = not feed.identity_columns
        self._retracts = plan.joiner(feed.retracts, optional=True)
        self._recorded_at = plan.at.get(columns.get("recorded_at", ""))
        self._review_at = plan.at.get(columns.get("review_at", ""))
        self._revision_at = plan.at.get(columns.get("revision", ""))
        self._has_more = any(
            part is not None
            for part in (self._recorded_at, self._review_at, self._revision_at, self._retracts)
        )

    def read(
        self, cells: Cells, texts: list[str], named: bytes, *, received_at: Instant, latest: Instant
    ) -> Event | NoFact:
        """The event, from the row's cells and what its facts share; or that there is none.

        `latest` is the last instant that is not in the future.
        """
        if self._when and not self._applies(cells):
            return NoFact.IGNORED
        kind = self.kind if self._kind_at is None else self._kind_of(cells, self._kind_at)
        if kind == "":
            return NoFact.IGNORED
        moment = _read(self._times, self._time_at, cells, self._names)
        if moment is None:
            return NoFact.UNFILLED
        if kind is None:
            raise Unfit(Reason.MISSING, "what happened", "nothing").at(self._kind_column)
        if moment.first > latest:
            raise _in_future().at(self._names[self._time_at])
        texts = self._own(texts, cells) if self._has_own else texts.copy()
        texts[_KIND] = kind
        return self._event(cells, texts, named, moment, received_at=received_at, latest=latest)

    def identity(self, named: bytes) -> bytes:
        """What names this fact at its source, where the source names its rows."""
        return named + self._label

    def _applies(self, cells: Cells) -> bool:
        for index, texts in self._when:
            text = cells[index].strip()
            if text not in texts and not (text and ANYTHING in texts):
                return False
        return True

    def _kind_of(self, cells: Cells, index: int) -> str | None:
        """The kind that a cell maps to: empty for none, None where the cell does not say."""
        kind = _read(self._kinds, index, cells, self._names)
        return kind if kind or self._empty_is_a_kind or cells[index].strip() else None

    def _own(self, texts: list[str], cells: Cells) -> list[str]:
        """The row's texts, with this fact's own in place of those it has."""
        texts = texts.copy()
        for slot, word in self._constants:
            texts[slot] = word
        if self._readers:
            _fill(texts, self._readers, cells, self._names)
            if self._own_child and texts[_CHILD]:
                texts[_CHILD] = child_digest(texts[_REFERENCE], texts[_CHILD], self._plan.secret)
        return texts

    def _event(
        self,
        cells: Cells,
        texts: list[str],
        named: bytes,
        moment: Moment,
        *,
        received_at: Instant,
        latest: Instant,
    ) -> Event:
        revision, recorded, review, retracts, more = 0, None, None, b"", _NOTHING_MORE
        if self._has_more:
            revision, recorded, review, retracts, more = self._more(cells, latest)
        attributes: tuple[tuple[str, str], ...] = ()
        if self._attributes:
            attributes = tuple((name, texts[at]) for name, at in self._attributes if texts[at])
            more += "".join(f"{SEPARATOR}{name}={word}" for name, word in attributes)
            texts = texts[:_TEXTS]
        canonical = f"{SEPARATOR.join(texts)}{SEPARATOR}{moment.canonical}{more}"
        content = blake2b(canonical.encode(), digest_size=DIGEST_SIZE).digest()
        identity = moment.prefix + content if self._known_by_content else named + self._label
        return Event._make(
            (
                self._feed,
                identity,
                revision,
                content,
                texts[_REFERENCE],
                texts[_KIND],
                moment.first,
                moment.last,
                recorded,
                received_at,
                *texts[2:11],
                review,
                retracts,
                texts[11],
                attributes,
            )
        )

    def _more(
        self, cells: Cells, latest: Instant
    ) -> tuple[int, Instant | None, Instant | None, bytes, str]:
        """Revision, recorded, review, what is retracted; and these as the digest covers them.

        Of a doubtful time the less flattering reading: recorded late, looked at again early.
        """
        names = self._names
        revision, recorded, review, retracts = 0, None, None, b""
        if self._revision_at is not None:
            revision = _read(self._plan.revisions, self._revision_at, cells, names)
        if self._recorded_at is not None:
            moment = _read(self._times, self._recorded_at, cells, names)
            if moment is not None and moment.first > latest:
                raise _in_future().at(names[self._recorded_at])
            recorded = moment and moment.last
        if self._review_at is not None:
            moment = _read(self._times, self._review_at, cells, names)
            review = moment and moment.first
        if self._retracts is not None and (retracts := self._retracts(cells)):
            retracts += self._label
        said = (recorded, revision or "", review, retracts.hex())
        more = SEPARATOR.join("" if part is None else str(part) for part in said)
        return revision, recorded, review, retracts, SEPARATOR + more


def _fill(
    texts: list[str], readers: tuple[_Reader, ...], cells: Cells, names: tuple[str, ...]
) -> None:
    """Put what cells say into their slots; Unfit names the column."""
    index = 0
    try:
        for slot, index, memo in readers:
            texts[slot] = memo[cells[index]]
    except Unfit as unfit:
        raise unfit.at(names[index]) from None


_T = TypeVar("_T")


def _read(memo: Memo[_T], index: int, cells: Cells, names: tuple[str, ...]) -> _T:
    """One cell; Unfit names its column."""
    try:
        return memo[cells[index]]
    except Unfit as unfit:
        raise unfit.at(names[index]) from None


def _in_future() -> Unfit:
    return Unfit(Reason.FUTURE, "a time not later than its receipt", "a later time")


def _attributes(feed: Feed) -> list[str]:
    """The attributes that any level of a feed fills, by name."""
    fields = {*feed.columns, *feed.constants}
    for source in feed.events:
        fields |= {*source.columns, *source.constants}
    return sorted(fields - COLUMN_FIELDS)
