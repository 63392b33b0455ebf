"""Hands mails to a mail server over a few connections: the one door to aiosmtplib.

What comes in: the bytes of a mail and its two addresses. What goes out: whether the server took
it, and if not, whether to try again and who is at fault: the mail with its recipient, or the
server. It does not care what the mail says, who is owed it, or when to try again.

Nothing is ever sent in clear but to this machine itself: a server that cannot do TLS, or whose
certificate does not hold, gets no byte of a mail.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import aiosmtplib

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Security: TypeAlias = Literal["starttls", "tls", "none-loopback-only"]

_ADDRESS: Final = re.compile(r"[^\s@<>\x00-\x1f\x7f]{1,64}@([A-Za-z0-9.-]{1,255})", re.ASCII)
_SOMEBODY: Final = re.compile(r"<?[^\s<>]+@[^\s<>]+>?")
_ENHANCED: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
_CONVERSATION: Final = frozenset({500, 501, 502, 503, 504})
"""Replies that blame the conversation, not what it is about (RFC 5321)."""
_ACCOUNT: Final = frozenset({530, 534, 535, 538})
"""Replies that blame our account (RFC 4954)."""
_FULL: Final = 552
"""Too large, or the mailbox is full: RFC 5321 has one code for both."""
_TOO_LARGE: Final = frozenset({"5.2.3", "5.3.4"})
_MAILBOX_FULL: Final = "5.2.2"
_CLOSING: Final = 421
_PERMANENT: Final = 500
_LONGEST_REASON: Final = 200
_FAREWELL_SECONDS: Final = 5


class UnsafeMailServer(ValueError):
    """The settings of the mail server cannot be used: they are unsafe, or a file is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """How the mail server is reached. Checked when a `Post` is made of it."""

    host: str
    """The name that its certificate bears."""
    port: int
    security: Security = "starttls"
    """`none-loopback-only` is refused for any host but this machine."""
    allowed_domains: tuple[str, ...]
    """Domains that may be sent to; one that begins with a dot allows what is under it."""
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    """The authority that signs the server's certificate; the machine's own list where None."""
    client_certificate: Path | None = None
    client_key: Path | None = None
    helo: str = ""
    """The name by which we greet; the machine's own where empty."""
    connect_seconds: float = 10
    exchange_seconds: float = 60
    """For one mail, from waiting for a connection to the server's last word. The lease on a
    message must be more than twice as long."""
    connections: int = 2
    """How many mails go out beside each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The server has taken the mail over."""

    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """Not now: the mail, the server, the way to it, or our set-up is at fault."""

    reason: str
    code: int | None = None
    """The server's reply code; None where it said nothing, or nothing that could be read."""
    at_fault: Literal["mail", "server", "login"] = "server"
    """`mail`: this one or its recipient, others may go out. `server`: whatever is tried next fails
    alike. `login`: so too, and each attempt brings our account nearer to being locked."""
    unknown: bool = False
    """The mail may have been taken all the same: the server went silent after it was handed over.
    Who was attempted so counts as told when an alert is withdrawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Never: this mail to this address will not be taken."""

    reason: str
    code: int | None = None


Outcome: TypeAlias = Accepted | TryAgain | GiveUp


class _Stage(Enum):
    """How far one mail came."""

    CONNECTING = auto()
    SENDER = auto()
    RECIPIENT = auto()
    HANDING_OVER = auto()


@dataclass(slots=True, kw_only=True)
class _Errand:
    """One mail on its way."""

    message: bytes
    sender: str
    recipient: str
    stage: _Stage = _Stage.CONNECTING

    @property
    def blames(self) -> Literal["mail", "server"]:
        """Who is at fault when nothing more is heard: before a recipient is named, the server."""
        named = self.stage in {_Stage.RECIPIENT, _Stage.HANDING_OVER}
        return "mail" if named else "server"

    @property
    def may_have_arrived(self) -> bool:
        """Whether the server has what it needs to take the mail."""
        return self.stage is _Stage.HANDING_OVER


