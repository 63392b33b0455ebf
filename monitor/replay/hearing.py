"""When feeds are heard, as far as a replay is concerned.

What comes in: for each feed its timetable and its silences. What goes out: what the decisions ask
of a feed at an instant, and when it is next heard. It does not care what a feed has to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from monitor.escalate.waiting import FeedHeard
from monitor.model import Duration, Instant


class Silence(NamedTuple):
    """A span in which nothing is heard of a feed: after `begins`, up to before `ends`."""

    begins: Instant
    ends: Instant | None
    """None: it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How one feed is heard."""

    every: Duration = 0
    """How often; 0: at every instant."""
    first_at: Instant = 0
    """Where it is heard every so often: one of these instants."""
    lag: Duration = 0
    """How much later than the fact it may tell it."""
    silences: tuple[Silence, ...] = ()

    def heard(self, now: Instant) -> FeedHeard:
        """What matters of it at an instant."""
        last = self._heard_by(now)
        silent = bool(self.silences)
        return FeedHeard(
            last_heard_at=last,
            lag=self.lag,
            trusted_until=last + self.every + self.lag if self.every or silent else None,
            back_at=max((s.ends for s in self.silences if s.ends and s.ends <= now), default=None),
        )

    def next_at(self, after: Instant) -> Instant | None:
        """When it is next heard after an instant; None where that is never, or always."""
        at: Instant | None = after + 1
        if self.every:
            at = self._on_grid(after) + self.every
        while at is not None and (silence := self._silence(at)) is not None:
            at = silence.ends
            if at is not None and self.every and self._on_grid(at) != at:
                at = self._on_grid(at) + self.every
        return None if at == after + 1 and not self.every else at

    def _heard_by(self, now: Instant) -> Instant:
        """The last instant up to which it has told everything."""
        last = self._on_grid(now) if self.every else now
        while (silence := self._silence(last)) is not None:
            last = self._on_grid(silence.begins) if self.every else silence.begins
        return last

    def _on_grid(self, at: Instant) -> Instant:
        return at - (at - self.first_at) % self.every

    def _silence(self, at: Instant) -> Silence | None:
        return next(
            (s for s in self.silences if s.begins < at and (s.ends is None or at < s.ends)), None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """How every feed is heard that is not heard at every instant."""

    sources: Mapping[str, Source] = field(default_factory=dict)

    def at(self, now: Instant) -> dict[str, FeedHeard]:
        """Feed → what matters of it. A feed that is not here is never a reason to wait."""
        return {name: source.heard(now) for name, source in self.sources.items()}

    def next_at(self, feed: str, after: Instant) -> Instant | None:
        """When a feed is next heard; None where that cannot be said."""
        source = self.sources.get(feed)
        return None if source is None else source.next_at(after)


ALWAYS_HEARD: Final = Hearing()
"""No feed is ever silent or late."""
