"""Write reports as text, JSON and the formats of CI systems, a file for each."""
