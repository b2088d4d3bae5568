"""The heavy stages on a Ray cluster of two nodes on this machine, one of which is killed: the bytes are the local ones."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from stages.core.cluster import actors_for, is_healed, sentence_of
from stages.core.command import StageError
from stages.core.interruption import Interrupted, interruptible, own_handlers
from stages.core.named_tables import write_names
from stages.core.shards import ShardActor, made_shards
from stages.core.table_writer import write_table
from stages.evaluation.sections import EvaluationSettings
from stages.evaluation.tasks import GRADED, EvaluationJob, make_predictions, predictions_in
from stages.problems.student_format import Example, student_prompt
from stages.synthesis import shards as shards_module
from stages.synthesis.sections import WritingPlan
from stages.synthesis.shards import Shards
from stages.training.job import TrainingJob
from stages.training.launch import launch
from stages.training.run import train
from stages.training.sections import TrainingPlan
from stages.value.shards import compute_shards
from tests.telling import Telling
from tests.test_synthesis import text_row
from tests.test_value import bytes_of, inputs, job_of  # noqa: F401
from tests.tiny import benchmark_row

ray = pytest.importorskip("ray", reason="ray is not installed: no test of a cluster")

PLAN = TrainingPlan(
    num_epochs=8, learning_rate=1e-3, optimizer="muon", warmup_ratio=0.1, decay_ratio=0.2, weight_decay=0.0,
    batch_rows=2, max_length=64, seed=1,
)  # fmt: skip
pytestmark = pytest.mark.slow
EXAMPLES = [Example(student_prompt(f"What is {i}+{i + 1}?", "cot"), f"{i}+{i + 1}={2 * i + 1}") for i in range(60)]


class TwoNodes:
    """A head without CPUs, and two nodes of one CPU; where one is killed, another is started."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        self.nodes = [self.cluster.add_node(num_cpus=1) for _ in range(2)]
        self.killed = 0
        self.is_over = threading.Event()

    def node_of(self, title: str) -> object | None:
        """The node on which a Ray worker with this title runs."""
        for node in self.nodes:
            raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
            for worker in raylet.children():
                with contextlib.suppress(psutil.Error):  # it has just ended
                    if title in " ".join(worker.cmdline()):
                        return node
        return None

    def kill_when(self, is_time: Callable[[], bool], title: str) -> threading.Thread:
        """Kill the node on which such a worker runs, once it is time."""

        def wait_and_kill() -> None:
            while not self.is_over.is_set():
                node = self.node_of(title) if is_time() else None
                if node:
                    self.cluster.remove_node(node, allow_graceful=False)
                    self.nodes.remove(node)
                    self.killed += 1
                    return
                self.is_over.wait(0.02)

        self.is_over.clear()
        thread = threading.Thread(target=wait_and_kill)
        thread.start()
        return thread


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[TwoNodes]:
    with own_handlers():
        nodes = TwoNodes()
        yield nodes
        ray.shutdown()
        nodes.cluster.shutdown()


@pytest.fixture
def address(two_nodes: TwoNodes, monkeypatch: pytest.MonkeyPatch) -> TwoNodes:
    monkeypatch.setenv("RAY_ADDRESS", two_nodes.cluster.address)
    monkeypatch.setenv("NINECHAPTERS_CHECKPOINT_SECONDS", "0")
    while len(two_nodes.nodes) < 2:
        two_nodes.nodes.append(two_nodes.cluster.add_node(num_cpus=1))
    two_nodes.cluster.wait_for_nodes()
    return two_nodes


def test_synthesis(tiny_model_folder: Path, tmp_path: Path, address: TwoNodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "SHARD_PROMPTS", 50)
    plan = WritingPlan(num_samples=5, tool_frac=0.0, level_choice="fit", temperature=1.0, top_p=0.9, max_tokens=100)
    local, cluster = (Shards(tmp_path / name, plan, 160) for name in ("local", "cluster"))
    for shards in (local, cluster):
        shards.folder.mkdir()
        shards.spill(text_row(number) for number in range(160))
    killed = address.killed
    thread = address.kill_when(lambda: len(list(cluster.folder.glob("shard-*"))) >= 2, "ShardActor")
    cluster.write(tiny_model_folder, "cluster")
    address.is_over.set()
    thread.join()
    assert address.killed == killed + 1, "a node was killed before the end"
    monkeypatch.delenv("RAY_ADDRESS")
    local.write(tiny_model_folder, "local")
    assert len(local.counts()) == 16
    assert {p.name: p.read_bytes() for p in local.folder.glob("shard-*")} == {
        p.name: p.read_bytes() for p in cluster.folder.glob("shard-*")
    }


