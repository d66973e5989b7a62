"""Start a fork server: a process that others are copied from (Linux).

Nothing else of gradflow is imported here: it is used while the command line is not there yet.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from gradflow.process.isolated import ISOLATED, READS_ONLY, started
from gradflow.scratch import scratch_folder

_BOOT = "from gradflow.process.fork_server import main; main({tape})"


@contextmanager
def fork_server(with_tape: bool) -> Iterator[socket.socket]:
    """Start a server, which is asked through the socket; at the end it is gone.

    ``with_tape``: as in ``fork_server.main``.
    """
    near, far = socket.socketpair()
    with near, scratch_folder() as home, tempfile.TemporaryFile() as log:
        folders = {"HOME": home, "TMPDIR": home, "KERAS_HOME": home}
        boot = _BOOT.format(tape=with_tape)
        flags = ISOLATED if with_tape else READS_ONLY
        with far, started(boot, log, folders, flags, far.fileno()):
            far.close()
            yield near
