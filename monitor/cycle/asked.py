"""What people asked of telling, as it is read: about a clock, and what is in force now.

What comes in: an installation, clocks, now. What goes out: actions of clocks, silences and closes
in force, and who asked and why in the words that mails and lists use. A restricted case is named to
nobody but those who may see it. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor import words
from monitor.clocks.verdicts import verdict
from monitor.escalate.orders import ActionKind, orders, targets
from monitor.model import Action, Instant, KeptClock, Verdict
from monitor.store import actions, cases, clocks
from monitor.store.engine import Connection, reading

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

CLOSED_NAMED: Final = 10
"""So many cases closed by hand are named in a digest, the oldest first."""

BY_REPLY: Final = "by_reply"
"""The reason of whoever answers a mail: the answer gives none."""


def actions_of(connection: Connection, kept: Collection[KeptClock]) -> dict[int, list[Action]]:
    """Clock id → every action about it, those before it, its case or its rule, oldest first."""
    if not kept:
        return {}
    references = cases.references_standing(connection, {each.case_id for each in kept})
    meant = {each.id: targets(each, references.get(each.case_id, ())) for each in kept}
    wanted = {target for named in meant.values() for target in named}
    found: dict[str, list[Action]] = {}
    for action in actions.actions_about(connection, wanted):
        found.setdefault(action.target, []).append(action)
    return {
        id_: sorted(action for target in named for action in found.get(target, ()))
        for id_, named in meant.items()
    }


def closed_among(connection: Connection, kept: Collection[KeptClock]) -> set[int]:
    """Those of some clocks whose telling somebody ended for good."""
    asked = actions_of(connection, kept)
    return {each.id for each in kept if orders(each, asked[each.id], ()).closed is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceInForce:
    """Telling rests. A restricted case is not named."""

    number: int
    about: str
    """`rule missing-council`, `PPN-2027-004211`, `PPN-2027-004211, rule missing-council`."""
    until_at: Instant
    by: str
    """A role in words; empty where none was given."""
    reason: str
    restricted: bool
    """Whether it is about a restricted case, which it then does not name."""
    places: tuple[tuple[str, str], ...] = ()
    """(district, unit) of the case that it is about; none for a rule, which is everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedByHand:
    """The telling of an overdue clock was ended for good; it is measured on."""

    number: int
    reference: str
    rule: str
    due_at: Instant | None
    reason: str
    district: str
    unit: str


def silences_in_force(
    monitor: Monitor, connection: Connection, *, now: Instant
) -> list[SilenceInForce]:
    """Every silence that has not ended, the one that ends first first."""
    found = []
    for action in actions.actions_of_kind(connection, [ActionKind.SILENCE]):
        if action.until_at is None or action.until_at <= now or action.ended_at is not None:
            continue
        about = _case_clocks(connection, action)
        restricted = any(kept.clock.restricted for kept in about)
        found.append(
            SilenceInForce(
                number=action.number,
                about="a restricted case" if restricted else said_of_target(action.target),
                until_at=action.until_at,
                by=said_of_role(monitor, action.on_behalf_of),
                reason=reason_in_words(monitor, action.kind, action.reason_code),
                restricted=restricted,
                places=tuple({(kept.clock.district, kept.clock.unit) for kept in about}),
            )
        )
    return sorted(found, key=lambda each: (each.until_at, each.number))


def _case_clocks(connection: Connection, action: Action) -> list[KeptClock]:
    return concerned(connection, action) if action.target.startswith("case ") else []


def said_of_target(target: str) -> str:
    """What an action is about, as a person reads it."""
    return target.removeprefix("case ").replace(" rule ", ", rule ")


def closed_by_hand(monitor: Monitor, connection: Connection, *, now: Instant) -> list[ClosedByHand]:
    """Clocks that are overdue and of which nobody is told any more, the oldest first."""
    ended = [
        action
        for action in actions.actions_of_kind(connection, [ActionKind.CLOSE])
        if action.ended_at is None
    ]
    named = {int(action.target.partition(" ")[2]): action for action in ended}
    found: dict[int, ClosedByHand] = {}
    for clock_id, action in named.items():
        for kept in clocks.clocks_by_id(connection, standing(connection, [clock_id])):
            if kept.clock.restricted or verdict(kept.clock, now=now) is not Verdict.OVERDUE:
                continue
            found[kept.id] = ClosedByHand(
                number=action.number,
                reference=cases.references_of(connection, [kept.case_id])[kept.case_id],
                rule=kept.clock.key.rule,
                due_at=kept.clock.due_at,
                reason=reason_in_words(monitor, action.kind, action.reason_code),
                district=kept.clock.district,
                unit=kept.clock.unit,
            )
    return sorted(found.values(), key=lambda each: (each.due_at or 0, each.number))


def people_in_words(
    monitor: Monitor, connection: Connection, where: Mapping[str, str], *, now: Instant
) -> tuple[str, ...]:
    """What a digest says of silences in force and of what was closed by hand, in sentences.

    `where`: `district` or `unit` → the one of the digest's readers; empty for the whole force.
    """
    silences = [
        f"Nobody is told of {rest.about} until {_when(monitor, rest.until_at, now=now)}:"
        f" {rest.reason}. It is measured on."
        for rest in silences_in_force(monitor, connection, now=now)
        if not rest.restricted and _is_of(where, rest.places)
    ]
    closed = [
        each
        for each in closed_by_hand(monitor, connection, now=now)
        if _is_of(where, [(each.district, each.unit)])
    ]
    if not closed:
        return tuple(silences)
    named = words.listed([f"{each.reference} ({each.rule})" for each in closed[:CLOSED_NAMED]])
    more = len(closed) - CLOSED_NAMED
    others = f", and {more} more" if more > 0 else ""
    number = words.count(len(closed), "overdue duty was", "overdue duties were")
    said = f"{number} closed by hand, and nobody is told any more: {named}{others}."
    return (*silences, words.capital(f"{said} In every figure they stay overdue."))


