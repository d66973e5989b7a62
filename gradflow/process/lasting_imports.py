"""Import what lasts as long as the process without the rounds of the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_imports() -> Iterator[None]:
    """Collect no garbage inside, and look at nothing that is there at the end ever again.

    TensorFlow and Keras are 300,000 objects that stay until the process ends. Without this, the
    collector walks over them a dozen times while they are imported (a fifth of the import's time),
    and in each of its full rounds afterwards.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
