"""Training on several nodes: what Slurm's and torchrun's variables say, and two "nodes" on this machine that learn what one does."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from stages.core.command import StageError
from stages.core.slurm import Task, counts_of, hosts_of, nodes_here, task_here
from stages.training import launch as launch_module
from stages.training import meeting as meeting_module
from stages.training.launch import JOB
from stages.training.meeting import Meeting, wait_for_file
from stages.training.place import Place, place_here
from stages.training.run import train
from tests.conftest import ROOT
from tests.forked import Forked, ForkServer
from tests.look import EXAMPLES, PLAN, curve
from tests.test_launch import one  # noqa: F401
from tests.test_launch_ladder import SLURM_NODES, TRAIN

NAMES = (
    "SLURM_",
    "NINECHAPTERS_NODES",
    "NINECHAPTERS_PROCESSES",
    "TORCHELASTIC_",
    "MASTER_",
    "LOCAL_",
    "RANK",
    "WORLD_SIZE",
    "ENVIRONMENT",
)
STEP = {
    "SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NODEID": "1",
    "SLURM_JOB_NODELIST": "node[01-02]", "SLURM_NNODES": "2", "SLURM_TASKS_PER_NODE": "2(x2)",
}  # fmt: skip
BATCH = {
    "SLURM_JOB_ID": "4711", "SLURM_NTASKS": "2", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "ENVIRONMENT": "BATCH",
    "SLURM_JOB_NODELIST": "node[01-02]", "SLURM_NNODES": "2", "SLURM_TASKS_PER_NODE": "1(x2)",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(NAMES):
            monkeypatch.delenv(name)


def given(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], **changes: str | None) -> None:
    for name, value in {**variables, **changes}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("told", "hosts"),
    [
        ("node[01-03,07],gpu-a1", ["node01", "node02", "node03", "node07", "gpu-a1"]),
        ("gpu-a1", ["gpu-a1"]), ("a,b", ["a", "b"]), ("a,  x", ["a", "x"]), (" n[1-2, 4] ,m", ["n1", "n2", "n4", "m"]), ("n[9-11]", ["n9", "n10", "n11"]), ("n[1,3]-ib", ["n1-ib", "n3-ib"]),
        ("r[1-2]n[08-09]", ["r1n08", "r1n09", "r2n08", "r2n09"]), ("n[099-101],m[5]", ["n099", "n100", "n101", "m5"]),
        ("n1.site.org,n[2-3].site.org", ["n1.site.org", "n2.site.org", "n3.site.org"]),
    ],
)  # fmt: skip
def test_node_lists(told: str, hosts: list[str]) -> None:
    assert hosts_of(told) == hosts


@pytest.mark.parametrize(
    "told", ["", "n[1-", "n[3-1]", "n[a-b]", "n[]", ",", "n1]", "n]1[", "n[1[2]]", "a,,b", "a b", "n[1]]["]
)
def test_what_is_no_node_list_is_told(told: str) -> None:
    with pytest.raises(StageError, match="list of nodes"):
        hosts_of(told)


def test_tasks_on_each_node() -> None:
    assert counts_of("8(x2),4") == [8, 8, 4]
    assert counts_of("1") == [1]
    with pytest.raises(StageError, match="tasks on each node"):
        counts_of("8(x")


def test_a_task_of_srun(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, STEP)
    assert task_here() == Task(3, 4, 1, 2, ["node01", "node02"], 4711)
    given(monkeypatch, {}, SLURM_STEP_ID=None, SLURM_TASKS_PER_NODE=None)
    assert task_here() == Task(3, 4, 1, 2, ["node01", "node02"], 4711), "as far as the variables tell"
    given(monkeypatch, {}, SLURM_PROCID="three")
    with pytest.raises(StageError, match="SLURM_PROCID is 'three'"):
        task_here()
    given(monkeypatch, {}, SLURM_PROCID="3", SLURM_LOCALID=None)
    with pytest.raises(StageError, match="SLURM_LOCALID is not set"):
        task_here()
    given(monkeypatch, {}, SLURM_LOCALID="1", SLURM_JOB_NODELIST=None)
    with pytest.raises(StageError, match="names the nodes"):
        task_here()


def test_a_batch_script_is_no_task_and_may_use_all_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (task_here(), nodes_here()) == (None, 1)
    given(monkeypatch, BATCH)
    assert (task_here(), nodes_here()) == (None, 2)
    given(monkeypatch, {}, NINECHAPTERS_NODES="1")
    assert nodes_here() == 1
    given(monkeypatch, {}, NINECHAPTERS_NODES="3")
    with pytest.raises(StageError, match=r"NINECHAPTERS_NODES is 3, and the Slurm allocation .* has 2 nodes"):
        nodes_here()


def test_an_interactive_shell_and_a_single_task(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = {"SLURM_STEP_ID": "4294967290", "SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "2"}
    given(monkeypatch, BATCH, **shell)
    assert (task_here(), nodes_here()) == (None, 2)
    given(monkeypatch, STEP, SLURM_STEP_NUM_TASKS="1", SLURM_PROCID="0")
    assert (task_here(), nodes_here()) == (None, 1), "srun with one task is not joined by others"


def test_places_of_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    """One launch for each GPU, and one for each node with two processes."""
    given(monkeypatch, STEP)
    place = place_here()
    assert (place.rank, place.size, place.has_one_gpu, place.address) == (3, 4, True, "node01")
    wanted = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "node01"}
    assert place.variables(0) == wanted
    tasks = {"SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_LOCALID": "0", "SLURM_TASKS_PER_NODE": "1(x2)"}
    given(monkeypatch, tasks, NINECHAPTERS_PROCESSES="2", MASTER_ADDR="10.0.0.7", MASTER_PORT="29500")
    place = place_here()
    assert (place.has_one_gpu, place.num_processes, place.address, place.port) == (False, 2, "10.0.0.7", 29500)
    assert [place.variables(i)["RANK"] for i in range(2)] == ["2", "3"]
    assert [place.variables(i)["LOCAL_RANK"] for i in range(2)] == ["0", "1"]
    assert place.variables(0)["WORLD_SIZE"] == "4"


@pytest.mark.parametrize(("rank", "local", "node"), [("0", "0", "0"), ("1", "1", "0"), ("2", "0", "1")])
def test_a_task_alone_on_its_node_is_one_process_where_others_are_two(
    rank: str, local: str, node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2 tasks on one node, 1 on the other: it started all its GPUs, and no setting was right for both."""
    tasks = {"SLURM_PROCID": rank, "SLURM_LOCALID": local, "SLURM_NODEID": node, "SLURM_NTASKS": "3"}
    given(monkeypatch, STEP, **tasks, SLURM_STEP_TASKS_PER_NODE="2,1")
    for processes in (None, "1"):
        given(monkeypatch, {}, NINECHAPTERS_PROCESSES=processes)
        place = place_here()
        assert (place.has_one_gpu, place.num_processes, place.size) == (True, 1, 3)
        assert [place.variables(0)[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")] == [rank, "3", local]


def test_a_process_alone_on_its_node_under_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "RANK": "2",
        "WORLD_SIZE": "3",
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "MASTER_ADDR": "h",
        "MASTER_PORT": "29500",
    }
    given(monkeypatch, variables, GROUP_WORLD_SIZE="2")
    assert place_here().has_one_gpu, "of three on two nodes"
    given(monkeypatch, {}, GROUP_WORLD_SIZE="3")
    assert not place_here().has_one_gpu, "one on each node, which starts its GPUs"


def test_trainings_at_once_in_a_job_meet_at_places_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, STEP)
    ports = {place_here("pretrain a").port, place_here("pretrain b").port}
    given(monkeypatch, {}, SLURM_STEP_ID="1")
    ports |= {place_here("pretrain a").port}
    given(monkeypatch, {}, SLURM_JOB_ID="4712")
    ports |= {place_here("pretrain a").port}
    assert len(ports) == 4
    given(monkeypatch, {}, SLURM_PROCID="2", SLURM_LOCALID="0")
    assert place_here("pretrain a").port in ports, "which all of its processes know"
    given(monkeypatch, {}, MASTER_PORT="29500")
    assert place_here("pretrain a").port == 29500


