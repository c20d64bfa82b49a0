"""Tiling: large images enhanced tile by tile within a memory budget."""
