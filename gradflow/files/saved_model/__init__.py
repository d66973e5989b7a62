"""Read saved_model.pb without TensorFlow."""
