"""Clocks as they were known then: for whole scopes, and what is said otherwise of them today.

What comes in: an installation, an open transaction, and up to which number of what was ever made
known (`store.known`). What goes out: rows of clocks as they stood, and how many duties of a period
changed their answer since. It does not care how rows are counted.

A case stands as it is stored, unless something has become known of it since: an event of it, or of
a case that was ever linked to it, was told or undone, or it was restated on purpose. Those cases
alone are folded anew, from their events up to the number, under the rulebook in force then.

Where another rulebook was made active since, those cases are folded anew too that have a clock
measured by a version or a calendar which that earlier rulebook had not, or one that gave way since;
where it cannot be told which (a version was dropped, or the words that measure changed), all are.
A clock that had ended keeps the measure by which it ended. When a warning is due is reckoned by
today's ladder where a case was not folded anew: no figure counts it. A feed's tolerance is today's.
A case that is restricted, then or now, is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from monitor.clocks.verdicts import TrustedUntil, verdict
from monitor.cycle.anew import Anew, Then, values_of
from monitor.model import Clock, Instant, Verdict
from monitor.report.figures import StopFeeds
from monitor.report.periods import Week, digest_due_at
from monitor.report.restated import Duty, Restated, changes
from monitor.report.row import ClockRow
from monitor.report.scopes import Scope
from monitor.report.wording import left_out, stop_feeds
from monitor.store import figures as stored
from monitor.store import intakes, known, known_since, outbox
from monitor.worktime.instants import parse_instant

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.store.engine import Connection


def rows_known_then(
    monitor: Monitor,
    connection: Connection,
    *,
    number: int,
    since: Instant,
    until: Instant,
    as_of: Instant,
    where: Mapping[str, str],
) -> Iterator[ClockRow]:
    """Every clock due from `since` to before `until`, or open at `as_of`, as known then.

    `number`: up to which everything was known. `as_of`: when figures were taken; it says too which
    rulebook was in force. Streamed, each clock once, in no particular order. `where`: column →
    value it must have.
    """
    then = _known_then(monitor, connection, number=number, as_of=as_of)
    fields = (*ClockRow._fields, "case_id")
    period: dict[str, Any] = {"since": since, "until": until, "as_of": as_of}
    for row in stored.clock_rows(connection, fields, **period, where=where):
        if row[-1] not in then.cases:
            yield ClockRow._make(row[:-1])
    for each in then.clocks:
        clock = each.clock
        is_due = clock.due_at is not None and since <= clock.due_at < until
        if (is_due or may_be_open(clock, as_of)) and _is_told_of(clock, where):
            yield ClockRow._make(values_of(each, ClockRow._fields))


def _is_told_of(clock: Clock, where: Mapping[str, str]) -> bool:
    return not clock.restricted and all(
        getattr(clock, name) == told for name, told in where.items()
    )


def may_be_open(clock: Clock, instant: Instant) -> bool:
    """Whether no fact had ended a clock by then, or only a claim that was not confirmed in time."""
    ends = (clock.stopped_at, clock.exempt_at, clock.void_at, clock.superseded_at)
    if clock.started_at > instant:
        return False
    if clock.confirm_by is not None and clock.confirm_by < instant:
        return True
    return all(end is None or end > instant for end in ends)


def _known_then(monitor: Monitor, connection: Connection, *, number: int, as_of: Instant) -> Then:
    anew = Anew(monitor, connection)
    told = known_since.cases_told_of_since(connection, number)
    return anew.then(told, number=number, as_of=as_of)


# -- what was restated since ------------------------------------------------------------------


class _DutyRow(NamedTuple):
    """What a verdict and a comparison need of a clock; every field is a column of that name."""

    case_id: int
    rule: str
    child: str
    organisation: str
    start: str
    rule_version: int
    started_at: Instant
    due_at: Instant | None
    due_soon_at: Instant | None
    stopped_at: Instant | None
    exempt_at: Instant | None
    void_at: Instant | None
    superseded_at: Instant | None
    breached_at: Instant | None
    confirm_by: Instant | None


def restated(
    monitor: Monitor,
    connection: Connection,
    *,
    number_then: int,
    as_of_then: Instant,
    now: Instant,
    since: Instant,
    until: Instant,
    where: Mapping[str, str],
) -> Restated:
    """Duties due from `since` to before `until` whose answer is another now than it was then.

    Then: as known up to `number_then`, at `as_of_then`. Now: as known now, at `now`. Both for the
    duties due before `as_of_then`: those that fell due later were pending in those figures.

    A change is what figures count apart: in time, not in time, unknown, exempt, void, or not
    counted. Not in time, whether open or closed, is one answer: what was open and overdue then and
    was closed late since ran its course. So these change, and nothing else does:
    - a fact told since, whenever it happened: a call recorded afterwards, a withdrawal, a decision,
      a retraction, an intake undone;
    - a claim that counted as in time then, and whose confirmation did not come in time;
    - a feed that was silent then and was heard since, or the other way round;
    - a duty that came into these figures or left them: learnt since, its start or its place
      corrected, its case merged with another, or under another rule;
    - a duty measured anew on purpose, or under a rulebook made active since.
    """
    then = _known_then(monitor, connection, number=number_then, as_of=as_of_then)
    fell_due: dict[str, Any] = {"since": since, "until": min(until, as_of_then), "where": where}
    out = left_out(monitor.rulebook)
    was = _Speaking(
        as_of_then, stop_feeds(then.rulebook), known.silent_at(connection, as_of_then), out
    )
    is_ = _Speaking(now, stop_feeds(monitor.rulebook), stored.trusted_until(connection), out)
    before: list[Duty] = []
    after: list[Duty] = []
    for row in map(_DutyRow._make, known_since.rows_due(connection, _DutyRow._fields, **fell_due)):
        if row.case_id in then.hidden:
            continue
        if row.case_id not in then.cases:
            before += was.duty(row, row.case_id)
        after += is_.duty(row, then.group_of.get(row.case_id, row.case_id))
    for each in then.clocks:
        due = each.clock.due_at
        if due is None or not fell_due["since"] <= due < fell_due["until"]:
            continue
        if _is_told_of(each.clock, where):
            row = _DutyRow._make(values_of(each, _DutyRow._fields))
            before += was.duty(row, then.group_of.get(each.case_id, each.case_id))
    return Restated(number_then=number_then, as_of_then=as_of_then, changes=changes(before, after))


@dataclass(frozen=True, slots=True)
class _Speaking:
    """What clocks say at an instant."""

    at: Instant
    feeds: StopFeeds
    trusted: TrustedUntil
    left_out: Collection[str]

    def duty(self, row: _DutyRow, case: int) -> Iterator[Duty]:
        """A duty that is in a cohort; none for what is in no figure."""
        if row.rule in self.left_out or row.started_at > self.at:
            return
        says = verdict(
            # A row has those fields of a clock that a verdict reads.
            cast("Clock", row),
            now=self.at,
            stop_feeds=self.feeds.get((row.rule, row.rule_version), ()),
            trusted_until=self.trusted,
        )
        if says is not Verdict.SUPERSEDED:
            key = (row.rule, row.child, row.organisation, row.start)
            yield Duty(case, row.case_id, *key, says)


# -- up to which number -----------------------------------------------------------------------


class KnownPoint(NamedTuple):
    """Up to where something is asked as known."""

    number: int
    as_of: Instant
    said: str
    """Which point that is, in words: for people."""


def known_point(
    monitor: Monitor, connection: Connection, text: str, scope: Scope, week: Week, *, now: Instant
) -> KnownPoint:
    """What `now`, `then` or an instant means for the digest of a scope and week.

    `then`: as its own digest was made; where none was, when it would have been due. Raises
    ValueError for words that are none of these, and for an instant that lies ahead.
    """
    if text == "now":
        return KnownPoint(intakes.last_number(connection), now, "as known now")
    if text == "then":
        made = outbox.digest_made(connection, scope=str(scope), period=str(week))
        if made is not None:
            return KnownPoint(made.known, made.made_at, "as known when its digest was made")
        at = min(_due_at(monitor, week), now)
        said = "as known when its digest would have been due (none was made)"
        return KnownPoint(known.number_known_at(connection, at), at, said)
    at = parse_instant(text)
    if at > now:
        msg = f"{text} lies ahead: nothing can be known then"
        raise ValueError(msg)
    return KnownPoint(known.number_known_at(connection, at), at, "as known at that time")


def _due_at(monitor: Monitor, week: Week) -> Instant:
    digest = monitor.settings.digest
    calendar = monitor.rulebook.calendars[digest.calendar]
    return digest_due_at(week, digest.weekday, digest.at, calendar=calendar, zone=monitor.zone)
