"""The switch outside is asked, without data, by no way round; and what it does harms nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from monitor.deliver import switch
from monitor.deliver.switch import press
from tests.deliver.sink import authority

Heard = list[bytes]


@asynccontextmanager
async def answering(
    answer: bytes, heard: Heard, *, tls: ssl.SSLContext | None = None, hangs: bool = False
) -> AsyncIterator[int]:
    """A server on loopback that hears one request and says one thing."""
    writers: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        if not hangs:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


def asked(answer: bytes, *, path: str = "/ping/monitor?x=1") -> tuple[str, Heard]:
    heard: Heard = []

    async def whole() -> str:
        async with answering(answer, heard) as port:
            return await press(f"http://127.0.0.1:{port}{path}")

    return asyncio.run(whole()), heard


def test_it_is_asked_and_told_nothing() -> None:
    """The path that was given, a host, and no more: no body, no name, no version."""
    why, heard = asked(b"HTTP/1.1 200 OK\r\n\r\n")
    assert why == ""
    (request,) = heard
    lines = request.decode().split("\r\n")
    assert lines[0] == "GET /ping/monitor?x=1 HTTP/1.1"
    assert [line.partition(":")[0] for line in lines[1:-2]] == ["Host", "Connection"]


def test_an_address_without_a_path_asks_for_the_root() -> None:
    assert asked(b"HTTP/1.1 204 No Content\r\n\r\n", path="")[1][0].startswith(b"GET / HTTP/1.1")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 500 Oh\r\n\r\n", "it answered 500"),
        (b"HTTP/1.1 404 No\r\n\r\n", "it answered 404"),
        (b"SSH-2.0-x\r\n", "not reached: ValueError"),
        (b"", "not reached: ValueError"),
        (b"HTTP/1.1 2", "not reached: ValueError"),
        (b"x" * 100_000, "not reached: ValueError"),
    ],
)
def test_any_other_answer_is_a_reason(answer: bytes, why: str) -> None:
    assert asked(answer)[0] == why


def test_a_redirect_is_not_followed() -> None:
    """The other server hears nothing."""
    elsewhere: Heard = []
    heard: Heard = []

    async def whole() -> str:
        async with answering(b"HTTP/1.1 200 OK\r\n\r\n", elsewhere) as other:
            to = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{other}/\r\n\r\n".encode()
            async with answering(to, heard) as port:
                return await press(f"http://127.0.0.1:{port}/")

    assert asyncio.run(whole()).startswith("it answered 302: it points elsewhere")
    assert len(heard) == 1
    assert elsewhere == []


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    assert asked(b"HTTP/1.1 200 OK\r\n\r\n")[0] == ""


def test_a_server_that_hangs_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it says nothing or drips a byte at a time: the bound is on the whole."""
    monkeypatch.setattr(switch, "SECONDS", 0.2)

    async def whole() -> str:
        async with answering(b"HTTP", [], hangs=True) as port:
            return await press(f"http://127.0.0.1:{port}/")

    assert asyncio.run(whole()) == "no answer within 0.2 s"


def test_nobody_listening_is_a_reason() -> None:
    assert asyncio.run(press("http://127.0.0.1:1/")).startswith("not reached: ")


def over_tls(shown: ssl.SSLContext, trusting: ssl.SSLContext | None) -> str:
    async def whole() -> str:
        async with answering(b"HTTP/1.1 200 OK\r\n\r\n", [], tls=shown) as port:
            return await press(f"https://127.0.0.1:{port}/", trusting=trusting)

    return asyncio.run(whole())


def test_a_certificate_must_hold(tmp_path: Path) -> None:
    """Of an authority that is trusted, not expired, for that name."""
    known = authority(tmp_path)
    trusting = ssl.create_default_context(cafile=known.file)
    assert over_tls(known.server(address="127.0.0.1"), trusting) == ""
    stranger = over_tls(known.server(address="127.0.0.1"), None)
    assert stranger.startswith("its certificate does not hold: ")
    expired = over_tls(known.server(address="127.0.0.1", has_expired=True), trusting)
    assert "expired" in expired
    assert "does not hold" in over_tls(known.server(address="127.0.0.2"), trusting)
