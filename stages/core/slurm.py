"""What Slurm's environment variables say: hosts, tasks on each node, and whether this process is a task among others.

hosts_of("node[01-03,07],gpu-a1")      # ["node01", "node02", "node03", "node07", "gpu-a1"]
counts_of("8(x2),4")                   # [8, 8, 4]
task_here()                            # Task(rank=3, size=16, local_rank=3, local_size=8, hosts=[...], job=4711, step=0) or None
nodes_here()                           # of an allocation whose batch script this is: 2; else 1
"""

import itertools
import os
import re
from dataclasses import dataclass

from stages.core.command import StageError

SPECIAL_STEP = 0xFFFFFFF0  # from here on steps are no steps of srun: the batch script, an interactive shell
NAME = re.compile(r"(?:[^\s\[\],]|\[[^\[\]]*\])+")
RANGE = re.compile(r"(\d+)(?:-(\d+))?")
COUNT = re.compile(r"(\d+)(?:\(x(\d+)\))?")


def hosts_of(nodelist: str) -> list[str]:
    """The hosts of a node list, as `scontrol show hostnames` gives them.

    >>> hosts_of("rack[1-2]n[08-10]-ib,login")
    ['rack1n08-ib', 'rack1n09-ib', 'rack1n10-ib', 'rack2n08-ib', 'rack2n09-ib', 'rack2n10-ib', 'login']

    Raises:
        StageError: it is no node list.
    """
    hosts: list[str] = []
    for name in re.split(r",(?![^\[]*\])", nodelist):  # not at a comma in brackets
        if not NAME.fullmatch(name.strip()):
            raise _fault("a list of nodes", nodelist)
        parts = re.split(r"\[([^\]]*)\]", name.strip())  # text, bracket, text, bracket, ..., text
        choices = [_numbers(part, nodelist) if place % 2 else [part] for place, part in enumerate(parts)]
        hosts += ["".join(chosen) for chosen in itertools.product(*choices)]
    return hosts


def _numbers(bracket: str, nodelist: str) -> list[str]:
    """01-03,07 -> 01, 02, 03, 07: as wide as the first of a range."""
    found: list[str] = []
    for part in bracket.split(","):
        match = RANGE.fullmatch(part.strip())
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise _fault("a list of nodes", nodelist)
        found += [f"{number:0{len(match[1])}d}" for number in range(int(match[1]), int(match[2] or match[1]) + 1)]
    return found


def counts_of(told: str) -> list[int]:
    """The tasks on each node.

    Raises:
        StageError: it is no such list.
    """
    counts: list[int] = []
    for part in told.split(","):
        match = COUNT.fullmatch(part.strip())
        if not match:
            raise _fault("tasks on each node", told)
        counts += [int(match[1])] * int(match[2] or 1)
    return counts


def _fault(what: str, told: str) -> StageError:
    return StageError(
        f"Slurm's variables should tell {what}, and say {told!r}. Start the stage with srun, or unset them."
    )


@dataclass(frozen=True)
class Task:
    """This process among the tasks of one srun."""

    rank: int
    size: int
    local_rank: int
    local_size: int
    hosts: list[str]
    job: int
    step: int = 0

    @property
    def shares_node(self) -> bool:
        """Whether several tasks run on some node, this one or another: then each of them all is one process."""
        return self.local_size > 1 or self.size > len(self.hosts)


def task_here() -> Task | None:
    """This process as one of several tasks of srun; None where it is the only one, or no task.

    Raises:
        StageError: a variable is missing or no number.
    """
    size = _number("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", default=1)
    if size == 1 or not _is_step():
        return None
    hosts, node = _hosts(), _number("SLURM_NODEID", default=0)
    told = os.environ.get("SLURM_STEP_TASKS_PER_NODE") or os.environ.get("SLURM_TASKS_PER_NODE", "")
    counts = counts_of(told) if told else []
    is_told = sum(counts) == size and node < len(counts)  # a batch script's may be of another number of tasks
    local_size = counts[node] if is_told else -(-size // len(hosts))
    job = _number("SLURM_JOB_ID", "SLURM_JOBID", default=0)
    step = _number("SLURM_STEP_ID", "SLURM_STEPID", default=0)
    return Task(_number("SLURM_PROCID"), size, _number("SLURM_LOCALID"), local_size, hosts, job, step)


def nodes_here() -> int:
    """The nodes of the allocation whose first one runs this process, in a batch script or an interactive shell: its stages may
    start tasks on all of them. `NINECHAPTERS_NODES` asks for fewer.

    Raises:
        StageError: more are asked for than there are.
    """
    is_allocation = "SLURM_JOB_ID" in os.environ and not _is_step() and "SLURM_STEP_NUM_TASKS" not in os.environ
    there = _number("SLURM_NNODES", "SLURM_JOB_NUM_NODES", default=1) if is_allocation or _is_shell() else 1
    asked = _number("NINECHAPTERS_NODES", default=there)
    if not 1 <= asked <= there:
        raise StageError(
            f"NINECHAPTERS_NODES is {asked}, and the Slurm allocation that this stage may use has {there} node{'s' * (there > 1)}. Ask for "
            f"more (sbatch --nodes), or set it to {there}. Without Slurm, start the stage on each node with torchrun (docs/clusters.md)."
        )
    return asked


def _is_step() -> bool:
    """Whether srun has started this process. The batch script has the variables of a first task, too, and no step."""
    if (step := os.environ.get("SLURM_STEP_ID", os.environ.get("SLURM_STEPID"))) is not None:
        return not step.isdecimal() or int(step) < SPECIAL_STEP
    return "SLURM_PROCID" in os.environ and os.environ.get("ENVIRONMENT") != "BATCH"


def _is_shell() -> bool:
    """Whether this is the interactive shell that salloc opens on the first node."""
    step = os.environ.get("SLURM_STEP_ID", "")
    return step.isdecimal() and int(step) >= SPECIAL_STEP


def _hosts() -> list[str]:
    for name in ("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"):
        if os.environ.get(name):
            return hosts_of(os.environ[name])
    raise StageError(
        "srun started this stage as one of several tasks, but neither SLURM_STEP_NODELIST nor SLURM_JOB_NODELIST "
        "names the nodes."
    )


def _number(*names: str, default: int | None = None) -> int:
    """The first of these variables that is set."""
    for name in names:
        if told := os.environ.get(name, ""):
            if not told.isdecimal():
                raise StageError(f"{name} is {told!r}, not a number. Start the stage with srun or sbatch, or unset it.")
            return int(told)
    if default is None:
        raise StageError(
            f"{' and '.join(names)} is not set, but other variables say that this is one of several tasks of srun."
        )
    return default
