"""What is known about a source of events: one file `config/feeds/NAME.toml` for each.

What comes in: a folder of feed files, and the words of the vocabulary as plain sets.
What goes out: a frozen `Feed` by name, or every fault of every file at once.
It does not care what the source's files hold: `files` reads them, `mapping` turns rows to events.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from monitor.faults import Fault, FaultsFound, Location, TomlDocument, faults_of, read_toml
from monitor.ingest.rejected import DIGEST_SIZE, UNFIT
from monitor.model import DAY, HOUR, MINUTE, SECOND, Duration

if TYPE_CHECKING:
    from pathlib import Path

CODE_LENGTH: Final = 60
REFERENCE_LENGTH: Final = 80
ATTRIBUTE_LENGTH: Final = 120
"""Longer than a code: an attribute may be another system's number for a message."""

ANYTHING: Final = "*"
"""In a value mapping: every other text. In a filter: any text but an empty cell."""

CODE_PATTERN: Final = r"[^\W_][\w.,:;/#&()+*-]*"
"""What a source's own code looks like where its feed does not say: one word. A name of two words
that strayed into a column of codes is set aside with its row."""

TEXT_FIELDS: Final = (
    "partner",
    "organisation",
    "category",
    "risk",
    "district",
    "unit",
    "decision",
    "reason_code",
)
"""Fields of an event that hold a code: from a column, from a value mapping, or constant."""

COLUMN_FIELDS: Final = frozenset(
    {*TEXT_FIELDS, "reference", "child", "links", "revision", "recorded_at", "review_at"}
)
"""Fields that a column may fill, beside the attributes that the vocabulary declares."""

IDENTITY: Final = "identity"
"""In `codes`: the columns that name an event, or one that is taken out."""

_STEM: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_UNITS: Final = {"s": SECOND, "min": MINUTE, "h": HOUR, "d": DAY}
_DURATION: Final = re.compile(r"(\d{1,6}) ?(s|min|h|d)")
_TIME_OF_DAY: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")


def _duration(written: Any) -> Any:
    if isinstance(written, int):
        msg = "give the unit as well, such as '5 min', '90 s', '2 h' or '1 d'"
        raise ValueError(msg)  # noqa: TRY004  # pydantic collects ValueErrors only
    if not isinstance(written, str) or not (found := _DURATION.fullmatch(written.strip())):
        msg = "expected a duration such as '5 min', '90 s', '2 h' or '1 d'"
        raise ValueError(msg)
    return int(found[1]) * _UNITS[found[2]]


def _minutes(written: Any) -> Any:
    if not isinstance(written, str) or not (found := _TIME_OF_DAY.fullmatch(written)):
        msg = "expected a time of day between '00:00' and '24:00'"
        raise ValueError(msg)
    return int(found[1]) * 60 + int(found[2]) if found[1] else 24 * 60


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = "expected the name of a time zone, such as 'Europe/London'"
        raise ValueError(msg) from None


def _pattern(written: str) -> str:
    try:
        re.compile(written)
    except re.error as error:
        msg = f"this is not a regular expression: {error}"
        raise ValueError(msg) from None
    return written


def _encoding(name: str) -> str:
    try:
        "a".encode(name)
    except LookupError:
        msg = "expected the name of a text encoding, such as 'utf-8-sig' or 'cp1252'"
        raise ValueError(msg) from None
    return name


def _time_format(written: str) -> str:
    if written == "iso":
        return written
    sample = datetime(2027, 3, 9, 18, 47)  # noqa: DTZ001  # a form of writing, not a time
    try:
        read = datetime.strptime(sample.strftime(written), written)  # noqa: DTZ007  # likewise
    except ValueError:
        read = None
    if read is None or read.date() != sample.date():
        msg = "expected 'iso' or a form with day, month and year, such as '%d/%m/%Y %H:%M'"
        raise ValueError(msg)
    return written


def _file_time(written: str) -> str:
    sample = datetime(2027, 3, 9, 18, 47)  # noqa: DTZ001  # a form of writing, not a time
    try:
        is_whole = datetime.strptime(sample.strftime(written), written) == sample  # noqa: DTZ007  # likewise
    except ValueError:
        is_whole = False
    if not is_whole or "." in written:
        msg = "expected a form with day, hour and minute and no dot, such as 'log-%Y%m%dT%H%M'"
        raise ValueError(msg)
    return written


def _fit(written: str) -> str:
    if UNFIT.search(written):
        msg = "control and invisible characters cannot be used here"
        raise ValueError(msg)
    return written


def _listed(written: Any) -> Any:
    return [written] if isinstance(written, str) else written


