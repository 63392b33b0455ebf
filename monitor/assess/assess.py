"""The assess stage: cases that changed are folded, and their clocks stored.

What comes in: case ids whose rows this transaction has locked. What goes out: stored clocks that
say what the events say. It does not care why a case changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from monitor.assess.links import Joined, joined_cases
from monitor.assess.reconcile import reconcile
from monitor.clocks.fold import fold
from monitor.model import Clock, Duration, Event, Instant
from monitor.rulebook.book import Rulebook
from monitor.store import cases as stored_cases
from monitor.store import clocks as stored_clocks
from monitor.store.engine import Connection

MANY: Final = 200
"""So many cases are quicker folded at once."""

NOTHING_AT_HAND: Mapping[int, Sequence[Event]] = {}


def assess_cases(
    connection: Connection,
    case_ids: Collection[int],
    rulebook: Rulebook,
    *,
    tolerances: Mapping[str, Duration],
    now: Instant,
    whole: Mapping[int, Sequence[Event]] = NOTHING_AT_HAND,
    restated: Collection[str] = (),
) -> None:
    """Fold cases, and all that are linked to them, and store the clocks that they should have.

    `whole`: cases of which all events are at hand and need not be read. `restated`: rules whose
    clocks are measured anew though they have ended.

    Read, decide, write: all cases' rows are locked, all their events read, then folded, then the
    differences to the stored clocks written.
    """
    neighbours = stored_cases.lock_linked(connection, case_ids)
    linked = frozenset(case_ids).union(*neighbours)
    events = {**whole, **stored_cases.events_of(connection, linked.difference(whole))}
    kept = stored_clocks.clocks_of(connection, linked, to_write=True)
    references = stored_cases.references_of(connection, frozenset().union(*neighbours))

    joined = [
        each
        for group in neighbours
        for each in joined_cases({case_id: events[case_id] for case_id in group}, references)
    ]
    alone = linked.difference(*neighbours)
    folded = fold_each(alone, joined, events, rulebook, tolerances)
    changes = reconcile(kept, folded, rulebook, groups=neighbours, now=now, restated=restated)

    stored_cases.set_merged(connection, _merged_into(joined), of=linked)
    stored_clocks.insert_clocks(connection, changes.new)
    stored_clocks.update_clocks(connection, changes.updated)
    stored_cases.mark_assessed(connection, linked)


def fold_each(
    alone: Collection[int],
    joined: Sequence[Joined],
    events: Mapping[int, Sequence[Event]],
    rulebook: Rulebook,
    tolerances: Mapping[str, Duration],
) -> dict[int, list[Clock]]:
    """Case → its clocks; a case that another stands for has none of its own."""
    folded = _fold_alone({case_id: events[case_id] for case_id in alone}, rulebook, tolerances)
    for root, members in joined:
        together = [event for case_id in members for event in events[case_id]]
        folded[root] = fold(together, rulebook, tolerances=tolerances)
    return folded


def _fold_alone(
    cases: Mapping[int, Sequence[Event]], rulebook: Rulebook, tolerances: Mapping[str, Duration]
) -> dict[int, list[Clock]]:
    if len(cases) < MANY:
        return {
            case_id: fold(events, rulebook, tolerances=tolerances)
            for case_id, events in cases.items()
        }
    # Here, since it brings a library along that a monitor at rest has no use for.
    from monitor.clocks.together import fold_together  # noqa: PLC0415

    return fold_together(cases, rulebook, tolerances=tolerances)


def _merged_into(joined: Sequence[Joined]) -> dict[int, int]:
    return {case_id: root for root, members in joined for case_id in members if case_id != root}
