"""The installation's settings: `config/monitor.toml`, overridden by `MONITOR_*` variables.

What comes in: a file and the environment. What goes out: settings checked as a whole, with every
path made absolute; or every fault at once. An unknown name is a fault in either.
It does not care about the files that the paths point to.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from monitor.faults import Fault, FaultsFound, TomlDocument, faults_of, read_toml

PREFIX: Final = "MONITOR_"
DATABASES: Final = ("sqlite:///", "postgresql://", "postgresql+psycopg://")
CREDENTIALS: Final = "$CREDENTIALS_DIRECTORY"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = "no such time zone is known; expected a name such as Europe/London"
        raise ValueError(msg) from None
    return name


def _written_as(pattern: str, expected: str) -> AfterValidator:
    """Text of one form; a fault says the form in words."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(expected)
        return text

    return AfterValidator(check)


def _listed(value: Any) -> Any:
    """A variable holds one text: a JSON list, or words with commas between."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [word.strip() for word in value.split(",") if word.strip()]
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        msg = 'this is no list; expected ["one", "two"], or one,two'
        raise ValueError(msg) from None


_DOMAIN: Final = r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
_ADDRESS: Final = rf"[A-Za-z0-9._%+-]+@{_DOMAIN}"
_EXAMPLE: Final = "expected an address such as desk@force.example"
_SWITCH_URL: Final = r"(https?://[^\s/@?#:]+(:\d{1,5})?(/[^\s#@]*)?)?"
"""Without a name or password in it, which a log would repeat."""

Zone = Annotated[str, AfterValidator(_known_zone)]
Domain = Annotated[str, _written_as(rf"\.?{_DOMAIN}", "expected a domain such as force.example")]
Address = Annotated[str, _written_as(_ADDRESS, _EXAMPLE)]
MaybeAddress = Annotated[str, _written_as(f"({_ADDRESS})?", f"{_EXAMPLE}, or nothing")]
TimeOfDay = Annotated[
    str, _written_as(r"([01]\d|2[0-3]):[0-5]\d", "expected a time of day such as 08:00")
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Service(_Part):
    """What this installation is called, and where."""

    name: str = "Safeguarding timeliness"
    zone: Zone = "Europe/London"
    marking: str = "OFFICIAL-SENSITIVE"
    """First in every subject, and top and bottom of every mail."""
    node: str = ""
    """Name of this daemon among several; empty: the host's name."""
    log_format: Literal["json", "text"] = "json"
    max_skew_seconds: float = Field(default=5, gt=0)
    """A node whose time is further off the database's than this takes on no work."""


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
    child_secret_file: str = "var/child-secret"  # noqa: S105 - where it lies, not what it is
    """The installation's secret under which children are hashed; made by `monitor init`."""


class Intake(_Part):
    """How files are taken in."""

    batch_rows: int = Field(default=4000, ge=1, le=50_000)
    """Rows a transaction: more is faster, and holds the database's write lock longer."""
    bad_share: float = Field(default=0.2, gt=0, le=1)
    """A file with a greater share of bad rows is set aside whole."""
    keep_done_days: int = Field(default=14, ge=0)
    poll_seconds: float = Field(default=5, gt=0)


class Telling(_Part):
    """How much is said, and to whom."""

    alerts: Literal["off", "digest", "on"] = "digest"
    """The most that any rule may say. A first install only measures and digests."""
    redirect_all_to: MaybeAddress = ""
    """Every mail goes to this address instead, saying whom it was meant for."""
    bundle_minutes: int = Field(default=10, ge=0)
    """After a mail to a person, further alerts wait this long to go together."""
    poll_seconds: float = Field(default=30, gt=0)


class Mail(_Part):
    """The relay."""

    host: str = "localhost"
    port: int = Field(default=25, ge=1, le=65535)
    security: Literal["starttls", "tls", "none-loopback-only"] = "starttls"
    sender: Address = "timeliness@eastshire.police.example"
    allowed_domains: Annotated[tuple[Domain, ...], BeforeValidator(_listed)] = ()
    """Mail goes to these domains alone; one that begins with a dot allows what is under it.
    Empty: to nobody."""
    username: str = ""
    password_file: str = ""
    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""
    connections: int = Field(default=2, ge=1, le=16)
    """How many mails go out beside each other, so that a slow one holds up no other."""
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
    notice: str = "notice_submitted"
    """The kind of event by which there is a notice."""
    told: str = "partner_notified"
    acknowledged: str = "partner_acknowledged"
    quality: dict[str, str] = {
        "voice_of_child": "the child's views",
        "school_recorded": "the school",
        "gp_recorded": "the GP",
    }
    """Attributes that say `yes` where a notice records something → what that is, in words."""
    baseline: tuple[str, str] | None = None
    """First and last week from which the limits of control charts are taken, `2026-W28`; where it
    is not stated, the first 26 of the charted weeks."""


