"""What one cell says: times, codes, references, persons, revisions.

What comes in: a feed's conventions, then texts of cells. What goes out: for each sort of cell a
`Memo`, a dictionary that reads a text once and answers from memory when it comes again, since
sources repeat themselves by the hundred thousand.
It does not care in which column a cell stands; an `Unfit` says what was expected of it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from monitor.ingest.feeds import ANYTHING, CODE_LENGTH, REFERENCE_LENGTH
from monitor.ingest.rejected import DIGEST_SIZE, UNFIT, Reason, kind_of
from monitor.worktime.instants import from_datetime
from monitor.worktime.zones import (
    NonexistentTime,
    end_of_day,
    first_instant_of_local,
    instants_of_local,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitor.ingest.feeds import Feed
    from monitor.model import Instant

T = TypeVar("T")

REMEMBERED: Final = 20_000
"""Texts that a memo keeps before it begins anew; a few megabytes at most."""

IDENTITY_LENGTH: Final = 200
_LONGEST_REVISION: Final = 18
_END_OF_TIME: Final = from_datetime(datetime(9999, 1, 1, tzinfo=UTC))
"""Beyond it lie the dates by which systems mean "never", and civil time cannot name all of it."""
_ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?P<time>[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d{1,9})?)?"
    r" ?(Z|[+-]\d\d(:?\d\d)?)?)?"
)
_HAS_TIME: Final = re.compile("%[HIMSXcRTrps]")


class Unfit(Exception):
    """A cell cannot be read: why, what was expected, what kind of thing was found."""

    def __init__(self, reason: Reason, expected: str, found: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.expected = expected
        self.found = found
        self.column = ""

    def at(self, column: str) -> Unfit:
        """The same, knowing the source's column."""
        self.column = column
        return self


