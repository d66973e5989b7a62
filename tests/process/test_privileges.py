"""A process of a model has no rights of root, also where gradflow runs as root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gradflow.process.sandbox.confine import needed_of
from tests.cli.command import HEALTHY, ROOT, apart, environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have none of it")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root has what is given up"
)
SCRIPT = """
import json, os, sys
from pathlib import Path
from gradflow.process.sandbox import privileges
from gradflow.process.sandbox.confine import as_nobody
scratch, needed, lacks = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
folder = scratch / "work"
folder.mkdir()
if lacks:
    privileges._hold(privileges._held() - {int(lacks)})
remark = as_nobody(scratch, folder, needed, json.loads(sys.argv[4]))
(folder / "file").write_text("")
def reads(path):
    try:
        whole = os.listdir(path) if os.path.isdir(path) else open(path).read()
        return os.access(path, os.R_OK) and bool(whole)
    except PermissionError:
        return False
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\\t") for line in lines if ":\\t" in line)
held = [int(status[name], 16) for name in ("CapEff", "CapPrm")]
read = [reads(path) for path in needed]
print(json.dumps([remark, status["Uid"].split(), status["Groups"].split(), *held, read]))
"""
_READ_ANY, _KILL, _SET_SECURE = 2, 5, 8


def became(
    tmp_path: Path, *needed: Path, lacks: str = "", modules: tuple[str, ...] = ()
) -> list[object]:
    """Remark, users, groups, capabilities in effect and permitted, and what it can read."""
    tmp_path.chmod(0o755)
    scratch = tmp_path / "scratch"
    scratch.mkdir(0o700)
    command = [sys.executable, "-S", "-c", SCRIPT, str(scratch), json.dumps([*map(str, needed)])]
    done = subprocess.run(
        [*command, lacks, json.dumps(modules)],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: list[object] = json.loads(done.stdout)
    return answer


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that everybody can come to."""
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    return tmp_path


@as_root
def test_root_becomes_nobody(shared: Path) -> None:
    model = shared / "model"
    model.mkdir()
    (model / "file").write_text("x")

    remark, users, groups, effective, permitted, read = became(shared, model, model / "file")

    assert (remark, groups, effective, permitted, read) == ("", [], 0, 0, [True, True])
    assert set(users) & {"0"} == set()  # type: ignore[call-overload]


@as_root
@pytest.mark.parametrize("is_file", [True, False])
def test_what_only_some_can_read_is_read_and_the_reason_told(shared: Path, is_file: bool) -> None:
    model = shared / "model"
    model.mkdir()
    (model / "file").write_text("x")
    (model / "file").chmod(0o600)
    closed = model / "file" if is_file else model

    remark, users, _, effective, permitted, read = became(shared, closed)

    assert f"cannot read {model / 'file'}" in str(remark)
    assert (effective, permitted, read) == (1 << _READ_ANY, 1 << _READ_ANY, [True])
    assert set(users) & {"0"} == set()  # type: ignore[call-overload]


@as_root
def test_root_that_cannot_end_another_user_stays_and_says_so(shared: Path) -> None:
    """A model that gradflow could not end would be worse."""
    (shared / "file").write_text("x")
    (shared / "file").chmod(0o600)

    remark, users, _, effective, permitted, read = became(shared, shared / "file", lacks=str(_KILL))

    assert remark == "it stays root: it has no CAP_KILL"
    assert (set(users), effective, permitted) == ({"0"}, 1 << _READ_ANY, 1 << _READ_ANY)  # type: ignore[call-overload]
    assert read == [True]


@as_root
def test_modules_that_only_some_can_read_are_imported(shared: Path) -> None:
    package = shared / "packages" / "package"
    package.mkdir(parents=True)
    package.chmod(0o700)

    remark, *_ = became(shared, modules=(str(shared / "packages"), str(shared / "nothing")))

    assert f"cannot read {package}" in str(remark)


@as_root
def test_a_server_looks_at_the_modules_once_for_all_its_copies(shared: Path) -> None:
    package = shared / "packages" / "package"
    package.mkdir(parents=True)
    modules = [str(shared / "packages"), str(shared / "nothing")]

    assert needed_of(modules) == []

    package.chmod(0o700)
    [unread] = needed_of(modules)
    each = became(shared, modules=tuple(modules))
    shutil.rmtree(shared / "scratch")
    once = became(shared, modules=(unread,))

    assert unread == str(package)
    assert os.geteuid() == 0
    assert once == each


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="is about other users")
def test_another_user_has_no_capabilities(tmp_path: Path) -> None:
    remark, users, _, effective, permitted, _ = became(tmp_path)

    assert (remark, effective, permitted) == ("", 0, 0)
    assert set(users) == {str(os.geteuid())}  # type: ignore[call-overload]


@as_root
def test_what_only_root_can_read_is_read_as_root(shared: Path) -> None:
    """A file system can refuse every other user, whatever capabilities it has; so does one whose
    capabilities cannot be kept."""
    (shared / "file").write_text("x")
    (shared / "file").chmod(0o600)

    remark, users, _, effective, _, read = became(shared, shared / "file", lacks=str(_SET_SECURE))

    assert remark == f"it stays root: only root can read {shared / 'file'}"
    assert (set(users), effective, read) == ({"0"}, 1 << _READ_ANY, [True])  # type: ignore[call-overload]


@as_root
def test_what_is_kept_is_told_with_v(tmp_path: Path) -> None:
    """The temporary folder of the tests is for its owner alone."""
    import shutil

    closed = tmp_path / "closed"
    shutil.copytree(HEALTHY, closed / "model")
    (closed / "model" / "saved_model.pb").chmod(0o600)

    done = apart("scan", "-v", str(closed / "model"))

    assert done.code == 0
    assert "it may read every file, since user " in done.stderr
