"""Make findings of verdicts, measurements and flags: the only place where a code is chosen."""

from gradflow.diagnose.causes import leads_through_branch
from gradflow.diagnose.evidence import Evidence, Measurement, Mover, OtherUse, Sighting, Trial
from gradflow.diagnose.findings import diagnose
from gradflow.diagnose.flow_map import draw_map
from gradflow.diagnose.joined_map import joined_map
from gradflow.diagnose.loading import describe_threat, describe_trusted, describe_unloaded
from gradflow.diagnose.route import route
from gradflow.diagnose.scale import outliers
from gradflow.diagnose.variable_name import find

__all__ = [
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
    "draw_map",
    "find",
    "joined_map",
    "leads_through_branch",
    "outliers",
    "route",
]
