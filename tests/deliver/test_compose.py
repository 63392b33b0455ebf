from __future__ import annotations

import base64
import dataclasses
import re
import shutil
from email.message import EmailMessage
from enum import Enum
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError

from monitor.deliver.compose import FOLDERS, PARTS, CannotCompose, check_templates
from monitor.deliver.samples import SAMPLES
from monitor.letters import (
    AnyLetter,
    BundleLetter,
    DigestLetter,
    DutyLine,
    OverdueLetter,
    Picture,
    Route,
    WarningLetter,
)
from monitor.model import HOUR
from tests.deliver.reading import (
    COMPOSER,
    EXPECTED,
    MARKING,
    TEMPLATES,
    a_composer,
    as_read,
    body,
    composed,
    parsed,
)

every_sample = pytest.mark.parametrize("name", sorted(SAMPLES))


def text_of(letter: AnyLetter) -> str:
    return unwrapped(COMPOSER.render(letter).text)


def unwrapped(text: str) -> str:
    """As a reader's program shows flowed text (RFC 3676, 4.2): soft line ends and stuffing gone."""
    lines = [line.removeprefix(" ") for line in text.split("\n")]
    return re.sub(r"(?<= )\n", "", "\n".join(lines))


# --- how they read --------------------------------------------------------------------------------


@every_sample
def test_a_mail_reads_as_it_was_read_and_judged(name: str) -> None:
    """Where a wording is meant to change: `python -m tests.deliver.reading`, then read it."""
    expected = (EXPECTED / f"{name}.txt").read_text(encoding="utf-8")

    assert as_read(SAMPLES[name]) == expected


def test_there_is_an_expected_file_for_each_sample_and_no_other() -> None:
    assert {file.stem for file in EXPECTED.iterdir()} == set(SAMPLES)


def test_every_kind_of_mail_has_a_full_and_a_bare_sample() -> None:
    for kind in FOLDERS:
        assert sum(isinstance(letter, kind) for letter in SAMPLES.values()) >= 2, kind


@every_sample
def test_the_marking_is_first_in_the_subject_and_first_and_last_in_both_bodies(name: str) -> None:
    rendered = COMPOSER.render(SAMPLES[name])
    seen = _seen(rendered.html)

    assert rendered.subject.startswith(f"{MARKING} | ")
    assert rendered.text.startswith(f"{MARKING}\n")
    assert rendered.text.endswith(f"\n{MARKING}\n")
    assert seen[0] == MARKING
    assert seen[-1] == MARKING


@every_sample
def test_nothing_unknown_is_printed(name: str) -> None:
    rendered = COMPOSER.render(SAMPLES[name])

    for said in (rendered.subject, unwrapped(rendered.text), " ".join(_seen(rendered.html))):
        assert not re.search(r"\b(?:None|True|False|breach)\b|<built-in|\(\)|\[\]|  |\ue000", said)
    for said in (rendered.subject, unwrapped(rendered.text)):
        assert not re.search(r" [,.;:](?: |$)|\.\.(?!\.)|,\.", said)


@pytest.mark.parametrize("name", ["overdue", "warning", "bundle", "withdrawal"])
def test_text_and_html_say_the_same_facts(name: str) -> None:
    """Each time, number and reference of the text stands in the HTML, and the other way round."""
    rendered = COMPOSER.render(SAMPLES[name])
    fact = re.compile(r"\d\d:\d\d|PPN-[\d-]+|01632 \d{6}|\d+ h \d\d")
    text = f"{rendered.subject} {unwrapped(rendered.text)}"
    html = " ".join(_seen(rendered.html)).replace("\xa0", " ")

    assert set(fact.findall(text)) == set(fact.findall(html))


def test_the_first_line_says_what_to_do_whom_to_ring_and_what_to_quote() -> None:
    first = text_of(SAMPLES["overdue"]).splitlines()[1]

    assert first == (
        "DO NOW: tell the council, or record that it has been told. Ring Eastshire emergency duty"
        " team, 01632 960101 (open now). Quote PPN-2027-004211."
    )


