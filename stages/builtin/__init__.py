"""The toy world: a rule-based teacher, its families of problems, corpus and benchmarks. Nothing but the choice of that teacher imports it.

Scripts: write_benchmarks, write_corpus.
"""
