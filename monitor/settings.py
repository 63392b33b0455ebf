"""The installation's settings: `config/monitor.toml`, overridden by `MONITOR_*` variables.

What comes in: a file and the environment. What goes out: settings checked as a whole, with every
path made absolute; or every fault at once. An unknown name is a fault in either.
It does not care about the files that the paths point to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from monitor.faults import Fault, FaultsFound, TomlDocument, faults_of, read_toml

PREFIX = "MONITOR_"

Domain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Service(_Part):
    """What this installation is called, and where."""

    name: str = "Safeguarding timeliness"
    zone: str = "Europe/London"
    marking: str = "OFFICIAL-SENSITIVE"
    """First in every subject, and top and bottom of every mail."""
    node: str = ""
    """Name of this daemon among several; empty: the host's name."""
    log_format: Literal["json", "text"] = "json"


class Database(_Part):
    """Where everything is kept."""

    url: SecretStr = SecretStr("sqlite:///var/monitor.db")
    """`sqlite:///FILE` (relative to the installation) or `postgresql://…`."""
    url_file: str = ""
    """A private file that holds the address, where it contains a password."""


class Paths(_Part):
    """Folders and files, relative to the installation."""

    rules: str = "rules"
    templates: str = "templates"
    feeds: str = "config/feeds"
    recipients: str = "config/recipients.toml"
    partners: str = "config/partners.toml"
    done: str = "var/done"
    """Where files go that were taken in; private."""
    child_secret_file: str = "var/child-secret"
    """The installation's secret under which children are hashed; made by `monitor init`."""


class Intake(_Part):
    """How files are taken in."""

    batch_rows: int = Field(default=4000, ge=1, le=50_000)
    """Rows a transaction: more is faster, and holds the database's write lock longer."""
    bad_share: float = Field(default=0.2, gt=0, le=1)
    """A file with a greater share of bad rows is set aside whole."""
    keep_done_days: int = Field(default=14, ge=0)
    poll_seconds: float = Field(default=2, gt=0)


class Telling(_Part):
    """How much is said, and to whom."""

    alerts: Literal["off", "digest", "on"] = "digest"
    """The most that any rule may say. A first install only measures and digests."""
    redirect_all_to: str = ""
    """Every mail goes to this address instead, saying whom it was meant for."""
    bundle_minutes: int = Field(default=10, ge=0)
    """After a mail to a person, further alerts wait this long to go together."""
    poll_seconds: float = Field(default=30, gt=0)


class Mail(_Part):
    """The relay."""

    host: str = "localhost"
    port: int = Field(default=25, ge=1, le=65535)
    security: Literal["starttls", "tls", "none-loopback-only"] = "starttls"
    sender: str = "timeliness@eastshire.police.example"
    allowed_domains: tuple[Domain, ...] = ()
    """Mail goes to these domains alone. Empty: to nobody."""
    username: str = ""
    password_file: str = ""
    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""
    timeout_seconds: float = Field(default=60, gt=0)
    """Of one whole exchange; the lease on a mail is more than twice this."""
    give_up_hours: float = Field(default=72, gt=0)
    """A mail not accepted for so long becomes a dead letter."""


class WeeklyDigest(_Part):
    """When the weekly digest goes out."""

    weekday: Literal["mon", "tue", "wed", "thu", "fri"] = "mon"
    at: TimeOfDay = "08:00"
    calendar: str = "council-england"
    """Whose bank holidays move it to the next working day."""
    no_notice_rule: str = "no-notice"


class Operator(_Part):
    """Who is told of faults of the service itself."""

    addresses: tuple[str, ...] = ()


class Settings(BaseSettings):
    """All settings of one installation."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        validate_default=True,
    )

    service: Service = Service()
    database: Database = Database()
    paths: Paths = Paths()
    intake: Intake = Intake()
    telling: Telling = Telling()
    mail: Mail = Mail()
    digest: WeeklyDigest = WeeklyDigest()
    operator: Operator = Operator()
    root: Path = Field(default=Path(), exclude=True)
    """The installation's folder; every relative path starts here."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    def path(self, written: str) -> Path:
        """A path of the settings, made absolute."""
        return (self.root / written).absolute()

    def database_url(self) -> str:
        """The database's address; a relative SQLite file is made absolute.

        Raises FaultsFound where `url_file` is not there.
        """
        url = self.database.url.get_secret_value()
        if self.database.url_file:
            url = self.secret(self.database.url_file)
        prefix = "sqlite:///"
        if url.startswith(prefix) and not url.startswith(prefix + "/"):
            url = f"{prefix}{self.path(url.removeprefix(prefix))}"
        return url

    def mail_password(self) -> str | None:
        """The relay's password, from its private file; None where there is none."""
        return self.secret(self.mail.password_file) if self.mail.password_file else None

    def secret(self, written: str) -> str:
        """The text of a private file; `$CREDENTIALS_DIRECTORY` may stand in its path.

        Raises FaultsFound where it is missing: a secret that is not there is never passed over.
        """
        path = self.path(os.path.expandvars(written))
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            mend = "create it, readable by the service's user alone"
            fault = Fault(file=str(path), expected=f"cannot be read: {error.strerror}", mend=mend)
            raise FaultsFound([fault]) from None


def read_settings(file: Path) -> Settings:
    """Settings of the installation whose `config/monitor.toml` is `file`.

    Raises FaultsFound with every fault of file and environment.
    """
    document = read_toml(file)
    faults = _unknown_variables(os.environ)
    try:
        settings = Settings(**document.data, root=_installation_of(file))
    except ValidationError as error:
        faults += _where_they_stand(error, file, document, os.environ)
        settings = None
    if faults or settings is None:
        raise FaultsFound(faults)
    return settings


def _installation_of(file: Path) -> Path:
    folder = file.absolute().parent
    return folder.parent if folder.name == "config" else folder


def _unknown_variables(environment: Mapping[str, str]) -> list[Fault]:
    """A mistyped variable would otherwise be passed over in silence."""
    known = {
        f"{PREFIX}{part}_{name}".upper()
        for part, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for name in field.annotation.model_fields
    }
    return [
        Fault(
            file="environment",
            field=name,
            expected="no such setting is known",
            mend="unset it, or check its spelling: MONITOR_SECTION_NAME",
        )
        for name in sorted(environment)
        if name.startswith(PREFIX) and name.upper() not in known
    ]


def _where_they_stand(
    error: ValidationError, file: Path, document: TomlDocument, environment: Mapping[str, str]
) -> list[Fault]:
    faults = faults_of(error, file=str(file), locate=document.locate)
    return [_in_environment(fault, environment) for fault in faults]


def _in_environment(fault: Fault, environment: Mapping[str, str]) -> Fault:
    """A fault whose value came from a variable names the variable instead of the file."""
    name = PREFIX + "_".join(fault.field.split(".")[:2]).upper()
    if name not in environment:
        return fault
    return Fault(
        file="environment",
        field=name,
        found=fault.found,
        expected=fault.expected,
        mend=fault.mend,
    )

