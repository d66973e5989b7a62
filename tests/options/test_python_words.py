"""Hints speak Python where Python is spoken."""

from __future__ import annotations

import re

import pytest

from gradflow.options import DECLARED, in_python

HINTS = {
    "read it with --static, which runs nothing, or pass --trust if you know it": (
        "read it with static=True, which runs nothing, or pass trust=True if you know it"
    ),
    "give each: --input x=float32[4,16] --input y=int32[4,2]<10": (
        'give each: inputs={"x": "float32[4,16]", "y": "int32[4,2]<10"}'
    ),
    "show that to gradflow: --input NAME=@batch.npz:key": (
        'show that to gradflow: inputs={"NAME": "@batch.npz:key"}'
    ),
    "--import MODULE, the module that defines it": (
        'imports=["MODULE"], the module that defines it'
    ),
    "pass --import tensorflow_text --import own.ops, without --static": (
        'pass imports=["tensorflow_text", "own.ops"], without static=True'
    ),
    "raise --memory-limit, or lower --batch-size": "raise memory_limit, or lower batch_size",
    "give it longer with --timeout SECONDS": "give it longer with timeout=SECONDS",
    "use no --objective compiled: gradflow": 'use no objective="compiled": gradflow',
    "choose another entry: --entry list shows them": (
        "choose another entry: gradflow inspect MODEL --entry list shows them"
    ),
    "--output 'x': the model has no such output": "outputs 'x': the model has no such output",
    "--entry 'train' analyses that one, --entry all every entry": (
        "entry='train' analyses that one, entry=\"all\" every entry"
    ),
    "leave --entry out": "leave entry out",
    "gradflow inspect MODEL --all lists them; --static reads the graph": (
        "gradflow inspect MODEL --all lists them; static=True reads the graph"
    ),
    "run it again with -v, which shows them": (
        "run it again with gradflow inspect -v, which shows them"
    ),
    "... and 5 more (--all shows them)": "... and 5 more (show_all=True shows them)",
    "head-v: --expect-frozen 'a/**'": "head-v: --expect-frozen 'a/**'",
}


@pytest.mark.parametrize("hint", HINTS)
def test_an_option_becomes_the_keyword(hint: str) -> None:
    assert in_python(hint) == HINTS[hint]
    assert in_python(HINTS[hint]) == HINTS[hint]


@pytest.mark.parametrize("name", [name for name in DECLARED if DECLARED[name].in_python])
def test_each_option_has_its_keyword(name: str) -> None:
    flag = DECLARED[name].flag
    assert flag is not None
    assert re.fullmatch(rf"see {name}(=True)?", in_python(f"see {flag}"))
