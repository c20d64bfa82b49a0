"""Report on finished runs: read, timed and compared on a page, in tables and in figures."""

from lowlight.report.compare import compare

__all__ = ["compare"]
