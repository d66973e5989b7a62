"""Read what a path holds without TensorFlow: formats, variables, freeze flags, graphs."""
