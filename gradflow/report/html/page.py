"""Put the page together: its data, its styles and scripts, and a plain text for where no script
runs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path

from gradflow.findings import ModelReport, Report
from gradflow.report.finding_line import located, remedy
from gradflow.report.headline import statement, summary_line, title
from gradflow.report.html.data import changes_of, model_data, report_data
from gradflow.report.layout import PLAIN, Layout
from gradflow.report.model_parts import by_severity
from gradflow.report.reach import reach_sentences
from gradflow.report.words import counted
from gradflow.text import as_json, shown

_ASSETS = Path(__file__).with_name("assets")
_SCRIPTS = ("dom.js", "stack.js", "graph.js", "map.js", "profile.js", "tables.js", "page.js")
_MAX_PLAIN_MODELS = 50
_MAX_PLAIN_FINDINGS = 10
_LONGEST_PLAIN = 400


def render(report: Report, layout: Layout = PLAIN) -> str:
    """Return the page: ASCII, the same bytes for the same report.

    A browser runs nothing in it but the scripts of this package, which the page names by their
    hashes; whatever comes from a model is data.
    """
    style, layouter, program = _style(), _layouter(), _program()
    policy = (
        f"default-src 'none'; script-src {_hash(layouter)} {_hash(program)}; "
        f"style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    )
    changes = changes_of(report, layout.trends)
    data = [("report", report_data(report, changes))]
    data += [
        (f"model-{index}", model_data(model, change))
        for index, (model, change) in enumerate(zip(report.models, changes, strict=True))
    ]
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta name="generator" content="gradflow">',
        "",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>gradflow: {_plain(summary_line(report))}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        f"<header><b>gradflow</b> <span>{_plain(_versions(report))}</span></header>",
        '<main class="plain">',
        *_plain_models(report),
        "</main>",
        *(
            f'<script type="application/json" id="{name}">{_as_data(value)}</script>'
            for name, value in data
        ),
        f"<script>{layouter}</script>",
        f"<script>{program}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _versions(report: Report) -> str:
    tool = report.tool
    parts = [tool.version]
    parts += [f"TensorFlow {tool.tensorflow}"] if tool.tensorflow else []
    parts += [f"Keras {tool.keras}"] if tool.keras else []
    return ", ".join(parts)


def _plain_models(report: Report) -> Iterator[str]:
    """Say what there is to say without a script; the program takes its place."""
    for model in report.models[:_MAX_PLAIN_MODELS]:
        yield f"<h2>{_plain(title(model))}</h2>"
        yield f"<p><b>{_plain(statement(model))}</b></p>"
        lines = [*reach_sentences(model), *_plain_findings(model)]
        if lines:
            yield f"<ul>{''.join(f'<li>{_plain(line)}</li>' for line in lines)}</ul>"
    left = len(report.models) - _MAX_PLAIN_MODELS
    if left > 0:
        yield f"<p>and {counted(left, 'more model')}</p>"


def _plain_findings(model: ModelReport) -> Iterator[str]:
    findings = by_severity(model)
    for finding in findings[:_MAX_PLAIN_FINDINGS]:
        fix = remedy(finding)
        words = f"{finding.severity.value} {finding.code}: {located(finding)}"
        yield words + (f"; fix: {fix}" if fix else "")
    left = len(findings) - _MAX_PLAIN_FINDINGS
    if left > 0:
        yield f"and {counted(left, 'more finding')}"


def _plain(text: str) -> str:
    """Return ``text`` as one line of HTML text in ASCII."""
    line = shown(text)
    line = line if len(line) <= _LONGEST_PLAIN else f"{line[:_LONGEST_PLAIN]} ..."
    return escape(line).encode("ascii", "xmlcharrefreplace").decode("ascii")


def _as_data(value: object) -> str:
    """Return JSON that no parser of HTML finds an end or a comment in."""
    text = as_json(value, indent=None)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _style() -> str:
    return _read("style.css")


@cache
def _program() -> str:
    scripts = "\n".join(_read(name) for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{scripts}\n}})();'


@cache
def _layouter() -> str:
    """Return the library that lays graphs out, with its licence, as one line of ASCII."""
    licence, script = _read("dagre.LICENSE"), _read("dagre.min.js")
    code = "\n".join(line for line in script.splitlines() if not line.startswith(("/*", "//")))
    return f"{licence}\n{code}".replace("\x01", "\\x01")


def _read(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8").strip()
