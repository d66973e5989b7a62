"""Load a model file, or take a model in memory: one class for each kind."""
