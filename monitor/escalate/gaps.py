"""Hours at which nobody would hear: roles that cannot be reached, partners without a route.

What comes in: a rulebook, the roster, the partners and the week to look at. What goes out: findings
in words. It does not care whether anything is overdue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.escalate.roster import Nobody, Roster, WaitUntil, Whereabouts
from monitor.model import DAY, HOUR, Instant
from monitor.rulebook.findings import Finding
from monitor.rulebook.language import HOLDER, Alerts
from monitor.worktime.zones import local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.escalate.partners import Partners
    from monitor.rulebook.book import Rulebook

_A_WEEK: Final = 7 * DAY
_LONGEST_WAIT: Final = 4 * DAY
"""A bank-holiday weekend shuts an office for so long; whoever is away longer is not there."""
_NAMED: Final = 3
"""So many rules or spans of hours are named, and the rest counted."""

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class _Asked(NamedTuple):
    """A role that some rule tells, and whether it may be woken."""

    role: str
    wakes: bool
    rules: tuple[str, ...]


def gaps(
    rulebook: Rulebook, roster: Roster, partners: Partners, *, now: Instant, zone: ZoneInfo
) -> list[Finding]:
    """Every role and partner that cannot be reached at some hour of the week that begins now."""
    hours = range(now - now % HOUR, now + _A_WEEK, HOUR)
    return [
        *_roles(rulebook, roster, hours, zone),
        *_partners(rulebook, partners, hours, zone),
    ]


# -- roles ------------------------------------------------------------------------------------


def _roles(
    rulebook: Rulebook, roster: Roster, hours: Iterable[Instant], zone: ZoneInfo
) -> Iterator[Finding]:
    districts = sorted({post.district for post in roster.file.posts} | {""})
    for asked in _asked(rulebook):
        named = ", ".join(asked.rules[:_NAMED])
        named += " and others" if asked.rules[_NAMED:] else ""
        if asked.role not in roster.file.roles:
            yield Finding(
                f"role {asked.role}",
                f"{named} would tell it, and no such role is in the recipients",
                "add the role and a post that holds it",
            )
            continue
        found = {
            district: _unreached(roster, asked, district, hours, zone) for district in districts
        }
        yield from _said_of_role(asked, named, found)


def _said_of_role(asked: _Asked, named: str, found: dict[str, str]) -> Iterator[Finding]:
    """One finding where all districts are alike; otherwise one for each."""
    if len(set(found.values())) == 1:
        found = {"": next(iter(found.values()))}
    for district, why in found.items():
        if why:
            where = f" in {district}" if district else ""
            yield Finding(
                f"role {asked.role}",
                f"{named} would tell it{where}, and {why}",
                "give it a post there, hours, a cover or a role for out of hours",
            )


def _asked(rulebook: Rulebook) -> Iterator[_Asked]:
    """Roles that the newest versions of rules tell; a holder stands for each stage's."""
    rules: dict[tuple[str, bool], list[str]] = {}
    holders = [stage.holder for stage in rulebook.vocabulary.stages]
    for rule_id, duties in rulebook.duties.items():
        duty = duties[-1]
        if duty.ladder is None or duty.rule.alerts is not Alerts.ON:
            continue
        told = {rung.tell for rung in duty.ladder.rungs}
        told |= {duty.ladder.repeat.tell} if duty.ladder.repeat else set()
        for role in sorted((told - {HOLDER}) | (set(holders) if HOLDER in told else set())):
            rules.setdefault((role, duty.rule.wakes), []).append(rule_id)
    for (role, wakes), ids in sorted(rules.items()):
        yield _Asked(role, wakes, tuple(ids))


def _unreached(
    roster: Roster, asked: _Asked, district: str, hours: Iterable[Instant], zone: ZoneInfo
) -> str:
    """In words, when and why nobody is reached; empty where somebody always is, in time."""
    place = Whereabouts(district, "", restricted=False)
    lacking: list[Instant] = []
    why = ""
    for at in hours:
        reach = roster.reach(asked.role, place, at=at, wakes=asked.wakes)
        if isinstance(reach, Nobody):
            lacking.append(at)
            why = reach.why
        elif isinstance(reach, WaitUntil) and (asked.wakes or reach.instant - at > _LONGEST_WAIT):
            lacking.append(at)
            why = "it is off duty and nobody stands in"
    return f"{why}: {_when(lacking, zone)}" if lacking else ""


# -- partners ---------------------------------------------------------------------------------


def _partners(
    rulebook: Rulebook, partners: Partners, hours: Iterable[Instant], zone: ZoneInfo
) -> Iterator[Finding]:
    told = [duties[-1].rule for duties in rulebook.duties.values()]
    kinds = sorted({rule.partner for rule in told if rule.partner and rule.alerts is Alerts.ON})
    waking = {rule.partner for rule in told if rule.wakes and rule.alerts is Alerts.ON}
    for kind in kinds:
        codes = [code for one, code in partners.by_code if one == kind]
        if not codes:
            yield Finding(
                f"partner {kind}",
                "alerts ask people to ring one, and no telephone of any is configured",
                "add its organisations to the partners",
            )
        for code in codes if kind in waking else ():
            silent = [at for at in hours if not partners.is_answered(kind, code, at)]
            if silent:
                yield Finding(
                    f"partner {kind} {code}",
                    "alerts may come at any hour, and no route of it is open"
                    f" {_when(silent, zone)}",
                    "add a route for out of hours",
                )


# -- hours in words ---------------------------------------------------------------------------


def _when(hours: list[Instant], zone: ZoneInfo) -> str:
    """`at every hour`, or the first spans of the week: `Sat 13:00-Sun 09:00`."""
    if len(hours) * HOUR >= _A_WEEK:
        return "at every hour"
    spans = [
        (run[0], run[-1] + HOUR)
        for _, group in groupby(enumerate(hours), key=lambda pair: pair[1] - pair[0] * HOUR)
        for run in [[at for _, at in group]]
    ]
    said = [f"{_moment(begin, zone)} to {_moment(end, zone)}" for begin, end in spans[:_NAMED]]
    more = len(spans) - len(said)
    return ", ".join(said) + (f" and {more} more times a week" if more else "")


def _moment(at: Instant, zone: ZoneInfo) -> str:
    shown = local(at, zone)
    return f"{_DAYS[shown.weekday()]} {shown:%H:%M}"
