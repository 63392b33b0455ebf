"""What delivery writes down: mails claimed and settled, what became of them, how relays are.

What comes in: outcomes of handing mails over, and how many more are wanted. What goes out: mails
ready to be handed over, their attempt counted, all of it durable. It does not care how mails
travel or in what order.

Outcomes and claims share a transaction: a commit costs more than all that is written in it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email import policy
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.cycle.mails import letter_of
from monitor.deliver.smtp import Accepted, GiveUp, Outcome, TryAgain
from monitor.logs import get_logger
from monitor.model import HOUR, MINUTE, SECOND, Duration, Instant
from monitor.store import actions, outbox, relays
from monitor.store.engine import Connection, OperationalError, reading, writing

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.deliver.smtp import Post

log = get_logger("delivery")

FIRST_RETRY: Final[Duration] = 1 * MINUTE
LONGEST_RETRY: Final[Duration] = 1 * HOUR

FIRST_REST: Final[Duration] = 15 * SECOND
LONGEST_REST: Final[Duration] = 5 * MINUTE
REST_OF_A_LOGIN: Final[Duration] = 15 * MINUTE
"""Accounts are commonly locked after five to ten failures within half an hour."""

LEASE: Final = 2.5
"""Of the longest exchange."""
SETTLING_SECONDS: Final = 0.1
"""Mails are settled together for no longer: it holds the database's write lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A relay, and which mails go by it."""

    name: str
    post: Post
    share: outbox.Share


class Ready(NamedTuple):
    """A mail that is claimed and settled: its attempt is counted."""

    claimed: outbox.Claimed
    content: bytes | TryAgain
    """Its bytes, or why they could not be written."""
    since: float
    """When its lease began or a little before, on the machine's own steady count of seconds."""


class Tried(NamedTuple):
    """What came of handing a mail over."""

    claimed: outbox.Claimed
    outcome: Outcome
    at: Instant


class Opening(NamedTuple):
    """Whether a round may begin."""

    may_begin: bool
    is_held: bool
    was_at_fault: bool
    """The relay was at fault: one mail at a time until one goes."""


class Page(NamedTuple):
    """What one transaction of a round came to."""

    ready: Sequence[Ready] = ()
    is_held: bool = False
    is_last: bool = False
    """No more wait."""
    is_cut: bool = False
    """More were claimed than could be settled in time."""
    sent: int = 0
    retried: int = 0
    dead: int = 0


