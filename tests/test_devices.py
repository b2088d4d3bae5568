"""One owner a GPU: fake devices that lock, workers that die, few shards and many, and names that the user gave."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from stages.core import devices
from stages.core.command import StageError
from stages.core.devices import gpu_names, gpu_sets
from stages.core.shards import finished, made_in_steps, made_shards, shards_going
from stages.evaluation.solving import solve
from stages.generation import bad_prompts
from stages.generation import engine as engine_module
from stages.generation import owner_process as process_module
from stages.generation import owners as owners_module
from stages.generation.engine import batch_size, generate, outputs_of, places_of, shards_at_once
from stages.generation.interface import Generated, Prompt, Sampling
from stages.generation.owners import end_owners
from stages.generation.workers import run_jobs, start_jobs
from tests.locking import NO_GPU, DyingEngine, GpuShards, LockingEngine, OtherEngine, RefusedEngine, noted

SAMPLING = Sampling(5)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Four GPUs for vLLM, which is a fake; workers are forked, as nothing has touched a driver here."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(process_module, "start_method", lambda place: "fork")
    monkeypatch.setitem(engine_module.ENGINES, "vllm", LockingEngine)
    monkeypatch.setenv("NINECHAPTERS_ENGINE", "vllm")
    monkeypatch.setenv("NINECHAPTERS_TENSOR_PARALLEL", "1")
    monkeypatch.delenv(devices.NVIDIA, raising=False)
    yield monkeypatch
    end_owners()


def prompts_of(count: int, first: int = 0) -> list[Prompt]:
    return [Prompt(f"p{number}", number) for number in range(first, first + count)]


def expected(prompts: list[Prompt]) -> list[str]:
    return [f"{prompt.text.upper()} {prompt.seed}" for prompt in prompts]


def texts(outputs: list[Generated]) -> list[str]:
    return [output.text for output in outputs]


@pytest.mark.slow
def test_a_spawned_worker_owns_each_gpu_and_the_parent_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One job, then several: what went wrong when the one was done here, and the next ones by workers."""
    monkeypatch.delenv(devices.NVIDIA, raising=False)
    try:
        for make, num_jobs in ((LockingEngine, 1), (LockingEngine, 4)):
            jobs = [prompts_of(3, 3 * number) for number in range(num_jobs)]
            found = dict(run_jobs(make, tmp_path, jobs, SAMPLING, ["0", "1"]))
            assert [texts(found[number]) for number in range(num_jobs)] == [expected(job) for job in jobs]
    finally:
        end_owners()
    assert sorted(noted(tmp_path, "loaded")) == ["0", "1"]
    LockingEngine(tmp_path)  # of this process, which had none before; and of the workers' locks none is held
    assert noted(tmp_path, "loaded")[-1] == NO_GPU


