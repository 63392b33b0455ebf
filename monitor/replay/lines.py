"""The lines of a scenario: what happened, how clocks stand, what was told.

What comes in: one line as a person wrote it. What goes out: an event, or what is expected, in the
same words in which what came is said, so that the two can be compared as text. Whatever cannot be
read is an Unreadable that says what was expected. It does not care which rule it is about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.model import AlertKind, Clock, Event, Instant, Verdict
from monitor.replay.times import leading_time, read_instant, read_span, say
from monitor.rulebook.match import STANDING_ATTRIBUTES
from monitor.worktime.limits import Limit, Unit

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.replay.replay import Standing, Told
    from monitor.rulebook.files import Words

CASE: Final = "the case"
"""The reference of a line that names none."""
FEED: Final = "record"
"""The feed of a line that names none."""

_ABOUT_THE_RECORD: Final = ("case", "links", "child", "id", "retracts", "revision")
_TIMES_BESIDE: Final = ("recorded", "received", "review")
_BESIDE: Final = re.compile(r"\(([^()]*)\)$")


class Unreadable(ValueError):
    """A line says nothing that is known here; it says what was expected."""


# -- what happened ----------------------------------------------------------------------------


def read_event(text: str, zone: ZoneInfo, words: Words) -> Event:
    """`Sat 30 Oct 2027 22:00  contact  category=neglect child=A  (recorded 23:10)`.

    It is received when it was recorded, and that is when it happened, where the line says no
    other. `words`: what an event may say. Raises Unreadable or NotATime.
    """
    written = leading_time(text)
    span = read_span(written, zone)
    rest, beside = _times_beside(text[len(written) :].strip(), zone, span.last)
    kind, *pairs = rest.split() or [""]
    _check(words, "kind", kind)
    said = _pairs(pairs, words)
    recorded = beside.get("recorded")
    received = beside.get("received", span.last if recorded is None else recorded)
    if received < span.first:
        raise Unreadable("it cannot be received before it happens: the row would be set aside")
    named = said.pop("id", "").encode()
    content = blake2b(repr((kind, span, sorted(said.items()))).encode(), digest_size=16).digest()
    return Event(
        feed=said.pop("feed", FEED),
        identity=named or content,
        revision=_number(said.pop("revision", "0")),
        content=content,
        reference=said.pop("case", CASE),
        kind=kind,
        occurred_from=span.first,
        occurred_to=span.last,
        recorded_at=recorded,
        received_at=received,
        review_at=beside.get("review"),
        retracts=said.pop("retracts", "").encode(),
        attributes=_attributes(said),
        **_standing(said),
    )


def _times_beside(text: str, zone: ZoneInfo, on: Instant) -> tuple[str, dict[str, Instant]]:
    """What stands before the parenthesis at the end of a line, and the times in it."""
    found = _BESIDE.search(text)
    if found is None:
        return text, {}
    times: dict[str, Instant] = {}
    for part in found[1].split(","):
        name, _, when = part.strip().partition(" ")
        if name not in _TIMES_BESIDE:
            raise Unreadable(f"{name!r} is none of: {', '.join(_TIMES_BESIDE)}")
        times[name] = read_instant(when, zone, on=on)
    return text[: found.start()].strip(), times


def _pairs(pairs: Iterable[str], words: Words) -> dict[str, str]:
    said: dict[str, str] = {}
    for pair in pairs:
        name, is_pair, value = pair.partition("=")
        if not is_pair or not value:
            raise Unreadable(f"{pair!r} is not written as name=value")
        if name in said:
            raise Unreadable(f"{name} is said twice")
        if name not in _ABOUT_THE_RECORD:
            _check(words, name, value)
        said[name] = value
    return said


def _check(words: Words, name: str, value: str) -> None:
    if name not in words:
        known = ", ".join(sorted({*words, *_ABOUT_THE_RECORD} - {"kind"}))
        raise Unreadable(f"{name!r} is nothing that an event says: expected one of {known}")
    known_values = words[name]
    if known_values is not None and value not in known_values:
        listed = ", ".join(sorted(known_values))
        raise Unreadable(f"{name} {value!r} is not in the vocabulary: expected one of {listed}")


def _number(text: str) -> int:
    if not text.isdecimal():
        raise Unreadable(f"revision {text!r} is no whole number")
    return int(text)


def _standing(said: Mapping[str, str]) -> dict[str, Any]:
    fields = {*STANDING_ATTRIBUTES, "child", "links"} - {"feed"}
    return {name: value for name, value in said.items() if name in fields}


def _attributes(said: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    standing = _standing(said)
    return tuple(sorted((name, value) for name, value in said.items() if name not in standing))


# -- how clocks stand -------------------------------------------------------------------------

_CLOCK_TIMES: Final[dict[str, Callable[[Clock], Instant | None]]] = {
    "started": lambda clock: clock.started_at,
    "due": lambda clock: clock.due_at,
    "stopped": lambda clock: clock.stopped_at,
    "recorded": lambda clock: clock.stop_recorded_at,
    "to be confirmed by": lambda clock: clock.confirm_by,
    "was overdue from": lambda clock: clock.breached_at,
    "telling held until": lambda clock: clock.held_until,
}
_CLOCK_WORDS: Final[dict[str, Callable[[Clock], str]]] = {
    "rule": lambda clock: clock.key.rule,
    "child": lambda clock: clock.key.child,
    "organisation": lambda clock: clock.key.organisation,
    "version": lambda clock: str(clock.rule_version),
    "raised after": lambda clock: _length(clock.raised_after),
}
_CLOCK_FLAGS: Final[dict[str, Callable[[Clock], bool]]] = {
    "cannot route": lambda clock: clock.cannot_route,
    "no longer told": lambda clock: clock.regraded_at is not None,
}
_IDENTIFYING: Final = ("rule", "child", "organisation")


class Line(NamedTuple):
    """A line in parts that can be compared: what it says first, and then by name."""

    first: str
    parts: dict[str, str]

    def __str__(self) -> str:
        named = [f"{name} {value}".strip() for name, value in self.parts.items()]
        return ", ".join([self.first, *named])

    def allows(self, came: Line) -> bool:
        """Whether what came is what this line says; it may leave things out."""
        return self.first == came.first and self.is_about(came, self.parts)

    def is_about(self, came: Line, names: Iterable[str] = _IDENTIFYING) -> bool:
        """Whether what came agrees with this line in some parts, where this line says them."""
        return all(came.parts.get(n) == self.parts[n] for n in names if n in self.parts)


def read_clock(text: str, zone: ZoneInfo, *, at: Instant) -> Line:
    """`overdue, due Mon 8 Mar 2027 22:47, child A, organisation eastshire`. Raises Unreadable.

    `at`: the instant at which it stands so; its date is meant where none is said.
    """
    first, *parts = (part.strip() for part in text.split(","))
    says = first.replace(" ", "_")
    if says not in list(Verdict):
        raise Unreadable(f"{first!r} is none of: {', '.join(_spoken(one) for one in Verdict)}")
    said: dict[str, str] = {}
    for part in parts:
        name, value = _clock_part(part, zone, at)
        said[name] = value
    return Line(_spoken(says), said)


def clock_line(standing: Standing, zone: ZoneInfo, *, names: Iterable[str]) -> Line:
    """How a clock stands: its verdict, and these parts of it."""
    clock = standing.kept.clock
    return Line(
        _spoken(standing.verdict),
        {name: value for name in names if (value := _clock_value(clock, name, zone)) is not None},
    )


ALL_OF_A_CLOCK: Final = (*_CLOCK_TIMES, *_CLOCK_WORDS, *_CLOCK_FLAGS)
SHOWN_OF_A_CLOCK: Final = ("due", *_IDENTIFYING)


def _clock_part(part: str, zone: ZoneInfo, at: Instant) -> tuple[str, str]:
    if part in _CLOCK_FLAGS:
        return part, ""
    for name in sorted((*_CLOCK_TIMES, *_CLOCK_WORDS), key=len, reverse=True):
        if part.startswith(f"{name} "):
            value = part.removeprefix(f"{name} ")
            if name in _CLOCK_TIMES and value != "unknown":
                value = say(read_instant(value, zone, on=at), zone)
            return name, value
    listed = ", ".join(ALL_OF_A_CLOCK)
    raise Unreadable(f"{part!r} is nothing that is said of a clock: expected {listed}")


def _clock_value(clock: Clock, name: str, zone: ZoneInfo) -> str | None:
    """How a part of a clock is said; None where there is nothing to say."""
    if name in _CLOCK_FLAGS:
        return "" if _CLOCK_FLAGS[name](clock) else None
    if name in _CLOCK_WORDS:
        return _CLOCK_WORDS[name](clock) or None
    at = _CLOCK_TIMES[name](clock)
    if at is None:
        return "unknown" if name == "due" else None
    return say(at, zone)


def _spoken(verdict: str) -> str:
    return verdict.replace("_", " ")


def _length(duration: int | None) -> str:
    return "" if duration is None else str(Limit(amount=duration, unit=Unit.ELAPSED))


# -- what was told ----------------------------------------------------------------------------

REMINDER: Final = "reminder"
_KINDS: Final = ("warning", "overdue", REMINDER, "cannot route", "withdrawal")
_TOLD: Final = re.compile(rf"(?P<kind>{'|'.join(_KINDS)}) to (?P<role>[a-z0-9_-]+)")
_TOLD_PARTS: Final = (*_IDENTIFYING, "because")


def read_told(text: str, zone: ZoneInfo, *, at: Instant, roles: Iterable[str]) -> Line:
    """`Mon 8 Mar 2027 21:47  warning to mash_sergeant, child A`. Raises Unreadable.

    `because …` asks that the alert's reason says this.
    """
    written = leading_time(text)
    when = read_instant(written, zone, on=at)
    rest, *parts = (part.strip() for part in text[len(written) :].split(","))
    found = _TOLD.fullmatch(rest)
    if found is None:
        kinds = ", ".join(_KINDS)
        raise Unreadable(f"{rest!r} is not written as 'KIND to ROLE', KIND one of: {kinds}")
    if found["role"] not in roles:
        raise Unreadable(f"{found['role']!r} is none of: {', '.join(sorted(roles))}")
    said: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition(" ")
        if name not in _TOLD_PARTS or not value:
            raise Unreadable(f"{part!r} is none of: {', '.join(_TOLD_PARTS)}, and a word")
        said[name] = value
    return Line(f"{say(when, zone)}  {found['kind']} to {found['role']}", said)


def told_line(told: Told, zone: ZoneInfo) -> Line:
    """What was told, in the same words; its reason in full."""
    kind = REMINDER if told.repeat and told.kind is AlertKind.OVERDUE else _spoken(told.kind)
    role = told.role if told.recipient else "nobody"
    key = told.clock
    said = {"rule": key.rule, "child": key.child, "organisation": key.organisation}
    said["because"] = told.reason
    return Line(
        f"{say(told.at, zone)}  {kind} to {role}", {name: v for name, v in said.items() if v}
    )


def is_told_as(expected: Line, came: Line) -> bool:
    """Whether an alert is the one that a line expects."""
    because = expected.parts.get("because", "")
    return (
        expected.first == came.first
        and expected.is_about(came)
        and because in came.parts.get("because", "")
    )