class People(_Part):
    """What people may do about telling, and for how long."""

    take_hours: float = Field(default=4, gt=0)
    """How long a take lasts that names no end."""
    take_at_most_hours: float = Field(default=24, gt=0)
    silence_at_most_days: float = Field(default=14, gt=0)
    restricted_accounts: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Accounts of the operating system that may look at restricted cases and act on them."""
    roster_folder: str = ""
    """Where duty rosters are dropped, relative to the installation; empty: nowhere."""


class Operator(_Part):
    """Who is told of faults of the service itself, and by which route."""

    addresses: Annotated[tuple[Address, ...], BeforeValidator(_listed)] = ()
    relay_host: str = ""
    """A relay of its own, so that a fault of the main one can be told; empty: by the main one."""
    relay_port: int = Field(default=25, ge=1, le=65535)
    relay_security: Literal["starttls", "tls", "none-loopback-only"] = "starttls"
    relay_username: str = ""
    relay_password_file: str = ""
    relay_ca_file: str = ""


class Watch(_Part):
    """How the monitor watches itself."""

    late_minutes: float = Field(default=5, gt=0)
    """What should have been done so long ago, and was not, is a fault."""
    unsent_minutes: float = Field(default=30, gt=0)
    """A mail that was not taken for so long is a fault."""
    unreachable_minutes: float = Field(default=5, gt=0)
    """A database that cannot be used for so long is told of without it."""
    switch_url: Annotated[
        str, _written_as(_SWITCH_URL, "expected an address such as https://switch.example/monitor")
    ] = ""
    """A dead man's switch outside, asked only while all is well; empty: none."""
    every_seconds: float = Field(default=60, ge=1)
    """How often it is asked."""


class Mailbox(_Part):
    """Where mail that comes back lies: delivery reports, and answers to our mails."""

    folder: str = ""
    """A Maildir that our own mail server fills; empty: nothing that comes back is read."""
    address: MaybeAddress = ""
    """Where answers are to go, if not to the sender."""
    authserv_id: str = ""
    """The name under which the relay reports what it found of a mail's sender; it must take away
    any such report that others wrote. Empty: no answer is believed."""
    keep_done_days: int = Field(default=14, ge=0)

    @property
    def takes_answers(self) -> bool:
        """Whether an answer to a mail can do anything."""
        return bool(self.folder and self.authserv_id)


class _Variables(EnvSettingsSource):
    """`MONITOR_SECTION_NAME` variables.

    Text is handed on as it is, lists too: what is wrong with it is then a fault like any other.
    """

    def __call__(self) -> dict[str, Any]:
        """Section → its values by name; variables of no setting are told of elsewhere."""
        given: dict[str, Any] = {}
        for variable, setting in known_variables().items():
            section, _, name = setting.partition(".")
            if (text := self.env_vars.get(variable.lower())) is not None:
                given.setdefault(section, {})[name] = text
        if "url" in (database := given.get("database", {})):
            database.setdefault("url_file", "")  # the file's would win over the variable
        return given


class Settings(BaseSettings):
    """All settings of one installation."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        validate_default=True,
    )

    service: Service = Service()
    database: Database = Database()
    paths: Paths = Paths()
    intake: Intake = Intake()
    telling: Telling = Telling()
    mail: Mail = Mail()
    digest: WeeklyDigest = WeeklyDigest()
    people: People = People()
    mailbox: Mailbox = Mailbox()
    operator: Operator = Operator()
    watch: Watch = Watch()
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
        del env_settings, dotenv_settings, file_secret_settings
        return _Variables(settings_cls), init_settings

    def path(self, written: str) -> Path:
        """A path of the settings, made absolute."""
        return (self.root / written).absolute()

    def database_url(self) -> str:
        """The database's address; a relative SQLite file is made absolute.

        Raises FaultsFound where `url_file` is not there, or the address is of no kind that is
        known; the fault does not show it.
        """
        url = self.database.url.get_secret_value()
        if self.database.url_file:
            url = self.secret(self.database.url_file)
        if not url.startswith(DATABASES):
            expected = "expected sqlite:///FILE or postgresql://USER@HOST/NAME"
            raise FaultsFound([Fault(file="settings", field="database.url", expected=expected)])
        prefix = "sqlite:///"
        if url.startswith(prefix) and not url.startswith(prefix + "/"):
            url = f"{prefix}{self.path(url.removeprefix(prefix))}"
        return url

    def readable_by_all(self) -> list[Fault]:
        """Faults of the files that hold a password of the database and that anybody can read."""
        if PREFIX + "DATABASE_URL" in os.environ or not _has_password(self.database_url()):
            return []
        written = os.path.expandvars(self.database.url_file or "config/monitor.toml")
        path = self.path(written)
        if not path.exists() or not path.stat().st_mode & 0o007:
            return []
        fault = Fault(
            file=str(path),
            field="database.url",
            expected="the database's password stands here, and every account can read the file",
            mend="chmod o= the file, or put the address into a credential and name it in url_file",
        )
        return [fault]

    def mail_password(self) -> str | None:
        """The relay's password, from its private file; None where there is none."""
        return self.secret(self.mail.password_file) if self.mail.password_file else None

    def operator_password(self) -> str | None:
        """The password of the operator's own relay; None where there is none."""
        file = self.operator.relay_password_file
        return self.secret(file) if file else None

    def secret(self, written: str) -> str:
        """The text of a private file; `$CREDENTIALS_DIRECTORY` may stand in its path.

        Raises FaultsFound where it is missing or empty: a secret that is not there is never passed
        over.
        """
        if CREDENTIALS in written and "CREDENTIALS_DIRECTORY" not in os.environ:
            raise FaultsFound([_no_credentials(written)])
        path = self.path(os.path.expandvars(written))
        mend = "create it, readable by the service's user alone"
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            fault = Fault(file=str(path), expected=f"cannot be read: {why}", mend=mend)
            raise FaultsFound([fault]) from None
        if not text:
            raise FaultsFound([Fault(file=str(path), expected="the file is empty", mend=mend)])
        return text


