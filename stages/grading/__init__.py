"""Whether an answer is right: extraction, normal forms, equivalence, the release's rules, votes.

Scripts: grade_answers, symbolic_worker.
"""
