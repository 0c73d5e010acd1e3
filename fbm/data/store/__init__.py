"""Prepared data on disk: made by `fbm prepare`, read by training."""