def _has_password(url: str) -> bool:
    """Whether an address holds a password, before the host or after the name."""
    address = urlsplit(url)
    return bool(address.password) or "password" in parse_qs(address.query)


def _no_credentials(written: str) -> Fault:
    return Fault(
        file="environment",
        field="CREDENTIALS_DIRECTORY",
        expected=f"not set, and {written} stands in it",
        mend="run under systemd with LoadCredential=, or set it to the folder of the secrets",
    )


def read_settings(file: Path) -> Settings:
    """Settings of the installation whose `config/monitor.toml` is `file`.

    Raises FaultsFound with every fault of file and environment.
    """
    faults = _unknown_variables(os.environ)
    document = _document(file, faults)
    settings = None
    try:
        settings = Settings(**{**document.data, "root": _installation_of(file)})
    except ValidationError as error:
        faults += _where_they_stand(error, file, document, os.environ)
    if "root" in document.data:
        faults.append(_not_a_setting(file, document))
    if faults or settings is None:
        raise FaultsFound(faults)
    return settings


def _document(file: Path, faults: list[Fault]) -> TomlDocument:
    """The settings file; one that is missing says what to do, beside what else is wrong."""
    if not file.exists():
        mend = "go to the installation's folder, or say --config FILE; `monitor init` makes one"
        missing = Fault(file=str(file), expected="there is no such file", mend=mend)
        raise FaultsFound([*faults, missing])
    try:
        return read_toml(file)
    except FaultsFound as found:
        raise FaultsFound([*faults, *found.faults]) from None


def _not_a_setting(file: Path, document: TomlDocument) -> Fault:
    line, column = document.locate(("root",)) or (None, None)
    expected = "no such field is known here"
    return Fault(file=str(file), line=line, column=column, field="root", expected=expected)


def _installation_of(file: Path) -> Path:
    folder = file.absolute().parent
    return folder.parent if folder.name == "config" else folder


def _unknown_variables(environment: Mapping[str, str]) -> list[Fault]:
    """A mistyped variable would otherwise be passed over in silence."""
    known = set(known_variables())
    return [
        Fault(
            file="environment",
            field=name,
            expected="no such setting is known",
            mend="unset it, or check its spelling: MONITOR_SECTION_NAME",
        )
        for name in sorted(environment)
        if name.upper().startswith(PREFIX) and name.upper() not in known
    ]


def known_variables() -> dict[str, str]:
    """Variable → the setting `section.name` that it overrides."""
    return {
        f"{PREFIX}{part}_{name}".upper(): f"{part}.{name}"
        for part, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for name in field.annotation.model_fields
    }


def _where_they_stand(
    error: ValidationError, file: Path, document: TomlDocument, environment: Mapping[str, str]
) -> list[Fault]:
    faults = faults_of(error, file=str(file), locate=document.locate)
    return [_in_environment(fault, environment) for fault in faults]


def _in_environment(fault: Fault, environment: Mapping[str, str]) -> Fault:
    """A fault whose value came from a variable names the variable instead of the file."""
    name = PREFIX + "_".join(fault.field.split(".")[:2]).upper()
    if name not in {given.upper() for given in environment}:
        return fault
    return replace(fault, file="environment", line=None, column=None, field=name)
