"""Ways out of a confined process, each tried in a process of its own.

Usage: ``python -m tests.process.escapes FOLDER ABI SECCOMP`` prints what came of each as JSON; ABI
and SECCOMP are 0 for a process that is not held by it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gradflow.process.sandbox import about, confine, privileges, system_calls
from gradflow.process.sandbox.about import Act

# {out}: a folder outside, with a file and a folder in it, and a socket; {pid}: a process outside;
# {port}: somebody listens there. An exception where it was not done.
ESCAPES: dict[Act, dict[str, str]] = {
    about.CHANGES: {
        "write a file": "open('{out}/new', 'w')",
        "write to a file": "open('{out}/file', 'a')",
        "write over a file": "open('{out}/file', 'w')",
        "remove a file": "os.unlink('{out}/file')",
        "remove a folder": "os.rmdir('{out}/folder')",
        "make a folder": "os.mkdir('{out}/new')",
        "make a link": "os.symlink('x', '{out}/new')",
        "make a second name": "os.link('{out}/file', 'new')",
        "make a pipe": "os.mkfifo('{out}/new')",
        "make a device": "os.mknod('{out}/new', 0o20600, os.makedev(1, 3))",
        "move in": "os.rename('{out}/file', 'new')",
        "move out": "(open('mine', 'w'), os.rename('mine', '{out}/new'))",
        "open by a link": "(os.symlink('{out}/file', 'link'), open('link', 'a'))",
        "open by a handle": "open('/proc/self/fd/%d' % os.open('{out}/file', os.O_RDONLY), 'a')",
        "make without a name": "os.open('{out}', os.O_TMPFILE | os.O_RDWR)",
    },
    about.CUTS: {
        "truncate a file": "os.truncate('{out}/file', 0)",
        "truncate by opening": "os.open('{out}/file', os.O_RDONLY | os.O_TRUNC)",
    },
    about.MARKS: {
        "change rights": "os.chmod('{out}/file', 0o777)",
        "change rights by a handle": "os.fchmod(os.open('{out}/file', os.O_RDONLY), 0o777)",
        "change times": "os.utime('{out}/file', (0, 0))",
        "change the owner": "os.chown('{out}/file', os.getuid(), os.getgid())",
        "set an attribute": "os.setxattr('{out}/file', 'user.gradflow', b'1')",
        "set flags": "ioctl('{out}/file', 0x40086602)",
        "set more flags": "ioctl('{out}/file', 0x401C5820)",
        "set a version": "ioctl('{out}/file', 0x40087602)",
        "lock a file": "fcntl.flock(os.open('{out}/file', os.O_RDONLY), fcntl.LOCK_EX)",
        "lock a part": "fcntl.lockf(os.open('{out}/file', os.O_RDONLY), fcntl.LOCK_SH)",
        "take a lease": "fcntl.fcntl(os.open('{out}/file', os.O_RDONLY), fcntl.F_SETLEASE, 0)",
    },
    about.PROGRAMS: {
        "become a program": "os.execv('/bin/true', ['true'])",
        "become a program by a handle": (
            "os.execve(os.open('/bin/true', os.O_RDONLY), ['true'], {{}})"
        ),
        "run a program": "subprocess.run(['true'], check=True)",
        "run a shell": "os.system('true') == 0 or 1 / 0",
        "spawn a program": (
            "os.waitpid(os.posix_spawn('/bin/true', ['true'], {{}}), 0)[1] and 1 / 0"
        ),
    },
    about.PROCESSES: {
        "fork": "os.fork() or os._exit(0)",
        "fork with new flags": "call('clone3', (ctypes.c_uint64 * 8)(0, 0, 0, 0, 17), 64) or 0",
        "leave its session": "os.fork() and os._exit(0) or os.setsid()",
    },
    about.CONNECTS: {"connect": "socket.create_connection(('127.0.0.1', {port}), 2)"},
    about.SOCKETS: {
        "open a UDP socket": "socket.socket(type=socket.SOCK_DGRAM)",
        "open a local socket": "socket.socket(socket.AF_UNIX)",
        "open a netlink socket": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "send from a pair": "pair()[0].sendto(b'x', '{out}/socket')",
        "send more from a pair": "pair()[0].sendmsg([b'x'], (), 0, '{out}/socket')",
        "join a pair with another": "pair()[0].connect('{out}/socket')",
    },
    about.SIGNALS: {
        "signal another process": "os.kill({pid}, 0)",
        "signal another process by a handle": "signal.pidfd_send_signal(os.pidfd_open({pid}), 0)",
        "signal its group": "os.killpg({pid}, 0)",
    },
    about.STEERS: {
        "look at another's limits": "resource.prlimit({pid}, resource.RLIMIT_CORE)",
        "slow another process down": "os.setpriority(os.PRIO_PROCESS, {pid}, 19)",
        "give way on the disk": "call('ioprio_set', 1, {pid}, 0x6000)",
        "move to one processor": "os.sched_setaffinity({pid}, [min(os.sched_getaffinity({pid}))])",
        "schedule": "os.sched_setscheduler({pid}, os.SCHED_OTHER, os.sched_param(0))",
        "schedule by a structure": "call('sched_setattr', {pid}, (ctypes.c_uint32 * 12)(48), 0)",
        "own by a signal": "fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, {pid})",
        "choose a signal": "fcntl.fcntl(os.pipe()[0], 10, 9)",
        "trace": "call('ptrace', 0x4206, {pid}, 0, 0)",
        "outlive its parent": "call('prctl', 1, 0, 0, 0, 0)",
        "let others trace it": "call('prctl', 0x59616D61, -1, 0, 0, 0)",
    },
    about.LISTENS: {
        "read another's environment": "open('/proc/{pid}/environ', 'rb').read(1)",
        "open what another has open": "os.open('/proc/{pid}/fd/0', os.O_RDONLY)",
        "look at another's memory": "open('/proc/{pid}/maps').read(1) or 1 / 0",
        "go where another is": "os.listdir('/proc/{pid}/cwd/')",
    },
    about.REMAINS: {
        "share memory that stays": "call('shmctl', call('shmget', 0, 4096, 0o1600), 0, 0)",
        "share memory that is there": "call('shmctl', 0, 14, buffer())",
        "make a queue": "call('msgctl', call('msgget', 0, 0o1600), 0, 0)",
        "ask for a queue": "call('msgctl', 0, 12, buffer())",
        "make a semaphore": "call('semctl', call('semget', 0, 1, 0o1600), 0, 0, 0)",
        "make a queue with a name": (
            "(call('mq_open', b'gradflow', 0o102, 0o600, 0), call('mq_unlink', b'gradflow'))"
        ),
        "make a pipe in its folder": "os.mkfifo('pipe')",
        "make memory with a handle": "os.memfd_create('x')",
        "write a whole disk": "call('syncfs', os.open('{out}/file', os.O_RDONLY))",
    },
    about.MACHINE: {
        "enter another root": "os.chroot('.')",
        "leave its namespaces": "call('unshare', 0x10000000)",
        "change a mount": "call('mount_setattr', -100, b'/', 0, (ctypes.c_uint64 * 4)(), 32)",
        "watch all files": "call('fanotify_init', 0, 0)",
        "use the keys": "call('keyctl', 0, -3, 1)",
        "adjust the clock": "call('adjtimex', buffer())",
        "use a ring of calls": "call('io_uring_setup', 1, buffer())",
        "use the second set of calls": "raw(0x40000000 + 39)"
        if platform.machine() == "x86_64"
        else "1 / 0",
    },
}
WORK = {
    "write in its folder": "open('file', 'w').write('x')",
    "write it again": "(open('file', 'w').write('x'), open('file', 'w').write('y'))",
    "shorten a file of its own": "open('file', 'wb+').truncate(100)",
    "remove in its folder": "(open('file', 'w'), os.unlink('file'))",
    "move in its folder": "(open('a', 'w'), os.rename('a', 'b'))",
    "write to nowhere": "open(os.devnull, 'w').write('x')",
    "read elsewhere": "open('{out}/file').read()",
    "list a folder": "os.listdir('{out}')",
    "copy a file": "shutil.copyfile('{out}/file', 'copy')",
    "start a thread": "threading.Thread(target=print).start()",
    "start a pool of threads": "list(ThreadPoolExecutor(4).map(str, range(99)))",
    "signal itself": "os.kill(os.getpid(), 0)",
    "look at its limits": "resource.getrlimit(resource.RLIMIT_CORE)",
    "choose its processors": "os.sched_setaffinity(0, os.sched_getaffinity(0))",
    "talk within itself": "(lambda pair: pair[0].send(b'x'))(pair_of_streams())",
    "wait for itself": "selectors.DefaultSelector().select(0)",
    "write to a pipe": "os.write(os.pipe()[1], b'x')",
    "ask for a terminal": "os.isatty(0)",
    "name a thread": "call('prctl', 15, b'name', 0, 0, 0)",
    "run machine code": "mmap.mmap(-1, 4096, prot=7)",
}
NOT_EVERYWHERE = (
    "use the second set of calls",  # kernels without x32
    "set an attribute",  # file systems
    "set flags",
    "set more flags",
    "set a version",
    "open a netlink socket",
    "make a device",  # root alone
    "change a mount",
    "watch all files",
    "enter another root",
    "let others trace it",  # kernels without Yama
    "leave its namespaces",
    "use a ring of calls",
    "use the keys",
    "make a queue with a name",
    "trace",
)
"""What a system may refuse to a process that is not held by gradflow."""
_LIBC = ctypes.CDLL(None, use_errno=True)
_NAMES = {
    "raw": lambda *arguments: _checked(_LIBC.syscall(*arguments)),
    "call": lambda name, *arguments: _checked(_LIBC.syscall(_number(name), *arguments)),
    "buffer": lambda: ctypes.create_string_buffer(4096),
    "ThreadPoolExecutor": ThreadPoolExecutor,
    "pair_of_streams": socket.socketpair,
    "pair": lambda: socket.socketpair(type=socket.SOCK_DGRAM),
    "ioctl": lambda path, request: __import__("fcntl").ioctl(
        os.open(path, os.O_RDONLY), request, bytes(64)
    ),
}


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _number(name: str) -> int:
    column = system_calls.MACHINES.index(platform.machine()) + 1
    rows = [line.split("\t") for line in system_calls.PATH.read_text().splitlines()]
    return next(int(row[column] or -1) for row in rows if row[0] == name)


def attempt(
    code: str, values: Mapping[str, object], scratch: Path, version: int, *, seccomp: bool
) -> str:
    """Run ``code``, with ``values`` in it, in a process of its own, held by that ABI of Landlock,
    and seccomp or not; return what kept it from being done, empty where it was."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.setsid()
            signal.alarm(20)
            os.chdir(scratch)
            names = {name: __import__(name) for name in _MODULES} | _NAMES
            if not seccomp:
                confine.refuse_calls = lambda: False  # type: ignore[assignment]
            if version or seccomp:
                if version and code in ESCAPES[about.LISTENS].values():
                    # Linux 6.16 lets CAP_PERFMON read what Landlock closes; a model's process has
                    # no capabilities.
                    privileges._hold(frozenset())
                missing = confine.confine(scratch, version)
                wanted = (*("landlock",) * (not version), *("seccomp",) * (not seccomp))
                assert missing == wanted
            try:
                eval(code.format(**values), names)
            except BaseException as error:
                os.write(write, f"{type(error).__name__} {error}".encode())
        os._exit(0)
    os.close(write)
    _, status = os.waitpid(child, 0)
    with os.fdopen(read, "rb") as stream:
        words = stream.read().decode()
    return words or ("" if status == 0 else f"ended with {status}")


