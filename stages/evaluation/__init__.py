"""How well a student solves the benchmarks.

Scripts: compare, evaluate.
"""
