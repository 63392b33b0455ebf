"""From a mail as it reads to its bytes in MIME.

What comes in: a subject, a text, a document and the pictures it shows. What goes out: parts of a
message, the same for the same input.
It does not care who made them of what.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.header import Header
from email.message import EmailMessage
from typing import Final

from monitor.letters import Picture

_LONGEST_LINE: Final = 900
"""A server may refuse a line of 998 (RFC 5321, 4.5.3.1.6); longer ones are encoded."""
_CRLF: Final = "\r\n"
_LETTERS_OF_NAME: Final = 40
_SHOWN: Final = re.compile(r'src="cid:([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A mail as it reads, before it is packed."""

    subject: str
    text: str
    """Wrapped as it is sent: a line that ends in a space goes on in the next (RFC 3676)."""
    html: str
    """A whole document, its styles inlined; pictures stand in it by their content ids."""
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    """Content id → each picture that the document shows, in the letter's order."""

    @property
    def page(self) -> str:
        """The document as a file that stands alone, with its pictures inside."""
        return _SHOWN.sub(self._inside, self.html)

    def _inside(self, found: re.Match[str]) -> str:
        content = base64.b64encode(self.pictures[found[1]].content).decode()
        return f'src="data:image/png;base64,{content}"'


def subject_line(subject: str) -> bytes:
    """The header's bytes, with its line end.

    Not by EmailMessage: where words within ASCII and beyond it alternate, Python 3.11 adds and
    loses spaces when it folds them. What already looks encoded is encoded too, else a reader's
    program would decode text that only pretends.
    """
    plain = subject.isascii() and "=?" not in subject
    header = Header(subject, "us-ascii" if plain else "utf-8", header_name="Subject")
    return f"Subject: {header.encode(linesep=_CRLF)}\r\n".encode("ascii")


def set_bodies(message: EmailMessage, rendered: Rendered, message_id: str) -> None:
    """Give a message its text, and beside it its document with the pictures that it shows."""
    text = rendered.text
    plain = text.isascii() and max(map(len, text.splitlines())) < _LONGEST_LINE
    message.set_content(text, cte="7bit" if plain else "quoted-printable")
    message.set_param("format", "flowed")
    message.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    # A boundary made by chance would give the same letter other bytes each time.
    seed = f"{message_id}\0{rendered.text}\0{rendered.html}"
    message.set_boundary(_boundary(seed))
    if rendered.pictures:
        _set_pictures(message, rendered.pictures, _boundary(f"pictures\0{seed}"))


def shown(html: str, pictures: Sequence[Picture], *, domain: str) -> dict[str, Picture]:
    """The pictures that a document shows, by content id: what templates leave out is not sent."""
    wanted = ids_in(html)
    named = {content_id(picture, domain=domain): picture for picture in pictures}
    return {found: picture for found, picture in named.items() if found in wanted}


def ids_in(html: str) -> set[str]:
    """The content ids that a document shows."""
    return set(_SHOWN.findall(html))


def content_id(picture: Picture, *, domain: str) -> str:
    """What names a picture within a mail: its name, its bytes and the domain.

    Its bytes, because some programs show by an id that they know a picture of an earlier mail.
    """
    digest = hashlib.sha256(picture.content).hexdigest()[:20]
    return f"{_plain_name(picture)}.{digest}@{domain}"


def _set_pictures(message: EmailMessage, pictures: Mapping[str, Picture], boundary: str) -> None:
    """Beside the HTML and not beside the mail, so that no reader's program lists them as files."""
    *_, html = message.iter_parts()
    assert isinstance(html, EmailMessage)
    for name, picture in pictures.items():
        html.add_related(
            picture.content,
            maintype="image",
            subtype="png",
            cid=f"<{name}>",
            disposition="inline",
            filename=f"{_plain_name(picture)}.png",
        )
    html.set_boundary(boundary)
    html.set_param("type", "text/html")  # RFC 2387, 3.1: what the whole begins with


def _boundary(seed: str) -> str:
    return f"=_{hashlib.sha256(seed.encode()).hexdigest()[:40]}"


def _plain_name(picture: Picture) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", picture.name.lower(), flags=re.ASCII)
    return plain[:_LETTERS_OF_NAME].strip("-") or "picture"
