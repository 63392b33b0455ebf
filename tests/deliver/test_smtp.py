from __future__ import annotations

import asyncio
import dataclasses
import ssl
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from monitor.deliver.smtp import (
    Accepted,
    GiveUp,
    MailServer,
    Outcome,
    Post,
    Security,
    TryAgain,
    UnsafeMailServer,
)
from tests.deliver.sink import Authority, Sink, abort, authority, running, saying

MAIL = b"Subject: PPN-2027-004211\r\n\r\nA mail.\r\n.\r\nThat does not end there.\r\n"


def a_server(port: int, *, security: Security = "none-loopback-only", **more: Any) -> MailServer:
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": security,
        "allowed_domains": ("police.example",),
        "helo": "monitor.police.example",
        "connect_seconds": 5,
        "exchange_seconds": 5,
        **more,
    }
    return MailServer(**settings)


async def send(post: Post, recipient: str = "desk@police.example") -> Outcome:
    return await post.send(MAIL, sender="monitor@police.example", recipient=recipient)


def told(
    sink: Sink, *, times: int = 1, options: dict[str, Any] | None = None, **more: Any
) -> list[Outcome]:
    """What came of sending one mail some times over one Post."""

    async def story() -> list[Outcome]:
        async with running(sink, **(options or {})) as port:
            post = Post(a_server(port, **more))
            outcomes = [await send(post) for _ in range(times)]
            await post.close()
            return outcomes

    return asyncio.run(story())


def test_a_mail_that_is_taken_arrives_whole_and_is_accepted() -> None:
    sink = Sink()

    assert told(sink) == [Accepted(reply="taken as 1")]
    assert sink.taken == [MAIL]


def test_a_connection_is_kept_for_the_mails_after() -> None:
    sink = Sink()

    assert [type(outcome) for outcome in told(sink, times=5)] == [Accepted] * 5
    assert sink.connections == 1


@pytest.mark.parametrize("code", [421, 450, 451, 452])
@pytest.mark.parametrize("where", ["mail_answers", "rcpt_answers", "data_answers"])
def test_a_temporary_reply_is_tried_again_and_its_outcome_is_known(where: str, code: int) -> None:
    sink = Sink(**{where: [f"{code} 4.2.1 later, please"] * 2})  # type: ignore[arg-type]

    [outcome] = told(sink)

    assert isinstance(outcome, TryAgain)
    assert outcome.code == code
    assert "later, please" in outcome.reason
    assert not outcome.unknown
    assert sink.taken == []


@pytest.mark.parametrize("where", ["rcpt_answers", "data_answers"])
def test_a_final_refusal_of_the_mail_is_given_up(where: str) -> None:
    sink = Sink(**{where: ["550 5.1.1 no such mailbox"]})  # type: ignore[arg-type]

    assert told(sink) == [GiveUp(reason="550 5.1.1 no such mailbox", code=550)]


@pytest.mark.parametrize(
    "sink",
    [
        Sink(mail_answers=["550 5.7.1 this sender may not send"]),
        Sink(mail_answers=["530 5.7.0 log in first"]),
        Sink(rcpt_answers=["530 5.7.0 log in first"]),
        Sink(rcpt_answers=["503 5.5.1 wrong order"]),
        Sink(data_answers=["535 5.7.8 log in again"]),
    ],
    ids=lambda sink: str(sink.mail_answers or sink.rcpt_answers or sink.data_answers),
)
def test_a_final_refusal_that_blames_our_set_up_is_tried_again(sink: Sink) -> None:
    """Else one wrong setting would give up every mail of a night."""
    [outcome] = told(sink)

    assert isinstance(outcome, TryAgain)
    assert not outcome.unknown


def test_a_mail_that_is_too_large_is_given_up_wherever_it_is_said() -> None:
    [outcome] = told(Sink(mail_answers=["552 5.3.4 too large"]))

    assert isinstance(outcome, GiveUp)


