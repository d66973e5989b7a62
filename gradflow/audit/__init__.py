"""Check many models, with a cache, a baseline and a history of results."""

from gradflow.audit.baseline_file import of_model, read_baseline, render_baseline
from gradflow.audit.checked import Checked, Inspect, check_model

__all__ = [
    "Checked",
    "Inspect",
    "check_model",
    "of_model",
    "read_baseline",
    "render_baseline",
]
