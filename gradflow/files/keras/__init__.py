"""Read .keras and .h5 files without Keras."""