def test_after_a_refusal_the_next_mail_goes_over_the_same_connection() -> None:
    sink = Sink(rcpt_answers=["550 no", "451 later"], data_answers=["554 no"])

    kinds = [type(outcome) for outcome in told(sink, times=4)]

    assert kinds == [GiveUp, TryAgain, GiveUp, Accepted]
    assert sink.connections == 1


def test_an_address_in_a_server_s_words_is_not_repeated() -> None:
    [outcome] = told(Sink(rcpt_answers=["550 <di.on.call@police.example> is\tunknown here"]))

    assert isinstance(outcome, GiveUp)
    assert outcome.reason == "550 (address) is unknown here"


def test_a_connection_lost_after_the_mail_was_handed_over_leaves_the_outcome_unknown() -> None:
    async def hang_up(server: SMTP) -> None:
        abort(server)

    sink = Sink(before_data_answer=hang_up)

    [outcome] = told(sink)

    assert isinstance(outcome, TryAgain)
    assert outcome.unknown
    assert sink.connections == 1, "a mail that may have been taken is not repeated at once"


def test_a_server_that_is_silent_after_the_mail_leaves_the_outcome_unknown() -> None:
    async def dawdle(server: SMTP) -> None:
        await asyncio.Event().wait()

    [outcome] = told(Sink(before_data_answer=dawdle), exchange_seconds=0.3)

    assert isinstance(outcome, TryAgain)
    assert outcome.unknown
    assert "0.3 s" in outcome.reason


def test_a_server_that_never_replies_costs_no_more_than_the_deadline() -> None:
    async def story() -> tuple[Outcome, float]:
        async with saying() as (port, _):
            loop = asyncio.get_running_loop()
            start = loop.time()
            outcome = await send(Post(a_server(port, exchange_seconds=0.2)))
            return outcome, loop.time() - start

    outcome, seconds = asyncio.run(story())

    assert isinstance(outcome, TryAgain)
    assert not outcome.unknown
    assert seconds < 2


def test_waiting_for_another_mail_s_turn_counts_against_the_deadline_and_is_known() -> None:
    async def dawdle(server: SMTP) -> None:
        await asyncio.Event().wait()

    async def story() -> tuple[Outcome, Outcome]:
        sink = Sink(before_data_answer=dawdle)
        async with running(sink) as port:
            post = Post(a_server(port, exchange_seconds=0.5, connections=1))
            first = asyncio.create_task(send(post))
            await sink.handed_over.wait()
            post._server = dataclasses.replace(post._server, exchange_seconds=0.1)
            return await send(post), await first

    waiting, first = asyncio.run(story())

    assert isinstance(first, TryAgain)
    assert first.unknown
    assert isinstance(waiting, TryAgain)
    assert not waiting.unknown


def test_a_kept_connection_that_died_meanwhile_is_opened_anew_within_the_same_go() -> None:
    async def story() -> tuple[list[Outcome], int]:
        sink = Sink()
        async with running(sink) as port:
            post = Post(a_server(port))
            outcomes = [await send(post)]
            sink.mail_answers = ["421 4.3.2 you were idle too long"]
            outcomes.append(await send(post))
            await post.close()
            return outcomes, sink.connections

    outcomes, connections = asyncio.run(story())

    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted]
    assert connections == 2


def test_nobody_listening_is_tried_again() -> None:
    async def story() -> Outcome:
        async with running(Sink()) as port:
            pass
        return await send(Post(a_server(port)))

    assert isinstance(asyncio.run(story()), TryAgain)


@pytest.mark.parametrize(
    "lines", [("554 5.3.2 not today",), ("220 hello", "550 not you", "550 not you")]
)
def test_a_refusal_before_the_mail_is_tried_again(lines: tuple[str, ...]) -> None:
    async def story() -> Outcome:
        async with saying(*lines) as (port, _):
            return await send(Post(a_server(port)))

    outcome = asyncio.run(story())

    assert isinstance(outcome, TryAgain)
    assert not outcome.unknown


