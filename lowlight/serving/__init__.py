"""The HTTP server: photographs enhanced for other programs."""
