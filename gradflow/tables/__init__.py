"""Generators of the op and Keras tables, run by hand for a new TensorFlow or Keras."""
