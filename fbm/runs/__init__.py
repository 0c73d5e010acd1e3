"""Run folders: layout, checkpoints, fingerprints, provenance."""