def test_a_mail_speaks_of_the_record_and_never_says_that_nobody_was_told() -> None:
    said = text_of(SAMPLES["overdue"])

    assert "there is no record that Eastshire children's social care has been told" in said
    assert "not told" not in said
    assert "not a judgement of anyone's work" in said


def test_no_category_stands_in_any_subject() -> None:
    for letter in SAMPLES.values():
        subject = COMPOSER.render(letter).subject
        assert "harm" not in subject
        assert "concern" not in subject


def test_a_warning_says_that_nothing_is_late_and_what_comes_next() -> None:
    said = text_of(SAMPLES["warning"])

    assert "DO BEFORE 22:47 today" in said
    assert "Nothing is late." in said
    assert "on-call DI, 02:47 tomorrow, Tue 9 March" in said
    assert "overdue" not in said.casefold()


def test_what_is_restricted_shows_its_reference_and_times_alone() -> None:
    rendered = COMPOSER.render(SAMPLES["overdue-restricted"])

    for said in (rendered.subject, rendered.text, rendered.html):
        assert "PPN-2027-004299" in said
        assert not re.search(r"council|Eastshire|must not be seen|Risk: high", said)
    assert "due by 01:00 today" in unwrapped(rendered.text)


def test_what_is_restricted_does_not_count_as_high_risk_in_a_bundle() -> None:
    duty = DutyLine(reference="PPN-1", due_at=0, risk="high", restricted=True, whom="Secret")
    rendered = COMPOSER.render(BundleLetter(at=HOUR, duties=(duty,)))

    assert "high risk" not in rendered.subject
    assert "Secret" not in rendered.text


def test_an_unconfirmed_alert_says_so_in_the_subject_and_names_the_silent_feed() -> None:
    letter = SAMPLES["overdue-doubtful"]

    assert "06:00, unconfirmed |" in COMPOSER.render(letter).subject
    assert "UNCONFIRMED: occurrence system silent since 23:10 on Mon 8 March" in text_of(letter)


def test_a_case_that_cannot_be_routed_begins_with_how_to_mend_it() -> None:
    first = text_of(SAMPLES["warning-no-route"]).splitlines()[1]

    assert first.startswith("DO NOW: Find the school before it opens at 08:30;")


def test_a_bundle_brings_the_duties_of_a_case_together() -> None:
    numbered = re.findall(r"(?m)^\d+\. (\S+)", text_of(SAMPLES["bundle"]))

    assert numbered == [f"PPN-2027-00{number}" for number in (3987, 3960, 3951, 3902, 3874)]


def test_a_flood_is_one_mail_that_can_be_read() -> None:
    """260 cases: the first in full, all others by reference: none is lost or only counted."""
    rendered = COMPOSER.render(SAMPLES["bundle-flood"])

    assert len(re.findall(r"(?m)^\d+\. ", rendered.text)) == 25
    assert len(set(re.findall(r"PPN-2027-\d{6}", rendered.text))) == 260
    assert len(set(re.findall(r"PPN-2027-\d{6}", rendered.html))) == 260
    assert "And these 235 cases" in rendered.text
    assert rendered.subject.endswith("| 260 duties overdue on 260 cases at 09:10")


def test_a_withdrawal_says_what_remains_and_that_the_case_is_not_closed() -> None:
    said = text_of(SAMPLES["withdrawal"])

    assert "Still to do: tell health by 18:47 today" in said
    assert "recorded at 03:20 today, 5 h 05 after it was made" in said
    assert "It does not close the case" in said
    assert "of 22:47, 23:47 and 02:47 only" in said


def test_due_exactly_now_is_not_overdue() -> None:
    duty = DutyLine(reference="PPN-1", due_at=HOUR)

    assert duty.overdue_by(HOUR) is None
    assert duty.due_in(HOUR) == 0
    assert duty.overdue_by(HOUR + 1) == 1


