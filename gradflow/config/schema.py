"""Give the JSON Schema of the configuration, for gradflow itself and for editors."""

from __future__ import annotations

from typing import Any

from gradflow.catalogue import CATALOGUE
from gradflow.options import DECLARED
from gradflow.options.kinds import PATTERN, PATTERNS, TEXT
from gradflow.policy import FAMILIES

TITLE = "gradflow configuration, version 1"


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``gradflow.yaml`` and of ``[tool.gradflow]``."""
    own = {
        "path": {
            **TEXT,
            "description": "Of the model, relative to this file; a glob is allowed.",
        },
        "name": {
            **TEXT,
            "description": "The name of the model on the command line and in a baseline; by "
            "default the path.",
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": TITLE,
        **_object(
            {
                "version": {"const": 1, "description": "Of this format."},
                "defaults": _object(
                    {**_options(for_all=True), **_judgement()},
                    "For every model whose entry does not say otherwise.",
                ),
                "models": {
                    "type": "array",
                    "items": _object(
                        {**own, **_options(for_all=False), **_judgement()},
                        "One model, or those of a glob, and what is expected of it.",
                        required=["path"],
                    ),
                },
            },
            "What gradflow check and audit look at, and what they expect.",
        ),
    }


def _options(*, for_all: bool) -> dict[str, Any]:
    """Return the options of an analysis, as they are declared."""
    return {
        option.name: {**option.kind.schema, "description": f"{option.help}."}
        for option in DECLARED.values()
        if option.in_defaults or not for_all
    }


def _judgement() -> dict[str, Any]:
    return {
        "fail_on": {
            "enum": ["error", "warning"],
            "description": "The lowest severity that breaks the build.",
        },
        "select": {
            "type": "array",
            "items": _code(families=FAMILIES),
            "description": "Only findings of these codes count.",
        },
        "expect": _expect(),
        "ignore": {
            "type": "array",
            "items": _ignore(),
            "description": "Findings that are known and accepted.",
        },
    }


def _expect() -> dict[str, Any]:
    cut = _object(
        {
            "variables": PATTERN,
            "by": {
                **TEXT,
                "description": "What cuts them off: an op type, or a code or kind of gradflow "
                "rules.",
            },
            "reason": TEXT,
        },
        "Weights that are cut off on purpose.",
        required=["variables", "by"],
    )
    return _object(
        {
            "frozen": {
                **PATTERNS,
                "description": "These weights are frozen, and nothing else is.",
            },
            "trainable": {
                **PATTERNS,
                "description": "These weights are trainable, and their gradient flows.",
            },
            "cut": {"type": "array", "items": cut},
        },
        "What has to be true of the model.",
    )


def _ignore() -> dict[str, Any]:
    return _object(
        {
            "variables": PATTERN,
            "codes": {"type": "array", "items": _code(), "minItems": 1},
            "reason": TEXT,
            "until": {
                "type": "string",
                "format": "date",
                "description": "The last day on which it holds: 2027-01-31.",
            },
        },
        "One known finding.",
        required=["variables"],
    )


def _code(families: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"enum": [*CATALOGUE, *(item.kind for item in CATALOGUE.values()), *families]}


def _object(
    properties: dict[str, Any], description: str, required: list[str] | None = None
) -> dict[str, Any]:
    schema = {
        "type": "object",
        "description": description,
        "properties": properties,
        "additionalProperties": False,
    }
    return {**schema, "required": required} if required else schema
