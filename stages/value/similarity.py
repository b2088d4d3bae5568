"""What a model thinks of the candidates' problems: baselines that value estimation is compared with.

A frame of problems is in memory at once; of each problem one number is kept.
"""

from collections.abc import Iterator

import polars as pl
import torch
from transformers import PreTrainedTokenizerBase

from stages.core.tables import frames, scan_table
from stages.models.folders import load_model, load_tokenizer, to_device, use_device
from stages.models.token_losses import weighted_loss
from stages.models.tokenization import TokenizedExample, encode_prompt, tokenize
from stages.problems.student_format import student_example
from stages.problems.target_examples import target_example
from stages.value.gradients import batches_of, output_states, padded
from stages.value.pool import Pool
from stages.value.reference import checkpoints_of, load_reference

TOKEN_BUDGET = 4096
ANY_LENGTH = 1 << 30
MODEL_ROWS = 8192  # problems that are sorted by length together


def embedding_scores(pool: Pool) -> pl.DataFrame:
    """text_id, score: mean over its problems of the best target's mean cosine, between position-weighted means of states."""
    tokenizer = load_tokenizer(pool.base)
    model = to_device(load_model(pool.base), use_device()).eval()
    targets_KI = torch.stack([
        embeddings(model, tokenize([target_example(row) for row in rows], tokenizer, ANY_LENGTH)[0]).mean(dim=0)
        for rows in pool.target_rows().values()
    ])  # fmt: skip
    parts = []
    for frame, examples in student_frames(pool, tokenizer):
        cosines = (embeddings(model, examples) @ targets_KI.T).amax(dim=1).tolist()
        parts.append(frame.select("text_id", pl.Series("score", cosines, pl.Float64)))
    return pl.concat(parts).group_by("text_id").agg(pl.col("score").mean())


@torch.no_grad()
def embeddings(model: torch.nn.Module, examples: list[TokenizedExample]) -> torch.Tensor:
    """Unit vectors, (examples, I): the last states' mean, a token's weight its position (RDS+)."""
    device = next(model.parameters()).device
    found: dict[int, torch.Tensor] = {}
    for batch in batches_of(examples, TOKEN_BUDGET):
        rows = [examples[i].input_ids for i in batch]
        width = max(map(len, rows))
        states_BTI = model.base_model(input_ids=padded(rows, width, 0, device), use_cache=False).last_hidden_state  # type: ignore[operator]
        weights_BT = padded([list(range(1, len(row) + 1)) for row in rows], width, 0, device).float()
        means_BI = (states_BTI * weights_BT.unsqueeze(2)).sum(dim=1)
        found |= dict(zip(batch, torch.nn.functional.normalize(means_BI, dim=1).cpu(), strict=True))
    return torch.stack([found[i] for i in range(len(examples))])


def losses_without_problem(pool: Pool) -> pl.DataFrame:
    """problem_id, alone: the mean token loss of its solution alone, under the last reference checkpoint."""
    tokenizer = load_tokenizer(pool.base)
    model = load_reference(pool.base, checkpoints_of(pool.reference)[-1], use_device()).model
    parts = []
    for frame, examples in student_frames(pool, tokenizer):
        losses = mean_losses(model, [_without_prompt(example, tokenizer) for example in examples])
        parts.append(frame.select("problem_id", pl.Series("alone", losses, pl.Float64)))
    return pl.concat(parts)


@torch.no_grad()
def mean_losses(model: torch.nn.Module, examples: list[TokenizedExample]) -> list[float]:
    """The mean token loss of each example, in nats."""
    device = next(model.parameters()).device
    losses: dict[int, float] = {}
    head: torch.nn.Module = model.get_output_embeddings()  # type: ignore[operator]
    for batch in batches_of(examples, TOKEN_BUDGET):
        outputs = output_states(model, [examples[i] for i in batch], device)
        ones_N = torch.ones(len(outputs.rows_N), device=device)
        _, losses_N = weighted_loss(outputs.states_NI, head, outputs.labels_N, ones_N)
        losses |= dict(zip(batch, outputs.means(losses_N).tolist(), strict=True))
    return [losses[i] for i in range(len(examples))]


def student_frames(
    pool: Pool, tokenizer: PreTrainedTokenizerBase
) -> Iterator[tuple[pl.DataFrame, list[TokenizedExample]]]:
    """The candidates' problems in frames, each with its rows as a student reads them."""
    for frame in frames(scan_table("problems", pool.problems), MODEL_ROWS):
        examples = [
            student_example(row["problem"], row["solution"], row["mode"]) for row in frame.iter_rows(named=True)
        ]
        yield frame, tokenize(examples, tokenizer, ANY_LENGTH)[0]


def _without_prompt(example: TokenizedExample, tokenizer: PreTrainedTokenizerBase) -> TokenizedExample:
    """The output after nothing but the beginning of a text."""
    start = next(i for i, label in enumerate(example.labels) if label >= 0)
    nothing = encode_prompt("", tokenizer) or [tokenizer.eos_token_id]
    return TokenizedExample([*nothing, *example.input_ids[start:]], [*[-100] * len(nothing), *example.labels[start:]])
