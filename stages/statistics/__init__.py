"""Intervals, paired tests, and what changed between two evaluations. No scripts."""
