"""What a named Keras case is: a function that builds a tiny model, and the truth about its
weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import keras

from tests.models.functions.case import FLOWS, Truth

Truths = Mapping[str, Truth]
"""By pattern of a weight's path; the first that matches counts, and a weight that none matches
flows."""


@dataclass(frozen=True, slots=True)
class KerasCase:
    """One hard behaviour of a Keras model."""

    name: str
    build: Callable[[], keras.Model]
    truths: Truths
    """In training mode, as the ``.keras`` file and in memory, where the step is eager."""
    exported: Truths
    """Of the exported SavedModel, which is for inference and runs as one function."""
    outputs: tuple[str, ...]
    """The outputs that are asked for; all where empty."""
    safe: bool
    """Whether a Keras file brings the same model back; a Lambda layer is refused, LoRA factors come
    back as zeros."""


KERAS_CASES: dict[str, KerasCase] = {}

Builder = Callable[[], keras.Model]


def keras_case(
    truths: Truths | None = None,
    /,
    *,
    exported: Truths | None = None,
    outputs: tuple[str, ...] = (),
    safe: bool = True,
) -> Callable[[Builder], Builder]:
    """Register a builder under its own name."""

    def register(build: Builder) -> Builder:
        mine = truths or {}
        KERAS_CASES[build.__name__] = KerasCase(
            build.__name__, build, mine, mine if exported is None else exported, outputs, safe
        )
        return build

    return register


def truths_of(truths: Truths, names: Iterable[str]) -> dict[str, Truth]:
    """The truth about each weight that a report names."""
    found = {}
    for name in names:
        matching = [truth for pattern, truth in truths.items() if fnmatchcase(name, pattern)]
        found[name] = matching[0] if matching else FLOWS
    return found


def made(case: KerasCase) -> keras.Model:
    """The model of a case, always with the same weights and names."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)
    return case.build()
