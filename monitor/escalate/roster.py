"""Who holds which role, and how each role is reached: `config/recipients.toml`.

What comes in: the file, and the calendars that its duty hours name. What goes out: a roster that
answers who is told for a role at an instant, or every fault at once. It names posts, not people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from monitor.escalate.duty import Stint
from monitor.faults import Fault, FaultsFound, TomlDocument, faults_of, read_toml
from monitor.model import Instant
from monitor.worktime.calendar import Calendar, PastHorizon

if TYPE_CHECKING:
    from pathlib import Path

Address = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$")
]
RoleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


BOUNCED: Final = "bounced"
"""How the reason ends of an alert that went to somebody else because mail came back."""


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Role(_Written):
    """One role: its hours, and who stands in for it."""

    title: str
    hours: str = ""
    """Name of a calendar of duty hours; empty: on duty at every hour."""
    out_of_hours: RoleName | None = None
    """Who is told outside these hours by a rule that may wake people."""
    cover: RoleName | None = None
    """Who is told where nobody holds the role in a district, or mail to its holder bounces."""


class Post(_Written):
    """A mailbox that holds a role, everywhere or in one district or unit."""

    role: RoleName
    address: Address
    district: str = ""
    unit: str = ""
    restricted: bool = False
    """Whether it may be told of restricted cases."""


class Digest(_Written):
    """Who gets the weekly digest of a scope."""

    scope: str = Field(pattern=r"^(force|district:.+|unit:.+)$")
    to: tuple[Address, ...] = Field(min_length=1)
    outside: bool = False
    """Its readers are outside the force: no case is named, and no table with a count under ten."""


class RosterFile(_Written):
    """The whole file."""

    fallback: RoleName
    """The role that is told where nobody else can be; somebody holds it at every hour."""
    roles: dict[RoleName, Role]
    posts: tuple[Post, ...] = Field(min_length=1)
    digests: tuple[Digest, ...] = ()


class Reached(NamedTuple):
    """Somebody can be told now."""

    address: str
    role: str
    why: str
    """How this role came to be told instead of the one asked for; empty where it is that one."""


class WaitUntil(NamedTuple):
    """Nobody is told before the role is on duty again."""

    instant: Instant


class Nobody(NamedTuple):
    """There is no post to tell."""

    why: str


Reach: TypeAlias = Reached | WaitUntil | Nobody


class Whereabouts(NamedTuple):
    """What decides which post of a role is told."""

    district: str
    unit: str
    restricted: bool


@dataclass(frozen=True)
class Roster:
    """Roles and posts with their duty hours."""

    file: RosterFile
    hours: Mapping[str, Calendar]
    unreachable: frozenset[str] = frozenset()
    """Addresses to which mail bounces: nobody is told there until that is cleared."""
    stints: tuple[Stint, ...] = ()
    """Of the duty roster: whoever is on one holds the post then, and is on duty."""

    def reach(self, role: str, place: Whereabouts, *, at: Instant, wakes: bool) -> Reach:
        """Who is told for a role at an instant.

        On duty: its post for the unit, else the district, else the force; of posts as close,
        whoever is on a stint of the duty roster. Off duty, and nobody on a stint: the out-of-hours
        role if the rule wakes people, otherwise nobody until duty begins. No post at all, or mail
        to it bounces: the next post that fits, the cover, then the fallback.
        """
        return self._reach(role, place, at=at, wakes=wakes, why="", tried=frozenset())

    def title(self, role: str) -> str:
        """How a mail names a role."""
        known = self.file.roles.get(role)
        return known.title if known else role.replace("_", " ")

    def fallback(self, place: Whereabouts, *, at: Instant) -> Reach:
        """Who is told where nobody else can be."""
        return self.reach(self.file.fallback, place, at=at, wakes=True)

    def _reach(
        self,
        role: str,
        place: Whereabouts,
        *,
        at: Instant,
        wakes: bool,
        why: str,
        tried: frozenset[str],
    ) -> Reach:
        known = self.file.roles.get(role)
        if known is None or role in tried:
            return Nobody(f"nobody can be told as {self.title(role)}")
        if not self._is_on_duty(known, at) and not self._on_stint(role, place, at):
            if known.out_of_hours is None or not wakes:
                return self._wait(known, at)
            reason = why or f"{known.title} is off duty"
            return self._reach(
                known.out_of_hours, place, at=at, wakes=wakes, why=reason, tried=tried | {role}
            )
        closest = self._post(role, place, at)
        lacking = f"nobody holds the role {known.title} here" if closest is None else bounced(known)
        if post := self._post(role, place, at, passing_over=self.unreachable):
            return Reached(post.address, role, why or ("" if post == closest else lacking))
        if known.cover is None:
            return Nobody(lacking)
        reason = why or lacking
        return self._reach(known.cover, place, at=at, wakes=wakes, why=reason, tried=tried | {role})

    def _is_on_duty(self, role: Role, at: Instant) -> bool:
        if not role.hours:
            return True
        try:
            return self.hours[role.hours].is_open(at)
        except PastHorizon:
            # Past the calendar's end nobody knows who is on duty; telling somebody is safer.
            return True

    def _wait(self, role: Role, at: Instant) -> Reach:
        try:
            return WaitUntil(self.hours[role.hours].next_opening(at))
        except PastHorizon as past:
            return Nobody(str(past))

    def _on_stint(self, role: str, place: Whereabouts, at: Instant) -> list[Post]:
        """Posts of a role that are on a stint for a place, the latest to begin first.

        May be told of restricted cases: whoever has a standing post that may.
        """
        if not self.stints:
            return []
        trusted = {post.address for post in self.file.posts if post.restricted}
        on = [
            stint
            for stint in self.stints
            if stint.role == role
            and stint.is_on(at)
            and stint.district in ("", place.district)
            and stint.unit in ("", place.unit)
            and (stint.address in trusted or not place.restricted)
        ]
        return [
            Post(
                role=role,
                address=stint.address,
                district=stint.district,
                unit=stint.unit,
                restricted=stint.address in trusted,
            )
            for stint in sorted(on, key=lambda stint: -stint.from_at)
        ]

    @cached_property
    def _standing(self) -> Mapping[str, Sequence[Post]]:
        """The posts of each role, in the order of the file."""
        by_role: dict[str, list[Post]] = {}
        for post in self.file.posts:
            by_role.setdefault(post.role, []).append(post)
        return by_role

    def _post(
        self,
        role: str,
        place: Whereabouts,
        at: Instant,
        *,
        passing_over: frozenset[str] = frozenset(),
    ) -> Post | None:
        """The post closest to a case: its unit's, else its district's, else the force's.

        Of posts as close, whoever is on a stint of the duty roster.
        """
        closest = (
            lambda post: post.unit and post.unit == place.unit,
            lambda post: post.district and not post.unit and post.district == place.district,
            lambda post: not post.unit and not post.district,
        )
        holding = [
            post
            for post in (*self._on_stint(role, place, at), *self._standing.get(role, ()))
            if (post.restricted or not place.restricted) and post.address not in passing_over
        ]
        for fits in closest:
            for post in holding:
                if fits(post):
                    return post
        return None

    @classmethod
    def of(cls, file: RosterFile, calendars: Mapping[str, Calendar]) -> Self:
        """A roster whose file was checked."""
        return cls(file, calendars)


def bounced(role: Role) -> str:
    """Why somebody else is told, where mail to a role came back."""
    return f"mail to the {role.title} {BOUNCED}"


def read_roster(path: Path, calendars: Mapping[str, Calendar]) -> Roster:
    """Read `recipients.toml`; raises FaultsFound with every fault."""
    document = read_toml(path)
    try:
        file = RosterFile.model_validate(document.data)
    except ValidationError as error:
        raise FaultsFound(faults_of(error, file=str(path), locate=document.locate)) from None
    if faults := list(_faults(file, document, str(path), calendars)):
        raise FaultsFound(faults)
    return Roster.of(file, calendars)


def _faults(
    file: RosterFile, document: TomlDocument, path: str, calendars: Mapping[str, Calendar]
) -> Iterator[Fault]:
    def fault(*location: int | str, found: str, expected: str) -> Fault:
        line, column = document.locate(location) or (None, None)
        name = ".".join(map(str, location))
        return Fault(
            file=path, line=line, column=column, field=name, found=found, expected=expected
        )

    roles = ", ".join(sorted(file.roles))
    held = {post.role for post in file.posts}
    if file.fallback not in held:
        expected = "the fallback must be a role that a post holds"
        yield fault("fallback", found=repr(file.fallback), expected=expected)
    for name, role in file.roles.items():
        for part in ("out_of_hours", "cover"):
            other = getattr(role, part)
            if other is not None and other not in file.roles:
                yield fault("roles", name, part, found=repr(other), expected=f"one of: {roles}")
        if role.hours and role.hours not in calendars:
            known = ", ".join(sorted(calendars))
            expected = f"a calendar of the rules folder: {known}"
            yield fault("roles", name, "hours", found=repr(role.hours), expected=expected)
    for index, post in enumerate(file.posts):
        if post.role not in file.roles:
            yield fault("posts", index, "role", found=repr(post.role), expected=f"one of: {roles}")
