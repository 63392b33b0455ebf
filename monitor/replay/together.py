"""A history under two rulebooks, of all the cases at once in which nobody would be told anything.

What comes in: the events of many cases by column, and the rulebooks. What goes out: a tally of what
their clocks say, and which cases are not in it: those that must be lived through one by one, since
something has to be weighed there or somebody would be told. It answers as living through them does,
or not at all (a property test).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from monitor.clocks.columns import NONE, Codes, Flags, Histories
from monitor.clocks.record import RECORDED_FIELDS
from monitor.clocks.together import Runs, attributes_asked, measure
from monitor.model import Duration, Instant, Verdict
from monitor.rulebook.book import Duty, Rulebook
from monitor.rulebook.language import Alerts
from monitor.worktime.bulk import Instants

_SAYS: Final = (Verdict.RUNNING, Verdict.DUE_SOON, Verdict.OVERDUE, Verdict.MET, Verdict.LATE)
_NO_CLOCK: Final = -1

EXAMPLES: Final = 5
"""So many cases are named of each change."""


class Count(NamedTuple):
    """So many clocks of a rule that say one thing before and another, or the same, after."""

    rule: str
    district: str
    category: str
    before: Verdict | None
    """None: only the other rulebook has this clock."""
    after: Verdict | None
    clocks: int
    cases: tuple[int, ...]
    """A few of the cases, in the order of `Histories`."""


class Together(NamedTuple):
    """What could be told of many cases at once."""

    counts: list[Count]
    is_counted: Flags
    """For each case: whether its clocks are among the counts."""


def asked_of_events(rulebooks: Iterable[Rulebook]) -> frozenset[str]:
    """What must be read of an event beside its times, kind and whom it is about."""
    asked = {"district", "category"}
    for rulebook in rulebooks:
        asked |= attributes_asked(rulebook)
    return frozenset(asked)


def as_all_learnt_then(histories: Histories) -> Histories:
    """Histories as if this monitor had been running, as the same is said of one event."""
    written = np.where(histories.recorded_at == NONE, histories.occurred_to, histories.recorded_at)
    learnt_at = np.maximum(histories.occurred_to, written)
    return histories._replace(received_at=np.minimum(histories.received_at, learnt_at))


def tried_together(
    histories: Histories,
    *,
    alike: Rulebook,
    before: Rulebook,
    after: Rulebook,
    tolerances: Mapping[str, Duration],
    since: Instant,
    until: Instant,
) -> Together:
    """What the clocks say that start from `since` on and before `until`, as they stand then.

    `alike`: the rules that are the same under both rulebooks.
    """
    histories = _received_by(histories, until)
    sides = [_Side(each, histories, tolerances, since, until) for each in (alike, before, after)]
    is_counted = sides[0].is_quiet & sides[1].is_quiet & sides[2].is_quiet
    same, *changed = sides
    counts = [*_counts(histories, same.says(is_counted), same.says(is_counted))]
    counts += _counts(histories, *(side.says(is_counted) for side in changed))
    return Together(counts, is_counted)


def _received_by(histories: Histories, until: Instant) -> Histories:
    """What was received later is not looked at."""
    known = histories.received_at <= until
    if known.all():
        return histories
    return histories.of(known)


class _Says(NamedTuple):
    """What the clocks of one rule say, a row for each."""

    case: Instants
    child: Codes
    organisation: Codes
    district: Codes
    category: Codes
    verdict: Instants
    """Places in _SAYS."""


class _Side:
    """One rulebook over many cases."""

    def __init__(
        self,
        rulebook: Rulebook,
        histories: Histories,
        tolerances: Mapping[str, Duration],
        since: Instant,
        until: Instant,
    ) -> None:
        measured = measure(histories, rulebook, tolerances=tolerances)
        self._runs = measured.runs
        self._since, self._until = since, until
        self.is_quiet: Flags = measured.is_sure & ~_Telling(rulebook, histories, until).by(
            measured.runs
        )

    def says(self, among: Flags) -> dict[str, _Says]:
        """Rule → what its clocks of some cases say that start in the period."""
        found: dict[str, list[_Says]] = {}
        for runs in self._runs:
            wanted = runs.of(
                among[runs.case]
                & (runs.started_at >= self._since)
                & (runs.started_at < self._until)
            )
            recorded = dict(zip(RECORDED_FIELDS, wanted.recorded, strict=True))
            says = _Says(
                wanted.case,
                wanted.child,
                wanted.organisation,
                recorded["district"],
                recorded["category"],
                _verdicts(wanted, self._until),
            )
            found.setdefault(runs.duty.rule.id, []).append(says)
        return {
            rule: _Says(*map(np.concatenate, zip(*parts, strict=True)))
            for rule, parts in found.items()
        }


def _verdicts(runs: Runs, until: Instant) -> Instants:
    """As `verdicts.verdict` of clocks that have a due time, and that nothing but a stop ended."""
    is_stopped = (runs.stopped_at != NONE) & (runs.stopped_at <= until)
    is_late = (runs.stopped_at != NONE) & (runs.stopped_at > runs.due_at)
    is_soon = (runs.due_soon_at != NONE) & (runs.due_soon_at <= until)
    found: Instants = np.select(
        [is_stopped & is_late, is_stopped, until > runs.due_at, is_soon],
        [_SAYS.index(v) for v in (Verdict.LATE, Verdict.MET, Verdict.OVERDUE, Verdict.DUE_SOON)],
        _SAYS.index(Verdict.RUNNING),
    )
    return found


# -- whether anybody would be told ------------------------------------------------------------


class _Telling:
    """In which cases anybody may have been told anything, whatever was known of them when.

    Of a plain history that only grows, a clock tells nobody that was stopped, and known to be,
    before the first step of its ladder. Where what it rests on was first said after the first
    receipt, another clock may have stood in its place before: then it may have.
    """

    def __init__(self, rulebook: Rulebook, histories: Histories, until: Instant) -> None:
        self._rulebook = rulebook
        self._histories = histories
        self._until = until

    def by(self, runs: Sequence[Runs]) -> Flags:
        """Cases in which somebody may have been told of any of some clocks."""
        found = np.zeros(self._histories.number, np.bool_)
        duties = [duty for duties in self._rulebook.duties.values() for duty in duties]
        telling = [duty for duty in duties if _tells(duty)]
        if not telling:
            return found
        for each in runs:
            if _tells(each.duty):
                found[each.case[self._may_tell(each)]] = True
        return found | self._said_later(telling)

    def _may_tell(self, runs: Runs) -> Flags:
        first = np.where(
            runs.due_soon_at == NONE, runs.due_at, np.minimum(runs.due_soon_at, runs.due_at)
        )
        stopped_before = (runs.stopped_at != NONE) & (runs.stop_known_at < first)
        may: Flags = ~stopped_before & (first <= self._until)
        if "organisation" in runs.duty.rule.for_each:
            may |= runs.organisation == 0  # it cannot be routed, which is told at once
        return may

    def _said_later(self, telling: Sequence[Duty]) -> Flags:
        """Cases in which something that a telling duty asks for came after the first receipt."""
        histories = self._histories
        everything = np.arange(histories.case.size)
        first_at = histories.least(everything, histories.received_at, start=NONE)
        is_later = histories.received_at > first_at[histories.case]
        found = np.zeros(histories.number, np.bool_)
        for name in {name for duty in telling for name in duty.rule.case_attributes}:
            found |= self._first_said_later(np.flatnonzero(histories.said[name]), first_at)
        found |= self._first_said_later(np.flatnonzero(histories.said["child"]), first_at)
        owed = {kind for duty in telling if duty.owed_to for kind in duty.owed_to.kinds}
        turning = histories.words.among(histories.said["kind"], owed)
        found |= histories.having(turning & is_later)
        return found | self._organisation_named_later(is_later)

    def _first_said_later(self, rows: Instants, first_at: Instants) -> Flags:
        histories = self._histories
        said_at = histories.least(rows, histories.received_at[rows], start=NONE)
        later: Flags = (said_at != NONE) & (said_at > first_at)
        return later

    def _organisation_named_later(self, is_later: Flags) -> Flags:
        """Cases in which an organisation was not named with the first receipt, and later was."""
        histories = self._histories
        named = histories.said["organisation"] != 0
        size = np.int64(len(histories.words))
        place = histories.case * size + histories.said["partner"]
        place = place * size + histories.said["organisation"]
        anew = named & is_later
        anew[anew] = ~np.isin(place[anew], place[named & ~is_later])
        return histories.having(anew)


def _tells(duty: Duty) -> bool:
    return duty.rule.alerts is Alerts.ON and duty.ladder is not None


# -- counting ---------------------------------------------------------------------------------


def _counts(
    histories: Histories, before: Mapping[str, _Says], after: Mapping[str, _Says]
) -> Iterator[Count]:
    """Clocks by what they say under one rulebook and the other."""
    for rule in dict.fromkeys((*before, *after)):
        yield from _of_rule(histories, rule, before.get(rule), after.get(rule))


def _of_rule(
    histories: Histories, rule: str, before: _Says | None, after: _Says | None
) -> Iterator[Count]:
    pairs = _paired(histories.number, before, after)
    if not pairs.case.size:
        return
    size, verdicts = len(histories.words), len(_SAYS) + 1
    group = pairs.district.astype(np.int64) * size + pairs.category
    group = (group * verdicts + pairs.before + 1) * verdicts + pairs.after + 1
    order = np.argsort(group, kind="stable")
    begins = np.flatnonzero(np.diff(group[order], prepend=-1))
    for begin, end in zip(begins, [*begins[1:], order.size], strict=True):
        rows = order[begin:end]
        (district, category) = histories.words.texts(
            np.array([pairs.district[rows[0]], pairs.category[rows[0]]])
        )
        before_says, after_says = int(pairs.before[rows[0]]), int(pairs.after[rows[0]])
        yield Count(
            rule,
            district,
            category,
            None if before_says == _NO_CLOCK else _SAYS[before_says],
            None if after_says == _NO_CLOCK else _SAYS[after_says],
            rows.size,
            tuple(pairs.case[rows[:EXAMPLES]].tolist()),
        )


class _Pairs(NamedTuple):
    case: Instants
    district: Codes
    category: Codes
    before: Instants
    after: Instants


def _paired(number: int, before: _Says | None, after: _Says | None) -> _Pairs:
    """Each clock with what it says before and after; a rule has one of each case at most."""
    was, now = _rows_by_case(number, before), _rows_by_case(number, after)
    parts: list[_Pairs] = []
    same = (was >= 0) & (now >= 0)
    if before is not None and after is not None:
        for name in ("child", "organisation"):
            alike = getattr(before, name)[was[same]] == getattr(after, name)[now[same]]
            same[np.flatnonzero(same)[~alike]] = False
        parts.append(_pairs(before, was[same], before.verdict, after.verdict[now[same]]))
    if before is not None:
        parts.append(_pairs(before, was[(was >= 0) & ~same], before.verdict, None))
    if after is not None:
        rows = now[(now >= 0) & ~same]
        parts.append(_pairs(after, rows, None, after.verdict[rows]))
    return _Pairs(*map(np.concatenate, zip(*parts, strict=True)))


def _pairs(says: _Says, rows: Instants, before: Instants | None, after: Instants | None) -> _Pairs:
    nothing = np.full(rows.size, _NO_CLOCK)
    return _Pairs(
        says.case[rows],
        says.district[rows],
        says.category[rows],
        nothing if before is None else before[rows],
        nothing if after is None else after,
    )


def _rows_by_case(number: int, says: _Says | None) -> Instants:
    found = np.full(number, -1)
    if says is not None:
        found[says.case] = np.arange(says.case.size)
    return found
