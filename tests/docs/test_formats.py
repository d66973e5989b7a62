"""The first table of docs/formats.md says what gradflow does with a file of each kind that is made
here."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradflow.findings import Failure
from gradflow.findings.wire import encode
from tests.docs.formats import result
from tests.docs.made_formats import MADE

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"


def rows() -> dict[str, tuple[str, str]]:
    """How each kind is read, and what comes of it, as the page has it."""
    table = PAGE.read_text(encoding="utf-8").split("\n## ")[1]
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in table.splitlines()
        if line[:1] == "|"
    ]
    return {name.strip("| "): (reading, says) for name, reading, says, *_ in cells[2:]}


def test_the_page_lists_what_is_made_here() -> None:
    assert list(rows()) == list(MADE)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", MADE)
def test_the_page_says_what_gradflow_does(name: str, tmp_path: Path) -> None:
    from gradflow.options import Objective
    from tests.agreement.subject import report_on_file

    if name.startswith("Keras 2"):
        pytest.importorskip("tf_keras")
    path = MADE[name](tmp_path)
    report = report_on_file(path, objective=Objective.AUTO)
    reading, says = rows()[name]
    if isinstance(report, Failure):
        assert reading == "refused"
        assert report.message.removeprefix(f"{path}: ").startswith(says)
    else:
        assert (reading, says) == result(encode(report))