class Post:
    """A few connections to a mail server, opened when needed and kept for the mails after.

    Over each goes one mail at a time; more wait, and their waiting counts against their own
    deadline. A `Post` belongs to the event loop in which it is first used.
    """

    def __init__(self, server: MailServer) -> None:
        """Check the settings. Raises UnsafeMailServer; opens no connection."""
        _check(server)
        self._server = server
        self._context = None if server.security == "none-loopback-only" else _tls(server)
        self._idle: list[aiosmtplib.SMTP] = []
        self._lanes = asyncio.Semaphore(server.connections)
        self._opening = asyncio.Lock()
        self._refusals = 0
        self._refusal_of_last: Exception | None = None

    @property
    def connections(self) -> int:
        """How many mails go out beside each other."""
        return self._server.connections

    async def ready(self) -> TryAgain | None:
        """Have a connection over which a mail can go; what is wrong with the server, if not.

        Nothing is said of any mail. Ends within `exchange_seconds`.
        """
        deadline = asyncio.timeout(self._server.exchange_seconds)
        try:
            async with deadline, self._lanes:
                self._idle.append(self._kept() or await self._opened())
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return self._silence() if deadline.expired() else _lost(error)
        return None

    async def send(self, message: bytes, *, sender: str, recipient: str) -> Outcome:
        """Hand one mail over. Ends within `exchange_seconds`, whatever the server does.

        If the task is cancelled meanwhile, the connection is dropped and whether the mail was
        taken is unknown.
        """
        if refusal := self._refusal(recipient):
            return GiveUp(reason=refusal)
        errand = _Errand(message=message, sender=sender, recipient=recipient)
        try:
            async with asyncio.timeout(self._server.exchange_seconds), self._lanes:
                return await self._exchange(errand)
        except TimeoutError:
            return self._silence(errand)

    async def close(self) -> None:
        """Take leave of the server on every idle connection. Never raises for what it does."""
        while self._idle:
            client = self._idle.pop()
            with suppress(aiosmtplib.SMTPException, OSError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await client.quit()
            _drop(client)
        await asyncio.sleep(0)  # sockets are closed when the loop next turns

    def _silence(self, errand: _Errand | None = None) -> TryAgain:
        reason = f"the mail server gave no answer within {self._server.exchange_seconds:g} s"
        if errand is None:
            return TryAgain(reason=reason)
        return TryAgain(reason=reason, at_fault=errand.blames, unknown=errand.may_have_arrived)

    def _refusal(self, recipient: str) -> str:
        """Why this address is not sent to; empty if it may be. Never names it."""
        address = _ADDRESS.fullmatch(recipient)
        if address is None:
            return "this is not an address that can be sent to"
        if not is_allowed(address[1].lower(), self._server.allowed_domains):
            return "the address is in no domain that mails may go to"
        return ""

    async def _exchange(self, errand: _Errand) -> Outcome:
        """Once, and once more from the start where a kept connection had died meanwhile."""
        kept = self._kept()
        try:
            return await self._attempt(errand, kept)
        except _Lost as lost:
            if kept is None or lost.outcome.unknown:
                return lost.outcome
        try:
            return await self._attempt(errand, None)
        except _Lost as lost:
            return lost.outcome

    async def _attempt(self, errand: _Errand, kept: aiosmtplib.SMTP | None) -> Outcome:
        """One go at it. Raises _Lost where there was no conversation to the end."""
        errand.stage = _Stage.CONNECTING
        client = kept
        try:
            client = client or await self._opened()
            outcome = await self._converse(client, errand)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            _drop(client)
            raise _Lost(_lost(error, errand)) from error
        except BaseException:
            _drop(client)
            raise
        if client.is_connected:
            self._idle.append(client)
        return outcome

    def _kept(self) -> aiosmtplib.SMTP | None:
        """An idle connection that still stands, as far as can be seen."""
        while self._idle:
            client = self._idle.pop()
            if client.is_connected:
                return client
            _drop(client)
        return None

    async def _opened(self) -> aiosmtplib.SMTP:
        """A new connection, logged in.

        One is opened at a time, and who waited for another that failed has failed with it: a wrong
        password must count once and not once for each connection.
        """
        refusals = self._refusals
        async with self._opening:
            if self._refusals != refusals and self._refusal_of_last is not None:
                raise self._refusal_of_last
            try:
                return await self._connected()
            except (aiosmtplib.SMTPException, OSError, ValueError) as error:
                self._refusals, self._refusal_of_last = self._refusals + 1, error
                raise

    async def _connected(self) -> aiosmtplib.SMTP:
        client = self._new_client()
        try:
            await client.connect()
            if self._context is None:
                _check_peer(client)
            await client.ehlo()
            if self._server.username:
                await self._log_in(client)
        except BaseException:
            _drop(client)
            raise
        return client

    def _new_client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            use_tls=self._server.security == "tls",
            # Left to itself the library would go on in clear where STARTTLS is not offered.
            start_tls=self._server.security == "starttls",
            tls_context=self._context,
            local_hostname=self._server.helo or None,
            timeout=self._server.connect_seconds,
        )

    async def _log_in(self, client: aiosmtplib.SMTP) -> None:
        """By one mechanism only: a wrong password tried by each would lock the account sooner."""
        name, password = self._server.username, self._server.password
        if "plain" in client.server_auth_methods:
            await client.auth_plain(name, password)
        elif "login" in client.server_auth_methods:
            await client.auth_login(name, password)
        elif "cram-md5" in client.server_auth_methods:
            await client.auth_crammd5(name, password)
        else:
            msg = "the mail server offers no way to log in that we know"
            raise aiosmtplib.SMTPException(msg)

    async def _converse(self, client: aiosmtplib.SMTP, errand: _Errand) -> Outcome:
        if too_large := _too_large(client, errand.message):
            return too_large
        wait = self._server.exchange_seconds
        size = [f"SIZE={len(errand.message)}"] if client.supports_extension("size") else []
        try:
            errand.stage = _Stage.SENDER
            await client.mail(errand.sender, options=size, timeout=wait)
            errand.stage = _Stage.RECIPIENT
            await client.rcpt(errand.recipient, timeout=wait)
            errand.stage = _Stage.HANDING_OVER
            reply = await client.data(errand.message, timeout=wait)
        except aiosmtplib.SMTPResponseException as refusal:
            if refusal.code == _CLOSING or refusal.code < 0:
                raise
            outcome = _judge(refusal, errand.stage)
            errand.stage = _Stage.CONNECTING  # what may still happen says nothing of the mail
            await _start_afresh(client)
            return outcome
        return Accepted(reply=_said(reply.message))


