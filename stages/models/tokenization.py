"""Examples as token ids with labels: one BOS in front, loss on outputs only, an end-of-text token behind.

examples, num_too_long = tokenize([Example("## Question ...", "3 + 4 = 7")], tokenizer, max_length=2048)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from stages.problems.grammar import OUTPUT
from stages.problems.student_format import Example

IGNORED = -100
BATCH = 1000


@dataclass(frozen=True)
class TokenizedExample:
    input_ids: list[int]
    labels: list[int]  # the same length; IGNORED on the prompt


def encode_prompt(prompt: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The prompt's ids with one BOS in front, whatever the tokenizer does by itself."""
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    return [tokenizer.bos_token_id, *ids] if tokenizer.bos_token_id is not None else ids


def tokenize(
    examples: Iterable[Example], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[list[TokenizedExample], int]:
    """Tokenize examples; returns those that fit `max_length` tokens and the number that did not."""
    tokenized = list(tokenized_examples(examples, tokenizer))
    kept = [example for example in tokenized if len(example.input_ids) <= max_length]
    return kept, len(tokenized) - len(kept)


def tokenized_examples(examples: Iterable[Example], tokenizer: PreTrainedTokenizerBase) -> Iterator[TokenizedExample]:
    """The examples in order, tokenized a batch at a time, on all CPUs."""
    batch: list[Example] = []
    for example in examples:
        batch.append(example)
        if len(batch) == BATCH:
            yield from _tokenized_batch(batch, tokenizer)
            batch = []
    if batch:
        yield from _tokenized_batch(batch, tokenizer)


def _tokenized_batch(batch: list[Example], tokenizer: PreTrainedTokenizerBase) -> Iterator[TokenizedExample]:
    bos = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    prompts = tokenizer([example.prompt for example in batch], add_special_tokens=False)["input_ids"]
    outputs = tokenizer([example.output for example in batch], add_special_tokens=False, return_offsets_mapping=True)
    for example, prompt, ids, offsets in zip(
        batch, prompts, outputs["input_ids"], outputs["offset_mapping"], strict=True
    ):
        labels = [*output_labels(example.output, ids, offsets), tokenizer.eos_token_id]
        prompt = [*bos, *prompt]
        yield TokenizedExample([*prompt, *ids, tokenizer.eos_token_id], [IGNORED] * len(prompt) + labels)


def output_labels(output: str, ids: list[int], offsets: list[tuple[int, int]]) -> list[int]:
    """The labels of an output's ids: what a program printed is not learnt.

    As in ToRA (arXiv 2309.17452, equation 2); the release learns it, and its models make up what programs print.
    """
    printed = [match.span(1) for match in OUTPUT.finditer(output)]
    if not printed:
        return ids
    return [IGNORED if any(a <= at < b for a, b in printed) else i for i, (at, _) in zip(ids, offsets, strict=True)]