@pytest.mark.parametrize(
    ("told", "words"),
    [("auto", "MASTER_PORT is 'auto', not a whole number"), ("70000", "MASTER_PORT is 70000"), ("0", "MASTER_PORT is 0")],
)  # fmt: skip
@pytest.mark.parametrize("starter", ["srun", "torchrun"])
def test_what_is_no_port_is_told(starter: str, told: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torchrun = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "h"}
    given(monkeypatch, STEP if starter == "srun" else torchrun, MASTER_PORT=told)
    with pytest.raises(StageError, match=words):
        place_here()


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"])
def test_what_is_no_number_of_torchrun_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "h", "MASTER_PORT": "29500"}
    given(monkeypatch, variables, **{name: "two"})
    with pytest.raises(StageError, match=f"^{name} is 'two', not a whole number"):
        place_here()


def test_what_is_no_number_of_processes_is_told(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given(monkeypatch, {}, NINECHAPTERS_PROCESSES="eight")
    with pytest.raises(StageError, match="NINECHAPTERS_PROCESSES is 'eight', not a whole number"):
        train("many", [tiny_model_folder], EXAMPLES, PLAN, tmp_path / "many", tmp_path / "many-curve")
    given(monkeypatch, STEP, SLURM_NTASKS="2", SLURM_TASKS_PER_NODE="1(x2)")
    with pytest.raises(StageError, match="NINECHAPTERS_PROCESSES is 'eight', not a whole number"):
        place_here().num_processes  # noqa: B018


def test_places_of_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    assert place_here() == Place()
    variables = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "MASTER_ADDR": "h", "MASTER_PORT": "29500"}
    given(monkeypatch, variables)
    assert place_here().variables(0) | variables == place_here().variables(0) | {"MASTER_PORT": "29500"}
    given(monkeypatch, {}, LOCAL_WORLD_SIZE="4", NINECHAPTERS_PROCESSES="2")
    with pytest.raises(StageError, match="NINECHAPTERS_PROCESSES is 2, but this stage was started 4 times"):
        place_here().num_processes  # noqa: B018
    given(monkeypatch, {}, RANK="8")
    with pytest.raises(StageError, match="RANK is 8 and WORLD_SIZE 8"):
        place_here()
    given(monkeypatch, {}, MASTER_PORT=None, LOCAL_RANK=None)
    with pytest.raises(StageError, match="MASTER_PORT, LOCAL_RANK are not set"):
        place_here()


