"""What the README and the pages of docs/ show is what gradflow does."""

from __future__ import annotations

import doctest
import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gradflow.cli import main
from tests.docs.console import PAGES, ROOT, Command, project, run, run_session, sessions

TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}
REPOSITORY = "https://github.com/gradflow/gradflow/blob/main/"
LINKING = [*TEXTS, "CONTRIBUTING.md", "CHANGELOG.md", "sample_models/README.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"python3 -m venv |pip install |gradflow .*\bmodel/")
"""Commands that install something or name a model of the reader's own."""


def parameters() -> list[object]:
    return [
        pytest.param(
            session,
            id=f"{name}: {session[0].line}",
            marks=[pytest.mark.tensorflow] if any(c.needs_tensorflow for c in session) else [],
        )
        for name, text in TEXTS.items()
        for session in sessions(text)
    ]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with project() as path:
        yield path


@pytest.mark.parametrize("session", parameters())
def test_a_session_prints_what_is_shown(session: list[Command], folder: Path) -> None:
    unknown = [c.line for c in session if not c.is_run and not NOT_RUN.match(c.line)]

    assert unknown == [], "neither run here nor known as one that cannot be"
    assert run_session(session, folder) == session


def test_every_block_of_code_is_of_a_language_that_is_tested() -> None:
    languages = {match[1] for text in TEXTS.values() for match in FENCE.finditer(text)}

    assert languages <= {"", "console", "pycon", "json", "yaml", "python", "toml"}


def options_of(command: click.Command) -> set[str]:
    return {
        name
        for parameter in command.params
        for name in [*parameter.opts, *parameter.secondary_opts]
        if name.startswith("--")
    } | {"--help"}


def commands() -> dict[str, click.Command]:
    context = click.Context(main)
    return {
        name: command
        for name in main.list_commands(context)
        if (command := main.get_command(context, name)) is not None
    }


@pytest.mark.parametrize("name", TEXTS)
def test_every_command_and_option_that_is_named_exists(name: str) -> None:
    by_name, everywhere = commands(), options_of(main)
    everywhere |= {option for command in by_name.values() for option in options_of(command)}
    for span in re.findall(r"`(?:\$ )?gradflow ([^`]+)`", FENCE.sub("", TEXTS[name])):
        word = span.split()[0]
        if not word.startswith("-"):
            assert word in by_name, span
            assert set(re.findall(r"(?<!\S)--[a-z][\w-]*", span)) <= options_of(by_name[word]), span
    for span in re.findall(r"`(--[a-z][^`]*)`", FENCE.sub("", TEXTS[name])):
        assert set(re.findall(r"(?<!\S)--[a-z][\w-]*", span)) <= everywhere, span


@pytest.mark.tensorflow
def test_every_command_of_the_table_of_questions_answers(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADFLOW_CACHE_DIR", str(tmp_path))
    table = TEXTS["docs/which.md"].partition("\n## ")[0]
    lines = re.findall(r"`(gradflow [^`]+)`", table)

    left_out = [name for name in commands() if f"`gradflow {name} " not in table]
    assert left_out == ["cache", "rules", "schema"], "they answer no question about a model"
    for line in lines:
        if not line.endswith(" MODEL"):
            assert run(line, folder)[1] in (0, 1), line


def test_the_readme_is_a_landing_page() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= 170


def test_a_stranger_needs_one_line_each_and_only_python_and_pip() -> None:
    lines = [c.line for session in sessions(TEXTS["README.md"]) for c in session]

    venv = [line.split(" && ") for line in lines if "-m venv" in line]
    assert [steps[0] for steps in venv] == ["python3 -m venv .venv", "python3 -m venv .venv-test"]
    assert [steps[-1].split()[0] for steps in venv] == [
        ".venv/bin/gradflow",
        ".venv-test/bin/pytest",
    ]
    assert all("/bin/pip install -q " in steps[1] for steps in venv)
    assert "pip install 'gradflow-tf[tf]'" in lines


def test_ci_runs_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert "-e '.[test]')" in script
    assert '/bin/pip" install -q --disable-pip-version-check "${wanted[@]}"' in script
    assert re.search(r'^"\$venv/bin/pytest" \|\| code=\$\?$', script, re.MULTILINE)


def test_the_variable_of_the_json_report_is_real() -> None:
    page = TEXTS["docs/json.md"]
    (shown,) = [json.loads(match[2]) for match in FENCE.finditer(page) if match[1] == "json"]
    command = re.search(r"One variable of `(gradflow inspect [^`]+)`", page)

    assert command is not None
    report = json.loads(run(command[1])[0])
    assert shown in report["models"][0]["variables"]
    assert all(f"`{key}`" in page for key in report["models"][0])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.tensorflow] if "tensorflow as tf" in text else [])
        for name, text in TEXTS.items()
        if "```pycon" in text
    ],
)
def test_the_python_examples_are_real(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    source = "\n".join(m[2] for m in FENCE.finditer(TEXTS[name]) if m[1] == "pycon")

    example = doctest.DocTestParser().get_doctest(source, {}, name, name, 0)
    assert doctest.DocTestRunner(verbose=False).run(example).failed == 0


@pytest.mark.parametrize("page", LINKING)
def test_links_lead_somewhere(page: str) -> None:
    text = FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))

    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        address, _, heading = target.partition("#")
        if address.startswith(REPOSITORY):
            path = ROOT / address.removeprefix(REPOSITORY)
        elif "://" in address:
            continue
        else:
            # The README is the page of the package index too, where only whole addresses work;
            # the site holds docs/ and nothing beside it.
            assert page != "README.md" or not address, target
            path = (ROOT / page).parent / address if address else ROOT / page
            assert not page.startswith("docs/") or ROOT / "docs" in path.parents, target
        assert path.exists(), target
        assert not heading or heading in anchors(path), target


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
