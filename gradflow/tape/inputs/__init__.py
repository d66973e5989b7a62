"""Make a synthetic batch that the model accepts."""
