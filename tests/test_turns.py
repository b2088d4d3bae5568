"""Text and programs in turns, as a synthesizer writes: one program, whose real output is written in; evaluation's turns: test_evaluation."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.core.shards import Steps, finished, made_in_steps
from stages.evaluation.solving import TOOL_TURNS
from stages.execution import executions
from stages.execution.sandbox import Execution, Sandbox
from stages.generation import turns as turns_module
from stages.generation.interface import Generated, Prompt, Sampling
from stages.generation.turns import SINGLE, Transcript, Turns, turns_of, write_in_turns
from tests.tiny import without_waiting

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

    monkeypatch.setattr(turns_module, "outputs_of", without_waiting(fake_generate))
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


class FakeEngine:
    """Writes a program in each turn until the last, and tells what happens in which order."""

    def __init__(self, num_turns: int) -> None:
        self.num_turns, self.events = num_turns, list[str]()
        self.has_run: dict[str, threading.Event] = {}  # by shard: one of its programs has ended

    def generate(self, model, prompts, sampling, title, meter) -> list[Generated]:  # type: ignore[no-untyped-def]
        turn = prompts[0].text.count("```output")
        self.before(title, turn)
        self.events.append(f"writes {title[:1]}{turn}")
        text = "```python\nprint('{}', {})\n```\n" if turn < self.num_turns else "The end of {}, {}."
        return [Generated(text.format(prompt.text[:1], prompt.seed), "stop", 1) for prompt in prompts]

    def before(self, title: str, turn: int) -> None:
        """What a test makes a call wait for."""

    def run(self, sandbox: Sandbox, program: str, salt: int = 0, is_last: bool = False) -> Execution:
        shard = program[len("print('")]
        self.has_run[shard].set()
        return Execution("ok", f"{shard} printed\n", "")

    def begin(self, shards: str, turns: Turns) -> Callable[[int], Steps[bytes]]:
        self.has_run = {shard: threading.Event() for shard in shards}

        def steps(number: int) -> Steps[bytes]:
            prompts = [Prompt(shards[number], seed) for seed in range(3)]
            transcripts = yield from turns_of(Path("m"), prompts, Sampling(9), turns, shards[number])
            return "".join(one.text for one in transcripts).encode()

        return steps


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    fake = FakeEngine(num_turns=1)
    monkeypatch.setattr(turns_module, "outputs_of", without_waiting(fake.generate))
    monkeypatch.setattr(executions, "CACHE", tmp_path / "executions")
    monkeypatch.setattr(Sandbox, "run", lambda *given, **named: fake.run(*given, **named))
    return fake


def test_a_shards_programs_run_while_the_next_shard_is_written(engine: FakeEngine) -> None:
    """The engine does not end the second shard's first turn before a program of the first has ended, and so on."""
    wait_for = {"B": "A", "C": "B", "D": "C"}

    def before(title: str, turn: int) -> None:
        if title in wait_for and turn == 0:
            assert engine.has_run[wait_for[title]].wait(20), f"no program of {wait_for[title]} runs"

    engine.before = before  # type: ignore[method-assign]
    made = dict(made_in_steps(engine.begin("ABCD", SINGLE), range(4)))
    assert engine.events == [f"writes {event}" for event in "A0 B0 A1 C0 B1 D0 C1 D1".split()]
    engine.before = lambda title, turn: None  # type: ignore[method-assign]
    assert made == {number: finished(engine.begin("ABCD", SINGLE)(number)) for number in range(4)}
    assert made[1].count(b"B printed") == made[1].count(b"The end of B") == 3


def test_a_program_that_two_ask_for_at_once_runs_once(engine: FakeEngine) -> None:
    release, ran = threading.Event(), []

    def run(sandbox: Sandbox, program: str, salt: int = 0, is_last: bool = False) -> Execution:
        ran.append(program)
        release.wait(20)
        return Execution("ok", program, "")

    engine.run = run  # type: ignore[method-assign]
    started = [executions.start_programs(programs, "test") for programs in (["a", "b"], ["b", "c"])]
    release.set()
    found = [one.results() for one in started]
    assert [list(one) for one in found] == [["a", "b"], ["b", "c"]]
    assert executions.run_programs(["b"])["b"].stdout == "b"
    assert sorted(ran) == ["a", "b", "c"]


def test_tasks_of_a_tool_loop_take_turns(engine: FakeEngine) -> None:
    """Four programs at most; a task without programs is done in between, and each comes as it is done."""
    engine.num_turns = 3
    begin = engine.begin("ABC", TOOL_TURNS)

    def plain(number: int) -> Steps[bytes]:
        engine.events.append("solves B")
        return b"plain"
        yield

    made = list(made_in_steps(lambda number: plain(number) if number == 1 else begin(number), range(3)))
    assert [number for number, _ in made] == [1, 0, 2]
    assert engine.events == [
        "writes A0", "solves B", "writes C0", "writes A1", "writes C1", "writes A2", "writes C2", "writes A3", "writes C3",
    ]  # fmt: skip


def test_an_engine_that_fails_ends_the_programs_that_run(engine: FakeEngine) -> None:
    """Those of another shard as well: nobody will ask for them."""
    release, ran = threading.Event(), []

    def run(sandbox: Sandbox, program: str, salt: int = 0, is_last: bool = False) -> Execution:
        ran.append(program)
        release.wait(20)
        return Execution("killed", "", "", is_final=False)

    def before(title: str, turn: int) -> None:
        if title == "B":
            raise KeyboardInterrupt

    engine.run, engine.before = run, before  # type: ignore[method-assign]
    executions.close_sandboxes()
    closed = executions.Workers.close
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executions.Workers, "close", lambda self: (release.set(), closed(self)))
        with pytest.raises(KeyboardInterrupt):
            list(made_in_steps(engine.begin("AB", SINGLE), range(2)))
    assert len(ran) <= 3
    assert not executions._workers
