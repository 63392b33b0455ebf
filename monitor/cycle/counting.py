"""Reading what figures are made of, and counting it: for digests and for evidence.

What comes in: an installation, an open transaction, a period, and which columns of a clock must
hold which value. What goes out: plain figures, as known now. It words nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.clocks.steps import Step
from monitor.clocks.steps import first_done as first_done_of
from monitor.clocks.timeline import Fact, live_facts
from monitor.cycle.known_then import KnownPoint, rows_known_then
from monitor.escalate.orders import ActionKind, about_case, about_clock, about_rule_of_case
from monitor.model import DAY, HOUR, Event, Instant
from monitor.report.cohort import RECORDED_LATE_AFTER
from monitor.report.completeness import Completeness, completeness
from monitor.report.figures import Figures, figures
from monitor.report.plain import SEPARATOR, Group, plain_duties
from monitor.report.questions import PARTS, NearLimit, near_limits
from monitor.report.row import ClockRow
from monitor.report.stages import CaseSteps, StepFigures, StepNames, step_figures
from monitor.report.trust import FeedHours, FeedState, Said, Silence, feed_hours
from monitor.report.wording import left_out, stop_feeds
from monitor.store import actions, cases, intakes, known
from monitor.store import figures as stored
from monitor.store import steps as stored_steps
from monitor.store.rows import in_parts
from monitor.store.series import plain_tenths
from monitor.worktime.limits import Unit

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.report.periods import Week
    from monitor.rulebook.book import Rulebook
    from monitor.store.engine import Connection

WEEKS_BEFORE = 26
"""From so many weeks before comes what is usual of a step."""


def count(
    monitor: Monitor,
    connection: Connection,
    *,
    since: Instant,
    until: Instant,
    now: Instant,
    where: Mapping[str, str],
    with_spans: bool = False,
    then: KnownPoint | None = None,
) -> Figures:
    """The figures of what fell due from `since` to before `until`, as they stand at `now`.

    `then`: up to where everything was known, which is `now` of then; None: all that is known today.
    """
    period: dict[str, Any] = {"since": since, "until": until, "as_of": now}
    asked: dict[str, Any] = {**period, "where": where}
    rows: Iterator[ClockRow]
    if then is None:
        read = stored.clock_rows(connection, ClockRow._fields, **asked, with_plain=False)
        rows = map(ClockRow._make, read)
        plain = stored.plain_rows(
            connection,
            **asked,
            recorded_late_after=RECORDED_LATE_AFTER,
            group=Group._fields,
            separator=SEPARATOR,
        )
        trusted = stored.trusted_until(connection)
    else:
        rows = rows_known_then(monitor, connection, number=then.number, **asked)
        plain = iter(())
        trusted = known.silent_at(connection, now)
    return figures(
        rows,
        **period,
        plain=plain_duties(plain),
        risks=tuple(monitor.rulebook.vocabulary.risks),
        stop_feeds=stop_feeds(monitor.rulebook),
        trusted_until=trusted,
        left_out=left_out(monitor.rulebook),
        no_notice_rule=monitor.settings.digest.no_notice_rule,
        trial=frozenset(monitor.rulebook.documents.trial),
        with_spans=with_spans,
    )


def heard(connection: Connection, *, since: Instant, until: Instant) -> tuple[FeedHours, ...]:
    """How long each feed was heard from `since` to before `until`."""
    states = [FeedState(**row) for row in stored.feeds_heard(connection)]
    silences = [
        Silence(row["feed"], row["silent_from"], row["silent_to"])
        for row in intakes.list_gaps(connection, since=since, until=until)
    ]
    return feed_hours(states, silences, since=since, until=until)


# -- what was said ----------------------------------------------------------------------------

TAKEN_SOON = 2 * HOUR


def said(
    connection: Connection, *, since: Instant, until: Instant, where: Mapping[str, str]
) -> Said:
    """What was decided to be said from `since` to before `until`, and how much of it was taken."""
    period: dict[str, Any] = {"since": since, "until": until, "where": where}
    return Said(**stored.alert_counts(connection, **period), taken=_taken(connection, **period))


def _taken(connection: Connection, **period: Any) -> int:
    """Alerts after which somebody took the clock, its case or its rule within two hours."""
    takes: defaultdict[str, list[Instant]] = defaultdict(list)
    for action in actions.actions_of_kind(connection, [ActionKind.TAKE]):
        takes[action.target].append(action.from_at)
    if not takes:
        return 0
    sent = list(stored.sent_alerts(connection, **period))
    references = cases.references_standing(connection, {each.case_id for each in sent})
    return sum(
        any(
            each.sent_at <= at <= each.sent_at + TAKEN_SOON
            for target in _targets(each, references.get(each.case_id, ()))
            for at in takes.get(target, ())
        )
        for each in sent
    )


def _targets(sent: stored.SentAlert, references: Iterable[str]) -> Iterator[str]:
    yield from map(about_clock, (sent.clock_id, *sent.inherits))
    for reference in references:
        yield about_case(reference)
        yield about_rule_of_case(reference, sent.rule)


# -- about the limits -------------------------------------------------------------------------


def limits(
    monitor: Monitor,
    connection: Connection,
    week: Week,
    *,
    now: Instant,
    where: Mapping[str, str],
) -> Mapping[str, NearLimit]:
    """How the duties of half a year up to a week lie about limits that run on clock hours.

    Others end with the hours of an office, and what ends with them is bunched of itself.
    """
    counted = plain_tenths(
        connection,
        since=_weeks_to(week)[1].first(monitor.zone),
        until=week.end(monitor.zone),
        as_of=now,
        where=where,
        rules=_by_the_clock(monitor.rulebook),
        tenths=(PARTS - 2, PARTS - 1, PARTS),
    )
    return near_limits(counted)


def _by_the_clock(rulebook: Rulebook) -> frozenset[str]:
    apart = left_out(rulebook)
    return frozenset(
        rule_id
        for rule_id in rulebook.duties
        if rule_id not in apart and rulebook.newest(rule_id).rule.threshold.unit is Unit.ELAPSED
    )


# -- the way of a notice ----------------------------------------------------------------------


class Way(NamedTuple):
    """How the notices of a week, or of a longer period, went their way."""

    cases: int
    """Whose first duty to a partner fell due in it."""
    steps: tuple[StepFigures, ...]
    completeness: Completeness


def way_of_notices(
    monitor: Monitor,
    connection: Connection,
    week: Week,
    *,
    now: Instant,
    where: Mapping[str, str],
) -> Way:
    """How long each step took in a week and in those before it, and what its notices record."""
    starts = [each.first(monitor.zone) for each in _weeks_to(week)]
    return _way(monitor, connection, starts, week.end(monitor.zone), now=now, where=where)


def way_in_period(
    monitor: Monitor,
    connection: Connection,
    *,
    since: Instant,
    until: Instant,
    now: Instant,
    where: Mapping[str, str],
) -> Way:
    """The same of one period, without what was usual before."""
    return _way(monitor, connection, [since], until, now=now, where=where)


def _way(
    monitor: Monitor,
    connection: Connection,
    starts: Sequence[Instant],
    until: Instant,
    *,
    now: Instant,
    where: Mapping[str, str],
) -> Way:
    """Of the last of several spans, which end where the next begins."""
    settings = monitor.settings.digest
    # A case's first duty may lie before the first span; those that do are of no span here.
    span: dict[str, Any] = {
        "since": starts[0] - 31 * DAY,
        "until": until,
        "where": where,
        "left_out": left_out(monitor.rulebook),
    }
    due = list(stored_steps.due_cases(connection, **span, as_of=now))
    place_of, waits_for = _placed(due, starts)
    names = StepNames(
        tuple(stage.kind for stage in monitor.rulebook.vocabulary.stages),
        settings.told,
        settings.acknowledged,
    )
    done = _steps_done(connection, names, span)
    last = len(starts) - 1
    ours = [case_id for case_id, place in place_of.items() if place == last]
    return Way(
        cases=len(ours),
        steps=step_figures(
            (
                CaseSteps(place, done.get(case_id, {}), waits_for.get(case_id, ()))
                for case_id, place in place_of.items()
            ),
            names,
            week=last,
            as_of=now,
        ),
        completeness=_completeness(connection, ours, settings.notice, settings.quality),
    )


def _weeks_to(week: Week) -> list[Week]:
    """A week and those before it that say what is usual, oldest first."""
    weeks = [week]
    while len(weeks) <= WEEKS_BEFORE:
        weeks.append(weeks[-1].earlier)
    return weeks[::-1]


def _placed(
    due: Iterable[stored_steps.DueCase], starts: Sequence[Instant]
) -> tuple[dict[int, int], dict[int, list[str]]]:
    """Case → the place of its week, and → the partners that it is overdue to."""
    first: dict[int, Instant] = {}
    waits_for: defaultdict[int, list[str]] = defaultdict(list)
    for case_id, partner, due_at, is_open in due:
        first[case_id] = min(due_at, first.get(case_id, due_at))
        if is_open:
            waits_for[case_id].append(partner)
    places = {case_id: bisect_right(starts, at) - 1 for case_id, at in first.items()}
    return {case_id: place for case_id, place in places.items() if place >= 0}, waits_for


def _steps_done(
    connection: Connection, names: StepNames, span: Mapping[str, Any]
) -> dict[int, dict[Step, Instant]]:
    """Case → its steps: by the set where every event counts as told, folded where not."""
    found: defaultdict[int, dict[Step, Instant]] = defaultdict(dict)
    weighed = stored_steps.weighed(connection, **span)
    done = stored_steps.first_done(connection, names.kinds, **span, weighed=weighed)
    for case_id, kind, partner, at in done:
        found[case_id][Step(kind, partner)] = at
    for case_id, facts in _facts_of(connection, weighed):
        found[case_id] = first_done_of(facts, names.kinds)
    return found


def _facts_of(
    connection: Connection, roots: Iterable[int]
) -> Iterator[tuple[int, tuple[Fact, ...]]]:
    """Case → what holds of it and of those joined to it."""
    members = stored_steps.members_of(connection, list(roots))
    events = cases.events_of(connection, list(members))
    told: defaultdict[int, list[Event]] = defaultdict(list)
    for case_id, root in members.items():
        told[root] += events[case_id]
    for root, each in told.items():
        yield root, live_facts(each).facts


def _completeness(
    connection: Connection, case_ids: Sequence[int], notice: str, asked: Mapping[str, str]
) -> Completeness:
    facts = (facts for part in in_parts(case_ids) for _, facts in _facts_of(connection, part))
    return completeness(facts, notice, asked)
