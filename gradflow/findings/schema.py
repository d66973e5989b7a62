"""Make the JSON Schema of the report from the result types."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from gradflow.findings.types import Report
from gradflow.findings.wire_names import written_name

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}


def report_schema(version: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the report whose ``schema`` is ``version``."""
    definitions: dict[str, Any] = {}
    report = _object(Report, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"gradflow report ({version})",
        **report,
        "properties": {"schema": {"const": version}, **report["properties"]},
        "required": ["schema", *report["required"]],
        "$defs": dict(sorted(definitions.items())),
    }


def _object(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    public = [field for field in fields(kind) if not field.metadata.get("internal")]
    return {
        "type": "object",
        "description": (kind.__doc__ or "").strip().splitlines()[0],
        "properties": {
            written_name(field): _schema(hints[field.name], definitions) for field in public
        },
        # A field with a default was added to this version: reports of before do not have it.
        "required": [written_name(field) for field in public if field.default is MISSING],
        "additionalProperties": False,
    }


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        options = [arg for arg in get_args(hint) if arg is not NoneType]
        return {"anyOf": [*(_schema(arg, definitions) for arg in options), {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": _schema(get_args(hint)[0], definitions)}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [item.value for item in hint]}
    if isinstance(hint, type) and is_dataclass(hint):
        if hint.__name__ not in definitions:
            # Known before it is described: types may hold each other.
            definitions[hint.__name__] = {}
            definitions[hint.__name__] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    return {"type": _PLAIN[hint]}
