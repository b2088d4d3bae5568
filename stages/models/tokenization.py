"""Examples as token ids with labels: the prompt in the model's own form, loss on outputs only, an end token behind.

examples, num_too_long = tokenize([Example("## Question ...", "3 + 4 = 7")], tokenizer, max_length=2048)

A model's own form is its tokenizer's: a user's turn of the chat template where there is one, else the plain text; with BOS in
front where the tokenizer puts one there (Llama), without where it does not (SmolLM2, whose BOS opens a turn of a chat).
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


def prompt_text(prompt: str, tokenizer: PreTrainedTokenizerBase, num_asked: int | None = None) -> str:
    """The text that the model reads, without the BOS that its tokenizer puts in front.

    The first `num_asked` characters are what is asked, a user's turn where the tokenizer has a chat template; the rest is the
    beginning of the answer. None: all is asked.
    """
    if not tokenizer.chat_template:
        return prompt
    turn = [{"role": "user", "content": prompt[:num_asked]}]
    text = str(tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True))
    bos = str(tokenizer.bos_token or "")
    text = text.removeprefix(bos) if beginning(tokenizer) else text
    return text if num_asked is None else text + prompt[num_asked:]


def beginning(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The ids that the tokenizer puts in front of a text: BOS, or nothing."""
    bos = tokenizer.bos_token_id
    return [bos] if bos is not None and tokenizer("a")["input_ids"][:1] == [bos] else []


def encode_prompt(prompt: str, tokenizer: PreTrainedTokenizerBase, num_asked: int | None = None) -> list[int]:
    """The ids of `prompt_text`, with the tokenizer's beginning in front."""
    ids = tokenizer(prompt_text(prompt, tokenizer, num_asked), add_special_tokens=False)["input_ids"]
    return [*beginning(tokenizer), *ids]


def tokenize(
    examples: Iterable[Example], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[list[TokenizedExample], int]:
    """Tokenize examples; returns those that fit `max_length` tokens and the number that did not."""
    tokenized = [one for batch in batched(examples, BATCH) for one in tokenized_batch(batch, tokenizer)]
    kept = [example for example in tokenized if len(example.input_ids) <= max_length]
    return kept, len(tokenized) - len(kept)


def tokenized_batch(batch: list[Example], tokenizer: PreTrainedTokenizerBase) -> Iterator[TokenizedExample]:
    """The examples in order, of any length."""
    bos = beginning(tokenizer)
    asked = [prompt_text(example.prompt, tokenizer) for example in batch]
    prompts = tokenizer(asked, add_special_tokens=False)["input_ids"]
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
