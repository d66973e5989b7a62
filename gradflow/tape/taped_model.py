"""Step a model under a GradientTape, and explain its gradients op by op."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from gradflow.files.model_file import StoredVariable
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.flow.graph import FlowGraph
from gradflow.options import Options
from gradflow.progress import Progress
from gradflow.tape.explain import explain
from gradflow.tape.inputs.attempts import Attempt, shape_of
from gradflow.tape.inputs.graph_hints import NO_KNOWLEDGE, Knowledge, traced_knowledge
from gradflow.tape.loaded_model import CallableModel, Explanation, Step
from gradflow.tape.step import step
from gradflow.tape.trace import Trace, trace


class TapedModel(CallableModel):
    """What all models have in common that TensorFlow 2 calls."""

    def step(self, options: Options) -> Step:
        """Take one step under a tape; see ``LoadedModel``."""
        return step(self, options)

    def explain(self, step: Step, options: Options, progress: Progress) -> Explanation:
        """Replay the step where it needs an explanation; see ``LoadedModel``."""
        return explain(self, step, options, progress)

    def trace(self, batch: Sequence[Any]) -> Trace:
        """Trace the call on tensors shaped like ``batch``; nothing is run."""
        return trace(self.call, batch)

    def trace_outputs(self, batch: Sequence[Any]) -> Trace:
        """As ``trace``, of the outputs alone where a loss is stepped."""
        return self.trace(batch)

    def stored_graph(self, selected: Sequence[str]) -> FlowGraph:
        """Raise: a file that has a graph overrides this."""
        raise NotImplementedError

    def describe(self, variables: Sequence[Any]) -> Sequence[StoredVariable | None]:
        """Raise: a model that finds untracked weights overrides this."""
        raise NotImplementedError

    def learn(self) -> Knowledge:
        """Ask the graph, once, what it does with the inputs: each probe draws a batch anew."""
        return self._knowledge

    @functools.cached_property
    def _knowledge(self) -> Knowledge:
        return self.ask_graph()

    def ask_graph(self) -> Knowledge:
        """Trace the call, with open sizes where the model's code allows that, and ask the graph
        what it does with the inputs."""
        return _traced_knowledge(self.trace_outputs, self.inputs)


def _traced_knowledge(
    trace: Callable[[Sequence[Any]], Trace], inputs: Sequence[TensorInfo]
) -> Knowledge:
    for attempt in (None, Attempt(), Attempt(rung=1)):
        specs = [tf.TensorSpec(_traced_shape(info, attempt), info.dtype) for info in inputs]
        try:
            return traced_knowledge(trace(specs), inputs)
        except Exception:  # tracing runs the model's own code, which can raise anything at all
            continue
    return NO_KNOWLEDGE


def _traced_shape(info: TensorInfo, attempt: Attempt | None) -> tuple[int | None, ...] | None:
    return info.shape if attempt is None else shape_of(info, attempt)
