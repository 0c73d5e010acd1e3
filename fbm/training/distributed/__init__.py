"""Launches the ranks of a run, on one machine or several, and supervises them."""
