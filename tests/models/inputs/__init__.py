"""Tiny clean models, each with an input that not every number or word is good for: all their
weights get a gradient."""
