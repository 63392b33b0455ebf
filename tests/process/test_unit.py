"""The systemd unit that is shipped: it is accepted, closed, and fits what the daemon does."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monitor import daemon
from monitor.data import data_folder
from monitor.settings import Settings

SHIPPED = (data_folder("config") / "monitor.service").read_text(encoding="utf-8")


def setting(name: str) -> str:
    (value,) = re.findall(rf"(?m)^{name}=(.*)$", SHIPPED)
    assert isinstance(value, str)
    return value


def analyzed(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What systemd says of the unit, with a command that is there."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not on this machine")
    unit = tmp_path / "monitor.service"
    unit.write_text(SHIPPED.replace("/opt/monitor/bin/monitor", sys.executable), encoding="utf-8")
    return subprocess.run(
        ["systemd-analyze", *words, str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_systemd_accepts_it(tmp_path: Path) -> None:
    """Without a warning: a mistyped setting would be ignored."""
    said = analyzed(tmp_path, "verify", "--man=no")
    assert (said.returncode, said.stderr) == (0, "")


def test_it_is_closed(tmp_path: Path) -> None:
    """Systemd's own measure of exposure, from 0 (closed) to 10."""
    said = analyzed(tmp_path, "security", "--offline=true", "--no-pager")
    if "Unknown" in said.stderr or "unrecognized" in said.stderr:
        pytest.skip("this systemd cannot look at a unit that is not loaded")
    level = re.search(r"exposure level for \S+: ([\d.]+)", said.stdout)
    assert level is not None, said.stderr
    assert float(level[1]) <= 1.5


def test_it_is_told_of_readiness_and_stopped_by_progress() -> None:
    assert setting("Type") == "notify"
    assert setting("Restart") == "always"
    assert int(setting("WatchdogSec")) > 2 * daemon.SAFETY_POLL_SECONDS
    assert "-HUP" in setting("ExecReload")


def test_it_is_given_time_to_finish_the_mail_in_hand() -> None:
    assert int(setting("TimeoutStopSec")) > 2 * Settings().mail.timeout_seconds
