"""The sandbox that runs model-written Python.

Scripts: run_program, zygote.
"""
