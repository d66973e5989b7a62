"""What the README shows is what gradflow does."""

from __future__ import annotations

import doctest
import json
import re

import pytest

import gradflow
from gradflow.catalogue import CATALOGUE, RESERVED
from gradflow.report.headline import statement
from tests.docs.console import README, ROOT, Example, examples, run

PAGE = README.read_text(encoding="utf-8")
EXAMPLES = examples(PAGE)
SAMPLE_ROW = re.compile(r"^\| (`[a-z_.0-9, `]+`) \| .* \| `(?P<first>.*)` \|$", re.MULTILINE)
NEEDS_TENSORFLOW = pytest.mark.tensorflow


def parameters() -> list[object]:
    return [
        pytest.param(
            example,
            id=example.command,
            marks=[NEEDS_TENSORFLOW] if example.needs_tensorflow else [],
        )
        for example in EXAMPLES
        if example.is_run
    ]


@pytest.mark.parametrize("example", parameters())
def test_a_command_prints_what_is_shown(example: Example) -> None:
    output, code = run(example.command)

    assert output == example.output
    after = EXAMPLES[EXAMPLES.index(example) + 1 :]
    if after and after[0].command == "echo $?":
        assert after[0].output == f"{code}\n"
    else:
        assert code == 0


def test_the_options_are_shown() -> None:
    assert "gradflow inspect --help" in [example.command for example in EXAMPLES]


def test_a_stranger_needs_one_line_each_and_only_python_and_pip() -> None:
    lines = [example.command for example in EXAMPLES if "-m venv" in example.command]

    assert [line.split(" && ")[0] for line in lines] == [
        "python3 -m venv .venv",
        "python3 -m venv .venv-test",
    ]
    assert [line.split(" && ")[-1].split()[0] for line in lines] == [
        ".venv/bin/gradflow",
        ".venv-test/bin/pytest",
    ]
    assert all("/bin/pip install -q " in line for line in lines)
    assert "pip install gradflow" in [example.command for example in EXAMPLES]


def test_ci_runs_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert """/bin/pip" install -q --disable-pip-version-check -e '.[test]'""" in script
    assert re.search(r'^"\$venv/bin/pytest"$', script, re.MULTILINE)


def test_every_code_has_its_row() -> None:
    rows = re.findall(
        r"^\| (GF\d{3}) \| (\w+) \| (.+?) \| (?:\*not yet\* )?\|$", PAGE, re.MULTILINE
    )

    assert rows == [(entry.code, entry.kind, entry.title) for entry in CATALOGUE.values()]


def test_the_codes_that_are_reserved_are_marked() -> None:
    marked = re.findall(r"^\| (GF\d{3}) \| .* \| \*not yet\* \|$", PAGE, re.MULTILINE)

    assert set(marked) == RESERVED


def test_the_variable_of_the_json_report_is_real() -> None:
    shown = json.loads(re.search(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1])  # type: ignore[index]
    command = re.search(r"One variable of `(gradflow inspect [^`]+)`", PAGE)

    assert command is not None
    report = json.loads(run(command[1])[0])
    assert shown in report["models"][0]["variables"]
    assert all(f"`{key}`" in PAGE for key in report["models"][0])


def test_the_python_example_is_real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    source = re.search(r"^```pycon\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

    assert source is not None
    example = doctest.DocTestParser().get_doctest(source[1], {}, "README.md", "README.md", 0)
    assert len(example.examples) > 3
    assert doctest.DocTestRunner(verbose=False).run(example).failed == 0


def sample_rows() -> list[object]:
    """One row a file; a SavedModel is read without TensorFlow, since its own tests step it."""
    return [
        pytest.param(
            name,
            row["first"],
            id=name,
            marks=[] if name.endswith("_saved_model") else [NEEDS_TENSORFLOW],
        )
        for row in SAMPLE_ROW.finditer(PAGE)
        for name in re.findall(r"`([^`]+)`", row[1])
    ]


@pytest.mark.parametrize(("name", "first"), sample_rows())
def test_a_sample_model_shows_what_its_row_says(name: str, first: str) -> None:
    report = gradflow.inspect(ROOT / "sample_models" / name, static=name.endswith("_saved_model"))

    assert statement(report.models[0]) == first


def test_every_sample_model_has_a_row() -> None:
    names = {path.name for path in (ROOT / "sample_models").iterdir()} - {
        "README.md",
        "build.py",
        "__pycache__",
    }

    assert {row.values[0] for row in sample_rows()} == names  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "sample_models/README.md"]
)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")

    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert [target for target in targets if not ((ROOT / page).parent / target).exists()] == []
