"""Find which variables the gradient reaches in a graph: pure Python, no TensorFlow."""
