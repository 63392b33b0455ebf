"""What a clock says at an instant.

What comes in: a clock, an instant, and how long each feed can be trusted. What goes out: a verdict.
It does not care who is told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from monitor.model import Clock, Instant, Verdict

TrustedUntil = Mapping[str, Instant]
"""Feed → until when its silence means that nothing happened; a feed not named is always trusted."""

NO_FEED_IN_DOUBT: TrustedUntil = {}


def verdict(  # noqa: PLR0911 - each answer is one line, in the order in which it is asked
    clock: Clock,
    *,
    now: Instant,
    stop_feeds: Collection[str] = (),
    trusted_until: TrustedUntil = NO_FEED_IN_DOUBT,
) -> Verdict:
    """What the clock says at `now`. Stopped at the due instant is met; one microsecond on is late.

    `unknown`: the clock is not stopped and either its due time cannot be computed, or a feed that
    its stop relies on was not heard up to the earlier of due and now.
    """
    if _by(clock.superseded_at, now):
        return Verdict.SUPERSEDED
    if _by(clock.void_at, now):
        return Verdict.VOID
    due = clock.due_at
    if _by(clock.exempt_at, now):
        return Verdict.LATE if clock.breached_at is not None else Verdict.EXEMPT
    if _by(clock.stopped_at, now) and not _claim_lapsed(clock, now) and due is not None:
        return Verdict.LATE if clock.breached_at is not None else Verdict.MET
    if due is None or not _heard(stop_feeds, trusted_until, min(due, now)):
        return Verdict.UNKNOWN
    if now > due:
        return Verdict.OVERDUE
    if _by(clock.due_soon_at, now):
        return Verdict.DUE_SOON
    return Verdict.RUNNING


def is_closed(clock: Clock) -> bool:
    """Whether some fact ended the clock, whatever the instant; a claim to be confirmed did not."""
    is_open = (
        clock.stopped_at is None
        and clock.exempt_at is None
        and clock.void_at is None
        and clock.superseded_at is None
    )
    return clock.confirm_by is None and not is_open


def _by(at: Instant | None, now: Instant) -> bool:
    return at is not None and at <= now


def _claim_lapsed(clock: Clock, now: Instant) -> bool:
    """Whether a claim recorded after due was to be confirmed by now and was not."""
    return clock.confirm_by is not None and now > clock.confirm_by


def _heard(feeds: Collection[str], trusted_until: TrustedUntil, until: Instant) -> bool:
    return all(trusted_until.get(feed, until) >= until for feed in feeds)
