"""What a model or a search engine thinks of the candidates: the baselines that value estimation is compared with."""

from collections import defaultdict
from collections.abc import Iterable

import bm25s
import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from stages.core.schemas import Row
from stages.models.folders import load_model, load_tokenizer, to_device, use_device
from stages.models.tokenization import TokenizedExample, tokenize
from stages.problems.student_format import student_example
from stages.problems.target_examples import target_example
from stages.value.gradients import batches_of, padded, token_losses
from stages.value.pool import Pool
from stages.value.reference import checkpoints_of, load_reference

TOKEN_BUDGET = 4096
ANY_LENGTH = 1 << 30


def bm25_scores(pool: Pool) -> dict[str, float]:
    """text -> the best target's mean BM25 score of the text's problems, over the target's problems as queries."""
    problems = pool.problem_rows()
    documents = [" ".join(row["problem"] for row in rows) for rows in problems.values()]
    index = bm25s.BM25()
    index.index(bm25s.tokenize(documents, show_progress=False), show_progress=False)
    best = np.full(len(documents), -np.inf)
    for rows in pool.target_rows().values():
        queries = bm25s.tokenize([row["problem"] for row in rows], return_ids=False, show_progress=False)
        best = np.maximum(best, np.mean([index.get_scores(query) for query in queries], axis=0))
    return dict(zip(problems, best.tolist(), strict=True))


def embedding_scores(pool: Pool) -> dict[str, float]:
    """text -> mean over its problems of the best target's mean cosine, between position-weighted means of states."""
    tokenizer = load_tokenizer(pool.base)
    model = to_device(load_model(pool.base), use_device()).eval()
    targets_KI = torch.stack([
        embeddings(model, tokenize([target_example(row) for row in rows], tokenizer, ANY_LENGTH)[0]).mean(dim=0)
        for rows in pool.target_rows().values()
    ])  # fmt: skip
    problems = pool.problem_rows()
    rows = [row for group in problems.values() for row in group]
    cosines = (embeddings(model, _student_examples(rows, tokenizer)) @ targets_KI.T).amax(dim=1).tolist()
    return _means_by_text(rows, cosines)


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


@torch.no_grad()
def losses_without_problem(pool: Pool) -> dict[str, float]:
    """problem -> the mean token loss of its solution alone, under the last reference checkpoint."""
    tokenizer = load_tokenizer(pool.base)
    reference = load_reference(pool.base, checkpoints_of(pool.reference)[-1], use_device())
    rows = [row for group in pool.problem_rows().values() for row in group]
    examples = [_without_prompt(example, tokenizer) for example in _student_examples(rows, tokenizer)]
    losses: dict[int, float] = {}
    for batch in batches_of(examples, TOKEN_BUDGET):
        losses_N, rows_N, counts_B = token_losses(reference.model, [examples[i] for i in batch], reference.device)
        sums_B = torch.zeros(len(batch), device=reference.device).index_add_(0, rows_N, losses_N)
        losses |= dict(zip(batch, (sums_B / counts_B).tolist(), strict=True))
    return {row["problem_id"]: losses[i] for i, row in enumerate(rows)}


def _student_examples(rows: list[Row], tokenizer: PreTrainedTokenizerBase) -> list[TokenizedExample]:
    examples = [student_example(row["problem"], row["solution"], row["mode"]) for row in rows]
    return tokenize(examples, tokenizer, ANY_LENGTH)[0]


def _without_prompt(example: TokenizedExample, tokenizer: PreTrainedTokenizerBase) -> TokenizedExample:
    """The output after nothing but the beginning of a text."""
    start = next(i for i, label in enumerate(example.labels) if label >= 0)
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return TokenizedExample([first, *example.input_ids[start:]], [-100, *example.labels[start:]])


def _means_by_text(rows: Iterable[Row], numbers: Iterable[float]) -> dict[str, float]:
    found: defaultdict[str, list[float]] = defaultdict(list)
    for row, number in zip(rows, numbers, strict=True):
        found[row["text_id"]].append(number)
    return {text_id: sum(values) / len(values) for text_id, values in found.items()}
