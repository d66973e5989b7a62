"""A report as the value of a cell: run and converted by nbconvert, looked at in the browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import gradflow.api
from tests.browser.conftest import Page
from tests.cli.command import SAMPLES
from tests.report.maps import towers
from tests.report.reports import TOOL, several

pytestmark = pytest.mark.browser
CELL = f"""
import gradflow
gradflow.inspect({str(SAMPLES / "two_towers_saved_model")!r}, static=True)
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook after its only cell was run, as nbformat has it."""
    nbformat = pytest.importorskip("nbformat", reason="nbconvert is not installed")
    execute = pytest.importorskip("nbconvert.preprocessors").ExecutePreprocessor
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("JUPYTER_PLATFORM_DIRS", "1")
        execute(timeout=120, kernel_name="python3").preprocess(
            notebook, {"metadata": {"path": str(folder)}}
        )
    return notebook


def data_of_cell(notebook: Any) -> dict[str, str]:
    (cell,) = notebook.cells
    (output,) = (item for item in cell.outputs if item.output_type == "execute_result")
    return dict(output.data)


@pytest.mark.slow
def test_a_cell_has_the_page_and_a_line_of_text(executed: Any) -> None:
    data = data_of_cell(executed)

    assert data["text/plain"].startswith("<gradflow.Report ")
    assert "4 of 8 weights get no gradient, 1 cause" in data["text/plain"]
    assert data["text/html"].startswith("<iframe ")
    assert json.dumps(executed).isascii()


@pytest.mark.slow
def test_the_page_works_in_the_notebook_and_reaches_nothing_of_it(
    executed: Any, browser: Page
) -> None:
    from nbconvert import HTMLExporter

    body, _ = HTMLExporter(template_name="basic").from_notebook_node(executed)
    with framed(browser, body):
        assert "4 of 8 weights get no gradient" in browser.find(".statement").text
        browser.choose("document_hidden")
        assert "document_hidden/kernel" in browser.find(".panel").text
        browser.click(".panel button", "findings")
        browser.click(".finding .head", "GF201")
        assert "document_embedding" in browser.nodes(".picture .node.is-behind")


def test_the_frame_of_a_cell_works_and_reaches_nothing_around_it(browser: Page) -> None:
    """As above, of a report that no kernel made: it needs neither nbconvert nor TensorFlow."""
    with framed(browser, gradflow.api.Report(TOOL, towers().models)._repr_html_()):
        browser.click(".finding .head", "GF201")
        assert set(browser.nodes(".picture .node.is-behind")) == {"router", "dense_0", "dense_1"}
    with framed(browser, gradflow.api.Report(TOOL, several().models)._repr_html_()):
        browser.click("tbody button", "two_towers")
        assert browser.find("h1").text == "models/two_towers.keras"
        browser.click("nav button", "all models")
        assert browser.find("h1").text == "3 models"


@contextmanager
def framed(browser: Page, body: str) -> Iterator[None]:
    """The page in the sandboxed frame of a notebook, which reaches nothing of it, without a
    complaint of the browser."""
    browser.open(f"<!doctype html><html><title>notebook</title><body>{body}</body></html>")
    browser.heard()
    frame = browser.find("iframe[sandbox='allow-scripts']")
    assert frame.rect["height"] > 500
    browser.driver.switch_to.frame(frame)
    try:
        yield
        assert browser.script("try { return parent.document.title } catch { return null }") is None
        assert browser.script("return self.origin") == "null"
    finally:
        browser.driver.switch_to.default_content()
    assert browser.heard() == []
