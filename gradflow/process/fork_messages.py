"""Write and read the messages between a fork server and its client: a letter, a process and a
number."""

from __future__ import annotations

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
