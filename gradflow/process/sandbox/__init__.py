"""Confine a process: no writes elsewhere, no connections, no programs, bounded resources."""
