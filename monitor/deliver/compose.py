"""From a letter to the bytes of a mail: the one door to Jinja2 and to the inlining of styles.

What comes in: a letter (`letters`), an address, an identifier, a date. What goes out: bytes that
are the same for the same input, whenever and wherever they are made.
It does not care who is told or why, nor how the bytes travel.

Every text in a letter is cleaned before a template sees it: no value can begin a line, end a
header, or turn the direction of writing. HTML escapes by itself. A template that names what does
not exist, or prints what is not known, is an error and never an empty place.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
import unicodedata
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import css_inline
from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
)
from jinja2.ext import Extension
from jinja2.sandbox import SandboxedEnvironment

from monitor import words
from monitor.deliver.packing import (
    Rendered,
    content_id,
    ids_in,
    set_bodies,
    shown,
    subject_line,
)
from monitor.deliver.samples import SAMPLES
from monitor.faults import Fault
from monitor.letters import (
    AnyLetter,
    BundleLetter,
    DigestLetter,
    DutyLine,
    OperatorLetter,
    OverdueLetter,
    Picture,
    SilenceLetter,
    WarningLetter,
    WithdrawalLetter,
    Withdrawn,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo
    from types import TracebackType

    from monitor.model import Instant

_Value = TypeVar("_Value")

FOLDERS: Final[Mapping[type[AnyLetter], str]] = {
    WarningLetter: "warning",
    OverdueLetter: "overdue",
    BundleLetter: "bundle",
    WithdrawalLetter: "withdrawal",
    DigestLetter: "digest",
    OperatorLetter: "operator",
    SilenceLetter: "silence",
}
"""The folder of each mail's three templates."""
PARTS: Final = ("subject.txt", "body.txt", "body.html")

