"""(verdict, measurement, flags) in, findings out: the only place where a code is chosen."""

from gradflow.diagnose.causes import leads_through_branch
from gradflow.diagnose.evidence import Evidence, Measurement
from gradflow.diagnose.findings import diagnose, summarize

__all__ = ["Evidence", "Measurement", "diagnose", "leads_through_branch", "summarize"]
