"""Which variables the gradient reaches, read from a graph: pure Python, no TensorFlow."""
