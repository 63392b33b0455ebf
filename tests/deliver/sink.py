"""Mail servers on loopback that behave, or misbehave, as a test says; and certificates for them."""

# ruff: noqa: ARG002
# (the sink library calls its handlers with all that it knows)

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Sink:
    """Takes mails, and answers each command as told; an empty answer is the usual one."""

    mail_answers: list[str] = field(default_factory=list)
    rcpt_answers: list[str] = field(default_factory=list)
    data_answers: list[str] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    connections: int = 0
    encrypted: list[bool] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    right_password: bytes = b"right"
    handed_over: asyncio.Event = field(default_factory=asyncio.Event)
    before_data_answer: Callable[[SMTP], Awaitable[None]] | None = None
    after_taking: Callable[[SMTP], Awaitable[None]] | None = None
    """What happens between a mail's being taken and the word that says so."""

    async def handle_MAIL(  # noqa: N802  # the sink library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.mail_answers and (answer := self.mail_answers.pop(0)):
            return answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802  # as above
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt_answers and (answer := self.rcpt_answers.pop(0)):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # as above
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.encrypted.append(session.ssl is not None)
        self.handed_over.set()
        if self.before_data_answer is not None:
            await self.before_data_answer(server)
        if self.data_answers and (answer := self.data_answers.pop(0)):
            return answer
        assert isinstance(envelope.content, bytes)
        self.taken.append(envelope.content)
        if self.after_taking is not None:
            await self.after_taking(server)
        return "250 taken as 1"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        self.logins.append(mechanism)
        right = isinstance(given, LoginPassword) and given.password == self.right_password
        return AuthResult(success=right, handled=False)


@asynccontextmanager
async def running(sink: Sink, **options: Any) -> AsyncIterator[int]:
    """The sink on a port of 127.0.0.1, a free one unless `port` is given."""
    loop = asyncio.get_running_loop()
    implicit_tls, port = options.pop("implicit_tls", None), options.pop("port", 0)
    servers: list[SMTP] = []

    def made() -> SMTP:
        sink.connections += 1
        servers.append(SMTP(sink, hostname="sink.example", loop=loop, **options))
        return servers[-1]

    listener = await loop.create_server(made, "127.0.0.1", port, ssl=implicit_tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await listener.wait_closed()
        for server in servers:
            await _hang_up(server)


def abort(server: SMTP) -> None:
    """Drop the connection without a word."""
    if isinstance(server.transport, asyncio.WriteTransport):
        server.transport.abort()


async def _hang_up(server: SMTP) -> None:
    abort(server)
    if (task := server._handler_coroutine) is not None:  # it ends only when asked
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def saying(*lines: str, port: int = 0) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that says one line at each turn and hangs up after the last; what it heard.

    Without a line it is silent, and does not hang up.
    """
    heard: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        for line in lines:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()
            heard.append(await reader.readline())
        writer.close()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        heard.append(await reader.readline())

    listener = await asyncio.start_server(talk if lines else silent, "127.0.0.1", port)
    try:
        yield listener.sockets[0].getsockname()[1], heard
    finally:
        listener.close()
        for writer in writers:
            writer.transport.abort()
        await listener.wait_closed()


@dataclass
class Wire:
    """What lies between us and a server, and what it does to what passes."""

    drips_every: float = 0
    """Seconds between two bytes of the server's words; 0: they pass as they come."""
    cuts_at: bytes = b""
    """What must stand in our words for the connection to break there."""
    connections: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def join(self, *ends: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Carry what each end says to the other: first ours, then the server's."""
        (our_words, to_us), (their_words, to_them) = ends
        self.connections += 1
        self._writers += [to_us, to_them]
        to_server = self._ours(our_words, to_them, to_us)
        for passing in (to_server, self._theirs(their_words, to_us)):
            self._tasks.add(asyncio.create_task(passing))

    async def _ours(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
    ) -> None:
        while words := await reader.read(1024):
            if self.cuts_at and self.cuts_at in words:  # the others go on: each has its own
                writer.transport.abort()
                back.transport.abort()
                return
            writer.write(words)

    async def _theirs(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while words := await reader.read(1 if self.drips_every else 1024):
                writer.write(words)
                await asyncio.sleep(self.drips_every)
        writer.close()

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def close(self) -> None:
        """Break every connection, and carry nothing more."""
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def through(wire: Wire, server: int, *, port: int = 0) -> AsyncIterator[int]:
    """A port of 127.0.0.1 that leads to a server's port over a wire."""

    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire.join((reader, writer), await asyncio.open_connection("127.0.0.1", server))

    listener = await asyncio.start_server(joined, "127.0.0.1", port)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await wire.close()
        await listener.wait_closed()


@dataclass(frozen=True)
class Authority:
    """A certificate authority of one test."""

    file: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def server(self, *, address: str, has_expired: bool = False) -> ssl.SSLContext:
        """What a server at an address shows, signed by this authority."""
        san = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        file = self.file.with_name(f"server-{address}-{has_expired}.pem")
        self._sign("sink", file, san, has_expired=has_expired)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    def client(self, name: str = "monitor") -> Path:
        """A file with the certificate and the key by which a client shows who it is."""
        file = self.file.with_name(f"client-{name}.pem")
        self._sign(name, file, x509.SubjectAlternativeName([x509.DNSName(f"{name}.example")]))
        return file

    def _sign(
        self,
        name: str,
        file: Path,
        san: x509.SubjectAlternativeName,
        *,
        has_expired: bool = False,
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(
            name, issuer=self.certificate.subject, key=key, has_expired=has_expired
        ).add_extension(san, critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
            critical=False,
        )
        _write(file, builder.sign(self.key, hashes.SHA256()), key)


def authority(folder: Path, name: str = "test authority") -> Authority:
    """A new authority whose certificate stands in a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, issuer=_name(name), key=key)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    certificate = builder.sign(key, hashes.SHA256())
    file = folder / f"{name.replace(' ', '-')}.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(file=file, certificate=certificate, key=key)


def _builder(
    name: str,
    *,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    has_expired: bool = False,
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC) - dt.timedelta(hours=2 if has_expired else 0)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _write(file: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