def test_a_cancelled_exchange_leaves_no_half_open_connection_behind() -> None:
    async def dawdle(server: SMTP) -> None:
        await asyncio.Event().wait()

    async def story() -> Outcome:
        sink = Sink(before_data_answer=dawdle)
        async with running(sink) as port:
            post = Post(a_server(port))
            task = asyncio.create_task(send(post))
            await sink.handed_over.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            sink.before_data_answer = None
            outcome = await send(post)
            await post.close()
            return outcome

    assert isinstance(asyncio.run(story()), Accepted)


# --- who may be sent to ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipient",
    [
        "desk@elsewhere.example",
        "desk@notpolice.example",
        "desk@police.example.evil.example",
        "desk@sub.police.example",
        "desk@police.example\r\nRCPT TO:<x@evil.example>",
        "desk@evil.example>,<x@police.example",
        "desk",
        "",
    ],
)
def test_an_address_outside_the_allowed_domains_is_given_up_before_any_connection(
    recipient: str,
) -> None:
    async def story() -> tuple[Outcome, int]:
        sink = Sink()
        async with running(sink) as port:
            return await send(Post(a_server(port)), recipient), sink.connections

    outcome, connections = asyncio.run(story())

    assert isinstance(outcome, GiveUp)
    assert connections == 0
    assert "evil" not in outcome.reason


def test_a_domain_that_begins_with_a_dot_allows_what_is_under_it_in_any_case() -> None:
    async def story() -> Outcome:
        async with running(Sink()) as port:
            post = Post(a_server(port, allowed_domains=(".Police.example",)))
            outcome = await send(post, "desk@EAST.police.example")
            await post.close()
            return outcome

    assert isinstance(asyncio.run(story()), Accepted)


# --- never in clear -------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["mail.police.example", "10.0.0.1", "128.0.0.1", "::2", ""])
def test_no_encryption_is_refused_for_any_host_but_this_machine(host: str) -> None:
    with pytest.raises(UnsafeMailServer, match="in clear"):
        Post(a_server(25, host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_no_encryption_may_be_asked_for_on_this_machine(host: str) -> None:
    Post(a_server(25, host=host))


def test_settings_that_cannot_be_used_are_refused_with_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UnsafeMailServer, match="allowed_domains"):
        Post(a_server(25, allowed_domains=()))
    with pytest.raises(UnsafeMailServer, match=r"missing\.pem"):
        Post(a_server(25, security="tls", ca_file=tmp_path / "missing.pem"))
    with pytest.raises(UnsafeMailServer, match="password"):
        Post(a_server(25, username="monitor"))
    with pytest.raises(UnsafeMailServer, match="security is 'plain'"):
        Post(a_server(25, security="plain"))  # type: ignore[arg-type]


def test_a_password_is_not_shown_where_settings_are_printed() -> None:
    assert "secret" not in repr(a_server(25, username="monitor", password="secret"))


def test_starttls_with_a_certificate_that_holds_sends_encrypted(tmp_path: Path) -> None:
    ours, sink = authority(tmp_path), Sink()
    context = ours.server(address="127.0.0.1")

    outcomes = told(
        sink,
        times=2,
        options={"tls_context": context, "require_starttls": True},
        security="starttls",
        ca_file=ours.file,
    )

    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted]
    assert sink.encrypted == [True, True]


def test_implicit_tls_with_a_certificate_that_holds_sends(tmp_path: Path) -> None:
    ours, sink = authority(tmp_path), Sink()

    [outcome] = told(
        sink,
        options={"implicit_tls": ours.server(address="127.0.0.1")},
        security="tls",
        ca_file=ours.file,
    )

    assert isinstance(outcome, Accepted)
    assert sink.taken == [MAIL]


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("fault", ["another host", "another authority"])
def test_a_certificate_that_does_not_hold_gets_no_mail(
    tmp_path: Path, security: Security, fault: str
) -> None:
    ours, theirs = authority(tmp_path), authority(tmp_path, "other authority")
    signer = theirs if fault == "another authority" else ours
    context = signer.server(address="127.0.0.2" if fault == "another host" else "127.0.0.1")
    option = "implicit_tls" if security == "tls" else "tls_context"
    sink = Sink()

    [outcome] = told(sink, options={option: context}, security=security, ca_file=ours.file)

    assert isinstance(outcome, TryAgain)
    assert "certificate" in outcome.reason
    assert not outcome.unknown
    assert sink.taken == []