Span = Annotated[Duration, BeforeValidator(_duration)]
MinutesOfDay = Annotated[int, BeforeValidator(_minutes)]
Column = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Code = Annotated[str, StringConstraints(max_length=CODE_LENGTH), AfterValidator(_fit)]
FilledCode = Annotated[Code, Field(min_length=1)]
Sentence = Annotated[str, StringConstraints(min_length=3, max_length=200), AfterValidator(_fit)]
Columns = Annotated[tuple[Column, ...], Field(min_length=1)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEK: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class _Written(BaseModel):
    """A piece of a feed file: frozen, and nothing that is not known here is accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Heartbeat(_Written):
    """When the source is expected to be heard, in the feed's own zone."""

    every: Annotated[Span, Field(gt=0)]
    """The longest time, counted in the hours below, that may pass without a file."""
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1)] = _WEEK
    from_: MinutesOfDay = Field(default=0, alias="from")
    to: MinutesOfDay = 24 * 60
    """Not after `from`: on the next day."""
    calendar: Annotated[str, Field(max_length=CODE_LENGTH)] = ""
    """A calendar of the rules folder, instead of days and hours: with its bank holidays."""


class ToldOfSilence(_Written):
    """One step of what follows when the feed falls silent."""

    role: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=CODE_LENGTH)]
    """A role of the recipients file; `operator` is who looks after the monitor itself."""
    after: Span = 0
    """How long after its timetable says that it is silent."""


class Silence(_Written):
    """Who is told that the feed is silent, and of every day that it stays so."""

    tell: Annotated[tuple[ToldOfSilence, ...], Field(min_length=1)] = (
        ToldOfSilence(role="operator"),
    )
    districts: tuple[FilledCode, ...] = ()
    """Whose posts are told: the districts that the source serves; all, where none is named."""
    wakes: bool = False
    """Whether those told are woken out of their duty hours."""
    repeat: Annotated[Span, Field(gt=0)] = DAY
    """How long after a mail, while the silence lasts, the next one comes."""


class EventSource(_Written):
    """One kind of fact that a row can hold: it is there when its time column is filled."""

    time: Column
    kind: FilledCode = ""
    kind_column: Column = ""
    """Instead of `kind`: a column whose texts `[values.kind]` maps to kinds."""
    name: Annotated[Code, Field(pattern=r"^[a-z0-9_-]*$")] = ""
    """Tells facts of one kind apart in a wide row; the kind itself where it is not given."""
    when: dict[Column, Annotated[tuple[str, ...], BeforeValidator(_listed)]] = {}
    """Only where each of these columns holds one of its texts."""
    columns: dict[str, Column] = {}
    constants: dict[str, FilledCode] = {}

    @property
    def label(self) -> str:
        """What tells this fact apart from the others of its row."""
        return self.name or self.kind


class Feed(_Written):
    """One source: where its files lie, how they are written, and what their columns mean."""

    name: Annotated[str, Field(pattern=f"^{_STEM.pattern}$")]
    title: Sentence
    folder: Annotated[str, Field(min_length=1)]
    pattern: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Which file names are taken; `*.csv` or `*.jsonl`, plain or gzipped, where not given."""
    format: Literal["csv", "jsonl"] = "csv"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: Annotated[str, AfterValidator(_encoding)] = "utf-8-sig"
    mode: Literal["append", "snapshot"]
    timezone: Annotated[str, AfterValidator(_zone)]
    times: Annotated[
        tuple[Annotated[str, AfterValidator(_time_format)], ...],
        BeforeValidator(_listed),
        Field(min_length=1),
    ] = ("iso",)
    """How times are written; the first form that fits is used."""
    bare_date: Literal["midnight", "day"]
    """What a date without a time means: the first instant of that day, or the whole of it."""
    reference_pattern: Annotated[str, Field(min_length=1), AfterValidator(_pattern)]
    identity: Literal["content"] | Columns
    """The columns that name an event at the source; `content` where it has no such name."""
    retracts: tuple[Column, ...] = ()
    """Columns, in the order of `identity`, that name the event which this one takes out."""
    tolerance: Span = 5 * MINUTE
    """How much earlier than its start a stop may be: the systems' times differ a little."""
    future_tolerance: Span = 5 * MINUTE
    """How much later than its receipt an event may be dated."""
    lag: Span = 0
    """How long after the fact this source may reasonably bring it."""
    heartbeat: Heartbeat | None = None
    silence: Silence = Silence()
    file_time: Annotated[str, AfterValidator(_file_time)] = ""
    """How a file's name, up to its first dot, says to when the extract reaches, in the feed's zone.

    Where it is not given, a file reaches to when it is read.
    """
    columns: dict[str, Column]
    constants: dict[str, FilledCode] = {}
    values: dict[str, dict[str, Code]] = {}
    """Field → the source's text → our word; `*` is every other text."""
    codes: dict[str, Annotated[str, AfterValidator(_pattern)]] = {}
    """Field → what a code of the source looks like from end to end, where it is more than one word.
    """
    events: Annotated[tuple[EventSource, ...], Field(min_length=1)]

    @property
    def patterns(self) -> tuple[str, ...]:
        """The file names to take, as shell patterns."""
        return self.pattern or (f"*.{self.format}", f"*.{self.format}.gz")

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone in which this source writes its times."""
        return ZoneInfo(self.timezone)

    @property
    def is_wide(self) -> bool:
        """Whether one row can hold several facts."""
        return len(self.events) > 1

    @cached_property
    def identity_columns(self) -> tuple[str, ...]:
        """The columns that name an event; none where its content does."""
        return () if self.identity == "content" else tuple(self.identity)

    @cached_property
    def declared_columns(self) -> tuple[str, ...]:
        """Every column of the source that this feed reads, in the order of its first mention."""
        mentioned = [*self.columns.values(), *self.identity_columns, *self.retracts]
        for source in self.events:
            mentioned += [source.time, source.kind_column, *source.when, *source.columns.values()]
        return tuple(dict.fromkeys(column for column in mentioned if column))

    @cached_property
    def child_columns(self) -> frozenset[str]:
        """Columns that hold a source's own name for a child: they are hashed before all else."""
        levels = [self.columns, *(source.columns for source in self.events)]
        return frozenset(level["child"] for level in levels if "child" in level)

    @cached_property
    def mapping_digest(self) -> str:
        """A digest of what decides how a row reads: no title, folder or timetable."""
        beside = {"title", "folder", "pattern", "lag", "tolerance"}
        beside |= {"heartbeat", "silence", "file_time"}
        written = self.model_dump_json(exclude=beside, by_alias=True)
        return blake2b(written.encode(), digest_size=DIGEST_SIZE).hexdigest()


