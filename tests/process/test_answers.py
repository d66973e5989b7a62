"""Whatever keeps a child from its answer, the parent can read what it says instead."""

from __future__ import annotations

import io
import json

import pytest

from gradflow.analysis import entries
from gradflow.analysis import static as read
from gradflow.analysis.result import Analysis
from gradflow.findings import EntryList
from gradflow.findings.wire import decode
from gradflow.options import Options
from gradflow.process import child
from gradflow.process.request import Purpose, request_about
from tests.cli.command import HEALTHY


@pytest.mark.parametrize(
    ("purpose", "kind"), [(Purpose.ENTRIES, EntryList), (Purpose.STATIC, Analysis)]
)
def test_a_lack_of_memory_is_an_answer_of_the_kind_that_is_awaited(
    purpose: Purpose, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(entries, "list_entries", exhausted)
    monkeypatch.setattr(read, "read", exhausted)
    pipe = io.StringIO()

    child.answer(request_about(purpose, HEALTHY, HEALTHY, Options()), pipe)

    answer = decode(kind, json.loads(pipe.getvalue().splitlines()[-1])["answer"])
    error = answer.error if isinstance(answer, EntryList) else answer.report.error
    assert error.code == "GF903"
    assert error.message == "needs more memory than its limit"
