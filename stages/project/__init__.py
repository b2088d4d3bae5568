"""The project as a whole: params.yaml, what code means, what a profile will take, the command `ninechapters`.

Scripts: check, check_project, ninechapters, plan, track_input.
"""
