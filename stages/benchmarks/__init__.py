"""Test sets and targets, read as published.

Scripts: prepare_benchmarks, prepare_targets.
"""
