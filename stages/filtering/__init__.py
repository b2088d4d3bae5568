"""Which synthetic problems are taught.

Scripts: filter_problems.
"""
