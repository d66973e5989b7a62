"""What a process may take grows with the model and is held to."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gradflow.options import DECLARED
from gradflow.process.isolated import needed_of, started
from gradflow.process.parent import reading_time
from gradflow.process.sandbox.limits import MAPPED, Limits, limits_for, size_of
from tests.cli.command import ROOT, environment

_MB = 1 << 20
SCRIPT = """
import sys
from gradflow.process.sandbox.limits import Limits, impose
memory, seconds, file = map(int, sys.argv[1:4])
impose(Limits(memory, seconds, file))
try:
    eval(sys.argv[4])
except (MemoryError, OSError) as error:
    sys.exit(f"{type(error).__name__} {error}")
"""


def ended(limits: Limits, code: str, folder: Path) -> tuple[int, str]:
    numbers = [str(one) for one in (limits.memory, limits.seconds, limits.file)]
    command = [sys.executable, "-c", SCRIPT, *numbers, code]
    place = {"cwd": folder, "env": environment(PYTHONPATH=str(ROOT))}
    done = subprocess.run(command, **place, capture_output=True, text=True, timeout=60, check=False)  # type: ignore[call-overload]
    return done.returncode, done.stderr


@pytest.mark.skipif(
    sys.platform != "linux", reason="other systems do not hold a process to its address space"
)
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("bytearray(600 * 1024 * 1024)", "MemoryError"),
        ("open('big', 'wb').write(bytes(2 * 1024 * 1024))", "File too large"),
    ],
)
def test_more_than_allowed_is_an_error(code: str, words: str, tmp_path: Path) -> None:
    limits = Limits(500 * _MB, 60, _MB)

    assert words in ended(limits, code, tmp_path)[1]
    assert ended(Limits(2000 * _MB, 60, 5 * _MB), code, tmp_path) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_handles_have_an_end(tmp_path: Path) -> None:
    """A pipe or a socket holds memory that no other limit counts."""
    code = "[__import__('os').pipe() for _ in range(5000)]"

    assert "Too many open files" in ended(Limits(2000 * _MB, 60, _MB), code, tmp_path)[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_a_process_that_never_ends_is_ended(tmp_path: Path) -> None:
    code, _ = ended(Limits(2000 * _MB, 1, _MB), "any(False for _ in iter(int, 1))", tmp_path)

    assert code < 0


def test_a_limit_counts_what_its_help_says() -> None:
    assert limits_for(0, 300 * _MB, 600).memory == 300 * _MB + MAPPED
    assert f"the {MAPPED >> 30} GiB that TensorFlow itself maps are not counted" in (
        DECLARED["memory_limit"].help
    )


def test_a_larger_model_may_take_more() -> None:
    small, large = limits_for(1000, None, 600), limits_for(10**10, None, 600)

    assert large.memory - small.memory >= 4 * 10**10  # weights, gradients, and room
    assert large.file > 10**10
    assert large.seconds == small.seconds


def test_the_user_says_how_much() -> None:
    assert limits_for(10**10, 10**9, 600).memory < 4 * 10**9
    assert limits_for(0, None, 6000).seconds > limits_for(0, None, 600).seconds


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "file").write_bytes(bytes(10))
    (tmp_path / "below" / "file").write_bytes(bytes(100))
    (tmp_path / "circle").symlink_to(tmp_path)

    assert 110 <= size_of(tmp_path) < 1000
    assert size_of(tmp_path / "nothing") == 0


def test_a_model_sees_what_tensorflow_needs_of_the_environment() -> None:
    others = (
        "AWS_SECRET_ACCESS_KEY AWS_PROFILE GITHUB_TOKEN HF_TOKEN OPENAI_API_KEY PGPASSWORD "
        "MYSQL_PWD SENTRY_DSN AZURE_CLIENT_ID SSH_AUTH_SOCK DATABASE_URL npm_config__auth "
        "TF_TOKEN_app_terraform_io KERAS_API_KEY MY_VARIABLE OLDPWD PYTHONPATH USER HOSTNAME"
    )
    needed = (
        "PATH HOME LANG LC_ALL TF_ENABLE_ONEDNN_OPTS TF_CPP_MIN_LOG_LEVEL TF_USE_LEGACY_KERAS "
        "CUDA_VISIBLE_DEVICES LD_LIBRARY_PATH OMP_NUM_THREADS KERAS_BACKEND TMPDIR PWD TZ XLA_FLAGS"
    )
    variables = dict.fromkeys([*others.split(), *needed.split()], "x")

    assert list(needed_of(variables)) == needed.split()


@pytest.mark.parametrize(("is_own", "seen"), [(False, False), (True, True)])
def test_code_of_the_users_own_sees_all_of_it(
    is_own: bool, seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_VARIABLE", "x")
    boot = "import os; print('MY_VARIABLE' in os.environ)"

    with (
        tempfile.TemporaryFile() as log,
        started(boot, log, {}, ("-I", "-S"), is_own=is_own) as process,
    ):
        assert process.communicate()[0].strip() == str(seen)


def test_a_large_graph_may_be_read_for_longer(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"x" * 10_000_000)
    for path in (tmp_path, tmp_path / "saved_model.pb"):
        assert 200 <= reading_time(str(path), 600.0) <= 240
    assert reading_time(str(tmp_path / "none.keras"), 600.0) == 120
    assert reading_time(str(tmp_path / "none.keras"), 10.0) == 120
    assert reading_time(str(tmp_path / "none.keras"), 1200.0) == 240
