"""Studies: the pipeline run again with some of its parameters changed, many times, and what the runs say together.

Scripts: gather_study, paper_tables, run_point, study.
"""
