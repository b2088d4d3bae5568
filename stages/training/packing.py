"""Tokenized examples, and their packing into rows of one length without attention across examples.

    rows = pack(tokenize(examples, tokenizer, max_length), max_length, seed)
    rows[0] == {"input_ids": [...], "labels": [...], "position_ids": [0, 1, 2, 0, 1, ...]}

The position ids start anew at each example. transformers reads the borders from them and masks attention across
them (its masking_utils.find_packed_sequence_indices); a test compares packed with unpacked logits.
"""

import random
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from stages.distillation.parsing import OUTPUT
from stages.training.formats import Example

IGNORED = -100


@dataclass(frozen=True)
class TokenizedExample:
    input_ids: list[int]
    labels: list[int]  # the same length; IGNORED on the prompt


def encode_prompt(prompt: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The prompt's ids with one BOS in front, whatever the tokenizer does by itself."""
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    return [tokenizer.bos_token_id, *ids] if tokenizer.bos_token_id is not None else ids


def tokenize(
    examples: list[Example], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[list[TokenizedExample], int]:
    """Tokenize examples; returns those that fit `max_length` tokens and the number that did not.

    An example that is too long is left out, not cut: a cut one teaches to stop in the middle of a solution.
    """
    kept = []
    for example in examples:
        prompt = encode_prompt(example.prompt, tokenizer)
        output, labels = encode_output(example.output, tokenizer)
        if len(prompt) + len(output) <= max_length:
            kept.append(TokenizedExample(prompt + output, [IGNORED] * len(prompt) + labels))
    return kept, len(examples) - len(kept)


def encode_output(output: str, tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """The ids of an output with an end-of-text token, and its labels: what a program printed is not learnt.

    As in ToRA (arXiv 2309.17452, equation 2); the release learns it, and its models make up what programs print.
    """
    printed = [match.span(1) for match in OUTPUT.finditer(output)]
    encoding = tokenizer(output, add_special_tokens=False, return_offsets_mapping=True)
    ids = [*encoding["input_ids"], tokenizer.eos_token_id]
    starts = [start for start, _ in encoding["offset_mapping"]]
    labels = [IGNORED if any(a <= at < b for a, b in printed) else i for i, at in zip(ids, starts, strict=False)]
    return ids, [*labels, tokenizer.eos_token_id]


def pack(examples: list[TokenizedExample], max_length: int, pad_id: int, seed: int) -> list[dict[str, list[int]]]:
    """Shuffle by seed and fill rows of exactly `max_length` tokens, first-fit over a few open rows."""
    order = list(examples)
    random.Random(seed).shuffle(order)
    open_rows: list[list[TokenizedExample]] = []
    rooms: list[int] = []
    closed = []
    for example in order:
        length = len(example.input_ids)
        fit = next((i for i, room in enumerate(rooms) if room >= length), None)
        if fit is None:
            if len(open_rows) == 16:
                fullest = min(range(16), key=rooms.__getitem__)
                closed.append(open_rows.pop(fullest))
                rooms.pop(fullest)
            open_rows.append([])
            rooms.append(max_length)
            fit = len(open_rows) - 1
        open_rows[fit].append(example)
        rooms[fit] -= length
    return [_row(examples, max_length, pad_id) for examples in (*closed, *open_rows)]


def _row(examples: list[TokenizedExample], max_length: int, pad_id: int) -> dict[str, list[int]]:
    row: dict[str, list[int]] = {"input_ids": [], "labels": [], "position_ids": []}
    for example in examples:
        row["input_ids"] += example.input_ids
        # The first token of an example has no context of its own: nothing before it may predict it.
        row["labels"] += [IGNORED, *example.labels[1:]]
        row["position_ids"] += range(len(example.input_ids))
    padding = max_length - len(row["input_ids"])
    row["input_ids"] += [pad_id] * padding
    row["labels"] += [IGNORED] * padding
    row["position_ids"] += range(padding)
    return row
