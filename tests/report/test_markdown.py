"""The comment of a pull request: short, and inert whatever the names."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

from gradflow.findings import (
    Expectation,
    ExpectationStatus,
    Finding,
    ModelReport,
    Report,
    Severity,
)
from gradflow.report.layout import Layout
from gradflow.report.markdown import render
from gradflow.report.markdown_escape import code, fence, prose, summary
from tests.examples import examples
from tests.report.reports import (
    CANONICAL,
    HOSTILE,
    TOOL,
    analyzed,
    dense,
    expectations,
    frozen,
    healthy,
    hostile,
    many,
    several,
    two_towers,
)
from tests.report.strategies import reports

GITHUB_LIMIT = 65_536
OURS = re.compile(
    r"<details><summary><code>[^<>]*</code>[^<>]*</summary>|</details>|</?code>|<!-- -->"
)
ALLOWED = {
    *"heading_open heading_close paragraph_open paragraph_close inline fence html_block hr".split(),
    *"table_open table_close thead_open thead_close tbody_open tbody_close tr_open "
    "tr_close".split(),
    *"th_open th_close td_open td_close bullet_list_open bullet_list_close list_item_open "
    "list_item_close".split(),
    *"text text_special code_inline html_inline strong_open strong_close em_open em_close "
    "softbreak".split(),
}


def tokens(written: str) -> list[Token]:
    blocks = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(written)
    return [token for block in blocks for token in (block, *(block.children or ()))]


def inert(written: str) -> None:
    """Nothing but our own markup; mentions and links stand in code, where GitHub does not look for
    them."""
    for token in tokens(written):
        assert token.type in ALLOWED, token
        if token.type in ("html_block", "html_inline"):
            assert OURS.sub("", token.content).strip() == "", token
        if token.type in ("text", "text_special"):
            assert re.search(r"@\w|#\d|www\.\w|https?://", token.content) is None, token
    html = "".join(token.content for token in tokens(written) if token.type == "html_block")
    assert html.count("<details>") == html.count("</details>")
    assert len(written) < GITHUB_LIMIT


def test_what_was_differentiated_is_said_where_a_loss_was_or_would_have_been() -> None:
    (cut,), (fine,) = two_towers().models, healthy().models
    loss = "compiled: mse on head, weight 1.0"
    why = "the file's loss is 'focal', which is not imported; --import MODULE"

    def written(model: ModelReport, **changes: str) -> str:
        return render(Report(TOOL, (replace(model, **changes),)))

    assert f"\n\nobjective: {loss}\n\n" in written(cut, objective=loss)
    assert "objective" not in written(cut, objective="outputs")
    assert "objective" not in written(fine, objective=loss)
    unused = f"objective: outputs; the compiled loss is not used: {prose(why)}"
    for model in (cut, fine):
        assert unused in written(model, objective="outputs", unused_loss=why)


@pytest.mark.parametrize("name", CANONICAL)
def test_canonical_reports_are_inert(name: str) -> None:
    inert(render(CANONICAL[name]()))


@settings(max_examples=examples(12))
@given(reports())
def test_any_report_is_inert(report: Report) -> None:
    inert(render(report))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_is_inert_and_every_cell_stays_in_its_column(text: str) -> None:
    written = render(hostile([text]))
    inert(written)
    inert(f"{prose(text)}\n\n| a | b |\n| - | - |\n| {code(text)} | {prose(text)} |\n")
    cells = [token.type for token in tokens(written) if token.type in ("th_open", "td_open")]
    assert cells == ["th_open"] * 3 + ["td_open"] * 6


@pytest.mark.parametrize(
    "text", ["plain/name_1", "a`b", "a|b\\|c", " x ", "<b>", "a\\", "&amp;", "[x](y)", "*a*"]
)
def test_a_name_is_shown_as_it_is(text: str) -> None:
    def shown(written: str) -> str:
        return "".join(
            token.content
            for token in tokens(written)
            if not token.children and "html" not in token.type
        )

    assert shown(code(text)) == text
    assert shown(f"x{prose(text)}x") == f"x{text}x"
    (row,) = [
        token for token in tokens(f"| a |\n| - |\n| {code(text)} |\n") if token.type == "inline"
    ][1:]
    assert (
        "".join(child.content for child in row.children or () if "html" not in child.type) == text
    )


def test_what_a_message_quotes_is_code() -> None:
    assert prose("cut by Round 'net/round_1'; save('x')") == "cut by Round `net/round_1`; save('x')"


def test_a_fence_is_longer_than_what_is_in_it() -> None:
    (block,) = tokens(fence(["````", "x"]))
    assert (block.type, block.content) == ("fence", "````\nx\n")


def test_a_summary_is_html() -> None:
    assert summary("<a> & b") == "<code>&lt;a&gt; &amp; b</code>"


def test_a_clean_model_is_a_row_and_nothing_else() -> None:
    assert render(healthy()) == (
        "### gradflow: fine\n\n| model | verdict |\n| --- | --- |\n"
        "| `healthy.keras` | all 4 weights receive a gradient |\n"
    )


def test_the_worst_model_comes_first() -> None:
    rows = re.findall(r"^\| `(.*?)` \|", render(several()), re.MULTILINE)
    assert rows == ["broken.keras", "models/two_towers.keras", "healthy.keras"]


def test_the_cut_is_drawn_in_a_fence() -> None:
    fences = [token.content for token in tokens(render(two_towers())) if token.type == "fence"]
    assert len(fences) == 1
    assert "     ✂  net/target/StopGradient  layer target, net.py:41\n" in fences[0]


def test_notes_have_no_picture_and_no_fix() -> None:
    written = render(frozen())
    assert "**note GF101** frozen by adapter.trainable=False" in written
    assert "fix:" not in written


def test_expectations_are_shown_where_the_model_was_held_against_them() -> None:
    written = render(expectations())
    assert (
        "- **unmatched** cut: `rigth/**`\n- kept frozen: `backbone/**`, trainable: `head/**`\n"
        in written
    )
    assert "| `models/large.keras` | could not be checked (GF903) |  |\n" in written
    assert "2 kept, 2 broken, 1 unmatched |" in written


def test_what_is_kept_without_a_finding_is_said_before_it_is_opened() -> None:
    kept = Expectation("cut", "encoder/**", ExpectationStatus.KEPT, ("encoder/kernel",))
    model = analyzed("m.keras", dense("encoder", 4, 4), expectations=(kept,))

    assert "<code>m.keras</code>: 1 expectation kept</summary>" in render(Report(TOOL, (model,)))


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_long_report_is_cut_and_says_what_is_left_out(encoding: str) -> None:
    (model,), long = many().models, "\u9b42" * 300
    models = tuple(replace(model, path=f"runs/{place}/{long}") for place in range(400))
    written = render(Report(TOOL, models), Layout(encoding=encoding))
    inert(written)
    assert len(written.encode()) < GITHUB_LIMIT
    rows = len(re.findall(r"^\| `", written, re.MULTILINE))
    blocks = written.count("**error GF")
    left = re.search(
        r"\*Left out, to keep this short: ([\d,]+) models?, ([\d,]+) findings\. .*\*\n$", written
    )
    assert left is not None
    assert int(left[1].replace(",", "")) == 400 - rows
    assert int(left[2].replace(",", "")) == 400 * len(model.findings) - len(
        re.findall(r"\*\* (between \S+ and \S+, )?gradient ", written)
    )
    assert rows > 15
    assert blocks > 15


def test_a_huge_name_leaves_room_for_the_others() -> None:
    names = ["x" * 200_000, "`" * 200_000, "good"]
    models = []
    for name in names:
        variables = dense(name, 2, 2)
        finding = Finding(
            "GF206", Severity.WARNING, f"unused: {name}", name, (variables[0].name,), None
        )
        models.append(analyzed(f"{name}.keras", variables, findings=(finding,)))
    written = render(Report(TOOL, tuple(models)))
    inert(written)
    assert written.count("**warning GF206**") == 3
    assert "Left out" not in written
