"""Start child processes as copies of one that has imported what they need (Linux)."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO

from gradflow.process.answers import Lines, lines_of
from gradflow.process.early_start import early_server
from gradflow.process.fork_messages import (
    ENDED,
    KILL,
    RUN,
    SIZE,
    STARTED,
    Message,
    pack,
    send_question,
    unpack,
)
from gradflow.process.fork_start import fork_server
from gradflow.process.held_file import opened
from gradflow.process.request import Purpose, Request, to_line
from gradflow.process.spawn import Child, interpreter
from gradflow.scratch import scratch_folder

_GRACE = 10.0
"""Seconds for the server to tell that a process it has killed is gone, and for a process to take a
question."""
_TURNS = 8
"""Small files that one copy reads."""


class ForkServers:
    """Starts children, from any thread, for as long as it is entered.

    There are two fork servers, each started when it is first needed: one that has imported
    TensorFlow for the gradient step, and one without it for what only reads a file. Where the
    system cannot copy such a process safely, each child is a new interpreter.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._servers: dict[bool, _Server] = {}
        self._running: set[Child] = set()
        self._waiting: list[tuple[_Copy, ExitStack]] = []
        self._is_stopped = False

    def __enter__(self) -> ForkServers:
        return self

    def stop(self) -> None:
        """Kill every child, and start none any more: the run ends early."""
        with self._lock:
            self._is_stopped = True
            running = tuple(self._running)
        for child in running:
            child.kill()

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for _copy, ends in self._waiting:
            ends.close()
        self._open.close()

    @contextmanager
    def __call__(
        self, request: Request, log: IO[bytes], environment: Mapping[str, str]
    ) -> Iterator[Child]:
        """Start a child for the request, as ``Spawn`` describes it; one that may share has its turn
        in a copy that has answered others."""
        handle = opened(Path(request.path)) if request.may_share and not environment else None
        with (
            self._started(request, log, environment)
            if handle is None
            else self._turn(request, log, handle)
        ) as child:
            with self._lock:
                if self._is_stopped:
                    child.kill()
                self._running.add(child)
            try:
                yield child
            finally:
                with self._lock:
                    self._running.discard(child)

    @contextmanager
    def _started(
        self, request: Request, log: IO[bytes], environment: Mapping[str, str]
    ) -> Iterator[Child]:
        # The environment is read when TensorFlow is imported: that of the server has no home, and
        # code of the user's own finds theirs.
        if sys.platform != "linux" or environment or request.purpose is Purpose.FUNCTION:
            with interpreter(request, log, environment) as child:
                yield child
            return
        with self._copy(request, log) as copy:
            copy.channel.close()
            if copy.started.wait(request.options.timeout) and copy.process is None:
                # There is no server: what keeps TensorFlow from being imported, an interpreter of
                # its own tells.
                with interpreter(request, log, environment) as child:
                    yield child
                return
            yield copy

    @contextmanager
    def _turn(self, request: Request, log: IO[bytes], handle: int) -> Iterator[Child]:
        """Have the next turn of a copy, which goes on to others unless something goes wrong."""
        with ExitStack() as ends:
            try:
                copy = self._waiting_copy(ends) or ends.enter_context(
                    self._copy(request, log, _new_turn())
                )
                copy.ask(request, handle)
            finally:
                os.close(handle)
            yield copy
            if copy.turns < _TURNS and not copy.is_killed:
                self._waiting.append((copy, ends.pop_all()))

    def _waiting_copy(self, ends: ExitStack) -> _Copy | None:
        """Return a copy that waits for its next turn, which ``ends`` then ends."""
        with contextlib.suppress(IndexError):
            copy, kept = self._waiting.pop()
            ends.push(kept)
            return copy
        return None

    @contextmanager
    def _copy(self, request: Request, log: IO[bytes], turn: str = "") -> Iterator[_Copy]:
        """Start a copy, and ask it or, where it is to have turns, prepare it."""
        with scratch_folder() as scratch:
            question, channel = socket.socketpair()
            answer, reply = os.pipe()
            with channel, os.fdopen(answer, encoding="utf-8", errors="replace") as lines:
                server = self._current(request.purpose is Purpose.TAPE)
                copy = _Copy(lines_of(lines), server, scratch, channel)
                try:
                    server.start(copy, question.fileno(), reply, log.fileno())
                finally:
                    question.close()
                    os.close(reply)
                try:
                    channel.settimeout(_GRACE)
                    _send(channel, to_line(request, scratch, turn))
                    yield copy
                finally:
                    server.end(copy)

    def _current(self, with_tape: bool) -> _Server:
        """Return the server of that kind; a new one where there is none, or it has died."""
        with self._lock:
            server = self._servers.get(with_tape) or (None if with_tape else _early_server())
            if server is None or server.is_gone:
                server = self._open.enter_context(_server(with_tape))
            self._servers[with_tape] = server
            return server


