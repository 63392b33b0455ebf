"""Whom to ring at a partner, at which hour: `config/partners.toml`.

What comes in: the file, and the calendars that its hours name. What goes out: partners that answer
how each can be reached at an instant, the best first; or every fault at once. It names desks and
services, not people, and it does not care why anybody is to be rung.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from monitor.faults import Fault, FaultsFound, TomlDocument, faults_of, read_toml
from monitor.model import DAY, Duration, Instant
from monitor.worktime.calendar import Calendar, PastHorizon
from monitor.worktime.zones import local

if TYPE_CHECKING:
    from pathlib import Path
    from zoneinfo import ZoneInfo

OTHERWISE: Final = "otherwise"
"""The hours of a route that is open while no other of its partner is."""

OPEN_NOW: Final = "open now"

_LOOK_AHEAD: Final[Duration] = 14 * DAY
"""How far ahead a closing or an opening is looked for; no partner is shut for longer."""

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_NAMED_DAYS: Final = 6
"""Within so many dates, the name of a weekday can only mean one date."""

Words = Annotated[str, StringConstraints(min_length=2, max_length=120, strip_whitespace=True)]
Telephone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 ]{4,20}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WrittenRoute(_Written):
    """One telephone, and when somebody answers it."""

    name: Words
    telephone: Telephone
    hours: str = ""
    """A calendar's name, `otherwise`, or empty for every hour."""


class Partner(_Written):
    """One organisation."""

    kind: Literal["council", "health", "school", "lado"]
    code: Code
    name: Words
    routes: tuple[WrittenRoute, ...] = Field(min_length=1)


class PartnersFile(_Written):
    """The whole file."""

    partners: tuple[Partner, ...] = ()


class PartnerRoute(NamedTuple):
    """Whom to ring at an instant."""

    name: str
    telephone: str
    hours: str
    """`open now`, `open until 08:30`, `opens Tue 09:00`; empty where it is not known."""


class _Hours(NamedTuple):
    """Whether a route is open, and until when that stays so."""

    is_open: bool | None
    """None: not known, past a calendar's end."""
    until: Instant | None
    """None: at every hour that is looked at."""
    zone: ZoneInfo | None


_ALWAYS: Final = _Hours(is_open=True, until=None, zone=None)
_NOT_KNOWN: Final = _Hours(is_open=None, until=None, zone=None)


@dataclass(frozen=True)
class Partners:
    """Partner organisations with the hours of their routes."""

    by_code: Mapping[tuple[str, str], Partner]
    """(kind, code) → partner."""
    calendars: Mapping[str, Calendar]

    def name(self, kind: str, organisation: str) -> str:
        """How a mail names a partner; empty where it is not known."""
        partner = self.by_code.get((kind, organisation))
        return partner.name if partner else ""

    def routes(self, kind: str, organisation: str, at: Instant) -> list[PartnerRoute]:
        """How a partner can be reached at an instant: open ones first, then the soonest to open.

        Times are said in the zone of the calendar that they come from. None for a partner that is
        not known: nobody is to be told to ring the wrong one.
        """
        partner = self.by_code.get((kind, organisation))
        if partner is None:
            return []
        found = [(self._hours(route, partner, at), route) for route in partner.routes]
        found.sort(key=lambda pair: _place(pair[0]))
        return [
            PartnerRoute(route.name, route.telephone, _in_words(hours, at))
            for hours, route in found
        ]

    def is_answered(self, kind: str, organisation: str, at: Instant) -> bool:
        """Whether somebody answers any route of a partner at an instant, as far as is known."""
        partner = self.by_code.get((kind, organisation))
        routes = partner.routes if partner else ()
        return any(partner and self._hours(route, partner, at).is_open for route in routes)

    def _hours(self, route: WrittenRoute, partner: Partner, at: Instant) -> _Hours:
        if not route.hours:
            return _ALWAYS
        try:
            if route.hours == OTHERWISE:
                return _while_closed(self._calendars_of(partner), at)
            return _open_by(self.calendars[route.hours], at)
        except PastHorizon:
            return _NOT_KNOWN

    def _calendars_of(self, partner: Partner) -> list[Calendar]:
        named = {route.hours for route in partner.routes} - {"", OTHERWISE}
        return [self.calendars[name] for name in sorted(named)]


