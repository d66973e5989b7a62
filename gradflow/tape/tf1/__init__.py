"""Graphs of TensorFlow 1, measured in a session."""
