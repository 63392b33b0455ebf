"""A mail server that takes every mail and keeps none: `python -m benchmarks.sink FILE`.

What comes in: mails, on a port of this machine that it prints. What goes out: one line of FILE for
each, `address time`, the time in microseconds when it was accepted. It ends with its input.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, Envelope

from benchmarks.measure import environment

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def sink(took: Path) -> Iterator[int]:
    """The port of a mail server in a process of its own, which writes down what it took."""
    command = [sys.executable, "-m", "benchmarks.sink", str(took)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


class Taker:
    """Takes every mail."""

    def __init__(self, took: Path) -> None:
        self._file = took.open("w", encoding="utf-8", buffering=1)

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - the server library's name
        self._file.write(f"{envelope.rcpt_tos[0]} {time.time_ns() // 1000}\n")
        return "250 taken"


async def serve(took: Path) -> None:
    taker, loop = Taker(took), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(taker, hostname="sink.example", loop=loop), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
