"""Seed what TensorFlow draws at random while a model in memory is analysed, and take it back.

An op without a seed of its own takes one from ``tf.random.set_seed`` when it is run, or traced, and
one of the clock where nobody called that. A function that was called before the analysis would keep
what it has: each is traced anew (TensorFlow 2.16 to 2.21). A ConcreteFunction, and what
``tf.saved_model.load`` returns, hold a trace and no code to trace anew: that they draw is noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gradflow.tape.load.seeded_ops import is_unseeded
from gradflow.tape.private_api import (
    ConcreteFunction,
    FunctionCache,
    FunctionContext,
    TracingDetectors,
    eager_context,
    function_contexts,
)


@contextmanager
def seeded_process(seed: int) -> Iterator[list[str]]:
    """Draw by ``seed``; what the user's own code draws afterwards is as if nothing had been.

    The list is filled with the names of the functions that draw by the clock all the same.
    """
    context = eager_context()
    # Until somebody sets a seed there is no generator: ops take the clock.
    before = context._seed, getattr(context, "_rng", None)
    context._set_global_seed(seed)
    try:
        with _fresh_traces() as unseeded:
            yield unseeded
    finally:
        context._seed, context._rng = before


@contextmanager
def _fresh_traces() -> Iterator[list[str]]:
    """Let functions be traced anew; the traces made here are gone afterwards, earlier ones stay.

    The list is filled with the names of the earlier ones that are called and draw by the clock.
    """
    made: list[tuple[Any, Any, Any]] = []
    known: set[int] = set()
    unseeded: list[str] = []
    token = object()
    context_of, add = function_contexts.make_function_context, FunctionCache.add
    call = ConcreteFunction._call_flat
    warn = TracingDetectors.called_with_tracing

    def own_context(*arguments: Any, **named: Any) -> Any:
        usual = context_of(*arguments, **named)
        return FunctionContext(usual.context, (usual.scope_type, token))

    def noted(cache: Any, function: Any, context: Any = None) -> None:
        made.append((cache, function.function_type, context))
        known.add(id(function))
        add(cache, function, context)

    def calling(function: Any, *arguments: Any, **named: Any) -> Any:
        if id(function) not in known:
            known.add(id(function))
            if is_unseeded(function.graph.as_graph_def()):
                unseeded.append(str(function.name))
        return call(function, *arguments, **named)

    function_contexts.make_function_context = own_context
    FunctionCache.add = noted
    ConcreteFunction._call_flat = calling
    TracingDetectors.called_with_tracing = lambda *_: None
    try:
        yield unseeded
    finally:
        ConcreteFunction._call_flat = call
        function_contexts.make_function_context = context_of
        FunctionCache.add = add
        TracingDetectors.called_with_tracing = warn
        for cache, kind, context in made:
            cache.delete(kind, context)
