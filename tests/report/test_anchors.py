"""Paths as URI references, and where a model is shown."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradflow.findings import Anchor
from gradflow.report.anchors import (
    anchor_of,
    anchors_below,
    identity_of,
    portable,
    source_anchor,
    source_anchors,
    uri,
)
from tests.report.reports import analyzed


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("models/two_towers.keras", "models/two_towers.keras"),
        ("./models//x/../a b.keras", "models/a%20b.keras"),
        ("../up.keras", "../up.keras"),
        ("/data/m#1?.h5", "file:///data/m%231%3F.h5"),
        ("//data/m.h5", "file:///data/m.h5"),
        ("a:b/c.h5", "a%3Ab/c.h5"),
        ("50%.h5", "50%25.h5"),
        ("größe.h5", "gr%C3%B6%C3%9Fe.h5"),
        ("b\udcff.h5", "b%FF.h5"),
        ("b\ud800.h5", "b%EF%BF%BD.h5"),
        ("gs://bucket/model", "gs%3A//bucket/model"),
        ("", "."),
    ],
)
def test_uri(path: str, expected: str) -> None:
    assert uri(path) == expected


@given(st.text() | st.text(alphabet="/:.#?% \\\x00\ud800\udcff"))
def test_any_path_is_a_reference(path: str) -> None:
    found = uri(path)
    jsonschema.FormatChecker().check(found, "uri-reference")
    assert found.isascii()
    assert found


def test_a_source_may_be_one_of_several() -> None:
    anchors = source_anchors("net.py:41 or other.py:7")
    assert anchors == [Anchor("net.py", 41), Anchor("other.py", 7)]
    assert source_anchors("net.py:41") == [source_anchor("net.py:41")]


def test_a_source_is_a_file_and_a_line() -> None:
    assert source_anchor("net.py:41") == Anchor("net.py", 41)
    assert source_anchor("C:/net.py:7") == Anchor("C:/net.py", 7)
    assert source_anchor("net.py") == Anchor("net.py", None)


def test_a_model_is_shown_at_its_path_or_where_the_caller_says() -> None:
    model = analyzed("m.keras", ())
    anchor = Anchor("gradflow.yaml", 3)
    assert anchor_of(model, {}) == Anchor("m.keras")
    assert anchor_of(model, {"m.keras": anchor}) == anchor
    assert identity_of(model, {"m.keras": anchor}) == "m.keras"
    assert identity_of(model, {"m.keras": Anchor("models/m.keras")}) == "models/m.keras"


def test_paths_below_the_root_are_relative() -> None:
    paths = ["/ci/repo/m/a.keras", "/ci/repo2/b.keras", "m/c.keras"]
    assert anchors_below(Path("/ci/repo"), paths) == {"/ci/repo/m/a.keras": Anchor("m/a.keras")}


def test_portable() -> None:
    assert portable("./a//b/../c.keras") == "a/c.keras"
    assert portable("s3://bucket//c") == "s3://bucket//c"
