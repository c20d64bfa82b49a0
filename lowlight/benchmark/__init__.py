"""Benchmark: time, memory and multiply-accumulates of methods, measured side by side."""

from lowlight.benchmark.measure import ENGINES, benchmark

__all__ = ["ENGINES", "benchmark"]
