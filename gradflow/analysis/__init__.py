"""Analyse one model from start to end: read, scan, load, step, explain, conclude."""
