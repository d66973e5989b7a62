"""Reports and answers as text for people."""