_LONGEST_SUBJECT: Final = 180
_TEXT_WIDTH: Final = 75
"""Without the space that ends a line which flows on; 76 with it."""
_TOGETHER: Final = "\ue000"
"""Stands for a space at which no line may end, until the text is laid out."""
_TAG_LINE: Final = re.compile(r"(?m)^[ \t]*(\{([%#])(?:(?!-?\2\}).)*)(-?\2\})[ \t]*\n")
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
_IDENTIFIER: Final = re.compile(r"<[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+>")
_POLICY: Final = SMTP.clone(cte_type="7bit")
_FETCHED: Final = re.compile(
    r"""(?:src|srcset|poster|background)=(?!"cid:)|url\(|@import|<(?:script|form|link)"""
)
_NUMBER: Final = re.compile(r"\+?[0-9][0-9 ()-]{2,24}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CannotCompose(ValueError):
    """A mail cannot be made of what was given; trying again will not help."""


class Composer:
    """Makes mails of letters, from the templates of one folder. Holds no state between mails."""

    def __init__(
        self,
        *,
        templates: Path,
        zone: tzinfo,
        marking: str,
        sender: str,
        domain: str,
        sender_name: str = "",
        reply_to: str = "",
        suppress_auto_replies: bool = True,
    ) -> None:
        """Prepare to compose.

        Args:
            templates: The folder that holds one folder for each mail, and what they share.
            zone: In which times are said.
            marking: `OFFICIAL-SENSITIVE`: first in every subject, top and bottom of every body.
            sender: The address in From.
            domain: What stands after the @ of a Message-ID.
            sender_name: The name beside the address in From.
            reply_to: Where answers go, if not to the sender.
            suppress_auto_replies: Ask Exchange servers not to send out-of-office answers.

        Raises:
            CannotCompose: An address, the domain or the marking cannot stand in a header.
        """
        self._marking = _clean(marking)
        if not self._marking:
            msg = "the marking is empty: every mail bears one"
            raise CannotCompose(msg)
        self._sender = Address(_clean(sender_name), addr_spec=_address(sender))
        self._domain = _address(f"monitor@{domain}").partition("@")[2]
        self._reply_to = _address(reply_to) if reply_to else ""
        self._suppress_auto_replies = suppress_auto_replies
        self._text = _environment(templates, zone, html=False)
        self._html = _environment(templates, zone, html=True)
        self._html.filters["cid"] = partial(content_id, domain=self._domain)
        # Styles come from the templates alone: a mail is never made by asking another machine.
        self._inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)

    def message_id(self, key: str) -> str:
        """The Message-ID of what `key` names: the same key always gives the same one."""
        return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{self._domain}>"

    def render(self, letter: AnyLetter) -> Rendered:
        """A letter as it reads. Raises jinja2's TemplateError where a template is at fault."""
        folder, ready = FOLDERS[type(letter)], _ready(letter)
        said = {"letter": ready, "marking": self._marking}
        subject = self._subject(self._text.get_template(f"{folder}/subject.txt").render(said))
        text = _paragraphs(self._text.get_template(f"{folder}/body.txt").render(said))
        html = self._html.get_template(f"{folder}/body.html").render(said, subject=subject)
        inlined = self._inliner.inline(html.replace(_TOGETHER, "&nbsp;"))
        return Rendered(
            subject=subject,
            text=_flowed(f"{self._marking}\n{text}\n{self._marking}\n"),
            html=inlined,
            pictures=shown(inlined, _pictures(ready), domain=self._domain),
        )

    def page(self, name: str, **said: object) -> str:
        """A page that is looked at in a browser and not mailed: a whole HTML document.

        Raises jinja2's TemplateError where its template is at fault.
        """
        page = self._html.get_template(name).render(said, marking=self._marking)
        return page.replace(_TOGETHER, "&nbsp;")

    def compose(
        self,
        letter: AnyLetter,
        *,
        to: str,
        message_id: str,
        date: Instant,
        references: tuple[str, ...] = (),
        in_reply_to: str = "",
    ) -> bytes:
        """The bytes of a mail, with CRLF line ends, ready for a mail server.

        Args:
            letter: What it says.
            to: The one address it goes to.
            message_id: With its angle brackets; see `message_id`.
            date: What the Date header says, in UTC.
            references: Message-IDs of the thread so far, oldest first.
            in_reply_to: The one before this; the last of `references` where it is empty.

        Raises:
            CannotCompose: An address or an identifier cannot stand in a header.
            jinja2.TemplateError: A template is at fault; `check_templates` says where.
        """
        rendered = self.render(letter)
        message = EmailMessage(policy=_POLICY)
        message["Date"] = _EPOCH + timedelta(seconds=date // 1_000_000)
        message["Message-ID"] = _identifier(message_id)
        message["From"] = self._sender
        message["To"] = Address(addr_spec=_address(to))
        self._thread(message, references, in_reply_to)
        set_bodies(message, rendered, message_id)
        self._set_manners(message)
        return subject_line(rendered.subject) + message.as_bytes()

    def _subject(self, rendered: str) -> str:
        subject = _clean(f"{self._marking} | {rendered.replace(_TOGETHER, ' ')}")
        return textwrap.shorten(subject, _LONGEST_SUBJECT, placeholder=" ...")

    def _thread(self, message: EmailMessage, references: tuple[str, ...], before: str) -> None:
        if references:
            message["References"] = " ".join(_identifier(one) for one in references)
        if before or references:
            message["In-Reply-To"] = _identifier(before or references[-1])

    def _set_manners(self, message: EmailMessage) -> None:
        """What tells other machines that no person wrote this.

        Set after the bodies: they would take the Content-Language of the whole for that of their
        first part.
        """
        message["Auto-Submitted"] = "auto-generated"
        if self._suppress_auto_replies:
            message["X-Auto-Response-Suppress"] = "All"
        if self._reply_to:
            message["Reply-To"] = Address(addr_spec=self._reply_to)
        message["Content-Language"] = "en-GB"


def check_templates(folder: Path) -> list[Fault]:
    """Render every mail's templates with sample letters; every fault with its file and line."""
    composer = Composer(
        templates=folder,
        zone=UTC,
        marking="SAMPLE-MARKING",
        sender="monitor@police.example",
        domain="police.example",
    )
    faults = [fault for name in sorted(FOLDERS.values()) for fault in _missing(folder, name)]
    for letter in SAMPLES.values():
        if not any(_missing(folder, FOLDERS[type(letter)])):
            faults += _faults_of(composer, folder, letter)
    return list(dict.fromkeys(faults))


def _missing(folder: Path, name: str) -> list[Fault]:
    return [
        Fault(
            file=str(folder / name / part),
            expected="there is no such file",
            mend="every mail needs a subject, a text and an HTML body",
        )
        for part in PARTS
        if not (folder / name / part).is_file()
    ]


def _faults_of(composer: Composer, folder: Path, letter: AnyLetter) -> list[Fault]:
    try:
        rendered = composer.render(letter)
    except (TemplateError, TypeError, AttributeError, ValueError) as error:
        return [_fault_of(error, folder, FOLDERS[type(letter)])]
    return _misread(rendered, folder / FOLDERS[type(letter)], letter)


def _fault_of(error: Exception, folder: Path, name: str) -> Fault:
    if isinstance(error, TemplateSyntaxError):
        file, line = error.filename or str(folder / name), error.lineno
        return Fault(file=file, line=line, expected=f"this cannot be read: {error.message}")
    if isinstance(error, TemplateNotFound):
        return Fault(file=str(folder / str(error.name)), expected="there is no such file")
    place, line_or_none = _place_of(error.__traceback__, folder)
    return Fault(
        file=place or str(folder / name),
        line=line_or_none,
        expected=f"this cannot be printed: {error}",
        mend="print only what letters.py declares, and what may be absent only inside an if",
    )


def _place_of(traceback: TracebackType | None, folder: Path) -> tuple[str, int | None]:
    """The innermost template line in a traceback, as Jinja2 rewrites it."""
    place: tuple[str, int | None] = ("", None)
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if Path(file).is_relative_to(folder):
            place = (file, traceback.tb_lineno)
        traceback = traceback.tb_next
    return place


def _misread(rendered: Rendered, folder: Path, letter: AnyLetter) -> list[Fault]:
    """What a template may not do although it renders."""
    faults = []
    html = str(folder / "body.html")
    if rendered.html.count("SAMPLE-MARKING") < len(("subject", "top", "bottom")):
        faults.append(Fault(file=html, expected="the marking must stand at the top and bottom"))
    if "lang=" not in rendered.html.partition("<head")[0]:
        faults.append(Fault(file=html, expected="the html element must name its language"))
    if _FETCHED.search(rendered.html):
        expected = "no picture, style or script may be fetched from elsewhere"
        faults.append(Fault(file=html, expected=expected))
    if unknown := ids_in(rendered.html) - set(rendered.pictures):
        expected = f"no picture of this mail has the content id {min(unknown)!r}"
        mend = 'write src="cid:{{ picture | cid }}"'
        faults.append(Fault(file=html, expected=expected, mend=mend))
    if any(concern in rendered.subject.casefold() for concern in _concerns(letter)):
        expected = "no category of concern may stand in a subject"
        faults.append(Fault(file=str(folder / "subject.txt"), expected=expected))
    return faults


def _pictures(letter: AnyLetter) -> tuple[Picture, ...]:
    return letter.pictures if isinstance(letter, DigestLetter) else ()


def _concerns(letter: AnyLetter) -> set[str]:
    return {duty.concern.casefold() for duty in _duties(letter) if duty.concern}


def _duties(letter: AnyLetter) -> tuple[DutyLine, ...]:
    if isinstance(letter, WarningLetter | OverdueLetter):
        return (letter.duty,)
    if isinstance(letter, BundleLetter):
        return letter.duties
    if isinstance(letter, WithdrawalLetter):
        return tuple(item.duty for item in letter.items)
    return ()


class _TagLines(Extension):
    """A line that holds one tag and nothing else leaves no line behind; other lines stay whole.

    Jinja2's own trimming would also eat the end of a sentence's line, or an indentation that says
    the line goes on. The line break moves into the tag, so that errors name the right line.
    """

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """The source with those line breaks moved."""
        del name, filename
        return _TAG_LINE.sub(r"\1\n\3", source)


def _environment(folder: Path, zone: tzinfo, *, html: bool) -> SandboxedEnvironment:
    """One environment for text and one for HTML.

    Not one for both: a macro of an unescaped file, imported into an escaped one, would count as
    safe there. So what both share is read twice, once for each.
    """
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(folder),
        autoescape=html,
        undefined=StrictUndefined,
        finalize=_known,
        extensions=[_TagLines],
    )
    environment.filters |= {
        "time": lambda instant: _together(words.time_of_day(instant, zone=zone)),
        "moment": partial(words.moment, zone=zone),
        "when": lambda instant, at: words.when(instant, at=at, zone=zone),
        "briefly": lambda instant, at: _together(words.briefly(instant, at=at, zone=zone)),
        "lasting": lambda duration: _together(words.lasting(duration)),
        "period": lambda start, end: words.period(start, end=end, zone=zone),
        "number": lambda number: f"{number:,}",
        "count": lambda number, one, many="": words.count(number, one, many),
        "together": _together,
        "capital": lambda text: text[:1].upper() + text[1:],
        "unstopped": lambda text: text.rstrip("."),
        "short": lambda text, width: textwrap.shorten(text, width, placeholder="..."),
        "dialled": _dialled,
    }
    return environment


