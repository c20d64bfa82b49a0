"""Run folders: what a run leaves, its recipe, its provenance."""
