"""The dead man's switch: something outside that raises the alarm when it is asked no more.

What comes in: its address. What goes out: why it could not be reached, or nothing. It does not care
whether all is well: whoever asks it says so by asking.

The request holds no data: no body, no name of an installation, no version. It is written out here
(docs/decisions/0014) because what it must not do is most of what a library for HTTP is for: no
proxy is used, no redirect followed, no cookie or answer kept.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from typing import Final
from urllib.parse import SplitResult, urlsplit

SECONDS: Final = 10
"""For all of it, from the name to the answer."""

_ANSWER: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")
_LONGEST_ANSWER: Final = 4096
_HTTPS, _HTTP = 443, 80


async def press(url: str, *, trusting: ssl.SSLContext | None = None) -> str:
    """Ask the switch once; '' where it answered 2xx, else why not. Never raises for what it does.

    `trusting`: whose certificates hold, instead of the machine's own list.
    """
    try:
        async with asyncio.timeout(SECONDS):
            status = await _asked(urlsplit(url), trusting)
    except TimeoutError:
        return f"no answer within {SECONDS} s"
    except ssl.SSLCertVerificationError as error:
        return f"its certificate does not hold: {error.verify_message}"
    except (OSError, ValueError) as error:
        return f"not reached: {getattr(error, 'strerror', None) or type(error).__name__}"
    if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110, 15.4
        return f"it answered {status}: it points elsewhere, and that is not followed"
    return "" if 200 <= status < 300 else f"it answered {status}"  # noqa: PLR2004 - the same, 15.3


async def _asked(address: SplitResult, trusting: ssl.SSLContext | None) -> int:
    is_tls = address.scheme == "https"
    reader, writer = await asyncio.open_connection(
        address.hostname,
        address.port or (_HTTPS if is_tls else _HTTP),
        ssl=(trusting or ssl.create_default_context()) if is_tls else None,
        limit=_LONGEST_ANSWER,
    )
    try:
        writer.write(_request(address))
        await writer.drain()
        return _status_of(await reader.readline())
    finally:
        writer.close()
        with suppress(OSError):
            writer.transport.abort()


def _request(address: SplitResult) -> bytes:
    path = address.path or "/"
    asked = f"{path}?{address.query}" if address.query else path
    return f"GET {asked} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode()


def _status_of(line: bytes) -> int:
    answer = _ANSWER.match(line)
    if answer is None:
        msg = "no HTTP"
        raise ValueError(msg)
    return int(answer[1])
