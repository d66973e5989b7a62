"""(verdict, measurement, flags) in, findings out: the only place where a code is chosen."""

from gradflow.diagnose.causes import leads_through_branch
from gradflow.diagnose.evidence import Evidence, Measurement, Sighting
from gradflow.diagnose.findings import diagnose, severity_of, summarize
from gradflow.diagnose.route import route
from gradflow.diagnose.scale import outliers
from gradflow.diagnose.trusted import describe_threat, describe_trusted
from gradflow.diagnose.unloaded import describe_unloaded
from gradflow.diagnose.variable_name import find

__all__ = [
    "Evidence",
    "Measurement",
    "Sighting",
    "describe_threat",
    "describe_trusted",
    "describe_unloaded",
    "diagnose",
    "find",
    "leads_through_branch",
    "outliers",
    "route",
    "severity_of",
    "summarize",
]
