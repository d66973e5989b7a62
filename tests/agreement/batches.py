"""Keep the batches that gradflow makes for the models that are analysed in a block of code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


@contextmanager
def recorded() -> Iterator[list[dict[str, Any]]]:
    """Collect the tensors of every batch that a model accepted, by the name of the input or of its
    part."""
    from gradflow.tape import step
    from gradflow.tape.inputs import search as inputs
    from gradflow.tape.tf1 import session

    batches: list[dict[str, Any]] = []
    search = inputs.with_batch

    def recording(infos: Any, *arguments: Any, **keywords: Any) -> Any:
        batch, result = search(infos, *arguments, **keywords)
        batches.append(
            {info.name: tensor for info, tensor in zip(infos, batch.tensors, strict=True)}
        )
        return batch, result

    with (
        mock.patch.object(step, "with_batch", recording),
        mock.patch.object(session, "with_batch", recording),
    ):
        yield batches