def test_value_estimation(inputs: Path, address: TwoNodes, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """The node is killed as soon as its actor is there: these shards take milliseconds."""
    job = job_of(inputs)
    killed = address.killed
    thread = address.kill_when(lambda: True, "ShardActor")
    compute_shards(job, inputs / "cluster", "cluster")
    address.is_over.set()
    thread.join()
    assert address.killed == killed + 1, "a node was killed before the end"
    monkeypatch.delenv("RAY_ADDRESS")
    compute_shards(job, inputs / "local", "local")
    assert bytes_of(inputs / "cluster") == bytes_of(inputs / "local")


def test_evaluation(
    tiny_model_folder: Path, tmp_path: Path, address: TwoNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task is a shard; the cluster's predictions are the local ones."""
    monkeypatch.chdir(tmp_path)
    rows = [benchmark_row(index=i, problem=f"What is {i} + {i}?", answer=str(2 * i)) for i in range(5)]
    write_table("benchmarks", rows, tmp_path / "b.parquet")
    write_names([], tmp_path / "leaks")
    settings = EvaluationSettings(
        benchmark=(),
        max_tokens=12,
        max_problems=0,
        num_samples=2,
        temperature=1.0,
        top_p=1.0,
        majority_samples=0,
        majority_temperature=0.7,
        reference_loss=False,
        shots=(),
    )
    job = EvaluationJob(tiny_model_folder, {"b": Path("b.parquet")}, settings, Path("targets"), Path("leaks"), 4)
    make_predictions(job, tmp_path / "cluster")
    monkeypatch.delenv("RAY_ADDRESS")
    make_predictions(job, tmp_path / "local")
    cluster = list(predictions_in(job, tmp_path / "cluster", GRADED))
    assert list(predictions_in(job, tmp_path / "local", GRADED)) == cluster
    assert [len(shard) for shard in cluster] == [4, 4, 2] * 2


def test_training(tiny_model_folder: Path, tmp_path: Path, address: TwoNodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    work = tmp_path / ".work"
    killed = address.killed
    thread = address.kill_when(lambda: bool(list(work.glob("cluster-*/checkpoint-*/whole"))), "RayTrainWorker")
    train("cluster", [tiny_model_folder], EXAMPLES, PLAN, tmp_path / "cluster", tmp_path / "cluster-curve")
    address.is_over.set()
    thread.join()
    assert address.killed == killed + 1, "a node was killed before the end"
    monkeypatch.delenv("RAY_ADDRESS")
    train("local", [tiny_model_folder], EXAMPLES, PLAN, tmp_path / "local", tmp_path / "local-curve")
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (tmp_path / "cluster" / name).read_bytes() == (tmp_path / "local" / name).read_bytes(), name


def test_an_interrupted_training(
    tiny_model_folder: Path, tmp_path: Path, address: TwoNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray Train would take Ctrl-C for itself and leave its handler behind."""
    monkeypatch.chdir(tmp_path)
    plan = replace(PLAN, num_epochs=500)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    is_over = threading.Event()

    def interrupt() -> None:
        while not is_over.wait(0.02):
            if list(tmp_path.glob(".work/cluster-*/checkpoint-*/whole")):
                os.kill(os.getpid(), signal.SIGINT)
                return

    thread = threading.Thread(target=interrupt)
    thread.start()
    with (
        pytest.raises(Interrupted, match=r"cluster: interrupted; the checkpoint at step \d+ is kept"),
        interruptible("x"),
    ):
        train("cluster", [tiny_model_folder], EXAMPLES, plan, tmp_path / "cluster", tmp_path / "cluster-curve")
    is_over.set()
    thread.join()
    assert not (tmp_path / "cluster").exists()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_workers_have_the_drivers_variables_and_an_error_ends_the_stage(
    tmp_path: Path, address: TwoNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own words, at once."""
    ray.shutdown()
    monkeypatch.setenv("NINECHAPTERS_TOLD", "yes")
    assert dict(made_shards(Telling(tmp_path / "notes"), range(3))) == dict.fromkeys(range(3), b"yes")
    with pytest.raises(
        StageError, match=r"^a worker of the Ray cluster failed: ValueError: temperature must be positive$"
    ):
        list(made_shards(Telling(tmp_path / "notes", "a shard"), range(4)))
    assert (tmp_path / "notes").read_text() == "asked\n"
    with pytest.raises(StageError, match=r"^models/x is no model folder\. Run `dvc repro` to make it\.$"):
        list(made_shards(Telling(tmp_path / "notes", "to load"), range(4)))


def test_a_training_that_cannot_be_is_not_tried_again(
    tmp_path: Path, address: TwoNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    job = TrainingJob("t", tmp_path / "absent", tmp_path / "out", tmp_path / "curve", tmp_path / "work", PLAN)
    with pytest.raises(StageError, match="FileNotFoundError") as caught:
        launch(job)
    assert "Traceback" not in caught.value.message
    assert [path.name for path in (tmp_path / "work/ray").iterdir() if path.name.startswith("run-")] == ["run-0"]


class Nodes:
    """What actors_for asks of Ray."""

    def __init__(self, *resources: dict[str, float]) -> None:
        self.resources = resources

    def nodes(self) -> list[dict]:
        return [{"Alive": True, "Resources": r} for r in self.resources] + [{"Alive": False, "Resources": {"GPU": 99}}]


@pytest.mark.parametrize(
    ("nodes", "cpus", "gpus", "expected"),
    [
        (Nodes({"CPU": 8}, {"CPU": 4}), 2, 1, (6, {"num_cpus": 2})),
        (Nodes({"CPU": 1}, {"CPU": 1}, {"object_store": 1}), 2, 1, (2, {"num_cpus": 1})),
        (Nodes({"CPU": 8, "GPU": 8}, {"CPU": 8, "GPU": 8}), 1, 1, (16, {"num_gpus": 1})),
        (Nodes({"CPU": 8, "GPU": 3}, {"CPU": 8, "GPU": 8}), 1, 2, (5, {"num_gpus": 2})),
    ],
)
def test_actors_fit_the_nodes(nodes: Nodes, cpus: int, gpus: int, expected: tuple[int, dict]) -> None:
    assert actors_for(nodes, 100, cpus, gpus) == expected
    assert actors_for(nodes, 1, cpus, gpus)[0] == 1


def test_a_cluster_without_anything_is_an_error() -> None:
    with pytest.raises(StageError, match="no GPUs and no CPUs"):
        actors_for(Nodes({"object_store": 1}), 1, 1)


@pytest.mark.parametrize(
    ("error", "heals"),
    [
        (StageError("no"), False), (ValueError("no"), False), (FileNotFoundError(2, "no"), False), (RuntimeError("CUDA out of memory"), False),
        (RuntimeError("[gloo/transport/tcp/pair.cc] Connection closed by peer"), True), (ConnectionResetError(), True),
        (RuntimeError("NCCL communicator was aborted on rank 1"), True), (RuntimeError("CUDA error: uncorrectable ECC"), True),
    ],
)  # fmt: skip
def test_errors_that_another_worker_heals(error: Exception, heals: bool) -> None:
    assert is_healed(error) == heals


def test_an_actor_gives_errors_back_as_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NINECHAPTERS_WORKERS", "1")
    monkeypatch.setenv("NINECHAPTERS_TOLD", "yes")
    assert ShardActor(Telling(tmp_path / "notes"), str(tmp_path))({"number": [1]})["content"] == [b"yes"]
    refused = ShardActor(Telling(tmp_path / "notes", "to load"), str(tmp_path))({"number": [1, 2]})
    assert refused["error"] == ["models/x is no model folder. Run `dvc repro` to make it."] * 2
    assert sentence_of(FileNotFoundError(2, "No such file", "a")).startswith(
        "a worker of the Ray cluster failed: FileNotFoundError: No such file at a. Run the stage"
    )