# --- how they are packed --------------------------------------------------------------------------

HEADERS = [
    *("Date", "Message-ID", "From", "To", "Subject", "Auto-Submitted"),
    *("X-Auto-Response-Suppress", "Content-Language", "MIME-Version", "Content-Type"),
]


def test_a_mail_bears_these_headers() -> None:
    message = parsed(composed(SAMPLES["overdue"]))

    assert sorted(message.keys()) == sorted(HEADERS)
    assert message["Date"] == "Tue, 09 Mar 2027 02:47:00 +0000"
    assert message["From"] == "Timeliness monitor <monitor@police.example>"
    assert message["To"] == "duty.desk@police.example"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "en-GB"
    assert message.get_content_type() == "multipart/alternative"


def test_a_later_mail_of_a_case_stands_in_its_thread() -> None:
    thread = ("<a@monitor.police.example>", "<b@monitor.police.example>")
    message = parsed(composed(SAMPLES["overdue"], references=thread))

    assert message["References"] == " ".join(thread)
    assert message["In-Reply-To"] == thread[-1]


def test_a_long_thread_is_carried_whole() -> None:
    thread = tuple(f"<{number:032}@monitor.police.example>" for number in range(60))
    mail = composed(SAMPLES["overdue"], references=thread)

    assert parsed(mail)["References"].split() == list(thread)
    assert max(map(len, mail.split(b"\r\n"))) < 998


@every_sample
def test_the_text_is_flowed_within_76_columns_and_every_line_fits_a_server(name: str) -> None:
    mail = composed(SAMPLES[name])
    part = parsed(mail).get_body(("plain",))
    assert part is not None

    assert part["Content-Type"].params["format"] == "flowed"
    assert all(len(line) <= 76 for line in part.get_content().splitlines())
    assert max(map(len, mail.split(b"\r\n"))) <= 998
    assert b"\n" not in mail.replace(b"\r\n", b"")
    assert mail.isascii()


def test_unwrapped_again_a_paragraph_is_one_line() -> None:
    letter = SAMPLES["overdue"]
    flowed = body(parsed(composed(letter)), "plain")

    assert flowed.replace("\r\n", "\n") == COMPOSER.render(letter).text
    assert "\nReply TAKEN to show you have it: reminders stop for 2 hours. Reply" in text_of(letter)


def test_a_number_to_ring_is_never_broken_over_two_lines() -> None:
    for name in SAMPLES:
        for line in as_read(SAMPLES[name]).splitlines():
            assert not line.endswith(" 01632")


@every_sample
def test_the_same_letter_gives_the_same_bytes_whoever_makes_them(name: str) -> None:
    again = a_composer().compose(
        SAMPLES[name],
        to="duty.desk@police.example",
        message_id="<m1@monitor.police.example>",
        date=SAMPLES[name].at,
    )

    assert composed(SAMPLES[name]) == again


def test_the_same_key_gives_the_same_message_id_and_another_key_another() -> None:
    composer = a_composer()

    assert composer.message_id("clock 1") == a_composer().message_id("clock 1")
    assert composer.message_id("clock 1") != composer.message_id("clock 2")
    composer.compose(
        SAMPLES["overdue"], to="a@b.example", message_id=composer.message_id("ü\r\n>"), date=0
    )


