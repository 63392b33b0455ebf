"""Settings: the file, the variables over it, and what is wrong with either."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from monitor.data import data_folder
from monitor.faults import FaultsFound
from monitor.settings import Settings, known_variables, read_settings

SHIPPED = data_folder("config") / "monitor.toml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A settings file in the place where an installation has it."""
    config = tmp_path / "config"
    config.mkdir()
    return config / "monitor.toml"


def written(file: Path, text: str) -> Settings:
    file.write_text(text, encoding="utf-8")
    return read_settings(file)


def refused(file: Path, text: str = "") -> list[str]:
    """The faults of a file, each as it is printed."""
    with pytest.raises(FaultsFound) as found:
        written(file, text)
    return [str(fault) for fault in found.value.faults]


# -- where values come from -------------------------------------------------------------------


def test_the_shipped_file_says_every_setting_that_has_a_usual_value() -> None:
    """What it writes, or shows as a comment, is all that is usually needed."""
    text = SHIPPED.read_text(encoding="utf-8")
    assert read_settings(SHIPPED).service.zone == "Europe/London"
    named = set(re.findall(r"(?m)^#? ?([a-z_]+) = ", text))
    assert {setting.partition(".")[2] for setting in known_variables().values()} - named == {
        "client_certificate",
        "client_key",
    }


def test_an_empty_file_gives_the_safe_usual_values(file: Path) -> None:
    """Nobody is mailed, and nothing goes in clear, until somebody decides so."""
    settings = written(file, "")
    assert settings.telling.alerts == "digest"
    assert settings.mail.security == "starttls"
    assert settings.mail.allowed_domains == ()


def test_a_variable_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only for its own setting."""
    monkeypatch.setenv("MONITOR_MAIL_HOST", "relay.force.example")
    settings = written(file, '[mail]\nhost = "elsewhere.example"\nport = 2525\n')
    assert (settings.mail.host, settings.mail.port) == ("relay.force.example", 2525)


def test_every_setting_has_its_variable(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`MONITOR_SECTION_NAME`, also where the name itself has an underscore."""
    monkeypatch.setenv("MONITOR_DATABASE_URL", "postgresql://monitor@db.example/monitor")
    monkeypatch.setenv("MONITOR_MAIL_ALLOWED_DOMAINS", "force.example, council.example")
    monkeypatch.setenv("MONITOR_OPERATOR_ADDRESSES", '["operator@force.example"]')
    monkeypatch.setenv("MONITOR_TELLING_REDIRECT_ALL_TO", "trial@force.example")
    monkeypatch.setenv("MONITOR_INTAKE_KEEP_DONE_DAYS", "3")
    settings = written(file, "")
    assert settings.database_url() == "postgresql://monitor@db.example/monitor"
    assert settings.mail.allowed_domains == ("force.example", "council.example")
    assert settings.operator.addresses == ("operator@force.example",)
    assert settings.telling.redirect_all_to == "trial@force.example"
    assert settings.intake.keep_done_days == 3


def test_paths_start_at_the_installation(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the command was typed."""
    monkeypatch.chdir("/")
    settings = written(file, "")
    root = file.parent.parent
    assert settings.path(settings.paths.done) == root / "var/done"
    assert settings.database_url() == f"sqlite:///{root}/var/monitor.db"
    assert settings.path("/elsewhere/rules") == Path("/elsewhere/rules")


def test_a_file_outside_a_config_folder_has_its_own_folder_as_the_installation(
    tmp_path: Path,
) -> None:
    assert written(tmp_path / "mine.toml", "").root == tmp_path


# -- what is wrong ----------------------------------------------------------------------------


def test_an_unknown_name_is_told_with_file_and_line(file: Path) -> None:
    (fault,) = refused(file, '[mail]\nhost = "relay.example"\nhots = "relay.example"\n')
    assert fault.startswith(f"{file}:3:1: mail.hots:")


def test_an_unknown_section_is_told(file: Path) -> None:
    assert [f"{file}:1:1: mial:"] == [
        fault.partition(" no ")[0] for fault in refused(file, "[mial]")
    ]


@pytest.mark.parametrize("name", ["MONITOR_MAIL_HOTS", "monitor_mail_hots", "MONITOR_MAIL"])
def test_an_unknown_variable_is_told_by_its_name(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The library would pass it over in silence."""
    monkeypatch.setenv(name, "{")
    (fault,) = refused(file)
    assert fault.startswith(f"environment: {name}: no such setting is known")


def test_all_faults_of_file_and_environment_are_told_at_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_MAIL_HOTS", "relay.example")
    monkeypatch.setenv("MONITOR_MAIL_PORT", "many")
    faults = refused(file, '[telling]\nalerts = "loud"\n[digest]\nat = "25:00"\n')
    places = [fault.partition(": ")[0] for fault in faults]
    assert sorted(places) == sorted([f"{file}:2:1", f"{file}:4:1", "environment", "environment"])
    assert any("MONITOR_MAIL_PORT: found 'many'" in fault for fault in faults)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[service]\nzone = "Europe/Eastshire"', "such as Europe/London"),
        ('[service]\nzone = "../zone"', "such as Europe/London"),
        ('[mail]\nsender = "monitor"', "such as desk@force.example"),
        ('[mail]\nallowed_domains = ["@force"]', "such as force.example"),
        ('[telling]\nredirect_all_to = "me"', "such as desk@force.example, or nothing"),
        ('[operator]\naddresses = ["x@y"]', "such as desk@force.example"),
        ('[digest]\nat = "8"', "such as 08:00"),
        ("[intake]\nbatch_rows = 0", "greater than or equal to 1"),
        ("[mail]\nport = 99999", "less than or equal to 65535"),
        ('root = "/"', "no such field is known"),
        ("[mail", "this is not TOML"),
    ],
)
def test_a_wrong_value_says_what_is_expected(file: Path, text: str, said: str) -> None:
    (fault,) = refused(file, text)
    assert said in fault


