"""The batch script of docs/, the Dockerfile and the pins of the GPU set: what of them can be tested without Slurm, Docker and GPUs."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "docs/slurm.sbatch"
TRAINING = """#!/bin/bash
# A training that looks for its file `stop`, then ends as an interrupted stage does.
for _ in $(seq 200); do
    [ ! -e .work/pretrain-a/stop ] || { echo saved > checkpoint; exit 75; }
    sleep 0.05
done
"""
WRITING = """#!/bin/bash
# A stage that keeps shards: it ends when it is interrupted.
trap 'echo kept > shards; exit 143' TERM
for _ in $(seq 200); do sleep 0.05; done
"""
ORPHAN = """#!/bin/bash
# DVC, which ends at once when it is interrupted, and its stage, which saves for a while.
bash -c 'trap "sleep 1.5; echo whole > checkpoint; exit 143" TERM; touch ready; for _ in $(seq 200); do sleep 0.05; done' &
until [ -e ready ]; do sleep 0.05; done
touch begun
wait
"""
STUBBORN = """#!/bin/bash
# A stage that no signal ends.
bash -c 'trap "" TERM; touch ready; sleep 20' &
until [ -e ready ]; do sleep 0.05; done
touch begun
wait
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".work/pretrain-a").mkdir(parents=True)
    (tmp_path / ".work/pretrain-a/job.json").touch()
    (tmp_path / "bin").mkdir()
    program(tmp_path, "scontrol", '#!/bin/bash\necho "$@" >> scontrol.txt\nls > seen.txt\n')
    return tmp_path


def program(project: Path, name: str, text: str) -> None:
    (project / "bin" / name).write_text(text)
    (project / "bin" / name).chmod(0o755)


def run(project: Path, dvc: str, signal: bool) -> int:
    """The script's status; where asked, it is warned as Slurm does, the batch shell alone."""
    begun = "" if "touch begun" in dvc else "touch begun\n"
    program(project, "dvc", dvc.replace("#!/bin/bash\n", f"#!/bin/bash\n{begun}", 1))
    (project / "begun").unlink(missing_ok=True)
    path = f"{project / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PATH": path,
        "SLURM_JOB_ID": "4711",
        "GRACE_SECONDS": "1",
        "ENDING_SECONDS": "3",
        "SLURM_SUBMIT_DIR": str(project),
    }
    with subprocess.Popen(["bash", SCRIPT, "-s", "pretrain"], env=environment) as script:
        if signal:
            warn = "until [ -e begun ]; do sleep 0.05; done; kill -USR1 $0"
            subprocess.run(["bash", "-c", warn, str(script.pid)], cwd=project, check=True, timeout=30)
        return script.wait(60)


def test_a_warned_training_saves_a_checkpoint_and_is_queued_again(project: Path) -> None:
    assert run(project, TRAINING, signal=True) == 75
    assert (project / "checkpoint").exists()
    assert (project / "scontrol.txt").read_text() == "requeue 4711\n"


def test_a_warned_stage_that_keeps_shards_is_interrupted(project: Path) -> None:
    assert run(project, WRITING, signal=True) == 143
    assert (project / "shards").exists()
    assert (project / "scontrol.txt").exists()


def test_the_job_is_queued_again_when_the_stage_has_saved_not_when_dvc_has_ended(project: Path) -> None:
    """Real DVC is gone 0.05 s after SIGTERM; a stage saved for 4 s more, and the queueing cut it off."""
    assert run(project, ORPHAN, signal=True) == 143
    assert "checkpoint" in (project / "seen.txt").read_text().split()


def test_a_stage_that_does_not_end_does_not_keep_the_job_from_the_queue(project: Path) -> None:
    assert run(project, STUBBORN, signal=True) == 143
    assert (project / "scontrol.txt").read_text() == "requeue 4711\n"


@pytest.mark.parametrize(("dvc", "status"), [('#!/bin/bash\necho "$@" > told\n', 0), ("#!/bin/bash\nexit 3\n", 3)])
def test_a_job_that_ends_by_itself_is_not_queued_again(dvc: str, status: int, project: Path) -> None:
    """Nor one that is warned and done all the same."""
    assert run(project, dvc, signal=False) == status
    assert not (project / "scontrol.txt").exists()
    if not status:
        assert (project / "told").read_text() == "repro -s pretrain\n"
        assert run(project, "#!/bin/bash\nsleep 0.5\n", signal=True) == 0
        assert not (project / "scontrol.txt").exists()


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]  # type: ignore[misc]


def test_the_dockerfile_copies_what_is_there_and_what_setup_needs() -> None:
    found = instructions()
    assert found[0] == ("FROM", "python:3.11-slim-bookworm")
    assert {name for name, _ in found} <= {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "CMD"}
    copied = [source for name, told in found if name == "COPY" for source in told.split()[:-1]]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not set(copied) & set(ignored)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {
        "pyproject.toml",
        "Makefile",
        "stages",
        "constraints-gpu.txt",
        project["readme"],
        *project["license-files"],
    } <= set(copied)
    targets = re.findall(
        r"\bmake ([\w-]+)", " ".join(told for name, told in found if name == "RUN" and "apt" not in told)
    )
    assert targets == ["setup-gpu"]
    planned = subprocess.run(["make", "-n", "setup-gpu"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--constraint constraints-gpu.txt" in planned
    assert "--extra gpu --extra ray" in planned


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.partition("#")[0].strip().split("==") for line in lines if line.partition("#")[0].strip())  # type: ignore[misc]


def test_the_gpu_set_pins_what_its_extras_name() -> None:
    """And Ray of one version with the other set: driver and workers must agree."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    gpu, other = pins("constraints-gpu.txt"), pins("constraints.txt")
    for extra in ("gpu", "ray"):
        for wanted in extras[extra]:
            name, version = re.sub(r"\[.*?\]", "", wanted).split("==")
            assert gpu[name] == version
    assert [gpu[name] for name in ("ray", "msgpack")] == [other[name] for name in ("ray", "msgpack")]
    assert list(gpu) == sorted(gpu), "in order, so that a line is found"
