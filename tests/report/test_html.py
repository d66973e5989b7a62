"""What only the HTML page promises: one file that obeys nothing of a model, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given, settings

from gradflow.api import Report as ApiReport
from gradflow.findings import Report, Verdict
from gradflow.policy import Direction, Trend, trends
from gradflow.report.html import render
from gradflow.report.layout import Layout
from tests.browser.conftest import data_of
from tests.examples import examples
from tests.report.maps import deep, towers
from tests.report.reports import TOOL, healthy, hostile, several
from tests.report.strategies import reports

DAGRE = "54a503e346f93ca0bb10abe7999587e037262935687aca45eb4e4b0f64bbb578"
LARGEST_EMPTY = 400_000


class Parsed(HTMLParser):
    """The tags of a page, and the texts of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = str(dict(attrs)["content"])

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in ("script", "style") and "type" not in self.tags[-1][1]:
            self.inline.append(data)


def test_an_empty_report_is_small() -> None:
    assert len(render(Report(TOOL, ()))) < LARGEST_EMPTY


def test_the_policy_allows_what_the_page_holds_and_nothing_else() -> None:
    page = Parsed(render(towers()))
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in page.inline
        if text.strip()
    ]

    style, *scripts = hashes
    assert page.policy == (
        f"default-src 'none'; script-src {' '.join(scripts)}; style-src {style}; "
        f"base-uri 'none'; form-action 'none'"
    )


def test_nothing_in_it_has_an_address_or_a_handler() -> None:
    text = render(several())

    for tag, attributes in Parsed(text).tags:
        assert tag not in ("a", "img", "link", "iframe", "form", "object", "embed", "base")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert not {"src", "href", "action"} & set(attributes)
    assert {*re.findall(r"https?://[^\s\"'`)]+", text)} == {"http://www.w3.org/2000/svg"}


@settings(max_examples=examples(10))
@given(reports())
def test_whatever_a_model_holds_is_data(report: Report) -> None:
    """The tags are those of a report without a model, and one data block for each model."""
    text = render(report)
    tags = [tag for tag, _ in Parsed(text).tags]

    assert text.isascii()
    assert tags.count("script") == 3 + len(report.models)
    assert {*tags} <= set(
        "html head meta title style body header b span main h2 p ul li script".split()
    )
    for index, model in enumerate(report.models):
        data = data_of(text, f"model-{index}")
        assert len(data["variables"]) == len(model.variables)


def test_the_end_of_a_script_is_no_end() -> None:
    name = "</script><!--<script>\u2028\u2029&lt;"
    text = render(hostile([name]))

    assert text.count("</script>") == len(re.findall("<script", text)) == 5
    assert data_of(text, "model-0")["variables"][0]["name"] == (
        "</script><!--<script>\\u2028\\u2029&lt;/kernel"
    )


def test_the_same_report_gives_the_same_bytes() -> None:
    assert render(towers()) == render(towers())


def test_the_library_is_the_one_that_its_makers_built() -> None:
    """dagre 3.1.3 from the npm registry, package/dist/dagre.min.js."""
    from gradflow.report.html.page import _ASSETS

    data = (_ASSETS / "dagre.min.js").read_bytes()
    assert hashlib.sha256(data).hexdigest() == DAGRE
    assert "Permission is hereby granted" in (_ASSETS / "dagre.LICENSE").read_text()
    assert "Copyright (c) 2012-2014 Chris Pettitt" in render(healthy())


def test_a_page_of_many_weights_grows_by_little() -> None:
    """A name, a path and a cause stand in it once."""
    small, large = (len(render(deep(blocks))) for blocks in (1, 24))

    assert large - small < 600 * 388


def test_a_name_that_is_very_long_stands_in_it_a_few_times() -> None:
    name = "x" * 100_000
    text = render(hostile([name]))

    assert text.count(name) < 40


def test_without_scripts_the_page_says_what_is_the_case() -> None:
    text = render(towers())
    main = text[text.index("<main") : text.index("</main>")]

    assert "5 of 9 trainable weights get no gradient" in main
    assert "error GF201: between left/dense_1 and merge" in main
    assert "fix: remove the stop_gradient at net.py:41" in main


def test_a_notebook_shows_the_page_in_a_frame_that_reaches_nothing() -> None:
    report = ApiReport(TOOL, towers().models)
    ((tag, attributes),) = Parsed(report._repr_html_()).tags

    assert tag == "iframe"
    assert attributes["sandbox"] == "allow-scripts"
    assert attributes["srcdoc"] == report.to_html()
    assert repr(report).startswith("<gradflow.Report ")


def test_a_report_that_was_read_from_a_file_has_its_weights_in_the_map() -> None:
    """JSON does not say which weights a node holds: their layer does."""
    (model,) = towers().models
    assert model.map is not None
    nodes = tuple(replace(node, variables=()) for node in model.map.nodes)
    text = render(Report(TOOL, (replace(model, map=replace(model.map, nodes=nodes)),)))

    data = data_of(text, "model-0")
    (node,) = (node for node in data["map"]["nodes"] if node["name"] == "router")
    assert [data["variables"][index]["name"] for index in node["variables"]] == ["router/kernel"]


def test_it_tells_which_models_got_better_and_which_got_worse() -> None:
    """Since a baseline was taken, or since the run before (``audit --history``)."""
    (now,) = towers().models
    names = [variable.name for variable in now.variables]
    flowing = {"verdict": Verdict.FLOWS, "cuts_to_restore": 0}
    before = replace(now, variables=tuple(replace(item, **flowing) for item in now.variables))
    others = [replace(model, path=f"{index}.keras") for index, model in enumerate((before, now))]
    report = Report(TOOL, (now, others[0], others[1]))
    changed = trends(Report(TOOL, (before, replace(now, path="0.keras"), others[1])), report)
    text = render(report, Layout(trends=changed))

    rows = data_of(text, "report")["models"]
    assert [row["change"] and row["change"]["direction"] for row in rows] == [
        "worse",
        "better",
        None,
    ]
    assert data_of(text, "model-0")["change"]["lines"][0].startswith(f"{names[0]}: lost gradient")


def test_two_models_of_one_path_are_not_told_apart() -> None:
    (now,) = towers().models
    report = Report(TOOL, (now, now))
    text = render(report, Layout(trends=[Trend(now.path, Direction.WORSE, "")]))

    assert [row["change"] for row in data_of(text, "report")["models"]] == [None, None]
