"""Check many models: each analysed, judged and held in a cache, a baseline or a history."""

from gradflow.audit.baseline_file import of_model, read_baseline, render_baseline
from gradflow.audit.checked import Checked, Inspect, check_model, is_about_flags_only

__all__ = [
    "Checked",
    "Inspect",
    "check_model",
    "is_about_flags_only",
    "of_model",
    "read_baseline",
    "render_baseline",
]
