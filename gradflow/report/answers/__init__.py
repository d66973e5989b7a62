"""Write the answers that are no reports, a file for each: text for people, and JSON."""
