"""The log: a line a fact, without addresses and without what local variables held."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from monitor.logs import configure_logs, get_logger

MARKED = "Marked Name"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The log is the process's own: other tests find it as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def fail(secret: str) -> None:
    """A failure whose local variables hold what a row said."""
    cells = {"NAME": secret}
    msg = "the server refused <desk.one@force.example>: no such mailbox"
    raise ValueError(msg, len(cells))


def failed(form: Literal["json", "text"], capsys: pytest.CaptureFixture[str]) -> str:
    configure_logs(form)
    try:
        fail(MARKED)
    except ValueError:
        get_logger("test").exception("turn_failed", loop="delivery")
    return capsys.readouterr().err


def test_a_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json")
    get_logger("intake").info("file_taken_in", feed="occurrence", rows=3)
    line: dict[str, Any] = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "file_taken_in",
        "level": "info",
        "logger": "intake",
        "feed": "occurrence",
        "rows": 3,
    }


def test_lines_of_libraries_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json")
    logging.getLogger("apscheduler.executors").warning("%s was missed", "a run")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["logger"]) == ("a run was missed", "apscheduler.executors")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_local_variables(
    form: Literal["json", "text"], capsys: pytest.CaptureFixture[str]
) -> None:
    """They may hold what a row said."""
    printed = failed(form, capsys)
    assert MARKED not in printed
    assert "fail" in printed
    assert "ValueError" in printed


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_mailbox_is_masked_and_its_domain_stays(
    form: Literal["json", "text"], capsys: pytest.CaptureFixture[str]
) -> None:
    """Mail servers answer with addresses; an operator needs the domain, not the mailbox."""
    printed = failed(form, capsys)
    assert "desk.one" not in printed
    assert "(address)@force.example" in printed


def test_fields_are_masked_however_deep(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json")
    get_logger("test").info("told", why=["to a.b@force.example"], at={"x": ("c@d.example", 1)})
    printed = capsys.readouterr().err
    assert "a.b" not in printed
    assert "c@" not in printed


def test_a_level_leaves_out_what_is_below(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that a person types says its own words."""
    configure_logs("text", level=logging.CRITICAL)
    get_logger("test").error("rules_refused")
    logging.getLogger("alembic").error("also")
    assert capsys.readouterr().err == ""
