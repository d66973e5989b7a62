"""Planned models in, judged reports out."""

from gradflow.audit.baseline_file import of_model, read_baseline, render_baseline
from gradflow.audit.checked import Checked, Inspect, check_model

__all__ = ["Checked", "Inspect", "check_model", "of_model", "read_baseline", "render_baseline"]
