"""Batches: folders and lists of files, enhanced in this process or on Ray."""
