"""The project as a whole: params.yaml, what code means, what a profile needs and will take, the command `ninechapters`.

Scripts: bring, check, check_project, evaluate_model, ninechapters, packages, plan, track_input, use_corpus, value_problems, write_reference.
"""
