"""Look up what is known of TensorFlow's ops: their families, what they call, and the op table."""