@pytest.mark.parametrize(
    "to",
    ["a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "A <a@b.example>", "a", ""],
)
def test_an_address_that_is_more_than_one_address_is_refused(to: str) -> None:
    with pytest.raises(CannotCompose):
        COMPOSER.compose(SAMPLES["overdue"], to=to, message_id="<a@b.example>", date=0)


@pytest.mark.parametrize("identifier", ["a@b.example", "<a@b.example>\r\nX: y", "<a b@c>", ""])
def test_a_message_id_that_is_none_is_refused(identifier: str) -> None:
    with pytest.raises(CannotCompose):
        composed(SAMPLES["overdue"], references=(identifier,))
    with pytest.raises(CannotCompose):
        COMPOSER.compose(SAMPLES["overdue"], to="a@b.example", message_id=identifier, date=0)


def test_settings_that_cannot_stand_in_a_header_are_refused() -> None:
    for setting, wrong in (
        ("sender", "monitor"),
        ("domain", "police.example>\r\nX: y"),
        ("marking", "\n"),
        ("reply_to", "a@b\n.example"),
    ):
        with pytest.raises(CannotCompose):
            a_composer(TEMPLATES, **{setting: wrong})


def test_a_subject_has_a_sane_length_and_keeps_its_beginning() -> None:
    duty = DutyLine(reference="PPN-" + "9 " * 400, partner="council " * 100, due_at=0)
    subject = COMPOSER.render(OverdueLetter(at=HOUR, duty=duty)).subject

    assert len(subject) <= 180
    assert subject.startswith(f"{MARKING} | Overdue 1 h 00 at 02:00 | no record council")


# --- pictures -------------------------------------------------------------------------------------

DIGEST = SAMPLES["digest"]
assert isinstance(DIGEST, DigestLetter)
PICTURES = DIGEST.pictures


def _shape(message: EmailMessage) -> list[Any]:
    if not message.is_multipart():
        return [message.get_content_type()]
    return [message.get_content_type(), *map(_shape, message.iter_parts())]  # type: ignore[arg-type]  # parts of a message that is parsed by the same policy


def test_a_picture_stands_beside_the_document_that_shows_it_and_no_other() -> None:
    message = parsed(composed(DIGEST))
    shown = re.findall(r'src="cid:([^"]+)"', body(message, "html"))
    [picture] = [part for part in message.walk() if part.get_content_maintype() == "image"]

    assert _shape(message) == [
        "multipart/alternative",
        ["text/plain"],
        ["multipart/related", ["text/html"], ["image/png"]],
    ]
    assert [f"<{name}>" for name in shown] == [picture["Content-ID"]]
    assert picture.get_content_disposition() == "inline"
    assert picture.get_payload(decode=True) == PICTURES[0].content
    assert shown[0].endswith("@monitor.police.example")
    related = next(part for part in message.walk() if part.get_content_subtype() == "related")
    assert related.get_param("type") == "text/html"


def test_without_pictures_there_is_no_part_for_them() -> None:
    bare = composed(_with_pictures())

    assert _shape(parsed(bare)) == ["multipart/alternative", ["text/plain"], ["text/html"]]
    assert b"cid:" not in bare


def test_other_bytes_have_another_content_id() -> None:
    """Else some programs show a picture of last week's mail."""
    other = dataclasses.replace(PICTURES[0], content=PICTURES[0].content + b"\0")
    rendered = [COMPOSER.render(DIGEST), COMPOSER.render(_with_pictures(other))]

    assert rendered[0].pictures.keys().isdisjoint(rendered[1].pictures)


def test_what_no_template_shows_is_not_sent(templates: Path) -> None:
    """A service runs on its own copy of the templates, which may be older than pictures."""
    (templates / "parts.html").write_text(
        re.sub("<img[^>]*>", "", (templates / "parts.html").read_text(encoding="utf-8")),
        encoding="utf-8",
    )
    older = a_composer(templates)

    assert not older.render(DIGEST).pictures
    assert check_templates(templates) == []


def test_as_a_page_a_mail_holds_its_pictures_itself() -> None:
    page = COMPOSER.render(DIGEST).page
    [content] = re.findall(r'src="data:image/png;base64,([^"]+)"', page)

    assert base64.b64decode(content) == PICTURES[0].content
    assert "cid:" not in page


def test_a_mail_with_large_pictures_has_short_lines_and_line_ends_of_mail() -> None:
    large = dataclasses.replace(PICTURES[0], content=bytes(range(256)) * 500)
    mail = composed(_with_pictures(large))

    assert max(map(len, mail.split(b"\r\n"))) < 100
    assert b"\n" not in mail.replace(b"\r\n", b"")


def _with_pictures(*pictures: Picture) -> DigestLetter:
    assert isinstance(DIGEST, DigestLetter)
    return dataclasses.replace(DIGEST, pictures=pictures)


# --- no text can be more than text ----------------------------------------------------------------

ANY_TEXT = st.text(st.characters(), max_size=40)


def _with_every_text(value: Any, text: str) -> Any:
    if isinstance(value, str) and not isinstance(value, Enum):
        return text if value else value
    if isinstance(value, tuple):
        return tuple(_with_every_text(part, text) for part in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {
            part.name: _with_every_text(getattr(value, part.name), text)
            for part in dataclasses.fields(value)
        }
        return dataclasses.replace(value, **parts)
    return value


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.seen: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        self._unseen += tag in {"style", "title"}

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in {"style", "title"}

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._unseen:
            self.seen.append(data.strip())


def _tags(html: str) -> _Tags:
    parser = _Tags()
    parser.feed(html)
    return parser


def _seen(html: str) -> list[str]:
    return [" ".join(words.split(" ")) for words in " \n".join(_tags(html).seen).split(" \n")]


PLAIN = {name: _tags(COMPOSER.render(letter).html) for name, letter in SAMPLES.items()}


@settings(max_examples=40)
@given(
    name=st.sampled_from(sorted(set(SAMPLES) - {"bundle-flood"})), before=ANY_TEXT, after=ANY_TEXT
)
def test_any_text_in_any_field_stays_text(name: str, before: str, after: str) -> None:
    """It cannot begin a header or a line, nor become an element, an attribute or a link."""
    trap = f"a{before}\r\nBcc: x@evil.example\u2028\x85EVIL\x0b'\"></td><zz onload=x>&lt;{after}"
    letter = _with_every_text(SAMPLES[name], trap)
    rendered = COMPOSER.render(letter)
    message = parsed(composed(letter))

    assert sorted(message.keys()) == sorted(HEADERS)
    assert not message.defects
    assert message["Subject"] == rendered.subject
    assert not re.search(r"(?m)^(?:Bcc|EVIL)", unwrapped(rendered.text))
    assert not re.search(r"[^\n\x20-\x7e\xa0-\U0010ffff]", rendered.text)
    tags = _tags(rendered.html)
    assert tags.tags <= PLAIN[name].tags
    assert tags.attributes <= PLAIN[name].attributes
    assert all(re.fullmatch(r"tel:[0-9+]+|cid:[a-z0-9.@-]+", link) for link in tags.links)


@pytest.mark.parametrize(
    "reference",
    ["plain", "a¡ b ¡¡ c d", "=?utf-8?q?=0D=0ABcc:_x@evil.example?=", "ŵ" * 60, "a =? b", "1 ä 2"],
)
def test_a_subject_arrives_letter_for_letter(reference: str) -> None:
    letter = OverdueLetter(at=0, duty=DutyLine(reference=reference))
    mail = composed(letter)

    assert parsed(mail)["Subject"] == COMPOSER.render(letter).subject
    assert all(len(line) <= 78 for line in mail.partition(b"\r\nDate:")[0].split(b"\r\n"))


@settings(max_examples=40)
@given(text=ANY_TEXT)
def test_what_turns_the_direction_of_writing_is_taken_out(text: str) -> None:
    name = f"\u202e{text}\u2066\u200b\x1b[31m"
    duty = DutyLine(reference="PPN-1", organisation=name, partner="x")
    rendered = COMPOSER.render(OverdueLetter(at=0, duty=duty))

    for said in (rendered.subject, rendered.text, rendered.html):
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x1b\ue000]", said)


def test_letters_of_other_languages_arrive_as_they_were_written() -> None:
    duty = DutyLine(reference="PPN-1", partner="cyngor", organisation="Cyngor Sir Ddinbych â ŵ")
    message = parsed(composed(OverdueLetter(at=0, duty=duty)))

    assert "Cyngor Sir Ddinbych â ŵ" in re.sub(r" \n", " ", body(message, "plain"))
    assert "Cyngor Sir Ddinbych â ŵ" in body(message, "html")


@pytest.mark.parametrize(
    ("telephone", "dialled"),
    [
        ("01632 960101", "tel:01632960101"),
        ("+44 (1632) 960-101", "tel:+441632960101"),
        ("01632 960101 ext 5", None),
        ("ask the desk", None),
        ("javascript:1", None),
    ],
)
def test_only_what_is_a_number_and_no_more_can_be_dialled(
    telephone: str, dialled: str | None
) -> None:
    """An extension run into the number would ring a stranger at night."""
    duty = DutyLine(reference="PPN-1", ring=(Route(name="desk", telephone=telephone),))
    html = COMPOSER.render(OverdueLetter(at=0, duty=duty)).html

    assert _tags(html).links == ([dialled] if dialled else [])
    assert telephone.replace(" ", "\xa0") in " ".join(_seen(html))


# --- the HTML -------------------------------------------------------------------------------------


@every_sample
def test_the_html_is_what_outlook_and_a_screen_reader_can_use(name: str) -> None:
    html = COMPOSER.render(SAMPLES[name]).html

    assert html.startswith('<!DOCTYPE html><html lang="en-GB">')
    assert not re.search(r"flex|grid|border-radius|background-image|url\(|<script|<link", html)
    assert not re.search(r"https?://", html)
    for picture in re.findall(r"<img[^>]*>", html):
        assert re.search(r' src="cid:[^"]+"', picture), picture
        assert re.search(r' alt="[^"]{20,}"', picture), picture
        assert 'width="552"' in picture, "Outlook for Windows knows no max-width"
    assert "font-family: Arial" in html
    assert 'width="600"' in html
    for table in re.findall(r"<table[^>]*>", html):
        assert 'cellpadding="0"' in table, table


@every_sample
def test_what_to_do_is_the_largest_thing_in_the_mail(name: str) -> None:
    html = COMPOSER.render(SAMPLES[name]).html
    sizes = [int(size) for size in re.findall(r"font-size: (\d+)px", html.partition("<body")[2])]
    act = re.search(r"font-size: (\d+)px[^>]*>DO(?: \w+)?(?: [^<:]*)?:", html)

    assert act is not None or name == "digest-bare"
    assert act is None or int(act[1]) == max(sizes) or name == "digest"


SHADES = [
    # text on ground, by day
    *(("#14181c", ground) for ground in ("#ffffff", "#eef0f2", "#fff3cd")),
    *((text, "#ffffff") for text in ("#a4161a", "#0b4f91", "#3d454c")),
    ("#ffffff", "#14181c"),
    # and by night
    *(("#f1f3f5", ground) for ground in ("#0d1013", "#181d22", "#3a2f00")),
    *((text, "#181d22") for text in ("#ffb3b3", "#9cc7f5")),
    ("#14181c", "#f1f3f5"),
]
LINES = {"#c3c9cf", "#dfe3e6", "#4a535b"}


def test_every_shade_that_a_mail_uses_was_judged_and_can_be_read() -> None:
    """Contrast of 4.5 to 1 and more (WCAG 2.2, 1.4.3); lines carry no meaning."""
    used = set(re.findall(r"#[0-9a-f]{6}", (TEMPLATES / "layout.html").read_text(encoding="utf-8")))

    assert used == {shade for pair in SHADES for shade in pair} | LINES
    for text, ground in SHADES:
        assert _contrast(text, ground) >= 4.5, (text, ground)


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(shade: str) -> float:
    parts = [int(shade[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * p for weight, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


# --- templates ------------------------------------------------------------------------------------


def test_the_templates_that_we_ship_have_no_fault() -> None:
    assert check_templates(TEMPLATES) == []


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEMPLATES, tmp_path / "templates"))


def _faults(templates: Path, file: str, line: str) -> list[str]:
    """What is found when a line is put second into a file."""
    path = templates / file
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:1], f"{line}\n", *lines[1:]]), encoding="utf-8")
    return [str(fault) for fault in check_templates(templates)]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("folder", sorted(FOLDERS.values()))