def read_feeds(
    folder: Path,
    *,
    known_kinds: frozenset[str],
    known_attributes: frozenset[str],
    known_values: Mapping[str, frozenset[str]] | None = None,
) -> dict[str, Feed]:
    """Read every `*.toml` of a folder: feeds by name, in the order of their names.

    `known_kinds` and `known_attributes` are the vocabulary's; `known_values` says, for fields such
    as `partner`, `category` or `risk`, which words there are (fields not named take any word).
    Raises FaultsFound with every fault of every file.
    """
    words = _Words(known_kinds, known_attributes, dict(known_values or {}))
    feeds: dict[str, Feed] = {}
    faults: list[Fault] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            feeds[path.stem] = _read_feed(path, words)
        except FaultsFound as found:
            faults += found.faults
    faults += _shared_drops(folder, feeds)
    if faults:
        raise FaultsFound(faults)
    return feeds


class _Words:
    """The vocabulary, as far as feeds use it."""

    def __init__(
        self,
        kinds: frozenset[str],
        attributes: frozenset[str],
        values: dict[str, frozenset[str]],
    ) -> None:
        self.attributes = attributes
        self.values = {**values, "kind": kinds}


def _read_feed(path: Path, words: _Words) -> Feed:
    document = read_toml(path)
    try:
        feed = Feed.model_validate({"name": path.stem, **document.data})
    except ValidationError as error:
        faults = faults_of(error, file=str(path), locate=document.locate)
        raise FaultsFound(faults) from None
    if faults := [
        _placed(complaint, path, document) for complaint in _complaints(feed, path, words)
    ]:
        raise FaultsFound(faults)
    return feed


_Complaint = tuple[Location, str, str]
"""Where, what was expected, how to mend it."""


def _placed(complaint: _Complaint, path: Path, document: TomlDocument) -> Fault:
    location, expected, mend = complaint
    line, column = document.locate(location) or (None, None)
    return Fault(
        file=str(path),
        line=line,
        column=column,
        field=".".join(str(step) for step in location),
        expected=expected,
        mend=mend,
    )


def _complaints(feed: Feed, path: Path, words: _Words) -> Iterator[_Complaint]:
    """What does not fit together in one feed, or does not fit the vocabulary."""
    if feed.name != path.stem:
        yield ("name",), f"expected {path.stem!r}, the name of the file", "leave `name` out"
    yield from _about_heartbeat(feed)
    yield from _about_identity(feed)
    yield from _about_fields(feed, words)
    yield from _about_events(feed, words)
    yield from _about_values(feed, words)


def _about_heartbeat(feed: Feed) -> Iterator[_Complaint]:
    beat = feed.heartbeat
    if beat is None or not beat.calendar:
        return
    for field in beat.model_fields_set & {"weekdays", "from_", "to"}:
        name = field.rstrip("_")
        expected = "the calendar says on which days and at which hours"
        yield ("heartbeat", name), expected, "keep the calendar, or days and hours"