def _known(value: object) -> object:
    if value is None:
        msg = "nothing is known here"
        raise UndefinedError(msg)
    return value


def _dialled(telephone: str) -> str:
    """What a telephone dials; empty where more than a number stands there, such as an extension."""
    return re.sub(r"[^0-9+]", "", telephone) if _NUMBER.fullmatch(telephone) else ""


def _together(text: str) -> str:
    return text.replace(" ", _TOGETHER)


def _ready(value: _Value) -> _Value:
    """A value with every text in it cleaned, and what is restricted reduced."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return _clean(value)  # type: ignore[return-value]  # a str for a str
    if isinstance(value, tuple):
        return tuple(_ready(part) for part in value)  # type: ignore[return-value]  # as above
    if not is_dataclass(value) or isinstance(value, type):
        return value
    if isinstance(value, DutyLine | Withdrawn):
        value = value.veiled()  # type: ignore[assignment]  # of the same type
    changes: dict[str, Any] = {}
    for part in fields(value):
        before = getattr(value, part.name)
        if before and (after := _ready(before)) is not before:
            changes[part.name] = after
    return replace(value, **changes) if changes else value


def _clean(text: str) -> str:
    """One line of what can be seen: no controls, no marks that turn the direction of writing."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(_seen(character) for character in text).split())


