"""The study's report: finished runs read, timed and compared in a page, tables and figures."""

from lowlight.report.compare import compare

__all__ = ["compare"]