_MODULES = (
    "ctypes",
    "fcntl",
    "mmap",
    "os",
    "resource",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "threading",
)


def done_from_here(out: str, pid: int, port: int) -> list[str]:
    """Try every escape in this very process; return the names of those that were done."""
    names = {name: __import__(name) for name in _MODULES} | _NAMES
    done = []
    for escapes in ESCAPES.values():
        for name, code in escapes.items():
            with contextlib.suppress(OSError, ZeroDivisionError):
                eval(code.format(out=out, pid=pid, port=port), names)
                done.append(name)
    return done


@contextlib.contextmanager
def outside(folder: Path) -> Iterator[Path]:
    """Make the folder that nothing may change."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "folder").mkdir(parents=True)
    (folder / "file").write_text("whole")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(folder / "socket"))
        yield folder


def is_whole(folder: Path) -> bool:
    """Whether nothing in the folder has changed."""
    names = sorted(path.name for path in folder.iterdir())
    return names == ["file", "folder", "socket"] and (folder / "file").read_text() == "whole"


def tried(folder: Path, codes: Mapping[str, str], version: int, *, seccomp: bool) -> dict[str, str]:
    """Return what kept each of ``codes`` from being done; empty where it was, or something
    changed."""
    kept: dict[str, str] = {}
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        # No escape ends it: where they are allowed, each sees what the one before has left.
        subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True) as other,
    ):
        port = server.getsockname()[1]
        for number, (name, code) in enumerate(codes.items()):
            scratch = folder / f"scratch{number}"
            scratch.mkdir()
            with outside(folder / "outside") as out:
                values = {"out": out, "pid": other.pid, "port": port}
                words = attempt(code, values, scratch, version, seccomp=seccomp)
                kept[name] = words if is_whole(out) else ""
        assert other.poll() is None
        other.kill()
    return kept


def main(folder: str, version: str, is_filtered: str) -> None:
    root, number, seccomp = Path(folder), int(version), is_filtered == "1"
    escapes = {name: code for group in ESCAPES.values() for name, code in group.items()}
    for name in ("escapes", "work"):
        (root / name).mkdir()
    kept = tried(root / "escapes", escapes, number, seccomp=seccomp)
    print(json.dumps([kept, tried(root / "work", WORK, number, seccomp=seccomp)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
