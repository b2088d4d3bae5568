"""Layouts of the hub in which the benchmarks are published: what docs/datasets.md lists, each with a record to read.

Names, configs and columns as their pages show them; the records are made up. `count` is the number of problems that the whole
gives (of the config and split named), as published; 0 where no number is stated.
"""

from dataclasses import dataclass
from typing import Any

MATH_SUBJECTS = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra", "precalculus",
)  # fmt: skip


@dataclass(frozen=True)
class HubLayout:
    kind: str
    name: str
    configs: tuple[str, ...]  # none: the dataset's only one
    split: str
    record: dict[str, Any]
    answer: str  # that the loader makes of the record
    count: int
    problem: str = "Q?"
    suffix: str = "parquet"  # of the files in which the test publishes it
    is_folder: bool = False  # configs as folders, without a README that names them


CALC = {
    "id": "mawps__1",
    "question": "Q?",
    "chain": "<gadget>",
    "result": "43",
    "result_float": 43.0,
    "equation": "x=70-27",
}
QUERY = "Q: Q? Answer Choices: (A)3 (B)4\nA: Among A through D, the answer is"

LAYOUTS = (
    HubLayout("gsm8k", "openai/gsm8k", ("main",), "test", {"question": "Q?", "answer": "S\n#### 1,024"}, "1024", 1319),
    HubLayout("gsm_hard", "reasoning-machines/gsm-hard", (), "train", {"input": "Q?", "code": "x", "target": -9867630.0}, "-9867630", 1319, suffix="jsonl"),
    HubLayout("math", "EleutherAI/hendrycks_math", MATH_SUBJECTS, "test", {"problem": "Q?", "level": "Level 5", "type": "Algebra", "solution": "\\boxed{6}"}, "6", 5000),
    HubLayout("math", "EleutherAI/hendrycks_math (downloaded)", ("*",), "test", {"problem": "Q?", "level": "Level 5", "type": "Algebra", "solution": "\\boxed{6}"}, "6", 5000, is_folder=True),
    HubLayout("math", "HuggingFaceH4/MATH-500", (), "test", {"problem": "Q?", "solution": "S", "answer": "6", "subject": "Algebra", "level": 2, "unique_id": "x"}, "6", 500, suffix="jsonl"),
    HubLayout("ocw", "math-ai/minervamath", (), "test", {"question": "Q?", "answer": "1.6"}, "1.6", 272),
    HubLayout("svamp", "ChilleD/SVAMP", (), "train+test", {"ID": "chal-1", "Body": "There are 2 pens", "Question": "Q?", "Equation": "( 2 )", "Answer": "145.0", "Type": "Sum", "question_concat": "x"}, "145", 1000, "There are 2 pens. Q?", "json"),
    HubLayout("asdiv", "EleutherAI/asdiv", ("asdiv",), "validation", {"body": "B.", "question": "Q?", "solution_type": "Sum", "answer": "9 (apples)", "formula": "7+2=9"}, "9", 2215, "B. Q?"),
    HubLayout("mawps", "MU-NLPC/Calc-mawps", ("default",), "test", CALC, "43", 520),
    HubLayout("mawps", "mwpt5/MAWPS", (), "train", {"Question": "Tom has N_00 pens, then N_01.", "Numbers": "70.0 27.0", "Equation": "- N_00 N_01", "Answer": 43.0}, "43", 0, "Tom has 70 pens, then 27."),
    HubLayout("tabmwp", "a copy of TabMWP", (), "test", {"question": "Q?", "choices": "['shortage', 'surplus']", "answer": "surplus", "unit": None, "table_title": None, "table": "a | b", "solution": "S", "ans_type": "boolean_text", "grade": 5}, "B", 0, "a | b\n\nQ?"),
    HubLayout("aqua", "deepmind/aqua_rat", ("raw",), "test", {"question": "Q?", "options": ["A)3", "B)4"], "rationale": "R", "correct": "B"}, "B", 254),
    HubLayout("aqua", "dmayhem93/agieval-aqua-rat", (), "test", {"query": QUERY, "choices": ["(A)3", "(B)4"], "gold": [1]}, "B", 254),
    HubLayout("sat_math", "dmayhem93/agieval-sat-math", (), "test", {"query": QUERY, "choices": ["(A)3", "(B)4"], "gold": [1]}, "B", 220),
    HubLayout("sat_math", "AGIEval's own sat-math.jsonl", (), "test", {"passage": None, "question": "Q?", "options": ["(A)3", "(B)4"], "label": "B", "answer": None, "other": {"solution": "S"}}, "B", 220, suffix="jsonl"),
    HubLayout("mathqa", "allenai/math_qa", (), "test", {"Problem": "Q?", "Rationale": "R", "options": "a ) 3 , b ) 4", "correct": "b", "annotated_formula": "x", "linear_formula": "x", "category": "gain"}, "B", 2985),
    HubLayout("mmlu_stem", "cais/mmlu", ("all",), "test", {"question": "Q?", "subject": "astronomy", "choices": ["3", "4"], "answer": 1}, "B", 3018),
    HubLayout("mmlu_stem", "a copy of MMLU with a config for each subject", ("astronomy", "machine_learning"), "test", {"input": "Q?", "A": "3", "B": "4", "target": "B"}, "B", 0, suffix="json.gz"),
)  # fmt: skip
