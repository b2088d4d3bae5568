"""Examples as token ids with labels: one BOS in front, loss on outputs only, an end-of-text token behind.

examples, num_too_long = tokenize([Example("## Question ...", "3 + 4 = 7")], tokenizer, max_length=2048)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from tokenizers import Encoding
from transformers import PreTrainedTokenizerBase

from stages.core.parallel import batched
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
    tokenized = [one for batch in batched(examples, BATCH) for one in tokenized_batch(batch, tokenizer)]
    kept = [example for example in tokenized if len(example.input_ids) <= max_length]
    return kept, len(tokenized) - len(kept)


def tokenized_batch(batch: list[Example], tokenizer: PreTrainedTokenizerBase) -> Iterator[TokenizedExample]:
    """The examples in order, of any length."""
    bos = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    prompts = tokenizer([example.prompt for example in batch], add_special_tokens=False)["input_ids"]
    outputs = tokenizer([example.output for example in batch], add_special_tokens=False)
    for example, prompt, ids, encoding in zip(batch, prompts, outputs["input_ids"], outputs.encodings, strict=True):
        prompt = [*bos, *prompt]
        labels = output_labels(example.output, ids, encoding)
        yield TokenizedExample(
            [*prompt, *ids, tokenizer.eos_token_id], [*[IGNORED] * len(prompt), *labels, tokenizer.eos_token_id]
        )


def output_labels(output: str, ids: list[int], encoding: Encoding) -> list[int]:
    """The labels of an output's ids: what a program printed is not learnt.

    As in ToRA (arXiv 2309.17452, equation 2); the release learns it, and its models make up what programs print.
    """
    printed = [match.span(1) for match in OUTPUT.finditer(output)]
    if not printed:
        return ids
    begins = np.array(encoding.offsets, np.int64).reshape(-1, 2)[:, 0]  # the character at which each token begins
    labels = np.array(ids, np.int64)
    for start, end in printed:
        labels[(begins >= start) & (begins < end)] = IGNORED
    return list(labels.tolist())
