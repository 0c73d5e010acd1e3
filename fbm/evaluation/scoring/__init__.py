"""Disentanglement scores of one run (`fbm.scores`), each with its interval, an untrained encoder and a null."""
