"""Every clock as a row, for the terminal and for export.

What comes in: an installation and an instant. What goes out: rows of plain values, streamed.
Restricted cases are in no list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.clocks.verdicts import TrustedUntil, verdict
from monitor.model import Instant, KeptClock, Verdict
from monitor.rulebook.book import Rulebook
from monitor.store import clocks, intakes
from monitor.store.engine import reading

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor


class ClockRow(NamedTuple):
    """One clock as it says at an instant. Instants are microseconds UTC."""

    rule: str
    reference: str
    child: str
    organisation: str
    started_at: Instant
    due_at: Instant | None
    stopped_at: Instant | None
    verdict: Verdict
    on_trial: bool = False
    """Nobody has approved its rule: it tells nobody, and what it says is no decided policy."""


def clock_rows(monitor: Monitor, *, as_of: Instant, reference: str = "") -> Iterator[ClockRow]:
    """Every clock that had started by an instant, and what it says then as known today."""
    with reading(monitor.engine) as connection:
        trusted = trusted_until(intakes.list_feeds(connection))
        trial = frozenset(monitor.rulebook.documents.trial)
        references = [reference] if reference else []
        for named, kept in clocks.all_clocks(connection, references=references):
            if kept.clock.started_at <= as_of and not kept.clock.restricted:
                row = _row(named, kept, monitor.rulebook, trusted, as_of=as_of)
                measured_by = (kept.clock.key.rule, kept.clock.rule_version)
                yield row._replace(on_trial=True) if measured_by in trial else row


def trusted_until(feeds: Iterable[Mapping[Any, Any]]) -> TrustedUntil:
    """Feed → until when its silence means that nothing happened.

    Feeds without a timetable never fall silent and are left out.
    """
    return {row["name"]: row["trusted_until"] for row in feeds if row["trusted_until"] is not None}


def says(kept: KeptClock, rulebook: Rulebook, trusted: TrustedUntil, *, at: Instant) -> Verdict:
    """The verdict of a stored clock at an instant."""
    duty = rulebook.duty(kept.clock.key.rule, kept.clock.rule_version)
    return verdict(kept.clock, now=at, stop_feeds=duty.rule.stop_feeds, trusted_until=trusted)


def _row(
    reference: str,
    kept: KeptClock,
    rulebook: Rulebook,
    trusted: TrustedUntil,
    *,
    as_of: Instant,
) -> ClockRow:
    clock = kept.clock
    stopped = clock.stopped_at
    return ClockRow(
        rule=clock.key.rule,
        reference=reference,
        child=clock.key.child,
        organisation=clock.key.organisation,
        started_at=clock.started_at,
        due_at=clock.due_at,
        stopped_at=stopped if stopped is not None and stopped <= as_of else None,
        verdict=says(kept, rulebook, trusted, at=as_of),
    )
