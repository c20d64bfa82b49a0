"""Videos: streamed frame by frame."""
