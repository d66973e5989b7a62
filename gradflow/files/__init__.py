"""What a path holds, read without TensorFlow: formats, variables, freeze flags, graphs."""
