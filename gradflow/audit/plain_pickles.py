"""Let no pickle from a Dask cluster run code in this process.

Dask sends pickles, and its client reads each that arrives: a result, the type of a result, the
error of a task, a warning. A pickle can call any function. Here it can only be plain data: numbers,
texts, and lists and dicts of them.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_PLAIN_FORMS = ("pickle", "msgpack")


class NotRead(str):
    """Stands for what a pickle holds that names a class or a function.

    It is a text: the client takes one in the place of an error or of a traceback. An exception
    here, or another type, would end the task that reads, and with it every answer.
    """

    __slots__ = ()


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def plain(data: Any, *, buffers: Iterable[Any] = ()) -> Any:
    """Return what the pickle ``data`` holds where that is plain data, else ``NotRead``."""
    try:
        return _Plain(io.BytesIO(data), buffers=buffers).load()
    except Exception as error:  # a damaged pickle raises anything
        return NotRead(f"a pickle that is not read: {error}")


def _not_read(header: object, frames: object) -> NotRead:
    return NotRead("an object that is not read")


@contextmanager
def plain_pickles() -> Iterator[None]:
    """Read pickles as ``plain`` does in all modules of distributed, while the block runs.

    What comes in a form of Dask's own for objects is not read either: it names a class.

    NOTE: distributed 2026.8 has no other way. ``Client(deserializers=...)`` holds for results
    alone, and not for a message with ``__Pickled__``, for errors or for types.
    """
    from distributed.protocol.serialize import families

    reading = ModuleType("pickle")
    reading.__dict__.update(vars(pickle), loads=plain)
    modules = [
        module
        for name, module in tuple(sys.modules.items())
        if name.partition(".")[0] == "distributed" and getattr(module, "pickle", None) is pickle
    ]
    for module in modules:
        module.pickle = reading  # type: ignore[attr-defined]  # they have imported it
    before = dict(families)
    for name, (write, _, has_context) in before.items():
        if name not in _PLAIN_FORMS:
            families[name] = write, _not_read, has_context
    try:
        yield
    finally:
        families.update(before)
        for module in modules:
            module.pickle = pickle  # type: ignore[attr-defined]  # as above
