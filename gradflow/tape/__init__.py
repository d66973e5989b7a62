"""One real gradient step on a loaded model: the only folder that imports TensorFlow, Keras and
NumPy."""
