"""Hands one mail at a time to a mail server: the one door to aiosmtplib.

What comes in: the bytes of a mail and its two addresses. What goes out: whether the server took
it, and if not, whether to try again. It does not care what the mail says, who is owed it, or when
to try again.

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
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import aiosmtplib

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Security: TypeAlias = Literal["starttls", "tls", "none-loopback-only"]

_ADDRESS: Final = re.compile(r"[^\s@<>\x00-\x1f\x7f]{1,64}@([A-Za-z0-9.-]{1,255})", re.ASCII)
_SOMEBODY: Final = re.compile(r"<?[^\s<>]+@[^\s<>]+>?")
_OUR_SET_UP: Final = frozenset({500, 501, 502, 503, 504, 530, 534, 535, 538})
"""Replies that blame the conversation or our account, not the mail (RFC 5321, RFC 4954)."""
_TOO_LARGE: Final = 552
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
    """For one mail, from waiting for the connection to the server's last word. The lease on a
    message must be more than twice as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The server has taken the mail over."""

    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """Not now: the server, the way to it, or our set-up is at fault."""

    reason: str
    code: int | None = None
    """The server's reply code, where it said one."""
    unknown: bool = False
    """The mail may have been taken all the same: the server went silent after it was handed over.
    Who was attempted so counts as told when an alert is withdrawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Never: this mail to this address will not be taken."""

    reason: str
    code: int | None = None


Outcome: TypeAlias = Accepted | TryAgain | GiveUp


class Post:
    """One connection to a mail server, opened when first needed and kept for the mails after.

    One mail is sent at a time; others wait, and their waiting counts against their own deadline.
    A `Post` belongs to the event loop in which it is first used.
    """

    def __init__(self, server: MailServer) -> None:
        """Check the settings. Raises UnsafeMailServer; opens no connection."""
        _check(server)
        self._server = server
        self._context = None if server.security == "none-loopback-only" else _tls(server)
        self._client: aiosmtplib.SMTP | None = None
        self._turn = asyncio.Lock()
        self._handing_over = False

    async def send(self, message: bytes, *, sender: str, recipient: str) -> Outcome:
        """Hand one mail over. Ends within `exchange_seconds`, whatever the server does.

        If the task is cancelled meanwhile, the connection is dropped and whether the mail was
        taken is unknown.
        """
        if refusal := self._refusal(recipient):
            return GiveUp(reason=refusal)
        handing = False
        try:
            async with asyncio.timeout(self._server.exchange_seconds), self._turn:
                handing = True
                self._handing_over = False
                return await self._exchange(message, sender, recipient)
        except TimeoutError:
            seconds = self._server.exchange_seconds
            reason = f"the mail server gave no answer within {seconds:g} s"
            return TryAgain(reason=reason, unknown=handing and self._handing_over)

    async def close(self) -> None:
        """Take leave of the server, if there is a connection. Never raises for what it does."""
        client, self._client = self._client, None
        if client is None:
            return
        with suppress(aiosmtplib.SMTPException, OSError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await client.quit()
        client.close()

    def _refusal(self, recipient: str) -> str:
        """Why this address is not sent to; empty if it may be. Never names it."""
        address = _ADDRESS.fullmatch(recipient)
        if address is None:
            return "this is not an address that can be sent to"
        if not is_allowed(address[1].lower(), self._server.allowed_domains):
            return "the address is in no domain that mails may go to"
        return ""

    async def _exchange(self, message: bytes, sender: str, recipient: str) -> Outcome:
        """Once, and once more from the start where a kept connection had died meanwhile."""
        kept = self._client is not None and self._client.is_connected
        try:
            return await self._attempt(message, sender, recipient)
        except _Lost as lost:
            if not kept or lost.outcome.unknown:
                return lost.outcome
        try:
            return await self._attempt(message, sender, recipient)
        except _Lost as lost:
            return lost.outcome

    async def _attempt(self, message: bytes, sender: str, recipient: str) -> Outcome:
        """One go at it. Raises _Lost where there was no conversation to the end."""
        try:
            client = await self._connected()
            return await self._converse(client, message, sender, recipient)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            self._drop()
            raise _Lost(_lost(error, unknown=self._handing_over)) from error
        except BaseException:
            self._drop()
            raise

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._client is not None and self._client.is_connected:
            return self._client
        client = self._client = self._new_client()
        await client.connect()
        if self._context is None:
            _check_peer(client)
        await client.ehlo()
        if self._server.username:
            await self._log_in(client)
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

    async def _converse(
        self, client: aiosmtplib.SMTP, message: bytes, sender: str, recipient: str
    ) -> Outcome:
        wait = self._server.exchange_seconds
        try:
            await client.mail(sender, timeout=wait)
            await client.rcpt(recipient, timeout=wait)
            self._handing_over = True
            reply = await client.data(message, timeout=wait)
        except aiosmtplib.SMTPResponseException as refusal:
            self._handing_over = False
            if refusal.code == _CLOSING:
                raise
            await self._start_afresh(client)
            return _judge(refusal)
        return Accepted(reply=_said(reply.message))

    async def _start_afresh(self, client: aiosmtplib.SMTP) -> None:
        """Leave nothing of a refused mail on a connection that is kept."""
        try:
            await client.rset()
        except (aiosmtplib.SMTPException, OSError):
            self._drop()

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


class _Lost(Exception):
    """There was no conversation to the end; the outcome says what that means."""

    def __init__(self, outcome: TryAgain) -> None:
        self.outcome = outcome
        super().__init__(outcome.reason)


def _lost(error: Exception, *, unknown: bool) -> TryAgain:
    """Whatever fails before or beside the mail itself is the server's fault or ours."""
    code = error.code if isinstance(error, aiosmtplib.SMTPResponseException) else None
    return TryAgain(reason=_said(_words_of(error)), code=code, unknown=unknown)


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


def _judge(refusal: aiosmtplib.SMTPResponseException) -> Outcome:
    """What a reply to the mail itself means."""
    reason, code = _said(f"{refusal.code} {refusal.message}"), refusal.code
    refused_sender = isinstance(refusal, aiosmtplib.SMTPSenderRefused) and code != _TOO_LARGE
    if code < _PERMANENT or code in _OUR_SET_UP or refused_sender:
        return TryAgain(reason=reason, code=code)
    return GiveUp(reason=reason, code=code)


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
