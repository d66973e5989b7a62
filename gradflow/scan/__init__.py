"""Find what a model file could do besides computing, before anything in it runs, and without
TensorFlow."""

from gradflow.scan.scan import scan
from gradflow.scan.threat import Scanned, Threat

__all__ = ["Scanned", "Threat", "scan"]
