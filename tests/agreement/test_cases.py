"""Models on which gradflow was once wrong, as people have met them: what is right stands in
``cases.txt``."""

from __future__ import annotations

import runpy
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from gradflow.findings import ModelReport, Role, Status, Variable
from gradflow.options import Options
from gradflow.process.parent import inspect_path
from tests.agreement.subject import analysed

pytestmark = pytest.mark.tensorflow

SCRIPTS = Path(__file__).parents[3] / "shared" / "cases"
"""Each builds its models into the folder that it is given; not part of the repository."""
QUICK = ("01", "03", "12", "13", "14")
"""Cases that take a second in this process: a branch, a loop, a join, a sum, a function."""

Answers = dict[str, list[str]]
needs_scripts = pytest.mark.skipif(
    not SCRIPTS.exists(), reason=f"no {SCRIPTS.name} beside the checkout"
)


def read_answers() -> Answers:
    """Return the lines that ``cases.txt`` has for each model: its path, and what is imported."""
    text = (Path(__file__).parent / "cases.txt").read_text(encoding="utf-8")
    blocks = [block.splitlines() for block in text.split("\n\n")[1:]]
    return {lines[0]: [line.strip() for line in lines[1:]] for lines in blocks}


ANSWERS = read_answers()


def scripts() -> list[Path]:
    return sorted(SCRIPTS.glob("*/[0-9]*.py"))


def answers_of(script: Path) -> Answers:
    prefix = f"{script.parent.name}/{script.stem}/"
    return {
        name.removeprefix(prefix): lines
        for name, lines in ANSWERS.items()
        if name.startswith(prefix)
    }


def complaints(report: ModelReport, lines: list[str]) -> list[str]:
    """Return where ``report`` is not what is right."""
    if lines[0].startswith("failed "):
        error = report.error
        assert report.status is Status.FAILED and error is not None
        wanted = [line.removeprefix("~ ") for line in lines[1:]]
        return [text for text in wanted if text not in error.message]
    assert report.status is Status.ANALYZED, report.error
    rules = [line.split(" = ") for line in lines if " = " in line]
    found = []
    for variable in report.variables:
        right = next(
            answer
            for names, answer in rules
            if any(fnmatchcase(variable.name, name) for name in names.split())
        )
        if answer_of(variable) != right:
            found.append(f"{variable.name}: {answer_of(variable)}, and not {right}")
    listed = {item for line in lines if line[0] == "!" for item in line[2:].split(", ")}
    shown = {f"{finding.code} {finding.severity.value}" for finding in report.findings}
    messages = "\n".join(finding.message for finding in report.findings)
    found += [f"findings: {sorted(shown)}"] if shown != listed else []
    return found + [line for line in lines if line[0] == "~" and line[2:] not in messages]


def answer_of(variable: Variable) -> str:
    if variable.role is Role.STATE:
        return "state"
    words = [*([] if variable.trainable else ["frozen"]), variable.verdict.value]
    if variable.causes:
        causes = sorted(f"{cause.code}:{cause.op_type}" for cause in variable.causes)
        words += [str(variable.cuts_to_restore), *causes]
    return " ".join(words)


def test_every_case_has_an_answer() -> None:
    assert ANSWERS
    assert all(lines and not lines[0].startswith("~") for lines in ANSWERS.values())
    if SCRIPTS.exists():
        assert [script.name for script in scripts() if not answers_of(script)] == []


@needs_scripts
@pytest.mark.parametrize("number", QUICK)
def test_a_quick_case(number: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (script,) = SCRIPTS.glob(f"flow/{number}_*.py")
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    monkeypatch.setattr(sys, "path", list(sys.path))
    runpy.run_path(str(script), run_name="__main__")
    for name, lines in answers_of(script).items():
        assert complaints(analysed(tmp_path / name, Options()).report, lines) == []


@needs_scripts
@pytest.mark.slow
@pytest.mark.usefixtures("new_interpreters")  # copies have the PYTHONPATH of the first case
@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.stem)
def test_a_case(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True
    )
    if "ModuleNotFoundError" in built.stderr:
        pytest.skip(built.stderr.splitlines()[-1])
    assert built.returncode == 0, built.stderr[-1000:]
    monkeypatch.syspath_prepend(str(script.parent))
    wrong = {}
    for name, lines in answers_of(script).items():
        path, _, module = name.partition(" --import ")
        options = Options(imports=(module,) if module else ())
        wrong[name] = complaints(inspect_path(str(tmp_path / path), options).model, lines)
    assert {name: found for name, found in wrong.items() if found} == {}