@dataclass(slots=True, eq=False)
class _Copy:
    lines: Lines
    server: _Server
    scratch: str
    channel: socket.socket
    turn: str = ""
    turns: int = 0
    is_killed: bool = False
    process: int | None = None
    code: int | None = None
    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def ask(self, request: Request, handle: int) -> None:
        """Ask it about a file that is open."""
        self.turns += 1
        self.turn = _new_turn()
        _send(self.channel, to_line(request, self.scratch, self.turn), handle)

    def kill(self) -> None:
        self.is_killed = True
        self.server.kill(self)

    def wait(self, seconds: float) -> int | None:
        return self.code if self.ended.wait(seconds) else None


class _Server:
    """What this process knows of the server."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._lock = threading.Lock()
        self._pending: deque[_Copy] = deque()
        self._copies: dict[int, _Copy] = {}
        self.is_gone = False
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self, copy: _Copy, question: int, answer: int, log: int) -> None:
        with self._lock:
            self._pending.append(copy)
            with contextlib.suppress(OSError):  # it has died: the copy's lines end at once
                socket.send_fds(self._control, [pack(Message(RUN))], [question, answer, log])
            if self.is_gone:
                self._give_up()

    def end(self, copy: _Copy) -> None:
        """Kill the copy, with all that it has started, and wait until it is gone."""
        if copy.started.wait(_GRACE) and copy.process is not None:
            self.kill(copy)
            copy.ended.wait(_GRACE)

    def kill(self, copy: _Copy) -> None:
        """Kill the copy, with all that it has started, where it runs."""
        with self._lock, contextlib.suppress(OSError):
            if copy.process is not None and not copy.ended.is_set():
                self._control.sendall(pack(Message(KILL, copy.process)))

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while len(sent := self._control.recv(SIZE, socket.MSG_WAITALL)) == SIZE:
                self._receive(unpack(sent))
        with self._lock:
            self.is_gone = True
            self._give_up()

    def _receive(self, message: Message) -> None:
        with self._lock:
            if message.kind == STARTED:
                copy = self._copies[message.process] = self._pending.popleft()
                copy.process = message.process
                copy.started.set()
            elif message.kind == ENDED:
                copy = self._copies.pop(message.process)
                copy.code = message.code
                copy.ended.set()

    def _give_up(self) -> None:
        for copy in (*self._pending, *self._copies.values()):
            copy.started.set()
            copy.ended.set()
        self._pending.clear()
        self._copies.clear()


def _new_turn() -> str:
    """Return a word that nobody can know before."""
    return os.urandom(8).hex()


def _send(channel: socket.socket, line: str, handle: int | None = None) -> None:
    with contextlib.suppress(OSError):  # it has died: its lines end
        send_question(channel, line, handle)


@contextmanager
def _server(with_tape: bool) -> Iterator[_Server]:
    with fork_server(with_tape) as control:
        yield _Server(control)


_server_at = cache(_Server)


def _early_server() -> _Server | None:
    """Return the server that was started before the command line was there."""
    control = early_server()
    return None if control is None else _server_at(control)
