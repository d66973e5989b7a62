"""Functions that make models, as a user's own modules have them; tests name them by text."""
