"""What people did by hand in the period: what, about what, in which role and why.

What comes in: what was asked. What goes out: a section. Accounts and addresses are never told.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from monitor.cycle.asked import BY_REPLY, case_of, reason_in_words, said_of_role, said_of_target
from monitor.cycle.exporting import ANOTHER
from monitor.report.evidence import Column, Row, Section, Table
from monitor.store import evidence as stored
from monitor.words import capital

if TYPE_CHECKING:
    from monitor.cycle.evidence.asked import Asked
    from monitor.store.evidence import Acted

_KINDS: Final = {
    "take": "took it on",
    "pass": "passed it on",
    "silence": "silenced telling",
    "confirm": "confirmed a claim",
    "close": "ended telling",
    "restate": "measured anew",
    "end": "took an action back",
    "approve": "approved",
    "activate rules": "put a rulebook in force",
    "undo intake": "undid an intake",
    "clear address": "cleared an address to which mail had bounced",
    "hold": "held mail",
    "release": "released mail",
}
_TELLS_OF_TARGET: Final = frozenset({"approve", "silence", "restate", "undo intake"})
"""Kinds whose target names no address: all others are told of without it, clocks apart."""

_NAMED: Final = {"undo intake": "intake "}


def section(asked: Asked) -> Section:
    """Manual actions."""
    found = list(_shown(asked))
    return Section(
        name="manual-actions",
        title="What people did by hand",
        paragraphs=(
            (
                "Every act that was typed or replied in the period, with the role in whose name"
                " it was done and the reason that was given; reasons are codes of a fixed list."
                " None of them changes what is measured, but for a confirmed claim, an intake"
                " undone and a clock measured anew, which are records themselves. The force keeps"
                " the account behind each number."
            ),
        ),
        tables=(_counts(found), _register(found)),
    )


def _shown(asked: Asked) -> Iterator[tuple[Acted, Row]]:
    acted = list(stored.actions_between(asked.connection, since=asked.since, until=asked.until))
    vocabulary = asked.monitor.rulebook.vocabulary
    hidden = stored.restricted_references(asked.connection, vocabulary.restricted_attribute or "")
    clocks = stored.named_by_clock(asked.connection, _clock_ids(acted))
    for each in acted:
        about = _about(each, clocks, hidden)
        if about is not None:
            yield each, _row(asked, each, about)


def _clock_ids(acted: Sequence[Acted]) -> set[int]:
    return {
        int(each.target.partition(" ")[2]) for each in acted if each.target.startswith("clock ")
    }


def _about(
    each: Acted, clocks: dict[int, tuple[str, str, bool]], hidden: frozenset[str]
) -> str | None:
    """What an act is about; None where that is a restricted case, of which nothing is told."""
    what, _, named = each.target.partition(" ")
    if what == "clock":
        reference, rule, restricted = clocks.get(int(named), ("", "", True))
        return None if restricted or reference in hidden else f"{reference}, rule {rule}"
    if what == "case":
        return None if case_of(each.target) in hidden else said_of_target(each.target)
    if each.kind == "end":
        return each.target
    if each.kind in _TELLS_OF_TARGET:
        return _NAMED.get(each.kind, "") + said_of_target(each.target)
    return ""


def _row(asked: Asked, each: Acted, about: str) -> Row:
    return (
        each.number,
        each.from_at,
        _KINDS.get(each.kind, each.kind),
        about,
        _role(asked, each),
        _reason(asked, each),
        each.until_at,
        each.ended_at,
    )


def _role(asked: Asked, each: Acted) -> str:
    return said_of_role(asked.monitor, each.role) or ANOTHER


def _reason(asked: Asked, each: Acted) -> str:
    if each.kind == "approve":
        return f"version {json.loads(each.detail)['version']}" if each.detail else ""
    if not each.reason_code:
        return ""
    if each.reason_code == BY_REPLY:
        return "by reply to an alert"
    return reason_in_words(asked.monitor, each.kind, each.reason_code)


# -- tables -----------------------------------------------------------------------------------


def _counts(found: Sequence[tuple[Acted, Row]]) -> Table:
    counted = Counter((row[2], row[5]) for _, row in found)
    rows = sorted((str(kind), str(reason), number) for (kind, reason), number in counted.items())
    return Table(
        name="manual-actions-by-kind",
        title="Acts by kind and reason",
        columns=(
            Column("kind", "Act"),
            Column("reason", "Reason"),
            Column("acts", "Acts", "count"),
        ),
        rows=[(capital(kind), reason, number) for kind, reason, number in rows],
    )


def _register(found: Sequence[tuple[Acted, Row]]) -> Table:
    return Table(
        name="manual-actions",
        title="Every act",
        columns=(
            Column("number", "Number", "number"),
            Column("at", "When", "instant"),
            Column("act", "Act"),
            Column("about", "About"),
            Column("role", "In which role"),
            Column("reason", "Reason"),
            Column("until", "Until", "instant"),
            Column("ended_at", "Taken back", "instant"),
        ),
        rows=[row for _, row in found],
        note="In the order of their numbers.",
        is_register=True,
    )
