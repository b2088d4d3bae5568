"""Packing, the token store, batches without padding, and attention that does not cross examples."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.models.packed_attention import use_packed_attention
from stages.models.tokenization import IGNORED, tokenize
from stages.problems.student_format import Example, student_prompt
from stages.training import packing, token_store
from stages.training.batches import Collator, Layout, Rows, layout_of
from stages.training.packing import pack
from stages.training.sections import TrainingPlan
from stages.training.token_store import write_store
from tests.tiny import tiny_model, tiny_tokenizer

EXAMPLES = [Example(student_prompt(f"What is {i}+{i + 1}?", "cot"), f"{i}+{i + 1}={2 * i + 1}") for i in range(40)]
PLAN = TrainingPlan(
    num_epochs=2, learning_rate=1e-3, optimizer="adamw", warmup_ratio=0.1, decay_ratio=0.2, weight_decay=0.0,
    batch_rows=3, max_length=64, seed=1,
)  # fmt: skip
ONE = Layout(num_devices=1, micro_rows=3, num_micro=1)


def test_loss_falls_on_outputs_only() -> None:
    tokenizer = tiny_tokenizer()
    (example,), _ = tokenize(EXAMPLES[:1], tokenizer, 64)
    learnt = [label for label in example.labels if label != IGNORED]
    assert tokenizer.decode(learnt) == f"{EXAMPLES[0].output}</s>"
    assert example.input_ids[0] == tokenizer.bos_token_id


def test_what_a_program_printed_is_not_learnt() -> None:
    tokenizer = tiny_tokenizer()
    output = "```python\nprint(3)\n```\n```output\n12345\n```\n12345"
    (example,), _ = tokenize([Example("Q", output)], tokenizer, 256)
    learnt = tokenizer.decode([label for label in example.labels if label != IGNORED])
    assert learnt.count("12345") == 1


def test_too_long_examples_are_left_out_and_counted(tmp_path: Path) -> None:
    examples = [*EXAMPLES[:2], Example("a " * 100, "b")]
    kept, num_too_long = tokenize(examples, tiny_tokenizer(), 64)
    assert (len(kept), num_too_long) == (2, 1)
    store = write_store(iter(examples), tiny_tokenizer(), 64, tmp_path / "tokens", "t")
    assert (len(store), store.num_too_long) == (2, 1)


@pytest.mark.parametrize("vocabulary", [300, 40_000])
def test_the_store_gives_back_what_was_tokenized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vocabulary: int
) -> None:
    monkeypatch.setattr(token_store, "SHARD_TOKENS", 100)
    tokenizer = tiny_tokenizer()
    monkeypatch.setattr(type(tokenizer), "__len__", lambda self: vocabulary)
    store = write_store(EXAMPLES, tokenizer, 64, tmp_path / "tokens", "t")
    assert store.dtype.itemsize == (2 if vocabulary == 300 else 4)
    assert len(list((tmp_path / "tokens").glob("tokens-*.bin"))) > 5
    tokenized, _ = tokenize(EXAMPLES, tokenizer, 64)
    assert len(store) == len(tokenized) == 40
    for number, example in enumerate(tokenized):
        ids, is_learnt = store.example(number)
        assert ids.tolist() == example.input_ids
        assert is_learnt.tolist() == [label != IGNORED for label in example.labels]
    assert store.num_tokens == sum(len(example.input_ids) for example in tokenized)


def test_a_store_that_was_cut_short_is_written_anew(tmp_path: Path) -> None:
    def dies():  # type: ignore[no-untyped-def]
        yield from EXAMPLES[:10]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_store(dies(), tiny_tokenizer(), 64, tmp_path / "tokens", "t")
    assert list(tmp_path.iterdir()) == []
    assert len(write_store(EXAMPLES, tiny_tokenizer(), 64, tmp_path / "tokens", "t")) == 40
    assert len(write_store([], tiny_tokenizer(), 64, tmp_path / "tokens", "t")) == 40, "a finished store is read"


def test_a_store_does_not_depend_on_workers_and_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor on the threads of a tokenizer that was used before the fork."""
    monkeypatch.setattr(token_store, "SHARD_TOKENS", 150)
    tokenizer = tiny_tokenizer()
    examples = [
        *EXAMPLES,
        Example("a " * 100, "b"),
        Example("Q", "```python\n1\n```\n```output\n12\n```\n12"),
        *EXAMPLES,
    ]
    contents = []
    for workers, size in (("1", 1000), ("2", 7), ("3", 1)):
        monkeypatch.setenv("NINECHAPTERS_WORKERS", workers)
        monkeypatch.setattr(token_store, "BATCH", size)
        tokenizer(["1 2 3"] * 50)
        folder = tmp_path / f"{workers}-{size}"
        write_store(examples, tokenizer, 64, folder, "t")
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1] == contents[2]
    assert len(contents[0]) > 10
    assert token_store.THREADS not in os.environ, "what was set for the workers is taken back"


