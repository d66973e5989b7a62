"""Measure graphs of TensorFlow 1 in a session."""
