"""A machine that has no room for one more process, file or temporary folder: a line, and never a
lost run."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

import pytest

from gradflow.findings import Status
from gradflow.options import Options
from gradflow.process.parent import inspect_path
from gradflow.process.request import Request
from gradflow.process.spawn import Child
from tests.cli.command import HEALTHY


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOSPC, errno.EAGAIN, errno.ENOMEM])
def test_a_child_that_cannot_be_started_is_a_model_that_could_not_be_checked(number: int) -> None:
    @contextmanager
    def spawn(asked: Request, log: IO[bytes], environment: Mapping[str, str]) -> Iterator[Child]:
        raise OSError(number, os.strerror(number))
        yield

    model = inspect_path(HEALTHY, Options(static=True), spawn=spawn).model

    assert model.status is Status.FAILED
    assert model.error is not None
    assert model.error.code == "GF903"
    assert os.strerror(number) in model.error.message
    assert "\n" not in model.error.message
