"""The line of each key and item of a TOML file is the one where it stands."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradflow.config.parse import Path
from gradflow.config.toml import lines_of, read_toml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCUMENT = '''\
# [tool.gradflow] is below
title = "a # b = [c]"  # models = [
[tool.other]
models = [ 1, [2, 3], { path = "no" } ]
path = """
[tool.gradflow]
path = "a\\"""" # four quotes

[tool.gradflow]
"defaults".seed = 3
defaults . "batch\\u005fsize" = 2
  models = [
    # a comment, with ] and }
    { path = 'a = ]', expect.frozen = [ "x/**",
        "y/**" ] },
    { path = """b""", until = 2027-01-01 },
  ]
[[tool.lists]]
[tool.lists.inner]
path = 1
[[tool.lists]]
inner.path = 2
'''


def paths_of(value: Any, path: Path = ()) -> set[Path]:
    """The path of each key and item of plain values."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return {inner for key, item in items for inner in ((*path, key), *paths_of(item, (*path, key)))}


def test_every_key_has_its_line() -> None:
    lines = lines_of(DOCUMENT)

    assert set(lines) == paths_of(tomllib.loads(DOCUMENT))
    ours = ("tool", "gradflow")
    assert lines[(*ours, "defaults", "batch_size")] == 11
    assert lines[(*ours, "models", 0, "expect", "frozen", 1)] == 15
    assert lines[(*ours, "models", 1, "path")] == 16
    assert (lines[("tool", "lists", 0, "inner", "path")], lines[("tool", "lists", 1)]) == (20, 21)


def test_a_key_that_another_table_has_too_is_not_confused() -> None:
    text = '[tool.gradflow]\nname = "seed = 1"\n[tool.gradflow.defaults]\nseed = 4\n'

    assert read_toml(text, ("tool", "gradflow")).line(("defaults", "seed")) == 4


KEYS = st.text(alphabet="ab.\"'\\ #=[]é", max_size=4)
SCALARS = st.one_of(
    st.integers(-9, 9), st.booleans(), st.text(alphabet="a'\"\\#\n[]{},=", max_size=9)
)


def quoted(text: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}
    return '"' + "".join(escapes.get(sign, sign) for sign in text) + '"'


def inline(value: Any) -> str:
    """The value as TOML, with arrays over several lines."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {inline(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + ", # ]\n".join(inline(item) for item in value) + "\n]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and "'" not in value and "\n" in value:
        return f"'''\n{value}'''"
    return quoted(value) if isinstance(value, str) else str(value)


@given(
    st.dictionaries(
        KEYS,
        st.recursive(
            SCALARS,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_any_values_have_a_line_each(values: dict[str, Any]) -> None:
    text = "".join(f"{quoted(key)} = {inline(value)} # {{\n\n" for key, value in values.items())

    lines = lines_of(text)

    assert set(lines) == paths_of(tomllib.loads(text))
    rows = text.splitlines()
    for key in values:
        assert rows[lines[(key,)] - 1].startswith(f"{quoted(key)} = ")


@pytest.mark.parametrize("text", ["a = [", "a = " + "[" * 5_000, "a = " + "9" * 5_000])
def test_what_is_no_toml_is_a_problem(text: str) -> None:
    [problem] = read_toml(text, ("tool", "gradflow")).problems

    assert problem.message.startswith("is not TOML: ")
