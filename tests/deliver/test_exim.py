"""Mails through a real mail transfer agent: STARTTLS, a login, a mailbox on disk."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.deliver.smtp import Security
from monitor.model import HOUR
from tests.deliver.exim import LARGEST, PASSWORD, REQUIRED, Exim, NoExim, running_exim
from tests.deliver.office import DOMAIN, Office, people
from tests.deliver.sink import Authority, authority

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("sort", ["sqlite"])]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that the agent's certificate is from."""
    return authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def exim(ours: Authority) -> Iterator[Exim]:
    """An agent; skipped where none can run, failed where it is required."""
    ours.server(address="127.0.0.1")
    certificate: Path = ours.file.with_name("server-127.0.0.1-False.pem")
    try:
        with running_exim(certificate) as agent:
            yield agent
    except NoExim as reason:
        if os.environ.get(REQUIRED) == "required":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture
def relayed(office: Office, exim: Exim, ours: Authority) -> Office:
    """An installation whose mails go to the agent."""
    office.use(
        port=exim.starttls,
        security="starttls",
        ca_file=ours.file,
        username="monitor",
        password=PASSWORD,
        exchange_seconds=30,
    )
    return office


def sent(office: Office, runner: asyncio.Runner) -> int:
    """How many mails one round got rid of."""

    async def one() -> int:
        done = await office.round()
        await office.monitor.post.close()
        return done.sent

    return runner.run(one())


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mails_go_encrypted_and_logged_in_and_arrive_once_each(
    security: Security, relayed: Office, exim: Exim, runner: asyncio.Runner
) -> None:
    """As they were frozen, to the last byte of their text."""
    port = exim.tls if security == "tls" else exim.starttls
    relayed.use(port=port, security=security)
    relayed.queue(*people(40))
    assert sent(relayed, runner) == 40
    arrived = exim.mails(40)
    assert sorted(str(mail["Envelope-to"]) for mail in arrived) == sorted(people(40))
    assert {str(mail.get_content()) for mail in arrived} == {"A mail.\n"}
    assert exim.log.count("A=plain:monitor") == 40
    assert exim.log.count("X=TLS1.") == 40
    assert relayed.status == ""


def test_a_wrong_password_fails_once_and_everything_goes_when_it_is_right(
    relayed: Office, exim: Exim, runner: asyncio.Runner
) -> None:
    relayed.use(password="wrong")
    relayed.queue(*people(10))
    assert [sent(relayed, runner) for _ in range(3)] == [0, 0, 0]
    assert exim.log.count("535 Incorrect authentication data") == 1
    assert "refused our login: 535" in relayed.status
    relayed.use(password=PASSWORD)
    relayed.wait()
    assert sent(relayed, runner) == 10
    assert len(exim.mails(10)) == 10


def test_an_agent_that_is_restarted_gets_what_waited(
    relayed: Office, exim: Exim, runner: asyncio.Runner
) -> None:
    relayed.queue(*people(3))
    assert sent(relayed, runner) == 3
    assert len(exim.mails(3)) == 3
    exim.stop()
    relayed.queue(*people(5))
    assert sent(relayed, runner) == 0
    assert "no mail goes out by the relay" in relayed.status
    exim.start()
    relayed.wait()
    assert sent(relayed, runner) == 5
    assert len(exim.mails(8)) == 8


def test_what_the_agent_refuses_is_a_dead_letter_and_the_others_arrive(
    relayed: Office, exim: Exim, runner: asyncio.Runner
) -> None:
    """A mailbox that is not there, and a mail larger than it takes."""
    large: dict[str, Any] = {"content": b"Subject: large\r\n\r\n" + b"A line.\r\n" * LARGEST}
    relayed.queue(f"nobody-here@{DOMAIN}")
    relayed.queue(f"person-9@{DOMAIN}", **large)
    relayed.queue(*people(4))
    assert sent(relayed, runner) == 4
    assert relayed.states == ["dead", "dead", *["sent"] * 4]
    assert "no such mailbox" in relayed.mails[0]["outcome"]
    assert f"the server takes {LARGEST}" in relayed.mails[1]["outcome"]
    assert len(exim.mails(4)) == 4
    relayed.now += 2 * HOUR
    assert sent(relayed, runner) == 0
