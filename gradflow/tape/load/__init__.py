"""Load a model file or take one in memory: each kind to one description of a loaded model."""
