"""Write and read the messages between a fork server, its client and the copies.

Of the server they are a letter, a process and a number; a copy is sent questions.
"""

from __future__ import annotations

import socket
import struct

from gradflow.lazy_dataclass import dataclass

RUN, KILL = b"R", b"K"
"""To the server: answer the question on the handles that come along (question, answer, log); end a
process."""
STARTED, ENDED = b"S", b"E"
"""From the server: the process for the oldest request that has none yet; a process and its exit
code."""
_FORM = struct.Struct("<cii")
SIZE = _FORM.size
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    kind: bytes
    process: int = 0
    code: int = 0


def pack(message: Message) -> bytes:
    """Return the bytes of a message."""
    return _FORM.pack(message.kind, message.process, message.code)


def unpack(sent: bytes) -> Message:
    """Return the message of ``SIZE`` bytes."""
    return Message(*_FORM.unpack(sent))


def send_question(channel: socket.socket, line: str, handle: int | None = None) -> None:
    """Send a line, and a handle with it.

    Raises:
        OSError: whoever is at the other end takes no more.
    """
    sent = line.encode()
    handles = [] if handle is None else [handle]
    socket.send_fds(channel, [_LENGTH.pack(len(sent))], handles)
    channel.sendall(sent)


def receive_question(channel: socket.socket) -> tuple[str, int] | None:
    """Return the next line, and the handle that came with it, -1 without one; None at the end."""
    header, handles, _, _ = socket.recv_fds(channel, _LENGTH.size, 1)
    if len(header) < _LENGTH.size:
        return None
    [size] = _LENGTH.unpack(header)
    line = channel.recv(size, socket.MSG_WAITALL)
    return (line.decode(), handles[0] if handles else -1) if len(line) == size else None
