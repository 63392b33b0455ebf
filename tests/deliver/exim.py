"""A real mail transfer agent of one's own: its config, ports, spool and mailboxes in a folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from tempfile import mkdtemp

from tests.deliver.office import DOMAIN

REQUIRED = "TIMELINESS_EXIM"
"""Set to `required` where a missing agent must fail and not be skipped."""
PATIENCE_SECONDS = 30
LARGEST = 200_000
PASSWORD = "right"

_CONFIG = """
exim_user = {user}
exim_group = {user}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s
pid_file_path = {folder}/spool/exim.pid
primary_hostname = relay.{domain}
local_interfaces = 127.0.0.1
daemon_smtp_ports = {starttls} : {tls}
tls_on_connect_ports = {tls}
tls_advertise_hosts = *
tls_certificate = {certificate}
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
message_size_limit = {largest}
never_users = root
deliver_drop_privilege = true
host_lookup =
rfc1413_hosts =
smtp_accept_max = 20
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = at_rcpt
begin acl
at_rcpt:
  deny !authenticated = *
       message = log in first
  deny local_parts = nobody-here
       message = no such mailbox
  accept domains = {domain}
  deny message = relay not permitted
begin routers
here:
  driver = accept
  transport = to_maildir
begin transports
to_maildir:
  driver = appendfile
  maildir_format
  directory = {folder}/mail
  create_directory
  envelope_to_add
  user = {user}
  group = {user}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{monitor}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
"""


class NoExim(Exception):
    """None can be run here; says why."""


@dataclass
class Exim:
    """One agent, which can be stopped and started."""

    folder: Path
    binary: str
    starttls: int
    tls: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to listen."""
        command = [self.binary, "-C", str(self.folder / "exim.conf"), "-bdf", "-q1m"]
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(_answers(port) for port in (self.starttls, self.tls)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise NoExim((self.folder / "said").read_text("utf-8"))
            time.sleep(0.02)

    def stop(self) -> None:
        """Listen no more, and end every conversation; what was taken stays in the spool."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(timeout=PATIENCE_SECONDS)
            self.process = None

    def mails(self, expected: int) -> list[EmailMessage]:
        """What lies in the mailbox, once so many do; fails when they do not come."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found := list((self.folder / "mail" / "new").glob("*"))) < expected:
            assert time.monotonic() < deadline, (self.log, len(found))
            time.sleep(0.05)
        parsed = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in found]
        assert all(isinstance(mail, EmailMessage) for mail in parsed)
        return [mail for mail in parsed if isinstance(mail, EmailMessage)]

    @property
    def log(self) -> str:
        """What it says of itself, refusals too."""
        main = self.folder / "log" / "main"
        return main.read_text("utf-8") if main.exists() else ""


@contextmanager
def running_exim(certificate: Path) -> Iterator[Exim]:
    """An agent that shows a certificate; raises NoExim."""
    binary = shutil.which("exim4", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        message = "no exim4 is installed (Debian: exim4-daemon-light)"
        raise NoExim(message)
    if os.geteuid() != 0:
        message = "exim4 takes a config of one's own only from root"
        raise NoExim(message)
    user = _user_of_exim()
    folder = Path(mkdtemp(prefix="monitor-exim-"))
    folder.chmod(0o755)
    starttls, tls = _free_ports(2)
    agent = Exim(folder, binary, starttls, tls)
    try:
        shutil.copy(certificate, folder / "server.pem")
        for name in ("spool", "log", "mail"):
            (folder / name).mkdir()
        for path in (folder / "server.pem", *folder.iterdir()):
            shutil.chown(path, user, user)
        (folder / "exim.conf").write_text(
            _CONFIG.format(
                folder=folder,
                user=user,
                domain=DOMAIN,
                starttls=agent.starttls,
                tls=agent.tls,
                certificate=folder / "server.pem",
                largest=LARGEST,
                password=PASSWORD,
            ),
            "utf-8",
        )
        agent.start()
        yield agent
    finally:
        agent.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _user_of_exim() -> str:
    for name in ("Debian-exim", "exim", "mail"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    message = "there is no user under whom exim4 could run"
    raise NoExim(message)


def _free_ports(number: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
