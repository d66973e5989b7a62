"""Read a configuration: what to analyse and what to expect.

``gradflow.config.load`` reads one. It is not imported here, because it brings the parsers and the
schema, and most commands run without a configuration.
"""

from gradflow.config.find import find_config
from gradflow.config.plan import EMPTY, ModelPlan, Plan

__all__ = ["EMPTY", "ModelPlan", "Plan", "find_config"]
