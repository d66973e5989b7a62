"""Scan Keras files."""