class Memo(dict[str, T], Generic[T]):
    """Readings by text; what is not yet known is read, and raises Unfit where it cannot be."""

    def __init__(self, read: Callable[[str], T]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> T:
        reading = self._read(text)
        if len(self) >= REMEMBERED:
            self.clear()
        self[text] = reading
        return reading


class Moment(NamedTuple):
    """When something happened, and the same in the forms that digests take."""

    first: Instant
    last: Instant
    canonical: str
    prefix: bytes
    """The first instant in eight bytes that sort as it does."""


def moments(feed: Feed) -> Memo[Moment | None]:
    """Times as the feed writes them; None for an empty cell."""
    readers = tuple(_reader_of(written, feed) for written in feed.times)
    forms = " or ".join("2027-03-09 18:47" if form == "iso" else form for form in feed.times)

    def read(text: str) -> Moment | None:
        text = text.strip()
        if not text:
            return None
        for reader in readers:
            if (span := reader(text)) is not None:
                return _moment(*span)
        raise Unfit(Reason.UNREADABLE_TIME, f"a time written as {forms}", kind_of(text))

    return Memo(read)


def codes(
    field: str, mapping: Mapping[str, str] | None, *, pattern: str, limit: int = CODE_LENGTH
) -> Memo[str]:
    """Words of a field: through its value mapping, or the source's own codes where it has none."""

    def mapped(text: str) -> str:
        text = text.strip()
        if (word := words.get(text)) is not None:
            return word
        if not text:
            return ""
        if fallback is None:
            raise Unfit(Reason.UNMAPPED, f"a text listed in [values.{field}]", kind_of(text))
        return fallback

    if mapping is None:
        return source_codes(pattern, limit=limit)
    words = {text.strip(): word for text, word in mapping.items() if text != ANYTHING}
    fallback = mapping.get(ANYTHING)
    return Memo(mapped)


def references(pattern: str) -> Memo[str]:
    """References of cases: filled, of bounded length, and fully matching the feed's pattern."""
    fits = re.compile(pattern).fullmatch

    def read(text: str) -> str:
        text = _clean(text, limit=REFERENCE_LENGTH)
        if not text:
            raise Unfit(Reason.MISSING, "the reference of the case", "nothing")
        if not fits(text):
            raise Unfit(Reason.PATTERN, f"a reference like {pattern}", kind_of(text))
        return text

    return Memo(read)


def source_codes(pattern: str, *, limit: int) -> Memo[str]:
    """Codes of which only the source has a list: of bounded length, fully matching a pattern.

    Whatever looks otherwise may be a name, and is not let in. Empty stays empty.
    """
    fits = re.compile(pattern).fullmatch

    def read(text: str) -> str:
        text = _clean(text, limit=limit)
        if text and not fits(text):
            raise Unfit(Reason.PATTERN, f"a code like {pattern}", kind_of(text))
        return text

    return Memo(read)


def persons(secret: bytes) -> Memo[str]:
    """A source's names for persons, each as a keyed digest; empty stays empty."""

    def read(text: str) -> str:
        text = _clean(text, limit=IDENTITY_LENGTH)
        return person_digest(text, secret) if text else ""

    return Memo(read)


def hashed_persons() -> Memo[str]:
    """Persons that were hashed when their row was set aside."""

    def read(text: str) -> str:
        if text and not re.fullmatch(f"[0-9a-f]{{{DIGEST_SIZE * 2}}}", text):
            raise Unfit(Reason.PATTERN, "a digest kept from the first reading", kind_of(text))
        return text

    return Memo(read)


def person_digest(person: str, secret: bytes) -> str:
    """What stands for a person before the case is known."""
    written = person.strip().encode("utf-8", "surrogatepass")
    return blake2b(written, digest_size=DIGEST_SIZE, key=secret, person=b"person").hexdigest()


def child_digest(reference: str, person: str, secret: bytes) -> str:
    """What stands for a child within one case: it agrees across feeds, and between cases never."""
    written = f"{reference}\x1f{person}".encode()
    return blake2b(written, digest_size=DIGEST_SIZE, key=secret, person=b"child").hexdigest()


def revisions(times: Memo[Moment | None]) -> Memo[int]:
    """Revision numbers, or times of last change: whichever the source writes; empty is 0."""

    def read(text: str) -> int:
        text = text.strip()
        if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_REVISION:
            return int(text)
        try:
            moment = times[text]
        except Unfit as unfit:
            expected = f"a whole number, or {unfit.expected}"
            raise Unfit(Reason.NOT_A_REVISION, expected, unfit.found) from None
        return 0 if moment is None else moment.first

    return Memo(read)


def _clean(text: str, *, limit: int) -> str:
    text = text.strip()
    if len(text) > limit:
        raise Unfit(Reason.TOO_LONG, f"at most {limit} characters", kind_of(text))
    if UNFIT.search(text):
        raise Unfit(
            Reason.UNFIT_CHARACTERS,
            "text without control or invisible characters, in the feed's encoding",
            kind_of(text),
        )
    return text


_Span = tuple["Instant", "Instant"]


def _moment(first: Instant, last: Instant) -> Moment:
    if not 0 <= first <= last < _END_OF_TIME:
        raise Unfit(Reason.OUT_OF_RANGE, "a time in the years 1970 to 9998", "another year")
    prefix = (first + (1 << 63)).to_bytes(8, "big")
    return Moment(first, last, f"{first}\x1f{last}", prefix)


def _reader_of(written: str, feed: Feed) -> Callable[[str], _Span | None]:
    """Reads one way of writing times: an interval, or None where the text is not written so."""
    has_time = bool(_HAS_TIME.search(written))

    def iso(text: str) -> _Span | None:
        if not (fits := _ISO.fullmatch(text)):
            return None
        compact = text.replace(" Z", "Z").replace(" +", "+").replace(" -", "-")
        return _as_written(datetime.fromisoformat, compact, feed, has_time=bool(fits["time"]))

    def other(text: str) -> _Span | None:
        return _as_written(_by_form, text, feed, has_time=has_time)

    def _by_form(text: str) -> datetime:
        return datetime.strptime(text, written)  # noqa: DTZ007  # the feed's zone comes next

    return iso if written == "iso" else other


def _as_written(
    parse: Callable[[str], datetime], text: str, feed: Feed, *, has_time: bool
) -> _Span | None:
    try:
        moment = parse(text)
    except ValueError:
        return None
    try:
        return _span(moment, feed) if has_time else _span_of_date(moment, feed)
    except NonexistentTime:
        expected = f"a local time that {feed.timezone} has: clocks went forward over this one"
        raise Unfit(Reason.NO_SUCH_TIME, expected, kind_of(text)) from None
    except OverflowError:
        return None


def _span(moment: datetime, feed: Feed) -> _Span:
    if moment.tzinfo is not None:
        instant = from_datetime(moment)
        return instant, instant
    return instants_of_local(moment, feed.zone)


def _span_of_date(midnight: datetime, feed: Feed) -> _Span:
    if feed.bare_date == "day":
        day = midnight.date()
        return first_instant_of_local(datetime.combine(day, time.min), feed.zone), end_of_day(
            day, feed.zone
        )
    first = first_instant_of_local(midnight, feed.zone)
    try:
        return first, instants_of_local(midnight, feed.zone)[1]
    except NonexistentTime:
        return first, first
