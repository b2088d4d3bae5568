"""The schemas of the tables between stages, by name. A contract: a change here reruns what reads or writes the table.

A row of `texts`: {"text_id": "3f2a...", "source": "web", "title": "Buying muffins", "url": "", "license": "CC0-1.0",
"text": "Maria buys 12 muffins ..."}. Ids are content hashes, so lineage survives every stage.
"""

from typing import Any

import pyarrow as pa

Row = dict[str, Any]
TEXT, INT, FLOAT, BOOL = pa.string(), pa.int64(), pa.float64(), pa.bool_()

_TEXTS = {"text_id": TEXT, "source": TEXT, "title": TEXT, "url": TEXT, "license": TEXT, "text": TEXT}
_PROBLEMS = {
    "problem_id": TEXT, "text_id": TEXT, "request_id": TEXT, "prompt": TEXT, "mode": TEXT,
    "problem": TEXT, "solution": TEXT, "answer": TEXT, "synthesizer": TEXT,
}  # fmt: skip
_EXAMPLES = {"example_id": TEXT, "source": TEXT, "mode": TEXT, "input": TEXT, "output": TEXT}
# `kind` of the answer: number, expression, choice (a letter of `options`) or text; from the benchmark, never guessed.
_BENCHMARKS = {
    "benchmark": TEXT, "index": INT, "problem": TEXT, "options": pa.list_(TEXT), "solution": TEXT, "answer": TEXT,
    "kind": TEXT, "subject": TEXT, "level": TEXT,
}  # fmt: skip
# reason: the rules that extracted and decided; jiuzhang_*: as the release's grader says; executions: programs' statuses.
_GRADED = {
    "benchmark": TEXT, "index": INT, "mode": TEXT, "sample": INT, "kind": TEXT, "response": TEXT, "extracted": TEXT,
    "answer": TEXT, "correct": BOOL, "reason": TEXT, "flags": pa.list_(TEXT), "jiuzhang_extracted": TEXT,
    "jiuzhang_correct": BOOL, "finish_reason": TEXT, "executions": pa.list_(TEXT), "turns": INT, "tokens": INT,
    "is_flagged": BOOL,
}  # fmt: skip
_COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "texts": _TEXTS,
    "requests": {
        "request_id": TEXT, "round": TEXT, "text_id": TEXT, "prompt": TEXT, "mode": TEXT,
        "messages": TEXT, "sampling": TEXT,
    },
    "completions": {
        "request_id": TEXT, "completion": TEXT, "finish_reason": TEXT, "served_model": TEXT,
        "prompt_tokens": INT, "completion_tokens": INT, "cached_tokens": INT, "usd": FLOAT,
    },
    "problems": _PROBLEMS,
    "rejected": {**_PROBLEMS, "reason": TEXT, "detail": TEXT},
    "rejected_texts": {**_TEXTS, "reason": TEXT, "detail": TEXT},
    # What others wrote to fine-tune with: `input` as a student is asked (mode cot or tool), `output` as it is learnt.
    "examples": _EXAMPLES,
    "rejected_examples": {**_EXAMPLES, "reason": TEXT, "detail": TEXT},
    "benchmarks": _BENCHMARKS,
    # leaked_benchmark, leaked_index: the benchmark's problem that a target's touches.
    "leaked": {**_BENCHMARKS, "reason": TEXT, "detail": TEXT, "leaked_benchmark": TEXT, "leaked_index": INT},
    # num_tokens: of the output; loss: their mean negative log-likelihood; gradient_norm: before any preconditioning.
    "values": {
        "problem_id": TEXT, "text_id": TEXT, "num_tokens": INT, "loss": FLOAT, "gradient_norm": FLOAT, "value": FLOAT,
        "target_values": pa.list_(pa.struct([("target", TEXT), ("value", FLOAT)])),
    },
    "selected": {**_TEXTS, "value": FLOAT},
    "graded": _GRADED,  # `predictions` of any version
    # reference_loss: mean negative log-likelihood (nats) of the benchmark's own solution's tokens after the same prompt, and
    # their number; none in the tool mode, and where there is no solution in words.
    "predictions": {**_GRADED, "reference_loss": FLOAT, "reference_tokens": INT},
}  # fmt: skip
SCHEMAS = {name: pa.schema(list(columns.items())) for name, columns in _COLUMNS.items()}
