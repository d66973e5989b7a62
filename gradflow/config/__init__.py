"""A YAML or TOML file in, a Plan of what to analyse and what to expect out."""

from gradflow.config.find import find_config
from gradflow.config.load import load
from gradflow.config.plan import Anchor, ModelPlan, Plan
from gradflow.config.schema import config_schema

__all__ = ["Anchor", "ModelPlan", "Plan", "config_schema", "find_config", "load"]
