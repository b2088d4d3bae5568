"""Accuracies that the paper published, to stand beside ours; what is not listed is not known.

JiuZhang3.0 (Zhou et al. 2024), table of natural-language reasoning (README of github.com/RUCAIBox/JiuZhang3.0): greedy, zero-shot,
graded by the release's grader; "MATH" there is MATH-500.
"""

MODEL = "JiuZhang3.0-7B"
PUBLISHED = {
    ("gsm8k", "cot"): 0.886, ("math-oai", "cot"): 0.528, ("svamp", "cot"): 0.904, ("asdiv", "cot"): 0.926,
    ("mawps", "cot"): 0.973, ("carp_en", "cot"): 0.510,
}  # fmt: skip
