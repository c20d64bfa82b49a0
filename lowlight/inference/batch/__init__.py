"""Batches: folders and lists of files, in this process or on Ray."""
