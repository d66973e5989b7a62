"""The answer key of tiny named tf.functions: one hard behaviour each, and what gradflow must say
about it."""

from importlib import import_module

from tests.models.functions.case import CASES, FLOWS, Case, Module, Truth

__all__ = ["CASES", "FLOWS", "Case", "Module", "Truth"]

for _topic in (
    "complex_numbers composed_gradients composites control_flow custom_gradients cuts "
    "entries magnitudes nesting no_gradient nonfinite passages places zeros"
).split():
    import_module(f"{__name__}.{_topic}")  # its cases register themselves
