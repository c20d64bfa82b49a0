"""Low-light image enhancement experiments: dark photograph in, well-exposed photograph out."""

__version__ = "0.1.0"
