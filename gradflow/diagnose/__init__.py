"""Make findings of verdicts, measurements and flags: the only place where a code is chosen.

The map has modules of its own, ``flow_map`` and ``joined_map``: few commands draw one.
"""

from gradflow.diagnose.evidence import Evidence, Measurement, Mover, OtherUse, Sighting, Trial
from gradflow.diagnose.findings import diagnose
from gradflow.diagnose.loading import describe_threat, describe_trusted, describe_unloaded
from gradflow.diagnose.route import route
from gradflow.diagnose.scale import SINGLE_CLASS, SINGLE_CLASS_FIX, outliers
from gradflow.diagnose.variable_name import find

__all__ = [
    "SINGLE_CLASS",
    "SINGLE_CLASS_FIX",
    "Evidence",
    "Measurement",
    "Mover",
    "OtherUse",
    "Sighting",
    "Trial",
    "describe_threat",
    "describe_trusted",
    "describe_unloaded",
    "diagnose",
    "find",
    "outliers",
    "route",
]
