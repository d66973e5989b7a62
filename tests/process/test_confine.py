"""A confined process changes nothing outside of its folder, reaches nobody and starts nothing; it
can still compute."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradflow.process.sandbox.landlock import abi
from tests.cli.command import ROOT, environment

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64") or abi() < 3,
    reason="needs Landlock (Linux 6.2) and seccomp on x86-64 or arm64",
)
# {out}: a folder outside, with a file and a folder in it; {pid}: a process outside. True where it
# was done.
ESCAPES = {
    "write a file": "open('{out}/new', 'w')",
    "write to a file": "open('{out}/file', 'a')",
    "truncate a file": "os.truncate('{out}/file', 0)",
    "remove a file": "os.unlink('{out}/file')",
    "remove a folder": "os.rmdir('{out}/folder')",
    "make a folder": "os.mkdir('{out}/new')",
    "make a link": "os.symlink('x', '{out}/new')",
    "make a second name": "os.link('{out}/file', 'new')",
    "make a pipe": "os.mkfifo('{out}/new')",
    "move in": "os.rename('{out}/file', 'new')",
    "move out": "(open('mine', 'w'), os.rename('mine', '{out}/new'))",
    "open by a link": "(os.symlink('{out}/file', 'link'), open('link', 'a'))",
    "change rights": "os.chmod('{out}/file', 0o777)",
    "change rights by a handle": "os.fchmod(os.open('{out}/file', os.O_RDONLY), 0o777)",
    "change times": "os.utime('{out}/file', (0, 0))",
    "change the owner": "os.chown('{out}/file', os.getuid(), os.getgid())",
    "set an attribute": "os.setxattr('{out}/file', 'user.gradflow', b'1')",
    "open a TCP socket": "socket.socket()",
    "open a UDP socket": "socket.socket(type=socket.SOCK_DGRAM)",
    "open a local socket": "socket.socket(socket.AF_UNIX)",
    "open a netlink socket": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "run a program": "subprocess.run(['true'])",
    "run a shell": "os.system('true') == 0 or 1 / 0",
    "become a program": "os.execv('/bin/true', ['true'])",
    "spawn a program": "os.posix_spawn('/bin/true', ['true'], {{}})",
    "become a program by a handle": "os.execve(os.open('/bin/true', os.O_RDONLY), ['true'], {{}})",
    "fork": "os.fork()",
    "signal another process": "os.kill({pid}, 0)",
    "signal another process by a handle": "signal.pidfd_send_signal(os.pidfd_open({pid}), 0)",
    "look at another's limits": "resource.prlimit({pid}, resource.RLIMIT_CORE)",
    "slow another process down": "os.setpriority(os.PRIO_PROCESS, {pid}, 19)",
    "enter another root": "os.chroot('.')",
    "leave its namespaces": "call(272, 0x10000000) == 0 or 1 / 0"
    if platform.machine() == "x86_64"
    else "1 / 0",
    "use the second set of calls": "call(0x40000000 + 41, 2, 1, 0) >= 0 or 1 / 0",
    "share memory that stays": "call(29, 0, 4096, 0o1600) >= 0 or 1 / 0"
    if platform.machine() == "x86_64"
    else "1 / 0",
    "share memory that is there": "call(31, 0, 14, ctypes.create_string_buffer(512)) >= 0 or 1 / 0"
    if platform.machine() == "x86_64"
    else "1 / 0",
    "ask for a queue": "call(71, 0, 12, ctypes.create_string_buffer(512)) >= 0 or 1 / 0"
    if platform.machine() == "x86_64"
    else "1 / 0",
    "make a pipe in its folder": "os.mkfifo('pipe')",
    "give way on the disk": "call(251, 1, {pid}, 0x6000) == 0 or 1 / 0"
    if platform.machine() == "x86_64"
    else "1 / 0",
}
"""Each succeeds before, and fails after, where a system allows it at all."""
WORK = {
    "write in its folder": "open('file', 'w').write('x')",
    "remove in its folder": "(open('file', 'w'), os.unlink('file'))",
    "move in its folder": "(open('file', 'w'), os.mkdir('below'), os.rename('file', 'below/file'))",
    "write to nowhere": "open(os.devnull, 'w').write('x')",
    "read elsewhere": "open('{out}/file').read()",
    "start a thread": "threading.Thread(target=print).start()",
    "start a pool of threads": "list(concurrent.futures.ThreadPoolExecutor(4).map(str, range(99)))",
    "signal itself": "os.kill(os.getpid(), 0)",
    "look at its limits": "resource.getrlimit(resource.RLIMIT_CORE)",
    "talk within itself": "socket.socketpair()",
}
SCRIPT = """
import concurrent.futures, ctypes, os, resource, signal, socket, subprocess, sys, threading
from pathlib import Path
from gradflow.process.sandbox.confine import confine
call = ctypes.CDLL(None).syscall
os.chdir(sys.argv[1])
if sys.argv[2] == "confined" and confine(Path.cwd()):
    sys.exit(3)
try:
    result = eval(sys.argv[3])
except (OSError, ZeroDivisionError) as error:
    print(type(error).__name__, error)
    sys.exit(1)
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    (folder / "folder").mkdir(parents=True)
    (folder / "file").write_text("whole")
    return folder


@pytest.fixture
def other() -> Iterator[int]:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


def attempt(code: str, scratch: Path, *, confined: bool) -> int:
    scratch.mkdir()
    mode = "confined" if confined else "free"
    # -S: nothing of the installed packages is needed, and to look for them takes most of the time.
    command = [sys.executable, "-S", "-c", SCRIPT, str(scratch), mode, code]
    return subprocess.run(command, env=environment(), cwd=ROOT, timeout=60, check=False).returncode


@pytest.mark.parametrize("name", ESCAPES)
def test_an_escape_fails(name: str, outside: Path, other: int, tmp_path: Path) -> None:
    code = ESCAPES[name].format(out=outside, pid=other)

    assert attempt(code, tmp_path / "scratch", confined=True) == 1

    assert (outside / "file").read_text() == "whole"
    assert sorted(path.name for path in outside.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(
    "name", [name for name in ESCAPES if name not in ("enter another root", "leave its namespaces")]
)
def test_the_escape_works_without_a_jail(
    name: str, outside: Path, other: int, tmp_path: Path
) -> None:
    """Else the test above could not fail."""
    code = attempt(ESCAPES[name].format(out=outside, pid=other), tmp_path / "free", confined=False)
    if code == 1 and name in (
        "use the second set of calls",
        "set an attribute",
        "open a netlink socket",
    ):
        pytest.skip("this system does not have it")

    assert code == 0


@pytest.mark.parametrize("name", WORK)
def test_what_computing_needs_goes_on(name: str, outside: Path, tmp_path: Path) -> None:
    assert attempt(WORK[name].format(out=outside), tmp_path / "scratch", confined=True) == 0
