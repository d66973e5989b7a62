"""Models for tests: random ones with planted cuts, their ground truth, and the bare tape as
oracle."""
