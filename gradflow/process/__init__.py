"""The process boundary: a model is analysed in a child process that may die without harm."""
