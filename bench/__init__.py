"""Benchmarks: `python -m bench` measures and prints tables, `pytest bench` runs the suites."""
