"""Findings to text for people, JSON for programs and the formats of CI systems, a file for each
format."""
