"""Record what a training step of the user's own does: its tapes, its optimizers, its ops."""