def _about_identity(feed: Feed) -> Iterator[_Complaint]:
    if "reference" not in feed.columns:
        yield ("columns", "reference"), "no column holds the case's reference", "name it"
    if feed.mode == "snapshot" and not feed.identity_columns:
        yield (
            ("identity",),
            "a snapshot needs columns that name its events, else a change looks like a new event",
            "list them, such as identity = ['NOTICE_NO']",
        )
    if feed.retracts and len(feed.retracts) != len(feed.identity_columns):
        yield (
            ("retracts",),
            "expected as many columns as `identity` lists, in the same order",
            "a feed whose events are known by their content cannot retract",
        )


def _about_fields(feed: Feed, words: _Words) -> Iterator[_Complaint]:
    levels: list[tuple[Location, Mapping[str, str], Mapping[str, str]]] = [
        ((), feed.columns, feed.constants)
    ]
    for number, source in enumerate(feed.events):
        levels.append((("events", number), source.columns, source.constants))
        if "reference" in source.columns:
            own: Location = ("events", number, "columns", "reference")
            yield own, "a row has one reference", "name it under [columns]"
    for place, columns, constants in levels:
        for field in columns.keys() - COLUMN_FIELDS - words.attributes:
            yield (*place, "columns", field), *_no_such_field(COLUMN_FIELDS | words.attributes)
        for field in constants.keys() - set(TEXT_FIELDS) - words.attributes:
            yield (*place, "constants", field), *_no_such_field({*TEXT_FIELDS, *words.attributes})
        for field in columns.keys() & constants.keys():
            yield (
                (*place, "constants", field),
                "this field has a column already",
                "keep one of both",
            )
        for field, text in constants.items():
            yield from _about_word((*place, "constants", field), field, text, words)


def _no_such_field(known: set[str] | frozenset[str]) -> tuple[str, str]:
    return f"expected one of {', '.join(sorted(known))}", "or declare it in the vocabulary"


def _about_word(place: Location, field: str, text: str, words: _Words) -> Iterator[_Complaint]:
    known = words.values.get(field)
    if known is not None and text and text not in known:
        yield (
            place,
            f"{text!r} is no {field} of the vocabulary: {', '.join(sorted(known))}",
            "use one of these, or declare it in the vocabulary",
        )


def _about_events(feed: Feed, words: _Words) -> Iterator[_Complaint]:
    labels = Counter(source.label for source in feed.events)
    for number, source in enumerate(feed.events):
        place: Location = ("events", number)
        if bool(source.kind) == bool(source.kind_column):
            yield (*place, "kind"), "expected either `kind` or `kind_column`", "give one of both"
        if source.kind_column and "kind" not in feed.values:
            yield ("values", "kind"), "a kind column needs [values.kind]", "map its texts to kinds"
        yield from _about_word((*place, "kind"), "kind", source.kind, words)
        if feed.is_wide and (labels[source.label] > 1 or not source.label):
            yield (*place, "name"), "expected a name that no other event here has", "add `name`"


def _about_values(feed: Feed, words: _Words) -> Iterator[_Complaint]:
    filled = {field for source in feed.events for field in source.columns} | feed.columns.keys()
    if any(source.kind_column for source in feed.events):
        filled.add("kind")
    mappable = {"kind", *TEXT_FIELDS, *words.attributes}
    for field, mapping in feed.values.items():
        if field not in filled & mappable:
            yield ("values", field), "no column fills this field, or it takes no words", "remove it"
        for text, word in mapping.items():
            yield from _about_word(("values", field, text), field, word, words)
    for field in feed.codes.keys() - ((filled | {IDENTITY}) - feed.values.keys()):
        yield (
            ("codes", field),
            "no column fills this field with codes of the source",
            f"remove it; `{IDENTITY}` stands for the columns that name an event",
        )
    for field in sorted((filled & words.values.keys()) - feed.values.keys() - {"kind"}):
        yield (
            ("columns", field),
            "its texts must be mapped to words of the vocabulary",
            f"add [values.{field}]",
        )


def _shared_drops(folder: Path, feeds: Mapping[str, Feed]) -> Iterator[Fault]:
    """Two feeds that would take the same files."""
    taken: dict[tuple[str, str], str] = {}
    for name, feed in feeds.items():
        for pattern in feed.patterns:
            other = taken.setdefault((feed.folder.rstrip("/"), pattern), name)
            if other != name:
                yield Fault(
                    file=str(folder / f"{name}.toml"),
                    field="folder",
                    expected=f"the feed {other!r} takes {pattern} from this folder already",
                    mend="give each feed a folder or a pattern of its own",
                )
                break
