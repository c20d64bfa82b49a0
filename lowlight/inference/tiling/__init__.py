"""Tiling: large images enhanced in parts within a memory budget."""
