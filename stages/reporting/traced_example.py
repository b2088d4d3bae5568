"""One problem of the final corpus, traced to its text: of average length, in the mode that most are in.

typical_problem(Path("data"))
-> {"problem": "...", "solution": "...", "asked": "...", "text": {"source": "wiki", "text": "...", ...}, ...}
"""

from pathlib import Path
from typing import Any

import polars as pl

from stages.core.tables import collected, scan_table
from stages.problems.synthesizer_format import synthesizer_prompt
from stages.reporting.sampling import cut_texts, rank_of, sampled

NUM_SAMPLED = 2000  # of these it is the one of median length


def typical_problem(data: Path) -> dict[str, Any] | None:
    """A kept problem with its text and the prompt that the synthesizer was given; None where none was kept.

    The same tables give the same problem: of NUM_SAMPLED by hash, those in the most common mode, the one whose problem and
    solution together are nearest to the median length, of several the first by hash.
    """
    rows, _ = sampled([scan_table("problems", data / "synthetic/problems.parquet")], rank_of("problem_id"), NUM_SAMPLED)
    if not rows.height:
        return None
    mode = rows.group_by("mode").len().sort("len", "mode", descending=[True, False])["mode"][0]
    length = pl.col("problem").str.len_chars().cast(pl.Int64) + pl.col("solution").str.len_chars()
    of_mode = rows.filter(mode=mode).with_columns(length=length)
    off = (pl.col("length") - pl.col("length").median()).abs()
    problem = of_mode.sort(off, "rank").row(0, named=True)
    texts = scan_table("texts", data / "texts/synthesis.parquet").filter(text_id=problem["text_id"])
    text = next(collected(texts.with_columns(cut_texts())).iter_rows(named=True), None)
    prompt = synthesizer_prompt(problem["prompt"], problem["mode"], text["text"]) if text else ""
    return {**problem, "text": text, "asked": prompt}
