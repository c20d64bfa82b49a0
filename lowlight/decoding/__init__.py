"""Decoding of image files: one reader for data sets, predictions, photographs and the web page."""