def test_a_meeting_place_that_cannot_be_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting_module, "CONNECT_SECONDS", 0.5)
    with pytest.raises(StageError, match=r"meet at 127\.0\.0\.1:9, which was not open .* Set MASTER_ADDR"):
        Meeting(Place(1, 2, address="127.0.0.1", port=9))


def test_the_first_launch_tells_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / JOB).write_text("{}")
    first = Meeting(Place(0, 2))
    second = Meeting(Place(1, 2, port=first.store.port))
    first.tell_job("t", tmp_path / JOB)
    assert second.told_job("t") == tmp_path / JOB
    assert not second.has_failed()
    first.tell_failure()
    assert second.has_failed()
    given(monkeypatch, {}, NINECHAPTERS_PROCESSES="3")
    with pytest.raises(StageError, match="first launch starts 1 processes, this one 3"):
        second.told_job("t")
    del first
    with pytest.raises(StageError, match="ended before it said what"):
        second.told_job("other")
    assert second.has_failed(), "who holds the store is gone"


def test_a_training_does_not_join_another_one_at_its_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """One MASTER_PORT for two trainings at once: one is refused, and the other goes on."""
    monkeypatch.setattr(meeting_module, "OWN_SECONDS", 0.5)
    first = Meeting(Place(0, 2, run="step 4711.0"), "pretrain a")
    port = first.store.port
    others = (
        (Place(1, 2, port=port, run="step 4711.1"), "pretrain a"),
        (Place(1, 2, port=port, run="step 4711.0"), "b"),
    )
    for place, title in others:
        with pytest.raises(StageError, match=r"pretrain a of step 4711\.0 is there already.*its own MASTER_PORT"):
            Meeting(place, title)
    second = Meeting(Place(1, 2, port=port, run="step 4711.0"), "pretrain a")
    assert not first.has_failed()
    assert not second.has_failed()


def test_a_training_waits_until_the_one_before_has_left_its_port() -> None:
    before = Meeting(Place(0, 2), "a")
    port = before.store.port
    joined: list[Meeting] = []
    thread = threading.Thread(target=lambda: joined.append(Meeting(Place(1, 2, port=port), "b")))
    thread.start()
    time.sleep(0.3)
    del before
    first = Meeting(Place(0, 2, port=port), "b")
    thread.join(30)
    assert len(joined) == 1
    assert not first.has_failed()


def test_a_file_of_another_node_is_waited_for(tmp_path: Path) -> None:
    wanted = meeting_module._hash(ROOT / "pyproject.toml")
    path = tmp_path / "a/job.json"

    def write() -> None:
        time.sleep(0.2)
        path.parent.mkdir()
        path.write_text("of an earlier run")
        time.sleep(0.2)
        path.write_bytes((ROOT / "pyproject.toml").read_bytes())

    thread = threading.Thread(target=write)
    thread.start()
    wait_for_file(path, wanted, 20)
    thread.join()
    with pytest.raises(StageError, match=r"is not visible here after 0 s.*shared file system"):
        wait_for_file(path, "other", 0.2)


