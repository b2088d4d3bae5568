"""Text and programs in turns, as a synthesizer writes: one program, whose real output is written in; evaluation's turns: test_evaluation."""

from pathlib import Path

import pytest

from stages.generation import turns as turns_module
from stages.generation.interface import Generated, Prompt, Sampling
from stages.generation.turns import SINGLE, Transcript, write_in_turns

PROGRAM = "[Problem]\nWhat is 6 times 7?\n[Solution]\n```python\nprint({})\n```\n"


@pytest.mark.sandbox
def test_one_program_is_run_and_what_follows_is_the_models_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that fail, texts without one and errors do not go on; each text keeps its place."""
    asked: list[list[tuple[Prompt, Sampling]]] = []
    first = [
        Generated(PROGRAM.format("6 * 7"), "stop", 9, "```output"), Generated("plain", "length", 4),
        Generated(PROGRAM.format("1 / 0"), "stop", 9, "```output"), Generated("", "error", 0, "no room"),
    ]  # fmt: skip
    rest = [Generated("The answer is \\boxed{42}.\n```python\nprint(2)\n```\n```output\n2\n```\n[End]", "stop", 5)]

    def fake_generate(model, prompts, sampling, title, meter):  # type: ignore[no-untyped-def]
        asked.append([(prompt, sampling) for prompt in prompts])
        return (first, rest)[len(asked) - 1]

    monkeypatch.setattr(turns_module, "generate", fake_generate)
    found = write_in_turns(
        Path("m"), [Prompt(f"p{i} ", 10 * i) for i in range(4)], Sampling(50, stop=("#",)), SINGLE, "t"
    )
    assert found[0].text == f"{first[0].text}```output\n42\n```\n{rest[0].text}"
    assert (found[0].num_tokens, found[0].finish_reason, found[0].executions[0].stdout) == (14, "stop", "42\n")
    assert found[0].written == f"{first[0].text}\n{rest[0].text}"
    assert found[1] == Transcript("plain", "plain", "length", "", 4)
    assert (found[2].text, found[2].executions[0].status) == (first[2].text, "error")
    assert (found[3].finish_reason, found[3].stopped_by) == ("error", "no room")
    (again,) = asked[1]
    assert again[0] == Prompt(f"p0 {first[0].text}```output\n42\n```\n", 1)
    assert (asked[0][0][1].stop, again[1].stop) == (("#", "```output"), ("#",))
