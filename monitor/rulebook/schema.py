"""JSON Schemas of what people write in the rules folder, for editors that check while one types.

What comes in: a folder. What goes out: one file for each kind of document in it, from the same
models that read the documents. It does not care whether documents fit together: `files` does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from monitor.rulebook.language import Ladder, Rule, Vocabulary, WrittenCalendar

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_KINDS: Final[dict[str, type[BaseModel]]] = {
    "rule": Rule,
    "ladder": Ladder,
    "calendar": WrittenCalendar,
    "vocabulary": Vocabulary,
}


def write_schemas(folder: Path) -> None:
    """Write `rule.schema.json` and the others; the same models give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


def schemas() -> dict[str, str]:
    """File name → the JSON text of its schema."""
    return {f"{kind}.schema.json": schema_text(kind, model) for kind, model in _KINDS.items()}


def schema_text(kind: str, model: type[BaseModel]) -> str:
    """The JSON text of the schema of one kind of document."""
    schema: dict[str, Any] = {
        "$schema": _DIALECT,
        **model.model_json_schema(by_alias=True),
        "title": kind.capitalize(),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
