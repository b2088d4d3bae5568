"""Examples as token ids with labels: the prompt in the model's own form, loss on outputs only, an end token behind.

examples, num_too_long = tokenize([Example("## Question ...", "3 + 4 = 7")], tokenizer, max_length=2048)

A model's own form is its tokenizer's: a user's turn of the chat template where there is one, else the plain text; with BOS in
front where the tokenizer puts one there (Llama), without where it does not (SmolLM2, whose BOS opens a turn of a chat).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from stages.core.parallel import batched
from stages.models.control_tokens import (
    Encoded,
    marked_ids,
    marked_turns,
    text_encodings,
    text_ids,
    without_front,
)
from stages.problems.grammar import OUTPUT
from stages.problems.student_format import Example

IGNORED = -100
BATCH = 1000


@dataclass(frozen=True)
class TokenizedExample:
    input_ids: list[int]
    labels: list[int]  # the same length; IGNORED on the prompt


def encode_prompts(
    prompts: Sequence[str], tokenizer: PreTrainedTokenizerBase, num_asked: Sequence[int | None] | None = None
) -> list[list[int]]:
    """The ids that the model reads of each prompt, with the tokenizer's beginning in front.

    The first `num_asked` characters are what is asked, a user's turn where the tokenizer has a chat template; the rest is the
    beginning of the answer. None: all is asked.
    """
    if not tokenizer.chat_template:
        bos = beginning(tokenizer)
        return [[*bos, *ids] for ids in text_ids(prompts, tokenizer)]
    asked = num_asked or [None] * len(prompts)
    turns = [
        ([{"role": "user", "content": prompt[:num]}], prompt[len(prompt) if num is None else num :])
        for prompt, num in zip(prompts, asked, strict=True)
    ]
    return encode_turns(turns, tokenizer)


def encode_prompt(prompt: str, tokenizer: PreTrainedTokenizerBase, num_asked: int | None = None) -> list[int]:
    """The ids of one prompt, as `encode_prompts`."""
    return encode_prompts([prompt], tokenizer, [num_asked])[0]


def encode_turns(
    chats: Sequence[tuple[list[dict[str, str]], str]], tokenizer: PreTrainedTokenizerBase, **options: Any
) -> list[list[int]]:
    """The ids of chats, each its messages and the beginning of the answer; `options` are for the chat template."""
    bos = beginning(tokenizer)
    marked = [marked_turns(messages, tokenizer, rest, **options) for messages, rest in chats]
    if bos:  # the template may write it, too
        marked = [without_front(one, str(tokenizer.bos_token)) for one in marked]
    return [[*bos, *ids] for ids in marked_ids(marked, tokenizer)]


def beginning(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The ids that the tokenizer puts in front of a text: BOS, or nothing."""
    bos = tokenizer.bos_token_id
    return [bos] if bos is not None and tokenizer("a")["input_ids"][:1] == [bos] else []


def tokenize(
    examples: Iterable[Example], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[list[TokenizedExample], int]:
    """Tokenize examples; returns those that fit `max_length` tokens and the number that did not."""
    tokenized = [one for batch in batched(examples, BATCH) for one in tokenized_batch(batch, tokenizer)]
    kept = [example for example in tokenized if len(example.input_ids) <= max_length]
    return kept, len(tokenized) - len(kept)


def tokenized_batch(batch: list[Example], tokenizer: PreTrainedTokenizerBase) -> Iterator[TokenizedExample]:
    """The examples in order, of any length."""
    prompts = encode_prompts([example.prompt for example in batch], tokenizer)
    outputs = text_encodings([example.output for example in batch], tokenizer)
    for example, prompt, output in zip(batch, prompts, outputs, strict=True):
        labels = output_labels(example.output, output)
        yield TokenizedExample(
            [*prompt, *output.ids, tokenizer.eos_token_id], [*[IGNORED] * len(prompt), *labels, tokenizer.eos_token_id]
        )


def output_labels(output: str, encoded: Encoded) -> list[int]:
    """The labels of an output's ids: what a program printed is not learnt.

    As in ToRA (arXiv 2309.17452, equation 2); the release learns it, and its models make up what programs print.
    """
    printed = [match.span(1) for match in OUTPUT.finditer(output)]
    if not printed:
        return encoded.ids
    begins, labels = np.array(encoded.begins, np.int64), np.array(encoded.ids, np.int64)
    for start, end in printed:
        labels[(begins >= start) & (begins < end)] = IGNORED
    return list(labels.tolist())
