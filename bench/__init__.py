"""Benchmarks: ratios against a baseline measured in the same run. See the module that you run."""
