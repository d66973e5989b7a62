"""Hold a model that was stepped, with the graph of the call: it can be drawn and run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gradflow.diagnose import Measurement
from gradflow.findings import Role, Verdict
from gradflow.flow.attribute import Attribution
from gradflow.flow.graph import FlowGraph
from gradflow.options import Options
from gradflow.tape.gradient_registry import without_lookup_errors
from gradflow.tape.loaded_model import CallableModel, Watched
from gradflow.tape.replay.locate import Scene, look
from gradflow.tape.step import step
from gradflow.tape.trace import Trace

Measurements = Mapping[str, Measurement]


@dataclass(frozen=True, slots=True)
class Stepped:
    """A model that was stepped, with the graph of the call."""

    model: CallableModel
    options: Options
    batch: Sequence[Any]
    graph: FlowGraph
    traced: Trace | None
    """None where the graph is the file's own."""
    attributions: Mapping[str, Attribution]

    def reaching(self, measured: Measurements, verdict: Verdict) -> list[str]:
        """Return the weights with a way to the output that flows in the graph, and with ``verdict``
        all the same."""
        return [
            name
            for name in flowing_weights(self.model.watched, self.attributions)
            if name in measured and measured[name].verdict is verdict
        ]

    def probe(self, number: int) -> Measurements:
        """Draw another batch and measure again."""
        seed = self.options.seed + number
        return step(self.model, replace(self.options, seed=seed)).measured

    def scene(self) -> Scene | None:
        """Run the step op by op, which draws dropout anew; None where that cannot be done."""
        model, batch, options = self.model, self.batch, self.options
        try:
            traced = model.trace(batch) if self.traced is None else self.traced
            return without_lookup_errors(
                lambda: look(model, traced, batch, options), model.lost_gradients
            )
        # TensorFlow and the model's code can raise anything; verdicts stand without an explanation.
        except Exception:
            return None


def flowing_weights(
    watched: Sequence[Watched], attributions: Mapping[str, Attribution]
) -> list[str]:
    """Return the weights with a way to the output that no op cuts."""
    return [
        item.stored.name
        for item in watched
        if item.stored.role is Role.WEIGHT
        and item.stored.name in attributions
        and attributions[item.stored.name].cuts_to_restore == 0
    ]
