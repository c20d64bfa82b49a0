"""Videos: enhanced frame by frame while they are streamed."""
