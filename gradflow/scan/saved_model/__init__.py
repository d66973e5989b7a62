"""Scan SavedModels."""
