"""Findings to text for people and JSON for programs, a file for each format."""