def test_what_no_letter_has_is_a_fault_with_file_and_line(
    templates: Path, folder: str, part: str
) -> None:
    place = "{% set wrong = letter.child_name ~ '' %}"
    faults = _faults(templates, f"{folder}/{part}", place)

    assert faults
    assert all(f"{folder}/{part}:2: " in fault and "child_name" in fault for fault in faults)


def test_what_no_letter_has_is_an_error_and_never_an_empty_place(templates: Path) -> None:
    (templates / "overdue" / "body.html").write_text("{{ letter.child_name }}", encoding="utf-8")

    with pytest.raises(UndefinedError, match="child_name"):
        a_composer(templates).render(SAMPLES["overdue"])


def test_printing_what_may_be_unknown_without_asking_is_a_fault(templates: Path) -> None:
    faults = _faults(templates, "overdue/body.txt", "{{ letter.duty.due_at }}")

    assert any("overdue/body.txt:2: this cannot be printed: nothing is known" in f for f in faults)


def test_a_template_that_cannot_be_read_is_a_fault_with_its_line(templates: Path) -> None:
    faults = _faults(templates, "warning/body.txt", "{% if letter %}")

    assert any("warning/body.txt:" in f and "this cannot be read" in f for f in faults)


def test_a_fault_in_what_all_share_is_found_where_it_stands(templates: Path) -> None:
    shared = templates / "sentences.jinja"
    text = shared.read_text(encoding="utf-8")
    shared.write_text(text.replace("{{ d.concern }}", "{{ d.concerns }}"), encoding="utf-8")
    line = 1 + text[: text.index("{{ d.concern }}")].count("\n")

    faults = [str(fault) for fault in check_templates(templates)]

    assert faults
    assert all(f"sentences.jinja:{line}: " in fault for fault in faults)


