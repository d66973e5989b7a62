"""The answer key of tiny named tf.functions: one hard behaviour each, and what gradflow must say about it."""

from tests.models.functions import (
    composed_gradients,
    control_flow,
    custom_gradients,
    cuts,
    magnitudes,
    nesting,
    no_gradient,
    nonfinite,
    passages,
    places,
    zeros,
)
from tests.models.functions.case import CASES, FLOWS, Case, Module, Truth

__all__ = ["CASES", "FLOWS", "Case", "Module", "Truth"]
_TOPICS = (
    composed_gradients,
    control_flow,
    custom_gradients,
    cuts,
    magnitudes,
    nesting,
    no_gradient,
    nonfinite,
    passages,
    places,
    zeros,
)
