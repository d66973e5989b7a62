"""Say what is to be done in JAX about a program that JAX exported."""

from __future__ import annotations

from gradflow.diagnose.evidence import Evidence

GRADIENT_OF_JAX = (
    "convert it with jax2tf.convert(..., with_gradient=True) and export it again, if it is to be "
    "trained from here; make its variables with trainable=False if not"
)
"""Of a function that was converted without its gradient."""
ZEROS_OF_JAX = (
    "that JAX computes",
    "look in the function that jax2tf converted for jax.lax.stop_gradient on the way from this "
    "weight, and for units whose slope is zero (relu below 0)",
)
"""Whose gradient is zero, and what to do."""
_PROGRAM = "XlaCallModule"
_SCOPE = "jax2tf"


def is_of_jax(evidence: Evidence) -> bool:
    """Return whether JAX exported the graph, or a part of it: as one program, or op by op in scopes
    of its own (jax2tf of jax 0.4 and 0.10)."""
    graph = evidence.graph
    return graph is not None and (
        _PROGRAM in graph.ops or any(name.startswith(_SCOPE) for name in graph.names)
    )
