"""Compose, check and instantiate configs; names of runs."""
