"""Draw the parts of a text for people."""
