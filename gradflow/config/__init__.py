"""A YAML or TOML file in, a Plan of what to analyse and what to expect out.

``gradflow.config.load`` reads one; whoever has no file does without the parsers that it brings.
"""

from gradflow.config.find import find_config
from gradflow.config.plan import EMPTY, ModelPlan, Plan

__all__ = ["EMPTY", "ModelPlan", "Plan", "find_config"]
