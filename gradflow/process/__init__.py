"""Analyse a model in a child process, which may die without harm."""
