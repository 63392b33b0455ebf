"""One round over what waits for one relay: claim, settle, hand over, record.

What comes in: a relay, the mails that go by it, and now. What goes out: sent mails and their
outcomes. It does not care who is told what, or how it is written down.

A connection comes first: while none can be had nothing is claimed, so that an outage settles no
bytes and counts no attempt. Mails are then claimed and settled a few at a time, never far ahead of
what the server takes, and go out beside each other, so that a slow one holds up no other. A mail
that is at fault waits by itself; when the server is at fault the round ends, and the whole queue
waits for it on all nodes. Outcomes are made durable together, at most `GROUP` mails or
`GROUP_SECONDS` after the server's word: whoever dies in between repeats those, as the same mails.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from monitor.cycle.books import Books, Page, Ready, Route, Tried
from monitor.deliver.smtp import TryAgain
from monitor.model import SECOND, Instant
from monitor.store import outbox

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.deliver.smtp import Outcome

LOST_IN_A_ROW: Final = 3
"""So many mails without a word after their recipient was named: it is not they, it is the server.
More than one, for one recipient may be cursed; few, for each costs a whole deadline."""

GROUP: Final = 20
GROUP_SECONDS: Final = 0.1
"""Outcomes are made durable together: no more than so many, no later than so long after the
first."""

AHEAD_SECONDS: Final = 0.25
"""Mails are settled no further ahead than the server takes within this: what they say should be
true when they go out."""

SHARE_OF_LEASE: Final = 0.2
"""Of the longest exchange: a claimed mail is begun within this or let go, so that its exchange
ends before half its lease is over."""

LOOK_AGAIN_SECONDS: Final = 1
"""While a slow mail holds the round open, others may come up."""
LONGEST_ROUND_SECONDS: Final = 120
"""After it nothing more is claimed; the next round is begun at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a round of delivery came to."""

    sent: int = 0
    retried: int = 0
    dead: int = 0
    held: bool = False
    relay_at_fault: bool = False
    """A mail server takes nothing at present, and its mails wait."""
    more: bool = False
    """It ended for its length: more may be waiting."""


_Work: TypeAlias = "asyncio.Task[None] | asyncio.Task[Page]"


class Round:
    """One round over one route."""

    def __init__(
        self, monitor: Monitor, route: Route, *, now: Instant, refill: Callable[[Instant], object]
    ) -> None:
        """Prepare; nothing is asked or sent before `run`.

        `now`: by it is decided what is claimed and what is written; it moves on only while a mail
        is slow. `refill`: puts what has come up meanwhile into the outbox.
        """
        self._monitor = monitor
        self._post = route.post
        self._books = Books(monitor, route)
        self._now = self._began_at = now
        self._began = self._turned_at = time.monotonic()
        self._refill = refill
        self._done = Delivered()
        self._is_probe = False
        self._is_dry = False
        self._fault: TryAgain | None = None
        self._lost_in_a_row = 0
        self._limit = 1
        self._ready: deque[Ready] = deque()
        self._in_hand: set[asyncio.Task[None]] = set()
        self._tried: list[Tried] = []
        self._booking: asyncio.Task[Page] | None = None
        self._in_booking = 0
        self._left: list[tuple[outbox.Claimed, str]] = []
        """What was not handed over, and what the server said before it could be."""
        self._error: BaseException | None = None

    async def run(self) -> Delivered:
        """Send what waits. Raises what the database raises, after what was in hand has ended."""
        opening = await asyncio.to_thread(self._books.open, now=self._now)
        self._is_probe = opening.was_at_fault
        self._done = replace(self._done, held=opening.is_held)
        if not opening.may_begin:
            return replace(self._done, relay_at_fault=opening.was_at_fault)
        self._fault = await self._post.ready()
        try:
            if self._fault is None:
                await self._send_all()
        finally:
            await self._close(was_at_fault=opening.was_at_fault)
        if self._error is not None:
            raise self._error
        return self._done

    async def _close(self, *, was_at_fault: bool) -> None:
        self._left += [(ready.claimed, "") for ready in self._ready]
        is_well = self._fault is None and not self._done.held and self._error is None
        self._done = replace(
            self._done,
            relay_at_fault=self._fault is not None,
            more=is_well and not self._is_dry and self._is_over_time(),
        )
        if self._left or self._fault or was_at_fault:
            met = await asyncio.to_thread(
                self._books.close,
                self._left,
                fault=self._fault,
                now=self._present(),
                has_recovered=was_at_fault and is_well,
            )
            self._done = replace(self._done, retried=self._done.retried + met)

    # -- going on -----------------------------------------------------------------------------

    async def _send_all(self) -> None:
        try:
            while at_work := self._at_work():
                done, _ = await asyncio.wait(
                    at_work, timeout=self._patience(), return_when=asyncio.FIRST_COMPLETED
                )
                self._collect(done)
                if not done and not self._tried and self._booking is None:
                    await self._look_again()
        finally:
            for task in self._in_hand:
                task.cancel()

    def _at_work(self) -> set[_Work]:
        """What is under way, once everything is that can be; nothing when the round is over."""
        lanes = 1 if self._is_probe else self._post.connections
        while self._ready and len(self._in_hand) < lanes and self._may_hand_over():
            self._in_hand.add(asyncio.create_task(self._hand_over(self._ready.popleft())))
        self._keep_books(lanes)
        return {*self._in_hand} | ({self._booking} if self._booking else set())

    def _goes_on(self) -> bool:
        is_ended = self._error or self._fault or self._done.held
        return not (is_ended or self._monitor.stopping.is_set())

    def _may_hand_over(self) -> bool:
        """Never more than a group goes without a record."""
        unrecorded = len(self._tried) + self._in_booking + len(self._in_hand)
        return unrecorded < GROUP and self._goes_on()

    def _keep_books(self, lanes: int) -> None:
        """Record and claim together, when it is time for either."""
        if self._booking is not None:
            return
        limit = self._wanted(lanes)
        is_time = len(self._tried) >= GROUP // 2 or self._since_first() >= GROUP_SECONDS
        if limit or (self._tried and (is_time or not self._in_hand)):
            tried, self._tried = self._tried, []
            self._in_booking = len(tried)
            self._booking = asyncio.create_task(
                asyncio.to_thread(self._books.turn_page, tried, limit=limit, now=self._now)
            )

    def _wanted(self, lanes: int) -> int:
        """How many more mails to claim."""
        if self._is_dry or self._is_over_time() or not self._goes_on():
            return 0
        if self._is_probe:
            return 0 if self._in_hand or self._ready else 1
        return self._limit if len(self._ready) < max(lanes, self._limit // 2) else 0

    def _is_over_time(self) -> bool:
        return time.monotonic() - self._began > LONGEST_ROUND_SECONDS

    def _since_first(self) -> float:
        """Seconds since the first outcome that is not on record."""
        return (self._present() - self._tried[0].at) / SECOND if self._tried else 0

    def _patience(self) -> float:
        """Seconds until something must be done though nothing has ended."""
        return max(GROUP_SECONDS - self._since_first(), 0) if self._tried else LOOK_AGAIN_SECONDS

    def _present(self) -> Instant:
        """`now`, and what has passed since: an exchange may be long."""
        return self._began_at + int((time.monotonic() - self._began) * SECOND)

    async def _look_again(self) -> None:
        """A slow mail is in hand: see what has come up meanwhile."""
        self._now = self._present()
        await asyncio.to_thread(self._refill, self._now)
        self._is_dry = False

    def _collect(self, done: set[_Work]) -> None:
        if self._booking in done:
            self._turn_page(self._booking)
            self._booking, self._in_booking = None, 0
        for task in self._in_hand & done:
            self._in_hand.remove(task)
            self._error = self._error or task.exception()

    def _turn_page(self, booking: asyncio.Task[Page]) -> None:
        """Go on with what was claimed, and next time claim more or less at once, as it goes."""
        if error := booking.exception():
            self._error = self._error or error
            return
        page = booking.result()
        self._done = replace(
            self._done,
            sent=self._done.sent + page.sent,
            retried=self._done.retried + page.retried,
            dead=self._done.dead + page.dead,
            held=self._done.held or page.is_held,
        )
        self._is_dry = self._is_dry or page.is_last
        self._ready.extend(page.ready)
        if page.ready:
            self._limit = self._next_limit(page)

    def _next_limit(self, page: Page) -> int:
        if page.is_cut:
            return len(page.ready)
        turned_at, self._turned_at = self._turned_at, time.monotonic()
        is_quick = self._turned_at - turned_at < AHEAD_SECONDS
        return min(2 * self._limit, GROUP) if is_quick else max(self._limit // 2, 1)

    # -- handing over -------------------------------------------------------------------------

    async def _hand_over(self, ready: Ready) -> None:
        longest = self._monitor.settings.mail.timeout_seconds
        if isinstance(ready.content, TryAgain):
            self._tried.append(Tried(ready.claimed, ready.content, self._present()))
        elif time.monotonic() - ready.since > SHARE_OF_LEASE * longest:
            self._left.append((ready.claimed, ""))
        else:
            outcome = await self._post.send(
                ready.content,
                sender=self._monitor.settings.mail.sender,
                recipient=self._monitor.settings.telling.redirect_all_to or ready.claimed.address,
            )
            self._take_note(ready.claimed, outcome)

    def _take_note(self, claimed: outbox.Claimed, outcome: Outcome) -> None:
        """Whose fault it was, and so whether to go on."""
        if isinstance(outcome, TryAgain) and outcome.at_fault != "mail":
            self._fault = self._fault or outcome
            self._left.append((claimed, outcome.reason))
            return
        self._tried.append(Tried(claimed, outcome, self._present()))
        if isinstance(outcome, TryAgain) and outcome.code is None:
            self._lost_in_a_row += 1
            if self._lost_in_a_row >= LOST_IN_A_ROW or self._is_probe:
                self._fault = self._fault or outcome
        else:
            self._lost_in_a_row = 0
            self._is_probe = False  # it works again: all may go