def test_packing_loses_nothing_and_fills_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = np.random.default_rng(0).integers(80, 1500, 20_000).astype(np.int32)
    monkeypatch.setattr(packing, "WINDOW", 4096)
    packed = pack(lengths, 2048, seed=1)
    assert sorted(packed.order.tolist()) == list(range(20_000))
    sums = [int(lengths[packed.examples(row)].sum()) for row in range(len(packed))]
    assert max(sums) <= 2048
    assert 1 - sum(sums) / (2048 * len(packed)) < 0.02
    assert np.corrcoef(range(len(sums)), sums)[0, 1] < 0.1, "full and less full rows are mixed"
    again, other = pack(lengths, 2048, seed=1), pack(lengths, 2048, seed=2)
    assert (again.order == packed.order).all()
    assert (other.order != packed.order).any()


@pytest.mark.parametrize("architecture", ["llama", "mistral", "mixtral"])
def test_a_packed_batch_has_the_logits_of_its_examples_alone(architecture: str, tmp_path: Path) -> None:
    """With our attention, with transformers' mask from the positions, and with each example by itself."""
    store = write_store(EXAMPLES, tiny_tokenizer(), 64, tmp_path / "tokens", "t")
    rows = Rows(store, PLAN, ONE)
    batch = Collator(store)([rows[0], rows[1]])
    inputs = {name: value for name, value in batch.items() if "labels" not in name}
    model = tiny_model(architecture).eval()
    ids, lengths, learnt = batch["input_ids"], batch["lengths"], batch["logits_to_keep"]
    assert len(lengths) > 3
    with torch.inference_mode():
        masked = model(input_ids=ids, position_ids=batch["position_ids"], use_cache=False).logits[0]
        alone = torch.cat([model(input_ids=piece, use_cache=False).logits[0] for piece in ids.split(lengths, 1)])
        use_packed_attention(model)
        packed = model(**inputs, use_cache=False).logits[0]
    torch.testing.assert_close(packed, alone[learnt], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(masked, alone, atol=1e-5, rtol=1e-4)


def test_labels_are_the_tokens_after_the_places(tmp_path: Path) -> None:
    store = write_store(EXAMPLES, tiny_tokenizer(), 64, tmp_path / "tokens", "t")
    batch = Collator(store)([Rows(store, PLAN, ONE)[0]])
    assert (batch["input_ids"][0][batch["logits_to_keep"] + 1] == batch["labels"]).all()
    text = tiny_tokenizer().decode(batch["labels"])
    assert "Question" not in text
    assert text.count("</s>") == len(batch["lengths"])


@pytest.mark.parametrize(("devices", "micro_tokens"), [(1, 10_000), (2, 10_000), (4, 64), (1, 64), (8, 128)])
def test_a_step_has_the_same_rows_on_any_number_of_devices(tmp_path: Path, devices: int, micro_tokens: int) -> None:
    store = write_store(EXAMPLES, tiny_tokenizer(), 64, tmp_path / "tokens", "t")
    layout = layout_of(PLAN, devices, micro_tokens)
    assert layout.micro_rows * 64 <= max(micro_tokens, 64)
    rows, whole = Rows(store, PLAN, layout), Rows(store, PLAN, ONE)
    assert len(rows) == rows.num_steps * layout.places
    for step in range(rows.num_steps):
        found = [set(rows[i].tolist()) for i in range(step * layout.places, (step + 1) * layout.places)]
        assert [row for row in found if row] == [
            set(whole[i].tolist()) for i in range(3 * step, 3 * step + 3) if len(whole[i])
        ]


def test_every_epoch_has_every_example_in_another_order(tmp_path: Path) -> None:
    store = write_store(EXAMPLES, tiny_tokenizer(), 64, tmp_path / "tokens", "t")
    rows = Rows(store, PLAN, ONE)
    order = [int(number) for i in range(len(rows)) for number in rows[i]]
    assert sorted(order) == sorted(2 * list(range(40)))
    assert order[:40] != order[40:]


@pytest.mark.parametrize(
    ("name", "content"), [("store.json", b"{"), ("lengths.bin", b""), ("tokens-00000.bin", b"\x00\x01")]
)
def test_a_damaged_store_is_made_anew(tmp_path: Path, name: str, content: bytes) -> None:
    folder = tmp_path / "tokens"
    whole = write_store(EXAMPLES, tiny_tokenizer(), 64, folder, "t")
    expected = [whole.example(number)[0].tolist() for number in range(len(whole))]
    (folder / name).write_bytes(content)
    store = write_store(EXAMPLES, tiny_tokenizer(), 64, folder, "t")
    assert [store.example(number)[0].tolist() for number in range(len(store))] == expected
