"""Take one real gradient step on a loaded model; no other folder imports TensorFlow or Keras."""
