"""Write a report as one HTML page that needs nothing else: it opens from disk, offline."""

from gradflow.report.html.page import render

__all__ = ["render"]
