"""Answer requests in copies of a process that has done its imports and nothing else (Linux).

A copy starts where a new interpreter is after the import, so that a model costs its own time only.
Only small files that are read share one; no model that is run sees what another has left. The
server itself never opens a model but that of the package.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from gradflow.lazy_dataclass import complete
from gradflow.process.child import serve
from gradflow.process.fork_messages import (
    ENDED,
    KILL,
    RUN,
    SIZE,
    STARTED,
    Message,
    pack,
    receive_question,
    unpack,
)
from gradflow.process.isolated import end_group
from gradflow.process.lasting_imports import lasting_imports
from gradflow.process.sandbox.confine import needed_of
from gradflow.process.warm_up import warm_up


def main(with_tape: bool) -> None:
    """Serve the socket that is stdin until the other end closes it; never returns.

    Args:
        with_tape: import TensorFlow and all that the gradient step needs; else what reads a file.
    """
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with lasting_imports():
        _import_once(with_tape)
    _Server(control, needed_of(sys.path)).run()
    os._exit(0)


def _import_once(with_tape: bool) -> None:
    """Import what each copy would have to import, and make what each would have to make.

    NumPy and h5py are left to the few files that need them: a larger process takes longer to copy,
    and longer to end.
    """

    import gradflow.analysis.entries
    import gradflow.analysis.safety
    from gradflow.files.formats import READERS
    from gradflow.process.sandbox.seccomp import program_for
    from gradflow.scan.keras.allowed_names import Kind, named

    # The library, its schema and the tables take ten times as long as a small file.
    for reader in READERS:
        import_module(f"gradflow.scan.{reader}.scan")
        import_module(f"gradflow.analysis.static_{reader}").prepare()
    named(Kind.CLASS, "Dense")
    program_for(os.uname().machine, os.getpid())
    if with_tape:
        import gradflow.analysis.dynamic
        import gradflow.tape.versions  # noqa: F401 -- all of them for their effect
    complete()
    warm_up()


class _Server:
    def __init__(self, control: socket.socket, modules: Sequence[str]) -> None:
        self._control = control
        self._modules = modules
        self._woken, self._wake = socket.socketpair()
        self._waiting = selectors.DefaultSelector()
        self._children: set[int] = set()

    def run(self) -> None:
        """Answer until the other end hangs up, then end what still runs."""
        self._woken.setblocking(False)
        self._wake.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._waiting.register(self._control, selectors.EVENT_READ)
        self._waiting.register(self._woken, selectors.EVENT_READ)
        while self._turn():
            pass
        for child in self._children:
            end_group(child)

    def _turn(self) -> bool:
        for key, _ in self._waiting.select():
            if key.fileobj is self._control:
                if not self._serve():
                    return False
            else:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(4096)
                self._reap()
        return True

    def _serve(self) -> bool:
        sent, handles, _, _ = socket.recv_fds(self._control, SIZE, 3, socket.MSG_WAITALL)
        if len(sent) < SIZE:
            return False
        message = unpack(sent)
        if message.kind == KILL and message.process in self._children:
            end_group(message.process)
        elif message.kind == RUN:
            self._start(*handles)
        return True

    def _start(self, question: int, answer: int, log: int) -> None:
        child = os.fork()
        if child == 0:
            self._become(question, answer, log)
        for handle in (question, answer, log):
            os.close(handle)
        self._children.add(child)
        self._control.sendall(pack(Message(STARTED, child)))

    def _become(self, question: int, answer: int, log: int) -> None:
        """In the copy: answer what is asked; never returns."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            for resource in (self._control, self._woken, self._wake, self._waiting):
                resource.close()
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
            channel = socket.socket(fileno=question)
            asked = receive_question(channel)
            if asked is not None:
                turns = iter(lambda: receive_question(channel), None)
                serve(asked[0], answer, self._modules, turns)
        except BaseException:
            traceback.print_exc()  # to the log
        finally:
            os._exit(1)  # whatever happened, this process must not go on as a second server

    def _reap(self) -> None:
        for child in tuple(self._children):
            # It is looked at first, and its number is nobody else's until it is waited for.
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            end_group(child)
            _, status = os.waitpid(child, 0)
            self._children.discard(child)
            self._control.sendall(pack(Message(ENDED, child, os.waitstatus_to_exitcode(status))))
