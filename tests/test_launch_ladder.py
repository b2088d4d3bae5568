"""The ladder of launches: one process, two copies of the model, two shards of it, two nodes, tasks of srun, workers of Ray learn the same.

Each rung starts the same tiny training (13 steps of three rows, which two processes share unevenly) as a user would, says what it is, and
is compared with one process alone. Tolerance: the first step's loss and gradient 1e-4 relative, all later ones and the last 2e-3. Sums are
added in another order, in bfloat16 where the machine has it, and AdamW makes whole steps of gradients that are nothing but such digits.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.core.interruption import own_handlers
from stages.training.meeting import Meeting
from stages.training.place import Place
from tests.conftest import ROOT
from tests.forked import Forked, ForkServer
from tests.look import curve, seen_in

pytestmark = pytest.mark.slow
FIRST, ALL = 1e-4, 2e-3  # relative
TRAIN = """
import os
import sys
from pathlib import Path
from tests import look
if "RAY_ADDRESS" not in os.environ:
    sys.executable = sys.argv[2]  # the processes that it starts are forked, too
look.train_here(Path(sys.argv[1]))
"""
LOOPBACK = {"MASTER_ADDR": "127.0.0.1"}
SLURM_NODES = [
    {
        "SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "2", "SLURM_PROCID": node, "SLURM_LOCALID": "0",
        "SLURM_NODEID": node, "SLURM_JOB_NODELIST": "node[01-02]", "SLURM_NNODES": "2", **LOOPBACK,
    }
    for node in "01"
]  # fmt: skip
ON_ONE_NODE = {"SLURM_NODEID": "0", "SLURM_JOB_NODELIST": "node07", "SLURM_NNODES": "1", "SLURM_TASKS_PER_NODE": "2"}
# Each launch of a rung, as the variables that it starts with; what is started last is the first one.
RUNGS: dict[str, list[dict[str, str]]] = {
    "2 copies": [{"NINECHAPTERS_PROCESSES": "2"}],
    "2 shards": [{"NINECHAPTERS_PROCESSES": "2", "NINECHAPTERS_FSDP": "1", "NINECHAPTERS_CHECKPOINT_SECONDS": "0"}],
    "2 nodes by rendezvous": [
        {"RANK": rank, "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", **LOOPBACK} for rank in "01"
    ],
    "2 sharded nodes by rendezvous": [
        {"RANK": rank, "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "NINECHAPTERS_FSDP": "1", **LOOPBACK} for rank in "01"
    ],
    "srun, one task a node": SLURM_NODES,
    "srun, one task a GPU": [{**task, **ON_ONE_NODE, "SLURM_LOCALID": str(i)} for i, task in enumerate(SLURM_NODES)],
    "2 sharded workers of Ray": [{"NINECHAPTERS_PROCESSES": "2", "NINECHAPTERS_FSDP": "1"}],
}  # fmt: skip


def learnt(folder: Path, base: Path, launches: list[dict[str, str]], python: Path) -> dict[str, list[float]]:
    """Train in that folder by these launches together; the points of each curve."""
    folder.mkdir()
    told = {**os.environ, "PYTHONPATH": str(ROOT), "MASTER_PORT": str(Meeting(Place()).store.port)}
    stages = [
        Forked(["-c", TRAIN, str(base), str(python)], folder, {**told, **variables}) for variables in launches[::-1]
    ]
    assert [stage.wait(300) for stage in stages] == [0] * len(launches)
    assert not list((folder / ".work").glob("shared-*")), "the first one cleans up"
    return {name: curve(folder / "curve", name) for name in ("loss", "gradient_norm", "learning_rate")}


@pytest.fixture(scope="module")
def alone(fork_server: ForkServer, tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process learns."""
    return learnt(tmp_path_factory.mktemp("ladder") / "alone", tiny_model_folder, [{}], fork_server.bin / "python")


@pytest.fixture(scope="module")
def ray_address() -> Iterator[str]:
    """A cluster of two nodes of one CPU."""
    pytest.importorskip("ray", reason="ray is not installed: its rungs of the ladder are not climbed")
    from ray.cluster_utils import Cluster

    with own_handlers():
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        for _ in range(2):
            cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        yield cluster.address
        cluster.shutdown()


@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_ends_with_the_same_losses(
    rung: str,
    alone: dict[str, list[float]],
    tiny_model_folder: Path,
    tmp_path: Path,
    fork_server: ForkServer,
    request: pytest.FixtureRequest,
) -> None:
    cluster = {"RAY_ADDRESS": request.getfixturevalue("ray_address")} if "Ray" in rung else {}
    launches = [{**variables, **cluster} for variables in RUNGS[rung]]
    found = learnt(tmp_path / "here", tiny_model_folder, launches, fork_server.bin / "python")
    assert len(found["loss"]) > 4
    for name, expected in alone.items():
        assert found[name][0] == pytest.approx(expected[0], rel=FIRST), name
        assert found[name] == pytest.approx(expected, rel=ALL), name
    kind = (3, ["DTensor"]) if "shard" in rung else (0, ["Parameter"])  # two layers, and the rest
    looks = seen_in(tmp_path / "here")
    assert [(one["processes"], one["fsdp_modules"], one["parameters"]) for one in looks] == [(2, *kind)] * 2
