"""How good the records are and how far figures can be trusted, in the words of a digest.

What comes in: what a digest is made of. What goes out: sentences.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from monitor.report.restated import in_words
from monitor.words import capital, count, hours, listed, said_of, stretch

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.model import Instant
    from monitor.report.completeness import Completeness
    from monitor.report.digest_input import DigestInput
    from monitor.report.measured import Measured
    from monitor.report.restated import Restated
    from monitor.report.trust import FeedHours, Said, TakenIn

_SILENCES_NAMED: Final = 3


def quality(total: Measured, notices: Completeness) -> Iterator[str]:
    """What notices record, and how much was written down or decided late."""
    if notices.notices:
        said = listed([f"{what} recorded in {number:,}" for what, number in notices.recorded])
        yield f"Of {count(notices.notices, 'notice')}: {said}."
    if total.recorded:
        yield (
            f"Of {count(total.recorded, 'duty', 'duties')} done, {total.recorded_late:,}"
            f" {'was' if total.recorded_late == 1 else 'were'} recorded more than 24 h afterwards."
        )
    if total.to_confirm:
        yield (
            f"{total.to_confirm} counted as in time"
            f" {'rests' if total.to_confirm == 1 else 'rest'} on a call recorded after due that"
            " is still to be confirmed."
        )


def alerts(said: Said | None) -> Iterator[str]:
    """What was said in the week, and what became of it."""
    if said is None:
        return
    if not any(said):
        yield "No alert was sent."
        return
    parts = [
        f"{count(said.told, 'alert')} in {count(said.mails, 'mail')}",
        f"{said.taken:,} taken within 2 h",
        count(said.withdrawals, "withdrawal"),
        f"{said.nobody} with nobody to tell",
    ]
    if said.cancelled:
        parts.append(f"{said.cancelled} put right before anybody was told")
    if said.waiting:
        parts.append(f"{said.waiting} still to be sent")
    if said.undelivered:
        parts.append(f"{said.undelivered} NOT DELIVERED")
    yield "; ".join(parts) + "."


def coverage(known: DigestInput) -> Iterator[str]:
    """How long feeds were heard, what could not be read, and what was said otherwise before."""
    if known.feeds:
        heard = "; ".join(_feed(feed, known) for feed in known.feeds)
        yield f"{capital(heard)}."
        was_silent = any(feed.silences for feed in known.feeds)
        if was_silent and not known.figures.total.unknown and not known.is_outside:
            yield "No duty of the week is unknown on that account."
    if known.taken_in:
        yield _could_not_be_read(known.taken_in)
    if known.restated is not None:
        yield _restated(known.restated)


def _restated(restated: Restated) -> str:
    if not restated.changes:
        return "Restated since last week's digest: nothing."
    return f"Restated since last week's digest: {' '.join(in_words(restated.changes))}"


def _could_not_be_read(taken: TakenIn) -> str:
    unmended = f" ({taken.unmended} not mended)" if taken.set_aside else ""
    said = (
        f"Rows that could not be read and were set aside: {taken.set_aside}{unmended},"
        f" beside {count(taken.events, 'new event')}, in the whole force"
    )
    if taken.files_set_aside:
        said += f"; files set aside whole: {taken.files_set_aside}"
    if taken.conflicting:
        said += f"; contradictions, read the less favourable way: {taken.conflicting}"
    return f"{said}."


def _feed(feed: FeedHours, known: DigestInput) -> str:
    title = known.wording.feed(feed.state.feed)
    if feed.state.first_heard_at is None:
        return f"{title} NEVER HEARD"
    if not feed.silences:
        unseen = "" if feed.state.has_timetable else ", but has no timetable to miss"
        return f"{title} heard all {hours(feed.period)}{unseen}"
    named = _silences(feed, known.figures.as_of, known.zone)
    return f"{title} heard {hours(feed.heard)} of {hours(feed.period)} (silent {named})"


def _silences(feed: FeedHours, at: Instant, zone: ZoneInfo) -> str:
    *before, last = feed.silences
    said = [stretch(start, end, zone=zone) for start, end in before]
    until_now = f"from {said_of(last[0], at=at, zone=zone)} to the end"
    said.append(until_now if feed.silent_at_end else stretch(*last, zone=zone))
    if len(said) > _SILENCES_NAMED:
        said = [*said[:_SILENCES_NAMED], f"{len(said) - _SILENCES_NAMED} times more"]
    return listed(said)
