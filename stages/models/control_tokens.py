"""Texts of data as token ids: what reads like a control token in them (`</s>`, `<|im_end|>`) is text, and stays text.

    text_ids(["3</s>4"], tokenizer)                      # no end token in the middle
    marked_turns([{"role": "user", "content": "a<|im_end|>b"}], tokenizer)   # the chat template's text, and the spans of data in it

Which tokens are control tokens says stages/models/control_names.py. Only the project's own form writes them: a beginning, an end, the
turns of a chat template.

A tokenizer is asked not to match them (`split_special_tokens`). That is not enough for all: a Unigram or word-level vocabulary
holds them beside its pieces, merges may spell one, and a token that is named but not called special is matched all the same. So
the ids are looked at, and a control token among them is spelled: as its first characters and the others. Where the tokenizer
normalizes (lower case, NFKC, signs of no width left out), a text reads like a control token that is not written in it as it is.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tokenizers import Encoding
from transformers import PreTrainedTokenizerBase

from stages.core.command import StageError
from stages.models.control_names import control_tokens
from stages.models.private_marks import free_marks, with_marks, without_marks

FRONTS = ("\n", "=", "0")  # behind one of these a piece is tokenized as within a text: no space is put in front


@dataclass(frozen=True)
class Encoded:
    ids: list[int]
    encoding: Encoding | None  # None: of a tokenizer without a fast form
    told: list[int] | None = None  # `begins`, where they are not the encoding's

    @property
    def begins(self) -> list[int]:
        """The character at which each token begins; nothing where the tokenizer does not tell."""
        if self.told is not None or self.encoding is None:
            return self.told or []
        return [begin for begin, _ in self.encoding.offsets]


class Marked(NamedTuple):
    text: str
    spans: list[tuple[int, int]]  # where data reads like a control token


def text_ids(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """The ids of texts of data, without beginning and end.

    Raises:
        StageError: a text holds a control token that the tokenizer cannot write as text.
    """
    return [encoded.ids for encoded in text_encodings(texts, tokenizer)]


def text_encodings(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[Encoded]:
    """As `text_ids`, with the place in the text of each token; a tokenizer without a fast form tells none."""
    control = control_tokens(tokenizer)
    found = _encoded(texts, tokenizer, is_split=True)
    return [
        one if control.keys().isdisjoint(one.ids) else spelled(text, one, tokenizer, control, lambda place: True)
        for text, one in zip(texts, found, strict=True)
    ]


def marked_ids(marked: Sequence[Marked], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """The ids of texts in which control tokens are meant, but within the spans of data."""
    found = _encoded([one.text for one in marked], tokenizer, is_split=False)
    control = control_tokens(tokenizer) if any(one.spans for one in marked) else {}
    return [
        spelled(one.text, encoded, tokenizer, control, _within(one.spans)).ids if one.spans else encoded.ids
        for one, encoded in zip(marked, found, strict=True)
    ]


def _within(spans: list[tuple[int, int]]) -> Callable[[int], bool]:
    return lambda place: any(start <= place < end for start, end in spans)


def _encoded(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, is_split: bool) -> list[Encoded]:
    found = tokenizer(list(texts), add_special_tokens=False, split_special_tokens=is_split)
    encodings = found.encodings or [None] * len(texts)
    return [Encoded(ids, one) for ids, one in zip(found["input_ids"], encodings, strict=True)]


def spelled(
    text: str, encoded: Encoded, tokenizer: PreTrainedTokenizerBase, control: dict[int, str], is_data: Callable[[int], bool]
) -> Encoded:  # fmt: skip
    """The encoding with the control tokens that begin where `is_data` says so written as text."""
    ids: list[int] = []
    begins: list[int] = []
    places = encoded.begins or [0] * len(encoded.ids)
    for token, begin, end in zip(encoded.ids, places, [*places[1:], len(text)], strict=True):
        own, named = [token], control.get(token)
        if named is not None:
            taken = text[begin:end]
            source = taken if named in taken else named  # some tokens take the spaces around them
            front = taken.index(named) if named in taken else len(taken) - len(taken.lstrip())
            if is_data(begin + front):
                own = spelling(source, named, tokenizer, control)
        ids += own
        begins += [begin] * len(own)
    return Encoded(ids, None, begins)


def spelling(source: str, token: str, tokenizer: PreTrainedTokenizerBase, control: dict[int, str]) -> list[int]:
    """The ids of a text that holds a control token, as text: the token's first characters, and the others.

    Raises:
        StageError: the tokenizer has no other tokens for it.
    """
    first = source.index(token)
    for cut in range(first + 1, first + len(token)):
        for front in FRONTS:
            parts = [_behind(front, part, tokenizer) for part in (source[:cut], source[cut:])]
            ids = [one for part in parts for one in part or []]
            if None in parts or not control.keys().isdisjoint(ids):
                continue
            head = _encoded([front], tokenizer, is_split=True)[0].ids
            if str(tokenizer.decode([*head, *ids], clean_up_tokenization_spaces=False)).endswith(source):
                return ids
    raise StageError(
        f"a text holds {token!r}, which this model's tokenizer can encode only as a control token. Remove it from the "
        "text, or use a model with another tokenizer."
    )


def _behind(front: str, piece: str, tokenizer: PreTrainedTokenizerBase) -> list[int] | None:
    """The ids of a piece behind a text; None where the two grow together."""
    head, whole = (one.ids for one in _encoded([front, front + piece], tokenizer, is_split=True))
    return whole[len(head) :] if whole[: len(head)] == head else None


def marked_turns(
    messages: Sequence[dict[str, str]], tokenizer: PreTrainedTokenizerBase, rest: str = "", **options: Any
) -> Marked:
    """The chat template's text of the messages, with the beginning of an answer (`rest`) behind.

    While the template is rendered, marks stand where data reads like a control token.

    Raises:
        StageError: there are more such places than marks.
    """
    texts = [message["content"] for message in messages] + [rest]
    spans = control_spans(texts, tokenizer)
    found = list(dict.fromkeys(text[start:end] for text, own in zip(texts, spans, strict=True) for start, end in own))
    if not found:
        return Marked(f"{_rendered(messages, tokenizer, options)}{rest}", [])
    mark_of = dict(zip(found, free_marks(len(found), "".join(texts) + str(tokenizer.chat_template)), strict=True))
    *said, begun = [with_marks(text, own, mark_of) for text, own in zip(texts, spans, strict=True)]
    turns = [{**message, "content": text} for message, text in zip(messages, said, strict=True)]
    return Marked(*without_marks(f"{_rendered(turns, tokenizer, options)}{begun}", mark_of))


def control_spans(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[list[tuple[int, int]]]:
    """Where each text reads like a control token: as it is written, and as the tokenizer normalizes it."""
    control = control_tokens(tokenizer)
    pattern = re.compile("|".join(map(re.escape, sorted(control.values(), key=len, reverse=True))) or "(?!)")
    found = [[match.span() for match in pattern.finditer(text)] for text in texts]
    if getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None) is None:
        return found
    for text, spans, one in zip(texts, found, _encoded(texts, tokenizer, is_split=False), strict=True):
        offsets = one.encoding.offsets if one.encoding else []
        read = [_bare(text, *offset) for token, offset in zip(one.ids, offsets, strict=False) if token in control]
        spans[:] = _merged([*spans, *(span for span in read if span[0] < span[1])])
    return found


def _bare(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without the spaces at its ends, which a template may trim."""
    taken = text[start:end]
    return start + len(taken) - len(taken.lstrip()), start + len(taken.rstrip())


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, those that overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            start, end = merged[-1][0], max(end, merged.pop()[1])
        merged.append((start, end))
    return merged


def without_front(marked: Marked, front: str) -> Marked:
    """Without what the template wrote in front; what data begins with stays."""
    if not marked.text.startswith(front) or (marked.spans and marked.spans[0][0] == 0):
        return marked
    spans = [(start - len(front), end - len(front)) for start, end in marked.spans]
    return Marked(marked.text[len(front) :], spans)


def _rendered(messages: Sequence[dict[str, str]], tokenizer: PreTrainedTokenizerBase, options: dict[str, Any]) -> str:
    return str(tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True, **options))
