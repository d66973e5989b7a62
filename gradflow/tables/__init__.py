"""Make the op and Keras tables, by hand, for a new TensorFlow or Keras."""