def test_another_engine_waits_until_the_gpus_are_free(gpus: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for make in (LockingEngine, OtherEngine, LockingEngine):
        assert len(dict(run_jobs(make, tmp_path, [prompts_of(3)] * 4, SAMPLING, ["0", "1"]))) == 4
    assert sorted(noted(tmp_path, "loaded")) == ["0"] * 3 + ["1"] * 3


def test_a_call_of_one_job_holds_nothing_here(gpus: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for count in (5, 70, 5):
        assert texts(generate(tmp_path, prompts_of(count), SAMPLING)) == expected(prompts_of(count))
    assert NO_GPU not in noted(tmp_path, "loaded")
    assert len(noted(tmp_path, "loaded")) == len(set(noted(tmp_path, "loaded"))) == 4


@pytest.mark.parametrize("num_shards", [1, 3, 8, 21])
def test_all_gpus_write_whatever_the_number_of_shards(
    num_shards: int, gpus: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Shards of 40 prompts, the last of 7; with one shard each GPU has a part of it, with many a shard each."""
    gpus.setattr(engine_module, "VLLM_BATCH", 40)
    gpus.setattr(engine_module, "LEAST_BATCH", 4)
    sizes = [40] * (num_shards - 1) + [7]

    def steps(number: int):  # type: ignore[no-untyped-def]
        outputs = yield from outputs_of(tmp_path, prompts_of(sizes[number], 100 * number), SAMPLING)
        return repr(texts(outputs)).encode()

    at_once = shards_at_once(tmp_path, 40)
    assert at_once == 8
    made = dict(made_in_steps(steps, range(num_shards), at_once))
    assert made == {n: repr(expected(prompts_of(sizes[n], 100 * n))).encode() for n in range(num_shards)}
    ran = [line.split() for line in noted(tmp_path, "ran")]
    assert {place for place, _ in ran} == {"0", "1", "2", "3"} if num_shards > 1 else {"0", "1"}
    assert sum(int(count) for _, count in ran) == sum(sizes)
    if num_shards == 21:
        assert [int(count) for _, count in ran].count(40) >= 12, "as long as there are many shards, a job is a shard"


def test_shards_in_turns_know_their_number() -> None:
    seen: list[int] = []

    def steps(number: int):  # type: ignore[no-untyped-def]
        seen.append(shards_going())
        yield
        seen.append(shards_going())
        return b""

    assert len(list(made_in_steps(steps, range(5), 3))) == 5
    assert seen[0] == 3
    assert seen[-1] == 1
    assert shards_going() == 1


def test_outputs_do_not_depend_on_the_number_of_gpus(gpus: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = []
    for count in (1, 2, 4):
        gpus.setattr(torch.cuda, "device_count", lambda count=count: count)
        (tmp_path / f"{count}").mkdir()
        found.append(generate(tmp_path / f"{count}", prompts_of(130), SAMPLING))
        end_owners()
    assert found[0] == found[1] == found[2]


def test_every_stage_that_writes_goes_the_same_way(gpus: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An evaluation's two modes, one after the other, in one process."""
    for mode in ("cot", "tool"):
        assert len(finished(solve(tmp_path, prompts_of(6), mode, SAMPLING))) == 6
    assert NO_GPU not in noted(tmp_path, "loaded")


def test_a_worker_that_dies_gives_its_gpu_back_and_loses_one_prompt(gpus: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jobs = [prompts_of(6, 10 * number) for number in range(6)]
    jobs[2][3], jobs[4][0] = Prompt("die"), Prompt("once")
    found = dict(run_jobs(LockingEngine, tmp_path, jobs, SAMPLING, ["0", "1"]))
    outputs = [output for number in range(6) for output in found[number]]
    assert [output.stopped_by for output in outputs if output.finish_reason == "error"] == [
        "the worker process ended (status 9)"
    ]
    assert outputs[15].finish_reason == "error"
    assert outputs[24].text == "ONCE 0", "what died by chance is run again"


@pytest.mark.parametrize("sizes", [[1], [5], [3] * 4])
def test_workers_that_died_idle_are_replaced(sizes: list[int], gpus: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All of them between two calls, and more often than deaths are allowed: no prompt is blamed."""
    gpus.setattr(owners_module, "MAX_DEATHS", 1)
    for _ in range(3):
        jobs = [prompts_of(size, 10 * number) for number, size in enumerate(sizes)]
        found = dict(run_jobs(LockingEngine, tmp_path, jobs, SAMPLING, ["0", "1"]))
        assert [texts(found[number]) for number in range(len(jobs))] == [expected(job) for job in jobs]
        for owner in owners_module._owners[os.getpid()].owners:
            if owner.process:
                owner.process.kill()


def test_workers_that_only_die_end_the_stage(gpus: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gpus.setattr(owners_module, "MAX_DEATHS", 4)
    with pytest.raises(StageError, match=r"worker processes died 5 times .*status 9.*run this again"):
        dict(run_jobs(DyingEngine, tmp_path, [prompts_of(64)], SAMPLING, ["0", "1"]))
    gpus.setattr(bad_prompts, "MAX_BAD", 2)
    jobs = [[Prompt(f"die {number}")] for number in range(3)]
    mixed = [job for pair in zip(jobs, [prompts_of(1)] * len(jobs), strict=True) for job in pair]
    with pytest.raises(StageError, match="more than 2 single prompts"):
        dict(run_jobs(LockingEngine, tmp_path, mixed, SAMPLING, ["0", "1"]))


def test_an_engine_that_refuses_ends_the_stage_and_frees_the_gpus(gpus: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="is no model of mine"):
        dict(run_jobs(RefusedEngine, tmp_path, [prompts_of(3)] * 5, SAMPLING, ["0", "1"]))
    assert len(dict(run_jobs(LockingEngine, tmp_path, [prompts_of(3)] * 5, SAMPLING, ["0", "1"]))) == 5


def test_an_interrupt_ends_the_workers(gpus: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started = start_jobs(LockingEngine, tmp_path, [prompts_of(3)] * 50, SAMPLING, ["0", "1"])

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dict(started.outputs(interrupt))
    gpus.setenv(devices.NVIDIA, "0,1")
    LockingEngine(tmp_path)


def test_copies_of_two_gpus_share_none(gpus: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gpus.setenv("NINECHAPTERS_TENSOR_PARALLEL", "2")
    gpus.setenv(devices.NVIDIA, "GPU-a, GPU-b,GPU-c,GPU-d,-1,GPU-e")
    assert places_of("vllm", tmp_path) == ["GPU-a,GPU-b", "GPU-c,GPU-d"]
    generate(tmp_path, prompts_of(100), SAMPLING)
    assert sorted(noted(tmp_path, "loaded")) == ["GPU-a,GPU-b", "GPU-c,GPU-d"]


@pytest.mark.parametrize(
    ("told", "count", "names"),
    [
        (None, 3, ["0", "1", "2"]), ("2,3", 2, ["2", "3"]), ("5", 1, ["5"]), ("", 0, []), ("-1,0", 0, []),
        ("GPU-8f2a,GPU-91c0", 2, ["GPU-8f2a", "GPU-91c0"]), ("0,-1,1", 1, ["0"]), ("0,7", 1, ["0"]),
        ("MIG-4d,MIG-7e,MIG-GPU-1/2/0", 1, ["MIG-4d", "MIG-7e", "MIG-GPU-1/2/0"]),
    ],
)  # fmt: skip
def test_the_users_gpus_keep_their_names(
    told: str | None, count: int, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.delenv(devices.NVIDIA, raising=False)
    if told is not None:
        monkeypatch.setenv(devices.NVIDIA, told)
    assert gpu_names() == names
    assert gpu_sets() == names


def test_sets_that_cannot_be_are_refused(gpus: pytest.MonkeyPatch) -> None:
    assert gpu_sets(3) == ["0,1,2"], "the fourth fills no set"
    with pytest.raises(StageError, match=r"needs 8 GPUs; this process may use 4 \(0,1,2,3\)"):
        gpu_sets(8)
    gpus.setenv(devices.NVIDIA, "MIG-1,MIG-2")
    with pytest.raises(StageError, match="names parts of GPUs"):
        gpu_sets(2)


def test_an_amd_gpu_is_named_by_its_own_variable(gpus: pytest.MonkeyPatch) -> None:
    gpus.setattr(torch.version, "hip", "7.1")
    gpus.setenv(devices.AMD, "1,2")
    assert gpu_names() == ["1", "2"]


@pytest.mark.slow
def test_shards_of_values_have_one_owner_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(devices.NVIDIA, raising=False)
    for _ in range(2):  # the targets' directions and the candidates, one after the other
        made = dict(made_shards(GpuShards(tmp_path), range(6), ["0", "GPU-b"]))
        assert set(made.values()) <= {b"0", b"GPU-b"}
    assert NO_GPU not in noted(tmp_path, "loaded")


@pytest.mark.parametrize(("share", "size"), [(10_000, 2048), (2048, 2048), (683, 683), (3, engine_module.LEAST_BATCH)])
def test_a_job_is_a_place_s_share(share: int, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert batch_size("vllm", tmp_path, share) == size
    assert batch_size("server", tmp_path, share) == 2048