def _seen(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    kind = unicodedata.category(character)
    if kind in {"Cf", "Co", "Cn"}:
        return ""
    return " " if kind[0] in "CZ" else character


def _paragraphs(rendered: str) -> str:
    """One line a paragraph: an indented line goes on from the one above, or is dropped if empty."""
    dropped = re.sub(r"(?m)^[ \t]+\n", "", rendered)
    joined = re.sub(r"(?<=\S)[ \t]*\n[ \t]+(?=\S)", " ", dropped)
    lines = [" ".join(line.split()) for line in joined.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _flowed(text: str) -> str:
    """Wrapped as RFC 3676 says: a line that ends in a space goes on in the next."""
    return "\n".join(_flow(line) for line in text.split("\n"))


def _flow(line: str) -> str:
    pieces = textwrap.wrap(line, _TEXT_WIDTH, break_long_words=False, break_on_hyphens=False)
    # "-- " alone on a line would begin a signature.
    soft = [piece if piece == "--" else f"{piece} " for piece in pieces[:-1]]
    return "\n".join(map(_stuffed, [*soft, *pieces[-1:]])).replace(_TOGETHER, " ")


def _stuffed(line: str) -> str:
    return f" {line}" if line.startswith((">", "From ", " ")) else line


def _address(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        msg = f"{address!r} is not an address that a mail can go to"
        raise CannotCompose(msg)
    return address


def _identifier(identifier: str) -> str:
    if not _IDENTIFIER.fullmatch(identifier):
        msg = f"{identifier!r} is not a Message-ID"
        raise CannotCompose(msg)
    return identifier