def test_a_missing_file_is_a_fault(templates: Path) -> None:
    (templates / "digest" / "subject.txt").unlink()

    [fault] = check_templates(templates)

    assert "digest/subject.txt: there is no such file" in str(fault)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("overdue/subject.txt", "{% set d", "{{ letter.duty.concern }}{% set d", "no category"),
        ("layout.html", ' lang="en-GB"', "", "name its language"),
        ("layout.html", "{{ marking }}", "", "the marking"),
        ("layout.html", "<title>", '<img src="http://x.example/p.png"><title>', "no picture"),
        ("parts.html", 'src="cid:', 'src="//x.example/p.png?', "no picture"),
        ("parts.html", "{{ p | cid }}", "weeks", "no picture of this mail has the content id"),
    ],
)
def test_what_a_mail_may_never_do_is_a_fault_although_it_renders(
    templates: Path, file: str, old: str, new: str, said: str
) -> None:
    path = templates / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    assert any(said in str(fault) for fault in check_templates(templates))


def test_a_template_cannot_reach_beyond_the_letter(templates: Path) -> None:
    faults = _faults(templates, "overdue/body.txt", "{{ letter.__class__.__mro__ }}")

    assert any("overdue/body.txt:2: " in fault for fault in faults)


def test_a_bare_warning_claims_nothing_that_is_not_known() -> None:
    said = text_of(WarningLetter(at=0, duty=DutyLine(reference="PPN-1")))

    assert not re.search(r"Risk|Where|Owner|Records read|told next|Limit|due by", said)


def test_an_invisible_mark_within_a_word_does_not_part_it() -> None:
    duty = DutyLine(reference="PPN-1", organisation="East\u00adshire", partner="council")

    assert "that Eastshire has been told" in text_of(OverdueLetter(at=0, duty=duty))
