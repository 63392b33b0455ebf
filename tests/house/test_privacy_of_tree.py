"""Nothing in the tree names a machine, a package index or a person's address."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]

# A letter in brackets matches itself, so that this file does not hold what it looks for.
_MACHINE_PATH = re.compile(r"(?<![\w.$}-])/(?:w[o]rk|r[o]ot|h[o]me|U[s]ers)/")
_INDEX_HOST = re.compile(r"\bp[y]pi\.[a-z]|p[y]thonhosted\.")
_ADDRESS = re.compile(r"[\w.+-]+@((?:[a-z0-9-]+\.)+[a-z]{2,})\b", re.IGNORECASE)
# Reserved for examples and tests (RFC 2606, RFC 6761); `.service` is a systemd instance, no host.
_EXAMPLE_DOMAIN = re.compile(
    r"(?:^|\.)(?:example\.(?:com|net|org)|example|test|invalid|localhost|service)$", re.IGNORECASE
)


def _foreign(text: str) -> list[str]:
    """What a text names that it must not."""
    found = [match[0] for match in _MACHINE_PATH.finditer(text)]
    found += [match[0] for match in _INDEX_HOST.finditer(text)]
    found += [match[0] for match in _ADDRESS.finditer(text) if not _EXAMPLE_DOMAIN.search(match[1])]
    return found


def _tree() -> list[Path]:
    """The files that are or would be tracked."""
    if not (_ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("this is no checkout")
    listed = subprocess.run(
        # The owner of the folder may be another user than the one who runs the tests.
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-c", "-o", "--exclude-standard"],
        cwd=_ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [_ROOT / name for name in listed.stdout.split("\0") if name]


def _text(path: Path) -> str:
    """Its text, nothing where it is a picture or was just deleted."""
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return ""


def test_no_file_names_a_machine_an_index_or_an_address() -> None:
    """Paths are relative, addresses are example ones."""
    named = {
        str(path.relative_to(_ROOT)): found for path in _tree() if (found := _foreign(_text(path)))
    }
    assert not named


@pytest.mark.parametrize(
    ("text", "is_foreign"),
    [
        ("see " + "/" + "home/somebody/notes", True),
        ("--index-url https://" + "py" + "pi.example/simple", True),
        ("write to someone@" + "police.uk", True),
        ("write to duty.desk@eastshire.example", False),
        ("postgresql://monitor:secret@127.0.0.1/monitor", False),
        ("systemctl start monitor@north.service", False),
        ("ProtectHome=yes, /var/lib/monitor, docs/home/page", False),
    ],
)
def test_the_search_finds_what_it_looks_for(text: str, is_foreign: bool) -> None:
    """A search that finds nothing must be able to find something."""
    assert bool(_foreign(text)) is is_foreign


def test_the_locks_name_no_place() -> None:
    """Only names, versions, conditions and hashes: any index may serve them."""
    for lock in ("requirements.lock", "requirements-run.lock"):
        for line in (_ROOT / lock).read_text(encoding="utf-8").splitlines():
            assert re.fullmatch(r"[a-z0-9-]+==\S+( ; [^\\]+)? \\| {4}--hash=sha256:\w+( \\)?", line)