def _is_of(where: Mapping[str, str], places: Collection[tuple[str, str]]) -> bool:
    """Whether any of some places, or everywhere where there are none, is in a scope."""
    if not places:
        return True
    return any(
        where.get("district", district) == district and where.get("unit", unit) == unit
        for district, unit in places
    )


def _when(monitor: Monitor, instant: Instant, *, now: Instant) -> str:
    return words.when(instant, at=now, zone=monitor.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAction:
    """One thing that somebody did, for an operator."""

    number: int
    kind: str
    about: str
    actor: str
    by: str
    reason: str
    from_at: Instant
    until_at: Instant | None
    ended: bool


def list_actions(monitor: Monitor, *, actor: str, limit: int) -> list[ListedAction]:
    """The newest of what people did; those about restricted cases only for accounts that may."""
    kinds = [kind for kind in ActionKind if kind is not ActionKind.END]
    with reading(monitor.engine) as connection:
        found = actions.newest_actions(connection, kinds, limit=limit)
        return [
            ListedAction(
                number=action.number,
                kind=action.kind,
                about=about,
                actor=action.actor,
                by=said_of_role(monitor, action.on_behalf_of),
                reason=reason_in_words(monitor, action.kind, action.reason_code),
                from_at=action.from_at,
                until_at=action.until_at,
                ended=action.ended_at is not None,
            )
            for action in found
            if (about := _about(monitor, connection, action, actor=actor))
        ]


def _about(monitor: Monitor, connection: Connection, action: Action, *, actor: str) -> str:
    """What an action is about, in words; empty where this account may not see it."""
    what, _, named = action.target.partition(" ")
    if what == "case":
        return (
            ""
            if is_hidden(monitor, _case_clocks(connection, action), actor=actor)
            else (said_of_target(action.target))
        )
    if what != "clock":
        return said_of_target(action.target)
    kept = clocks.clocks_by_id(connection, [int(named)])
    if not kept or is_hidden(monitor, kept, actor=actor):
        return ""
    references = cases.references_of(connection, [kept[0].case_id])
    return f"{references[kept[0].case_id]}, rule {kept[0].clock.key.rule}"


def standing(connection: Connection, clock_ids: Collection[int]) -> set[int]:
    """Clocks, or those that took their place."""
    meant = clocks.clocks_by_id(connection, clock_ids)
    gone = [kept for kept in meant if kept.clock.superseded_at is not None]
    standing = {kept.id for kept in meant}
    linked = cases.linked_case_ids(connection, {kept.case_id for kept in gone}) if gone else ()
    for heir in clocks.clocks_of(connection, linked) if linked else []:
        replaced = {kept.id for kept in gone if kept.id in heir.inherits}
        if replaced and heir.clock.superseded_at is None:
            standing = (standing - replaced) | {heir.id}
    return standing


def concerned(connection: Connection, action: Action) -> list[KeptClock]:
    """The clocks that an action names, locked; or those of the case that it names."""
    what, _, named = action.target.partition(" ")
    if what == "clock":
        return clocks.lock_clocks(connection, standing(connection, [int(named)]))
    if what == "case":
        reference = case_of(action.target)
        known = cases.standing_case_ids(connection, [reference]).values()
        return clocks.clocks_of(connection, cases.linked_case_ids(connection, known))
    return []


def case_of(target: str) -> str:
    """The reference that an action names; empty where it names no case."""
    if not target.startswith("case "):
        return ""
    return target.removeprefix("case ").partition(" rule ")[0]


# -- in words ---------------------------------------------------------------------------------


def is_hidden(monitor: Monitor, kept: Iterable[KeptClock], *, actor: str) -> bool:
    """Whether a case is restricted and this account is not one that may see it."""
    if actor in monitor.settings.people.restricted_accounts:
        return False
    return any(each.clock.restricted for each in kept)


def unknown(reference: str) -> str:
    """The same words for what is not known and for what is not to be shown."""
    return f"nothing is known of {reference} that may be shown to this account"


def said_of_role(monitor: Monitor, on_behalf_of: str) -> str:
    """How people call whoever asked: `east duty inspector`; empty where that was not said."""
    if not on_behalf_of:
        return ""
    district, _, role = words.without_article(on_behalf_of).rpartition(" ")
    return f"{district} {monitor.roster.title(role)}".strip()


def reason_in_words(monitor: Monitor, kind: str, code: str) -> str:
    """A reason code as the vocabulary words it."""
    if code == BY_REPLY:
        return "by reply to an alert"
    return reasons(monitor, kind).get(code, code.replace("_", " "))


def reasons(monitor: Monitor, kind: str) -> dict[str, str]:
    """Reason codes of an act, in words."""
    for known, codes in monitor.rulebook.vocabulary.action_reasons.items():
        if known == kind:
            return codes
    return {}
