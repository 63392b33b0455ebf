"""Whose word on a sender is believed, and what it must say."""

from __future__ import annotations

from email import message_from_string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.ingest.authentication import Result, doubt_about, results_of, sender_of

RELAY = "relay.police.example"
PASS = f"{RELAY}; dmarc=pass header.from=police.example"


def doubt(*reported: str, sender: str = "desk@police.example") -> str:
    headers = "".join(f"Authentication-Results: {each}\n" for each in reported)
    mail = message_from_string(f"{headers}From: {sender}\n\nx")
    return doubt_about(mail, authserv_id=RELAY)


@pytest.mark.parametrize(
    "reported",
    [
        PASS,
        f"{RELAY} 1; dmarc=pass (p=none dis=none) header.from=Police.Example",
        f"{RELAY.upper()};\n\tdkim=pass header.d=police.example header.s=k; dmarc=none",
        f"{RELAY}; dkim=pass header.i=@police.example",
        f"{RELAY}; spf=pass smtp.mailfrom=bounce@police.example",
        f'{RELAY}; spf=pass (a "quoted" ) smtp.mailfrom=police.example',
        f"{RELAY}; dkim=fail header.d=elsewhere.example; dkim=pass header.d=police.example",
        f"{RELAY}; dmarc/1 = pass header.from = police.example",
    ],
)
def test_the_relay_vouches_for_the_domain_that_the_reader_sees(reported: str) -> None:
    assert doubt(reported) == ""


@pytest.mark.parametrize(
    "reported",
    [
        f"{RELAY}; dmarc=fail header.from=police.example",
        f"{RELAY}; dmarc=fail header.from=police.example; dkim=pass header.d=police.example",
        f"{RELAY}; dmarc=pass header.from=elsewhere.example",
        f"{RELAY}; dmarc=pass",
        f"{RELAY}; dkim=pass header.d=elsewhere.example",
        f"{RELAY}; dkim=pass header.d=example",
        f"{RELAY}; dkim=pass header.d=evil-police.example",
        f"{RELAY}; spf=pass smtp.mailfrom=elsewhere.example",
        f"{RELAY}; spf=pass smtp.helo=police.example",
        f"{RELAY}; spf=softfail smtp.mailfrom=police.example",
        f"{RELAY}; none",
        f"{RELAY};",
        f"{RELAY}; auth=pass smtp.auth=desk@police.example",
        f'{RELAY}; spf=fail reason="; dmarc=pass header.from=police.example"',
        f"{RELAY}; spf=fail (; dmarc=pass header.from=police.example;)",
        f"{RELAY}; spf=fail smtp.mailfrom=a; b=c dmarc=pass header.from=police.example",
    ],
)
def test_what_the_relay_does_not_vouch_for_is_doubted(reported: str) -> None:
    assert doubt(reported) == "it failed authentication"


@pytest.mark.parametrize(
    "reported",
    [
        "elsewhere.example; dmarc=pass header.from=police.example",
        f"{RELAY}.elsewhere.example; dmarc=pass header.from=police.example",
        f"elsewhere.example ({RELAY}); dmarc=pass header.from=police.example",
        f"({RELAY}; dmarc=pass header.from=police.example",
        f'"{RELAY}; dmarc=pass header.from=police.example',
        f"{RELAY} 2; dmarc=pass header.from=police.example",
        "",
    ],
)
def test_another_servers_word_is_nobodys(reported: str) -> None:
    assert doubt(reported) == "our relay does not say who sent it"


def test_only_the_top_most_report_counts() -> None:
    """A relay writes above what it was handed; what stands below may be the sender's own."""
    assert doubt(PASS, "elsewhere.example; dmarc=fail") == ""
    assert doubt("elsewhere.example; dmarc=fail", PASS) == "our relay does not say who sent it"
    assert doubt(f"{RELAY}; dmarc=fail", PASS) == "it failed authentication"


def test_without_a_name_for_the_relay_nobody_is_believed() -> None:
    mail = message_from_string(f"Authentication-Results: {PASS}\nFrom: desk@police.example\n\nx")
    assert doubt_about(mail, authserv_id="") == "our relay does not say who sent it"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("desk@police.example", "desk@police.example"),
        ("The Desk <Desk@Police.example>", "desk@police.example"),
        ('"Desk, the" <desk@police.example>', "desk@police.example"),
        ("=?utf-8?q?D=C3=A9sk?= <desk@police.example>", "desk@police.example"),
        ("desk@police.example, other@police.example", ""),
        ("<desk@police.example> <other@elsewhere.example>", ""),
        ("desk@police.example <other@elsewhere.example>", ""),
        ('"desk@police.example" <other@elsewhere.example>', "other@elsewhere.example"),
        ("desk@police.example(other@elsewhere.example)", ""),
        ("Group: desk@police.example;", ""),
        ("desk", ""),
        ("", ""),
    ],
)
def test_a_sender_is_exactly_one_address(written: str, read: str) -> None:
    assert sender_of(message_from_string(f"From: {written}\n\nx")) == read


def test_two_from_lines_are_no_sender() -> None:
    mail = message_from_string("From: desk@police.example\nFrom: b@police.example\n\nx")
    assert sender_of(mail) == ""
    assert doubt_about(mail, authserv_id=RELAY) == "it names no one sender"


@settings(deadline=None)
@given(
    st.text(alphabet=st.sampled_from(list(' ;=()"\\.@/relaydmcpsx=1')), max_size=80).map(
        lambda text: f"{RELAY}; {text}"
    )
)
def test_any_report_is_read_or_refused(header: str) -> None:
    """And what is read holds only what stood outside comments."""
    found = results_of(header, RELAY)
    assert found is None or all(isinstance(each, Result) for each in found)