def free_port() -> str:
    return str(Meeting(Place()).store.port)


@pytest.mark.slow
def test_a_node_that_refuses_ends_the_other(
    tiny_model_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], fork_server: ForkServer
) -> None:
    common = {**os.environ, "PYTHONPATH": str(ROOT), "MASTER_PORT": free_port()}
    launches = [
        Forked(
            ["-c", TRAIN, str(tiny_model_folder), str(fork_server.bin / "python")],
            tmp_path,
            {**common, **variables, "NINECHAPTERS_PROCESSES": str(i + 1)},
        )
        for i, variables in enumerate(SLURM_NODES)
    ]
    assert [launched.wait() for launched in launches] == [1, 1]
    assert "first launch starts 1 processes, this one 2" in capfd.readouterr().err


SRUN = """#!{python}
import os, subprocess, sys
options = dict(one.lstrip("-").split("=", 1) for one in sys.argv[1:] if one.startswith("--"))
command = sys.argv[1 + len(options):]
nodes, tasks, each = (int(options[name]) for name in ("nodes", "ntasks", "ntasks-per-node"))
open("srun.txt", "w").write(" ".join(sys.argv[1:]))
started = []
for rank in range(tasks):
    told = {{"SLURM_STEP_ID": 0, "SLURM_STEP_NUM_TASKS": tasks, "SLURM_PROCID": rank, "SLURM_LOCALID": rank % each,
            "SLURM_NODEID": rank // each, "SLURM_STEP_TASKS_PER_NODE": f"{{each}}(x{{nodes}})", "SLURM_STEP_NODELIST": "node[01-02]"}}
    started.append(subprocess.Popen(command, env={{**os.environ, **{{name: str(value) for name, value in told.items()}}}}))
sys.exit(max(process.wait() for process in started))
"""


@pytest.fixture
def srun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in on the PATH that starts the tasks here, and the variables of a batch script on two nodes."""
    program = tmp_path / "bin/srun"
    program.parent.mkdir()
    program.write_text(SRUN.format(python=sys.executable))
    program.chmod(0o755)
    given(monkeypatch, BATCH, SLURM_CPUS_ON_NODE="64", MASTER_ADDR="127.0.0.1", MASTER_PORT=free_port())
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program


@pytest.mark.slow
def test_a_batch_script_trains_on_all_nodes(
    one: Path,  # noqa: F811
    tiny_model_folder: Path,
    srun: Path,
    fork_server: ForkServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", str(fork_server.bin / "python"))  # the tasks are forked
    train("many", [tiny_model_folder], EXAMPLES, PLAN, one / "many", one / "many-curve")
    assert curve(one / "many-curve", "loss") == pytest.approx(curve(one / "one-curve", "loss"), rel=2e-3)
    told = (one / "srun.txt").read_text()
    assert "--nodes=2 --ntasks=2 --ntasks-per-node=1 --cpus-per-task=64 --kill-on-bad-exit=1" in told


@pytest.mark.parametrize(
    ("number", "words"), [("SIGUSR1", "a process of 2 was ended by SIGUSR1"), ("SIGKILL", "SIGKILL .often for want of memory")]
)  # fmt: skip
def test_a_process_that_a_signal_ends_before_it_can_speak_is_told_of(
    number: str, words: str, tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker imports for seconds before it has handlers; it was said that its message stood above."""
    ends = f"import os, signal, time; os.kill(os.getpid(), signal.{number}) if os.environ['RANK'] == '1' else time.sleep(60)"
    monkeypatch.setattr(launch_module, "WORKER", ["-c", ends])
    monkeypatch.chdir(tmp_path)
    given(monkeypatch, {}, NINECHAPTERS_PROCESSES="2")
    with pytest.raises(StageError, match=f"{words}.*Run the same command again"):
        train("many", [tiny_model_folder], EXAMPLES, PLAN, tmp_path / "many", tmp_path / "many-curve")


def test_an_allocation_without_srun_is_told(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, BATCH, PATH="/nowhere")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StageError, match=r"there is no srun to reach the others.*NINECHAPTERS_NODES=1"):
        train("many", [tiny_model_folder], EXAMPLES, PLAN, tmp_path / "many", tmp_path / "many-curve")