async def _start_afresh(client: aiosmtplib.SMTP) -> None:
    """Leave nothing of a refused mail on a connection that is kept."""
    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        _drop(client)


def _drop(client: aiosmtplib.SMTP | None) -> None:
    """Close a connection at once: a polite end of TLS would wait for a server that is not there."""
    if client is not None:
        if isinstance(client.transport, asyncio.WriteTransport):
            client.transport.abort()
        client.close()


def _too_large(client: aiosmtplib.SMTP, message: bytes) -> GiveUp | None:
    """The refusal of a mail that is larger than the server says it takes (RFC 1870)."""
    said = client.esmtp_extensions.get("size", "").strip()
    if not said.isdecimal() or not 0 < int(said) < len(message):
        return None
    return GiveUp(reason=f"the mail has {len(message)} bytes, and the server takes {said}")


class _Lost(Exception):
    """There was no conversation to the end; the outcome says what that means."""

    def __init__(self, outcome: TryAgain) -> None:
        self.outcome = outcome
        super().__init__(outcome.reason)


def _lost(error: Exception, errand: _Errand | None = None) -> TryAgain:
    """Whatever fails before a recipient is named is the server's fault or ours."""
    reason = _said(_words_of(error))
    code = _code_of(error)
    if isinstance(error, aiosmtplib.SMTPAuthenticationError) and error.code >= _PERMANENT:
        return TryAgain(reason=reason, code=code, at_fault="login")
    if code == _CLOSING or errand is None:
        return TryAgain(reason=reason, code=code)
    unknown = errand.may_have_arrived
    return TryAgain(reason=reason, code=code, at_fault=errand.blames, unknown=unknown)


