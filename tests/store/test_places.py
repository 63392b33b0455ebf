"""An SQLite file lies on a disk of this machine, or it is not opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.store import places
from monitor.store.engine import OperationalError, open_engine, reading, writing
from monitor.store.places import NetworkFile, must_be_local

MOUNTED = """\
proc /proc proc rw 0 0
/dev/sda1 / ext4 rw 0 0
server:/srv /srv nfs4 rw,vers=4.2 0 0
//server/share /srv/a\\040share cifs rw 0 0
/dev/sdb1 /srv/local xfs rw 0 0
server:/ /media/far fuse.sshfs rw 0 0
tmpfs /tmp tmpfs rw 0 0
/dev/fuse /run/user fuse rw 0 0
server:/old /data nfs rw 0 0
/dev/sdc1 /data ext4 rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    file = tmp_path / "mounts"
    file.write_text(MOUNTED)
    return file


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/srv/monitor.db", "nfs4"),
        ("/srv/deep/er/monitor.db", "nfs4"),
        ("/srv/a share/monitor.db", "cifs"),
        ("/media/far/away/monitor.db", "fuse.sshfs"),
    ],
)
def test_a_file_on_a_network_is_refused_with_the_way_out(
    mounts: Path, file: str, kind: str
) -> None:
    """Also where neither the file nor its folder is there yet."""
    with pytest.raises(NetworkFile, match=kind) as refused:
        must_be_local(Path(file), mounts)
    assert "postgresql://" in str(refused.value)


@pytest.mark.parametrize(
    "file",
    [
        "/var/lib/monitor.db",
        "/srv/local/monitor.db",
        "/media/monitor.db",
        "/srv-other/monitor.db",
        "/data/monitor.db",
        "/tmp/monitor.db",
    ],
)
def test_a_file_on_a_disk_is_not(mounts: Path, file: str) -> None:
    """The nearest mount counts, and of two at one place the later."""
    must_be_local(Path(file), mounts)


def test_a_link_is_followed(mounts: Path, tmp_path: Path) -> None:
    (tmp_path / "var").symlink_to("/srv")
    with pytest.raises(NetworkFile):
        must_be_local(tmp_path / "var/monitor.db", mounts)


def test_a_machine_that_tells_nothing_of_its_mounts_is_believed(tmp_path: Path) -> None:
    must_be_local(Path("/srv/monitor.db"), tmp_path / "none")


def test_nothing_is_made_there(
    mounts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts.write_text(f"server:/x {tmp_path} nfs rw 0 0\n")
    monkeypatch.setattr(places.must_be_local, "__defaults__", (mounts,))
    with pytest.raises(NetworkFile):
        open_engine(f"sqlite:///{tmp_path}/var/monitor.db")
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("becomes", ["gone", "another"])
def test_every_transaction_is_of_the_file_that_was_opened(tmp_path: Path, becomes: str) -> None:
    """SQLite would go on with a deleted one, and a new connection make or take another."""
    file, kept = tmp_path / "monitor.db", tmp_path / "kept.db"
    engine = open_engine(f"sqlite:///{file}")
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE seen (number INTEGER)"))
    file.rename(kept)
    if becomes == "another":
        file.touch()
    for _ in range(2):
        with pytest.raises(OperationalError, match="taken away or replaced"), writing(engine) as to:
            to.execute(text("INSERT INTO seen VALUES (1)"))
        engine.dispose()  # neither an old connection nor a new one
    assert file.exists() is (becomes == "another")
    kept.replace(file)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM seen")).scalar_one() == 0
    engine.dispose()