class Books:
    """What the rounds of one route read and write."""

    def __init__(self, monitor: Monitor, route: Route) -> None:
        self._monitor = monitor
        self._route = route

    def open(self, *, now: Instant) -> Opening:
        """Whether there is anything to send, and a relay that may be tried."""
        with reading(self._monitor.engine) as connection:
            is_held = self._holds(connection)
            faults = relays.relay_faults(connection)
            is_due = outbox.is_due(connection, now=now, share=self._route.share)
        was_at_fault = any(fault.relay == self._route.name for fault in faults)
        may_begin = not is_held and (self._begin_probe(now) if was_at_fault else is_due)
        return Opening(may_begin, is_held, was_at_fault)

    def _begin_probe(self, now: Instant) -> bool:
        until = now + self._lease()
        with writing(self._monitor.engine) as connection:
            return relays.begin_probe(connection, self._route.name, now=now, until=until)

    def _holds(self, connection: Connection) -> bool:
        """Whether mail by this route is held.

        Never what the operator gets by a relay of its own: that all other mail is held is told so.
        """
        return self._route.share != "operator" and outbox.mail_is_held(connection)

    def _lease(self) -> Duration:
        return int(LEASE * self._monitor.settings.mail.timeout_seconds * SECOND)

    def turn_page(self, tried: Sequence[Tried], *, limit: int, now: Instant) -> Page:
        """Record outcomes, and claim and settle up to `limit` more mails, as decided at `now`.

        All is durable when it returns. What was sent is recorded even where claiming fails.
        """
        try:
            with writing(self._monitor.engine) as connection:
                page = self._record(connection, tried)
                if limit:
                    page = self._claim(connection, page, limit, now)
        except Exception:
            if tried and limit:
                self.turn_page(tried, limit=0, now=now)
            raise
        for claimed, outcome, _ in tried:
            kind = type(outcome).__name__
            log.info("mail_outcome", message=claimed.id, kind=claimed.kind, outcome=kind)
        return page

    # -- recording ----------------------------------------------------------------------------

    def _record(self, connection: Connection, tried: Iterable[Tried]) -> Page:
        """In the order of the mails' numbers, as everybody locks them."""
        page, accepted = Page(), []
        for each in sorted(tried, key=lambda one: one.claimed.id):
            if isinstance(each.outcome, Accepted):
                accepted.append(outbox.Sent(each.claimed, each.outcome.reply, each.at))
            else:
                page = self._failed(connection, each, page)
        outbox.record_sent(connection, accepted)
        actions.write_audits(
            connection,
            operation="disclosure",
            actor="system:delivery",
            entries=[_disclosed(sent) for sent in accepted],
        )
        return page._replace(sent=len(accepted))

    def _failed(self, connection: Connection, tried: Tried, page: Page) -> Page:
        claimed, outcome, at = tried
        assert not isinstance(outcome, Accepted)
        if isinstance(outcome, GiveUp) or self._is_too_old(claimed, now=at):
            outbox.record_dead(connection, claimed, outcome=outcome.reason)
            return page._replace(dead=page.dead + 1)
        again = at + retry_after(claimed.attempts + 1)
        outbox.record_retry(connection, claimed, outcome=outcome.reason, next_attempt_at=again)
        return page._replace(retried=page.retried + 1)

    def _is_too_old(self, claimed: outbox.Claimed, *, now: Instant) -> bool:
        return now - claimed.created_at > self._monitor.settings.mail.give_up_hours * HOUR

    # -- claiming and settling ----------------------------------------------------------------

    def _claim(self, connection: Connection, page: Page, limit: int, now: Instant) -> Page:
        since = time.monotonic()
        if self._holds(connection):
            return page._replace(is_held=True, is_last=True)
        claimed = outbox.claim_messages(
            connection,
            now=now,
            lease=self._lease(),
            limit=limit,
            node=self._monitor.node,
            share=self._route.share,
        )
        if not claimed:
            return page._replace(is_last=True)
        outbox.count_attempts(connection, [one for one in claimed if one.content is not None])
        ready, late = self._settle(connection, claimed, since, now)
        outbox.put_back(connection, late)
        return page._replace(ready=ready, is_cut=bool(late))

    def _settle(
        self, connection: Connection, claimed: Iterable[outbox.Claimed], since: float, now: Instant
    ) -> tuple[list[Ready], list[outbox.Claimed]]:
        """Those that are to go out, and those for which there was no time."""
        ready: list[Ready] = []
        late: list[outbox.Claimed] = []
        for one in claimed:
            content: bytes | TryAgain | None = one.content
            if content is None and ready and time.monotonic() - since > SETTLING_SECONDS:
                late.append(one)
                continue
            if content is None:
                content = self._written(connection, one, now)
            if content is not None:
                ready.append(Ready(one, content, since))
        return ready, late

    def _written(
        self, connection: Connection, claimed: outbox.Claimed, now: Instant
    ) -> bytes | TryAgain | None:
        """The bytes of a mail, settled now; one that cannot be written waits by itself."""
        attempt = connection.begin_nested()
        try:
            content = _freeze(self._monitor, connection, claimed, now=now)
        except OperationalError:
            raise
        except Exception as error:
            attempt.rollback()
            log.exception("mail_not_written", message=claimed.id, kind=claimed.kind)
            reason = f"the mail could not be written: {type(error).__name__}"
            return TryAgain(reason=reason, at_fault="mail")
        attempt.commit()
        return content

    # -- the end ------------------------------------------------------------------------------

    def close(
        self,
        left: Iterable[tuple[outbox.Claimed, str]],
        *,
        fault: TryAgain | None,
        now: Instant,
        has_recovered: bool,
    ) -> int:
        """Let go of what was not handed over, and say how the relay is; how many met its fault.

        `left`: claimed mails, and what the server said before they could be handed over.
        """
        met = {claimed.id for claimed, said in left if said}
        with writing(self._monitor.engine) as connection:
            if has_recovered and relays.record_recovery(connection, self._route.name):
                log.info("mail_server_recovered", relay=self._route.name)
            outbox.put_back(connection, [one for one, _ in left if one.id not in met])
            if fault is not None:
                until = self._rest(connection, fault, now)
                # What met the fault goes behind the others: the next to be tried is another.
                for claimed, said in sorted(left, key=lambda each: each[0].id):
                    if said:
                        outbox.record_retry(
                            connection, claimed, outcome=said, next_attempt_at=until
                        )
        return len(met)

    def _rest(self, connection: Connection, fault: TryAgain, now: Instant) -> Instant:
        """Let all nodes leave the relay alone; until when."""
        name, wait = self._route.name, rest_after
        if fault.at_fault == "login":
            wait = rest_of_login
        known = relays.record_fault(connection, name, reason=fault.reason, now=now, wait=wait)
        log.warning("mail_server_at_fault", relay=name, reason=known.reason, times=known.failures)
        return known.wait_until


def _freeze(
    monitor: Monitor, connection: Connection, claimed: outbox.Claimed, *, now: Instant
) -> bytes | None:
    """The bytes to send, settled for ever at the first claim; None where nothing is left to say."""
    letter, references = letter_of(monitor, connection, claimed, now=now)
    if letter is None:
        outbox.cancel_message(connection, claimed)
        return None
    content = monitor.composer.compose(
        letter,
        to=monitor.settings.telling.redirect_all_to or claimed.address,
        message_id=claimed.message_id,
        date=now,
        references=references,
    )
    subject = str(BytesHeaderParser(policy=policy.default).parsebytes(content)["Subject"])
    outbox.freeze_message(connection, claimed, content=content, subject=subject, now=now)
    return content


def _disclosed(sent: outbox.Sent) -> actions.AuditEntry:
    claimed = sent.claimed
    detail = {"kind": claimed.kind, "role": claimed.role, "message_id": claimed.message_id}
    return actions.AuditEntry(subject=f"message {claimed.id}", at=sent.at, detail=detail)


def retry_after(attempts: int) -> Duration:
    """How long a mail waits after so many attempts: twice as long each time, up to an hour.

    A quarter of jitter lets mails not all come back together.
    """
    return _doubling(attempts, FIRST_RETRY, LONGEST_RETRY)


def rest_after(failures: int) -> Duration:
    """How long a relay is left alone after so many failures in a row."""
    return _doubling(failures, FIRST_REST, LONGEST_REST)


def rest_of_login(failures: int) -> Duration:
    """How long after our login was refused: never so short that the account would be locked."""
    return max(REST_OF_A_LOGIN, _doubling(failures, REST_OF_A_LOGIN, HOUR))


def _doubling(times: int, first: Duration, longest: Duration) -> Duration:
    wait = min(first << min(times - 1, longest.bit_length()), longest)
    return int(wait * random.uniform(0.75, 1.25))  # noqa: S311 - spreads load, keeps no secret