def read_partners(path: Path, calendars: Mapping[str, Calendar]) -> Partners:
    """Read `partners.toml`; raises FaultsFound with every fault."""
    document = read_toml(path)
    try:
        file = PartnersFile.model_validate(document.data)
    except ValidationError as error:
        raise FaultsFound(faults_of(error, file=str(path), locate=document.locate)) from None
    if faults := list(_faults(file, document, str(path), calendars)):
        raise FaultsFound(faults)
    by_code: dict[tuple[str, str], Partner] = {
        (partner.kind, partner.code): partner for partner in file.partners
    }
    return Partners(by_code, calendars)


def _open_by(calendar: Calendar, at: Instant) -> _Hours:
    if not calendar.is_open(at):
        return _Hours(is_open=False, until=calendar.next_opening(at), zone=calendar.zone)
    ahead = next(iter(calendar.windows(at, at + _LOOK_AHEAD)))
    closes = None if ahead.end == at + _LOOK_AHEAD else ahead.end
    return _Hours(is_open=True, until=closes, zone=calendar.zone)


def _while_closed(calendars: Sequence[Calendar], at: Instant) -> _Hours:
    """The hours in which none of some calendars is open."""
    now = [_open_by(calendar, at) for calendar in calendars]
    if not any(hours.is_open for hours in now):
        first = min(now, key=lambda hours: hours.until or 0)
        return _Hours(is_open=True, until=first.until, zone=first.zone)
    closing, zone = at, now[0].zone
    while still_open := [c for c in calendars if c.is_open(closing)]:
        until = _open_by(still_open[0], closing).until
        if until is None:
            return _Hours(is_open=False, until=None, zone=None)
        closing, zone = until, still_open[0].zone
    return _Hours(is_open=False, until=closing, zone=zone)


def _place(hours: _Hours) -> tuple[int, Instant]:
    """Open, then the soonest to open, then what never opens or is not known; ties stay in order."""
    if hours.is_open:
        return 0, 0
    if hours.until is not None:
        return 1, hours.until
    return 2, 0


def _in_words(hours: _Hours, at: Instant) -> str:
    if hours.is_open is None or (not hours.is_open and hours.until is None):
        return ""
    if hours.until is None or hours.zone is None:
        return OPEN_NOW
    until = _when(hours.until, at, hours.zone)
    return f"open until {until}" if hours.is_open else f"opens {until}"


def _when(instant: Instant, at: Instant, zone: ZoneInfo) -> str:
    """`08:30` of the same date, `Tue 08:30` within the week, else with the date."""
    shown, said = local(instant, zone), local(at, zone)
    clock = f"{shown:%H:%M}"
    days = (shown.date() - said.date()).days
    if days == 0:
        return clock
    weekday = _WEEKDAYS[shown.weekday()]
    if days <= _NAMED_DAYS:
        return f"{weekday} {clock}"
    return f"{weekday} {shown.day} {_MONTHS[shown.month - 1]} {clock}"


def _faults(
    file: PartnersFile, document: TomlDocument, path: str, calendars: Mapping[str, Calendar]
) -> Iterator[Fault]:
    def fault(*location: int | str, found: str, expected: str) -> Fault:
        line, column = document.locate(location) or (None, None)
        name = ".".join(map(str, location))
        return Fault(
            file=path, line=line, column=column, field=name, found=found, expected=expected
        )

    seen: set[tuple[str, str]] = set()
    known = ", ".join(sorted(calendars))
    for index, partner in enumerate(file.partners):
        if (partner.kind, partner.code) in seen:
            expected = f"there is a {partner.kind} of this code above already"
            yield fault("partners", index, "code", found=repr(partner.code), expected=expected)
        seen.add((partner.kind, partner.code))
        hours = [route.hours for route in partner.routes]
        for place, named in enumerate(hours):
            where = ("partners", index, "routes", place, "hours")
            if named == OTHERWISE and not any(each in calendars for each in hours):
                expected = "another route of this partner must keep the hours of a calendar"
                yield fault(*where, found=repr(named), expected=expected)
            elif named not in {"", OTHERWISE, *calendars}:
                expected = f"'{OTHERWISE}', or a calendar of the rules folder: {known}"
                yield fault(*where, found=repr(named), expected=expected)
