"""Seed what TensorFlow draws at random while a model in memory is analysed, and take it back.

An op without a seed of its own takes one from ``tf.random.set_seed`` when it is run, or traced, and
one of the clock where nobody called that. A function that was called before the analysis would keep
what it has: each is traced anew (TensorFlow 2.16 to 2.21).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gradflow.tape.private_api import (
    FunctionCache,
    FunctionContext,
    TracingDetectors,
    eager_context,
    function_contexts,
)


@contextmanager
def seeded_process(seed: int) -> Iterator[None]:
    """Draw by ``seed``; what the user's own code draws afterwards is as if nothing had been."""
    context = eager_context()
    # Until somebody sets a seed there is no generator: ops take the clock.
    before = context._seed, getattr(context, "_rng", None)
    context._set_global_seed(seed)
    try:
        with _fresh_traces():
            yield
    finally:
        context._seed, context._rng = before


@contextmanager
def _fresh_traces() -> Iterator[None]:
    """Let functions be traced anew; the traces made here are gone afterwards, earlier ones stay."""
    made: list[tuple[Any, Any, Any]] = []
    token = object()
    context_of, add = function_contexts.make_function_context, FunctionCache.add
    warn = TracingDetectors.called_with_tracing

    def own_context(*arguments: Any, **named: Any) -> Any:
        usual = context_of(*arguments, **named)
        return FunctionContext(usual.context, (usual.scope_type, token))

    def noted(cache: Any, function: Any, context: Any = None) -> None:
        made.append((cache, function.function_type, context))
        add(cache, function, context)

    function_contexts.make_function_context = own_context
    FunctionCache.add = noted
    TracingDetectors.called_with_tracing = lambda *_: None
    try:
        yield
    finally:
        function_contexts.make_function_context = context_of
        FunctionCache.add = add
        TracingDetectors.called_with_tracing = warn
        for cache, kind, context in made:
            cache.delete(kind, context)
