"""Measurements, each a program: `python -m benchmarks.bench`, say."""
