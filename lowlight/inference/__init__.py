"""Enhancing photographs outside any data set: files of all kinds, any size, exports."""
