"""Small tokenizers of the kinds that language models have, each with control tokens of its own."""

from collections.abc import Callable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tests.published import CHATML
from tests.tiny import TEXTS

CONTROL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"]
CORPUS = [*TEXTS, "3</s>4 <|im_end|> a<|endoftext|>b <s>c</s> <|im_start|>user\n"] * 5


def _fast(made: Tokenizer, **options: object) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<|endoftext|>",
        extra_special_tokens=["<|im_start|>", "<|im_end|>"], add_bos_token=True, **options,
    )  # fmt: skip


def byte_level(ignore_merges: bool = False) -> PreTrainedTokenizerFast:
    """GPT-2's, Llama 3's and Qwen's; their control tokens lie behind the vocabulary."""
    made = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
    )
    return _fast(made)


def byte_level_that_merges_them() -> PreTrainedTokenizerFast:
    """Trained on texts that hold the control tokens: merges spell some of them."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        ["</s>"] * 50 + ["<s>"] * 50 + ["<|im_end|>"] * 90,
        trainers.BpeTrainer(vocab_size=290, initial_alphabet=alphabet, show_progress=False),
    )
    assert {"</s>", "<s>", "<|im_end|>"} <= made.get_vocab().keys()
    return _fast(made)


def sentencepiece(has_prefix: bool) -> PreTrainedTokenizerFast:
    """Llama 2's: BPE over pieces with spaces as underlines, bytes for what has no piece."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.normalizer = normalizers.Replace(" ", "▁")
    trained.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=120, special_tokens=CONTROL, show_progress=False)
    )
    vocab = dict(trained.get_vocab())
    for byte in range(256):
        vocab[f"<0x{byte:02X}>"] = len(vocab)
    vocab.setdefault("▁", len(vocab))
    made = Tokenizer(models.BPE(vocab, [], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if has_prefix:  # as its slow form puts one in front of each piece of text
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return _fast(made)


def unigram() -> PreTrainedTokenizerFast:
    """XLNet's and many a SentencePiece model's: the vocabulary holds the control tokens beside its pieces."""
    letters = sorted({letter for text in CORPUS for letter in text.replace(" ", "▁")} | set("▁`8"))
    pieces = (
        [(token, 0.0) for token in CONTROL] + [(letter, -9.0) for letter in letters] + [("▁Tom", -3.0), ("s>", -4.0)]
    )
    made = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    made.decoder = decoders.Metaspace(prepend_scheme="always", split=False)
    return _fast(made)


def named_only() -> PreTrainedTokenizerFast:
    """An end that is named, but not called special; it takes the spaces behind it."""
    made = byte_level()
    made.add_tokens([AddedToken("<|stop|>", special=False, rstrip=True, normalized=False)])
    made._special_tokens_map["eos_token"] = "<|stop|>"
    return made


def with_turns(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    tokenizer.chat_template = CHATML
    return tokenizer


KINDS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "byte level": byte_level,
    "byte level, whole words first": lambda: byte_level(ignore_merges=True),
    "byte level, merged": byte_level_that_merges_them,
    "SentencePiece, space in front of the text": lambda: sentencepiece(has_prefix=False),
    "SentencePiece, space in front of each piece": lambda: sentencepiece(has_prefix=True),
    "Unigram": unigram,
    "named only": named_only,
}