def test_a_missing_file_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(FaultsFound, match=r"--config FILE.*monitor init"):
        read_settings(tmp_path / "config" / "monitor.toml")


def test_a_variable_that_is_no_list_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_MAIL_ALLOWED_DOMAINS", '["force.example"')
    (fault,) = refused(file)
    assert fault.startswith("environment: MONITOR_MAIL_ALLOWED_DOMAINS: ")


# -- secrets ----------------------------------------------------------------------------------


def test_a_password_in_the_address_is_never_printed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by the settings nor by a fault."""
    address = "postgresql://monitor:hunter2@db.example/monitor"
    monkeypatch.setenv("MONITOR_DATABASE_URL", address)
    settings = written(file, "")
    assert "hunter2" not in f"{settings!r}{settings}{settings.model_dump_json()}"
    assert settings.database_url() == address
    monkeypatch.setenv("MONITOR_DATABASE_URL", address.replace("postgresql", "oracle"))
    with pytest.raises(FaultsFound) as found:
        written(file, "").database_url()
    assert "hunter2" not in str(found.value)
    assert "expected sqlite:///FILE or postgresql://" in str(found.value)


def test_secrets_come_from_credentials(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As systemd hands them over; the newline of an editor is no part of a password."""
    credentials = file.parent / "credentials"
    credentials.mkdir()
    (credentials / "mail-password").write_text("right\n", encoding="utf-8")
    (credentials / "url").write_text("postgresql://m:hunter2@db.example/m\n", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    settings = written(
        file,
        '[mail]\npassword_file = "$CREDENTIALS_DIRECTORY/mail-password"\n'
        '[database]\nurl_file = "$CREDENTIALS_DIRECTORY/url"\n',
    )
    assert settings.mail_password() == "right"
    assert settings.database_url() == "postgresql://m:hunter2@db.example/m"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff"])
def test_a_secret_that_is_not_there_is_told(file: Path, content: bytes | None) -> None:
    """Missing, empty or unreadable: never passed over as if there were none."""
    if content is not None:
        (file.parent.parent / "password").write_bytes(content)
    settings = written(file, '[mail]\npassword_file = "password"\n')
    with pytest.raises(FaultsFound, match="readable by the service's user alone"):
        settings.mail_password()


def test_credentials_without_a_folder_are_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    settings = written(file, '[mail]\npassword_file = "$CREDENTIALS_DIRECTORY/p"\n')
    with pytest.raises(FaultsFound, match="LoadCredential"):
        settings.mail_password()


def test_no_password_is_no_fault_where_none_is_named(file: Path) -> None:
    assert written(file, "").mail_password() is None


def test_no_setting_holds_a_secret_itself() -> None:
    """Only the database's address can, and it is masked; all others name a file."""
    secret = [name for name in known_variables().values() if re.search("password|secret", name)]
    assert all(name.endswith("_file") for name in secret)
    assert "MONITOR_" not in "".join(os.environ)


# -- the database's address -------------------------------------------------------------------


def test_the_variable_for_the_database_wins_over_a_named_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise whoever sets it would work on another database than they say."""
    monkeypatch.setenv("MONITOR_DATABASE_URL", "postgresql://one@db.force.example/timeliness")
    settings = Settings.model_validate({"database": {"url_file": "var/address"}})
    assert settings.database_url() == "postgresql://one@db.force.example/timeliness"


@pytest.mark.parametrize(
    ("url", "mode", "is_fault"),
    [
        ("postgresql://a:secret@db.force.example/t", 0o644, True),
        ("postgresql://a@db.force.example/t?password=secret", 0o644, True),
        ("postgresql://a:secret@db.force.example/t", 0o640, False),
        ("postgresql://a@db.force.example/t", 0o644, False),
    ],
)
def test_a_password_that_every_account_can_read_is_a_fault(
    tmp_path: Path, url: str, mode: int, is_fault: bool
) -> None:
    """In the settings or in the file that they name; the fault does not repeat it."""
    written, named = tmp_path / "config/monitor.toml", tmp_path / "address"
    written.parent.mkdir()
    for file in (written, named):
        file.write_text(url, "utf-8")
        file.chmod(mode)
    for database in ({"url": url}, {"url_file": "address"}):
        settings = Settings.model_validate({"database": database, "root": tmp_path})
        faults = settings.readable_by_all()
        assert bool(faults) is is_fault
        assert "secret" not in str(faults)