def _code_of(error: Exception) -> int | None:
    """The server's reply code; the library has a negative one for what is no reply at all."""
    code = error.code if isinstance(error, aiosmtplib.SMTPResponseException) else 0
    return code if code > 0 else None


def _words_of(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return f"the mail server refused our login: {error.code} {error.message}"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"the mail server refused the connection: {error.code} {error.message}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the mail server's certificate does not hold: {error.verify_message}"
    if isinstance(cause := error.__cause__, ssl.SSLCertVerificationError):
        return _words_of(cause)
    return f"no conversation with the mail server: {error}"


def _judge(refusal: aiosmtplib.SMTPResponseException, stage: _Stage) -> Outcome:
    """What a reply to the mail itself means."""
    reason, code = _said(f"{refusal.code} {refusal.message}"), refusal.code
    found = _ENHANCED.match(refusal.message)
    enhanced = found[0] if found else ""
    if _is_final(code, enhanced, stage):
        return GiveUp(reason=reason, code=code)
    ours = stage is _Stage.SENDER or code in _ACCOUNT
    return TryAgain(reason=reason, code=code, at_fault="server" if ours else "mail")


def _is_final(code: int, enhanced: str, stage: _Stage) -> bool:
    """Whether a mail will never be taken, as against: not now, or not as we are set up.

    A full mailbox is emptied one day, and a policy (5.7) is mended by whoever set it or us up: had
    those been final, one wrong setting would give up every mail of a night.
    """
    if enhanced in _TOO_LARGE:
        return True
    if stage is _Stage.SENDER:
        return code == _FULL and enhanced != _MAILBOX_FULL
    if code < _PERMANENT or code in _ACCOUNT or code == _FULL or enhanced == _MAILBOX_FULL:
        return False
    if code in _CONVERSATION:
        return enhanced.startswith("5.1.")
    return not enhanced.startswith("5.7.")


def _said(words: str) -> str:
    """What a server said, fit for a log: one line, no address, not endless."""
    line = " ".join(_SOMEBODY.sub("(address)", words).split())
    seen = "".join(character for character in line if character.isprintable())
    return seen[:_LONGEST_REASON]


def is_allowed(domain: str, allowed: Iterable[str]) -> bool:
    """Whether mail may go to a domain in lower case."""
    return any(
        domain.endswith(one) if one.startswith(".") else domain == one
        for one in (name.lower() for name in allowed)
    )


def _check(server: MailServer) -> None:
    if server.security not in {"starttls", "tls", "none-loopback-only"}:
        msg = f"security is {server.security!r}: it must be starttls, tls or none-loopback-only"
        raise UnsafeMailServer(msg)
    if server.security == "none-loopback-only" and not _is_this_machine(server.host):
        msg = (
            f"mails to {server.host} would travel in clear: set security to starttls or tls"
            " (only 127.0.0.0/8, ::1 and localhost may go without)"
        )
        raise UnsafeMailServer(msg)
    if not server.allowed_domains:
        msg = "no domain is allowed to be sent to: name at least one in allowed_domains"
        raise UnsafeMailServer(msg)
    if bool(server.username) != bool(server.password):
        msg = "a user name needs a password, and a password a user name"
        raise UnsafeMailServer(msg)


def _is_this_machine(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_peer(client: aiosmtplib.SMTP) -> None:
    """A name can lead anywhere; before a byte goes in clear, see where it led."""
    peer = client.get_transport_info("peername")
    if not peer or not _is_this_machine(str(peer[0])):
        msg = "the name of this machine led to another one: nothing was sent"
        raise aiosmtplib.SMTPException(msg)


def _tls(server: MailServer) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=server.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if server.client_certificate is not None:
            context.load_cert_chain(server.client_certificate, server.client_key)
    except (OSError, ssl.SSLError) as error:
        files = (server.ca_file, server.client_certificate, server.client_key)
        names = ", ".join(str(file) for file in files if file is not None)
        msg = f"these files cannot be used for TLS: {names} ({error})"
        raise UnsafeMailServer(msg) from error
    return context
