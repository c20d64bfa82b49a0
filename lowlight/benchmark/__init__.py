"""Benchmark: time, memory and multiply-accumulates of methods, measured in turn."""

from lowlight.benchmark.measure import ENGINES, benchmark

__all__ = ["ENGINES", "benchmark"]
