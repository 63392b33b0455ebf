"""Whether a mail came from whom it says: the word of our own relay, and nobody else's.

What comes in: the headers of a mail, and the name under which our relay reports what it found. What
goes out: the one address that the mail is from, and why it is not to be believed, if so. It asks no
name server: checking SPF, DKIM and DMARC is the relay's work (RFC 8601).

Only the top-most Authentication-Results header counts, and only if it bears that name: a relay
writes its own above all that it was handed. What cannot be read is not believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from typing import Final, NamedTuple

_ADDRESS: Final = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
_FROM: Final = re.compile(rf'(?:(?:"[^"\\\r\n]*"\s*|[^"<>@,;:\\\r\n]*)<({_ADDRESS})>|({_ADDRESS}))')
_LONGEST_HEADER: Final = 8_000
"""Characters of a header that are looked at; a longer one cannot be read."""

_WORD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s;="()\\]+)|([;=])')


class Result(NamedTuple):
    """What the relay found by one method."""

    method: str
    """`dmarc`, `dkim`, `spf`…"""
    result: str
    """`pass`, `fail`, `none`…"""
    properties: tuple[tuple[str, str], ...]
    """(`header.from`, `police.example`)…"""

    def names(self, domain: str, *properties: str) -> bool:
        """Whether one of these properties is of exactly this domain."""
        return any(
            name in properties and value.rpartition("@")[2].casefold() == domain
            for name, value in self.properties
        )


def sender_of(mail: Message) -> str:
    """The one address that a mail is from, in lower case; empty where it is not exactly one."""
    told = headers_of(mail, "From")
    written = _FROM.fullmatch(told[0].strip()) if len(told) == 1 else None
    return (written[1] or written[2]).casefold() if written else ""


def doubt_about(mail: Message, *, authserv_id: str) -> str:
    """Why a mail is not to be taken for its sender's; empty where the relay vouches for it."""
    domain = sender_of(mail).partition("@")[2]
    if not domain:
        return "it names no one sender"
    reported = headers_of(mail, "Authentication-Results")
    results = results_of(reported[0], authserv_id) if reported and authserv_id else None
    if results is None:
        return "our relay does not say who sent it"
    policies = [one for one in results if one.method == "dmarc"]
    if any(one.result not in {"pass", "none", "bestguesspass"} for one in policies):
        return "it failed authentication"
    if any(one.result == "pass" and _is_of(one, domain) for one in results):
        return ""
    return "it failed authentication"


def headers_of(mail: Message, name: str) -> list[str]:
    """The values of every header of a name, unfolded, the top-most first."""
    told = mail.get_all(name) or []
    return [" ".join(str(value)[:_LONGEST_HEADER].split()) for value in told]


def results_of(header: str, authserv_id: str) -> list[Result] | None:
    """What an Authentication-Results header says; None where another wrote it or it is mangled."""
    words = _words_of(header)
    if words is None:
        return None
    (heading, *parts) = _split(words)
    name, *version = heading or [""]
    if name.casefold() != authserv_id.casefold() or version not in ([], ["1"]):
        return None
    return [result for part in parts if (result := _result(part)) is not None]


def _is_of(result: Result, domain: str) -> bool:
    """Whether a result is about the domain that the reader sees. Only the very same one will do."""
    if result.method == "dmarc":
        return result.names(domain, "header.from")
    if result.method == "dkim":
        return result.names(domain, "header.d", "header.i")
    return result.method == "spf" and result.names(domain, "smtp.mailfrom")


def _words_of(header: str) -> list[str] | None:
    """Words and the signs `;` and `=`, without comments; None where brackets or quotes are open."""
    said = _without_comments(header) if len(header) < _LONGEST_HEADER else None
    if said is None:
        return None
    words: list[str] = []
    place = 0
    while place < len(said):
        if said[place].isspace():
            place += 1
            continue
        found = _WORD.match(said, place)
        if found is None:
            return None
        # What was quoted is never taken for a sign.
        words.append(found[3] or found[2] or f'"{found[1]}')
        place = found.end()
    return words


def _without_comments(header: str) -> str | None:
    kept: list[str] = []
    depth, is_quoted, is_escaped = 0, False, False
    for sign in header:
        if is_escaped:
            is_escaped = False
        elif sign == "\\":
            is_escaped = True
        elif sign == '"' and not depth:
            is_quoted = not is_quoted
        elif sign in "()" and not is_quoted:
            depth += 1 if sign == "(" else -1
            if depth < 0:
                return None
            kept.append(" ")
            continue
        if not depth:
            kept.append(sign)
    return None if depth or is_quoted or is_escaped else "".join(kept)


def _split(words: list[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for word in words:
        if word == ";":
            yield part
            part = []
        else:
            part.append(word)
    yield part


def _result(part: list[str]) -> Result | None:
    """`method = result name = value …`; None where it is anything else, such as `none`."""
    pairs = list(zip(part[::3], part[1::3], part[2::3], strict=False))
    if not pairs or len(part) % 3 or any(sign != "=" for _, sign, _ in pairs):
        return None
    (method, _, result), *rest = pairs
    return Result(
        method.partition("/")[0].casefold(),
        result.casefold(),
        tuple((name.casefold(), value.removeprefix('"')) for name, _, value in rest),
    )