def test_a_server_without_starttls_hears_nothing_of_the_mail() -> None:
    async def story() -> tuple[Outcome, list[bytes]]:
        async with saying("220 hello", "250 hello", "250 what now", "250 go on") as (port, heard):
            return await send(Post(a_server(port, security="starttls"))), heard

    outcome, heard = asyncio.run(story())

    assert isinstance(outcome, TryAgain)
    assert "STARTTLS" in outcome.reason
    assert not any(b"MAIL" in line or b"AUTH" in line for line in heard)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_asks_for_a_certificate_gets_ours(tmp_path: Path, security: Security) -> None:
    ours, sink = authority(tmp_path), Sink()
    option = "implicit_tls" if security == "tls" else "tls_context"
    mutual: dict[str, Any] = {
        "options": {option: _asking(ours)},
        "security": security,
        "ca_file": ours.file,
    }

    assert isinstance(told(sink, client_certificate=ours.client(), **mutual)[0], Accepted)
    [without] = told(sink, **mutual)
    another = authority(tmp_path, "other authority").client("another")
    [of_another] = told(sink, client_certificate=another, **mutual)

    for refused in (without, of_another):
        assert isinstance(refused, TryAgain)
        assert refused.at_fault == "server"
    assert len(sink.taken) == 1


def _asking(ours: Authority) -> ssl.SSLContext:
    """A server that talks only with whom it knows; it says so at once, as TLS 1.2 does."""
    context = ours.server(address="127.0.0.1")
    context.load_verify_locations(ours.file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


# --- logging in -----------------------------------------------------------------------------------


def _login(password: str, tmp_path: Path) -> tuple[Sink, Outcome]:
    ours, sink = authority(tmp_path), Sink()
    [outcome] = told(
        sink,
        options={
            "tls_context": ours.server(address="127.0.0.1"),
            "authenticator": sink.authenticate,
            "auth_required": True,
        },
        security="starttls",
        ca_file=ours.file,
        username="monitor",
        password=password,
    )
    return sink, outcome


def test_with_the_right_password_a_mail_is_taken(tmp_path: Path) -> None:
    sink, outcome = _login("right", tmp_path)

    assert isinstance(outcome, Accepted)
    assert len(sink.taken) == 1


def test_a_wrong_password_fails_once_and_is_tried_again_later(tmp_path: Path) -> None:
    """Each mechanism tried would be one more failure towards a locked account."""
    sink, outcome = _login("wrong", tmp_path)

    assert isinstance(outcome, TryAgain)
    assert outcome.code == 535
    assert "login" in outcome.reason
    assert sink.logins == ["PLAIN"]
    assert sink.taken == []


def test_two_mails_at_once_share_one_refused_login(tmp_path: Path) -> None:
    ours, sink = authority(tmp_path), Sink()

    async def story() -> list[Outcome]:
        options: dict[str, Any] = {
            "tls_context": ours.server(address="127.0.0.1"),
            "authenticator": sink.authenticate,
            "auth_required": True,
        }
        login: dict[str, Any] = {"username": "monitor", "password": "wrong"}
        async with running(sink, **options) as port:
            post = Post(a_server(port, security="starttls", ca_file=ours.file, **login))
            return list(await asyncio.gather(send(post), send(post)))

    outcomes = asyncio.run(story())

    assert [isinstance(each, TryAgain) and each.at_fault for each in outcomes] == ["login"] * 2
    assert sink.logins == ["PLAIN"]


def test_a_server_that_offers_no_login_is_tried_again() -> None:
    [outcome] = told(Sink(), username="monitor", password="right")

    assert isinstance(outcome, TryAgain)
    assert "log in" in outcome.reason
