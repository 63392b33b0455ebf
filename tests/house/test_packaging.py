"""The built wheel, alone in an empty environment and an empty folder, does its work."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from monitor import __version__

_ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def _run(*command: str | Path, cwd: Path, environment: dict[str, str]) -> str:
    """What a command prints; its complaints where it fails."""
    ended = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@pytest.fixture(scope="module")
def environment(bare_environment: dict[str, str]) -> dict[str, str]:
    """No way back to the checkout."""
    return {name: text for name, text in bare_environment.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """The wheel, built without network; the tree stays as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    build = (sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
    _run(*build, cwd=_ROOT, environment=environment)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(
    tmp_path_factory: pytest.TempPathFactory, wheel: Path, environment: dict[str, str]
) -> Path:
    """The programs of an environment that holds the wheel and, by a path file, what it needs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    programs = folder / "bin"
    install = ("-m", "pip", "--python", programs / "python", "install", "--quiet")
    _run(
        *(sys.executable, *install, "--no-deps", "--no-index", "--no-cache-dir", wheel),
        cwd=folder,
        environment=environment,
    )
    (packages,) = folder.glob("lib/python*/site-packages")
    # A path file inside a folder named by a path file is not read: no editable install leaks in.
    (packages / "needs.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return programs


def test_the_wheel_carries_every_file_of_data(wheel: Path) -> None:
    """Rules, templates and sample configuration, one for one, and nothing beside the package."""
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    for folder in ("rules", "templates", "config"):
        files = {path.relative_to(_ROOT) for path in (_ROOT / folder).rglob("*") if path.is_file()}
        assert files, f"{folder}/ is empty"
        assert {f"monitor/_data/{path.as_posix()}" for path in files} <= names
    assert {name.split("/")[0] for name in names} == {
        "monitor",
        f"safeguarding_timeliness_monitor-{__version__}.dist-info",
    }
    assert "monitor/py.typed" in names


def test_it_runs_from_the_wheel_alone(
    installed: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """`init` copies the data out; `check` accepts it; `once` carries an empty day through."""
    found = _run(
        *(installed / "python", "-c", "import monitor; print(monitor.__file__)"),
        cwd=tmp_path,
        environment=environment,
    )
    assert Path(found.strip()).is_relative_to(installed.parent)

    monitor = installed / "monitor"
    assert __version__ in _run(monitor, "--version", cwd=tmp_path, environment=environment)
    _run(monitor, "init", "force", cwd=tmp_path, environment=environment)
    for folder in ("rules", "templates", "config"):
        assert any((tmp_path / "force" / folder).iterdir())
    _run(monitor, "check", cwd=tmp_path / "force", environment=environment)
    _run(monitor, "once", cwd=tmp_path / "force", environment=environment)


def test_the_source_archive_packs_no_stray_environment(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Only what the tree holds on purpose."""
    build = ("-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path)
    _run(sys.executable, *build, cwd=_ROOT, environment=environment)
    (archive,) = tmp_path.glob("*.tar.gz")
    listed = _run("tar", "-tzf", archive, cwd=tmp_path, environment=environment).splitlines()
    top = {name.split("/")[1] for name in listed}
    assert {"monitor", "rules", "templates", "config", "pyproject.toml", "LICENSE"} <= top
    assert not {name for name in listed if "site-packages" in name or name.endswith(".db")}
    assert not top & {".venv", "venv", "env", ".git", "dist", "build"}
