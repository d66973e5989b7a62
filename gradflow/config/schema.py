"""The JSON Schema of the configuration: what is allowed, said once, for gradflow and for
editors."""

from __future__ import annotations

from typing import Any

from gradflow.catalogue import CATALOGUE
from gradflow.options import DTYPES, MEMORY, Objective
from gradflow.patterns import SYNTAX
from gradflow.policy import FAMILIES

_TEXT = {"type": "string", "minLength": 1}
_PATTERN = {"type": "string", "minLength": 1, "description": f"Names of variables: {SYNTAX}."}
_PATTERNS = {"type": "array", "items": _PATTERN}
_NAMES = {"type": "array", "items": _TEXT}
_POSITIVE = {"type": "number", "exclusiveMinimum": 0}


def config_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``gradflow.yaml`` and of ``[tool.gradflow]``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gradflow configuration, version 1",
        **_object(
            {
                "version": {"const": 1, "description": "Of this format."},
                "defaults": _object(_settings(), "For every model that does not say otherwise."),
                "models": {
                    "type": "array",
                    "items": _object(
                        {
                            "path": {
                                **_TEXT,
                                "description": "Of the model, relative to this file; a glob is "
                                "fine.",
                            },
                            "name": {
                                **_TEXT,
                                "description": "What the command line and a baseline call it; the "
                                "path by default.",
                            },
                            **_settings(),
                            "trust": {
                                "type": "boolean",
                                "description": "Run what the safety scan refuses. For each model "
                                "by itself.",
                            },
                        },
                        "One model, or those of a glob, and what is expected of it.",
                        required=["path"],
                    ),
                },
            },
            "What gradflow check and audit look at, and what they expect.",
        ),
    }


def _settings() -> dict[str, Any]:
    return {
        "entry": {
            **_TEXT,
            "description": "SavedModel: the signature or function to differentiate.",
        },
        "outputs": {**_NAMES, "description": "Only these outputs count."},
        "inputs": {
            "type": "object",
            "additionalProperties": _input(),
            "description": "How to make an input, by its name.",
        },
        "imports": {
            **_NAMES,
            "description": "Python modules that define layers and ops of your own.",
        },
        "batch_size": {
            "type": "integer",
            "minimum": 1,
            "description": "Where the model leaves it open.",
        },
        "seed": {
            "type": "integer",
            "minimum": 0,
            "maximum": 2**32 - 1,
            "description": "Of inputs and objective.",
        },
        "training": {"type": "boolean", "description": "The mode that a model is called in."},
        "objective": {
            "enum": [one.value for one in Objective],
            "description": "What is differentiated: outputs, or the loss.",
        },
        "probes": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "description": "Batches before a weight is dead.",
        },
        "static": {
            "type": "boolean",
            "description": "Read the file only; TensorFlow is never imported.",
        },
        "timeout": {**_POSITIVE, "description": "Seconds after which a model is given up."},
        "memory_limit": {
            "type": "string",
            "pattern": MEMORY,
            "description": "A model that takes more memory is given up: 8GB.",
        },
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
        "state": {
            **_PATTERNS,
            "description": "Weights to treat as state: listed, and never a finding.",
        },
        "thresholds": _object(
            {"vanishing": _POSITIVE, "exploding": _POSITIVE},
            "Of GF305 and GF306, times the model's median gradient.",
        ),
    }


def _input() -> dict[str, Any]:
    return _object(
        {
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "dtype": {"enum": sorted(DTYPES)},
            "low": {"type": "integer", "description": "Smallest integer that is drawn."},
            "high": {"type": "integer", "description": "Integers are drawn below this."},
            "file": {**_TEXT, "description": "A .npy or .npz file, relative to this file."},
            "key": {**_TEXT, "description": "The array's name in an .npz file."},
        },
        "One input: drawn at random, or read from a file.",
    )


def _expect() -> dict[str, Any]:
    cut = _object(
        {
            "variables": _PATTERN,
            "by": {
                **_TEXT,
                "description": "What cuts them off: an op type, or a code or kind of gradflow "
                "rules.",
            },
            "reason": _TEXT,
        },
        "Weights that are cut off on purpose.",
        required=["variables", "by"],
    )
    return _object(
        {
            "frozen": {
                **_PATTERNS,
                "description": "These weights are frozen, and nothing else is.",
            },
            "trainable": {
                **_PATTERNS,
                "description": "These weights are trainable, and their gradient flows.",
            },
            "cut": {"type": "array", "items": cut},
        },
        "What has to be true of the model.",
    )


def _ignore() -> dict[str, Any]:
    return _object(
        {
            "variables": _PATTERN,
            "codes": {"type": "array", "items": _code(), "minItems": 1},
            "reason": _TEXT,
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
