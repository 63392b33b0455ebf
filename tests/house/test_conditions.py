"""What every test can rely on: no other machine is reached, no setting of the desk leaks in."""

from __future__ import annotations

import os
import socket

import pytest
from pytest_socket import SocketConnectBlockedError

# The blocker also warns, and warnings are errors: whichever comes first.
_REFUSED = (SocketConnectBlockedError, UserWarning)


def test_no_other_machine_can_be_reached() -> None:
    """192.0.2.0/24 is set aside for documentation and belongs to nobody."""
    with socket.socket() as outward, pytest.raises(_REFUSED, match=r"192\.0\.2\.1"):
        outward.connect(("192.0.2.1", 25))


def test_no_name_server_is_asked() -> None:
    """A name leaves the machine before any connection does."""
    with pytest.raises(RuntimeError, match="only loopback"):
        socket.getaddrinfo("mail.example.org", 25)


def test_loopback_is_open() -> None:
    """Servers of our own can be talked to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()


def test_no_setting_of_the_desk_leaks_in(bare_environment: dict[str, str]) -> None:
    """Only the two names that are meant for tests may stay, and no command of ours sees those."""
    ours = {name for name in os.environ if name.startswith("MONITOR_")}
    assert ours <= {"TIMELINESS_PG_BIN", "TIMELINESS_REAL_LOGS"}
    assert not [name for name in bare_environment if name.startswith("MONITOR_")]
