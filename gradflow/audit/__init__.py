"""Check many models, with a cache, a baseline and a history of results."""
