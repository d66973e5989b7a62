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
from gradflow.process.death import same_each_time
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


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-28 23:10:01.123456: F tensorflow/core/x.cc:12] too many",
        "F0000 00:00:1764371401.123456   98765 x.cc:12] too many",
        "*** SIGSEGV (@0x7f00aa) received by PID 98765 (TID 0x7fabc) ***",
    ],
)
def test_last_words_are_the_same_each_time(line: str) -> None:
    """No time, process or address stands in a report."""
    again = line.replace("98765", "4321").replace("7f", "6e").replace("1764371401", "1764371402")
    again = again.replace("23:10:01", "23:10:02")

    assert same_each_time(line) == same_each_time(again) != ""
    assert "too many" in same_each_time(line) or "SIGSEGV" in line


@pytest.mark.parametrize(
    ("path", "shown", "text", "told"),
    [
        ("/mnt", "mnt", "encoder/mnt/stem/kernel", "encoder/mnt/stem/kernel"),
        ("/mnt", "mnt", "/mnt/variables: is damaged", "mnt/variables: is damaged"),
        ("/m/a.keras", "a.keras", "no file /m/a.keras", "no file a.keras"),
        ("/m/a", "a", "/m/a-b and /m/a", "/m/a-b and a"),
        ("/a b", r"\g<0>", "'/a b'", r"'\g<0>'"),
    ],
)
def test_a_path_is_shown_as_it_was_written_and_a_name_stays(
    path: str, shown: str, text: str, told: str
) -> None:
    assert child.as_written({"a": [text, 1, None]}, [(path, shown)]) == {"a": [told, 1, None]}
