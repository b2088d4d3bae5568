"""What a study's own dvc.yaml says: which points it makes, and what it is about.

point_files(Path("studies/boost")) -> [Path("studies/boost/points/none-0-1.json"), ...]     # in the order of dvc.yaml
"""

from pathlib import Path

from stages.core.command import StageError

STUDIES = Path("studies")


def point_files(study: Path) -> list[Path]:
    """The outs of the study's stages that lie under its points.

    Raises:
        StageError: it makes none.
    """
    from dvc.repo import Repo

    root = Path.cwd()
    stages = [stage for stage in Repo(str(root)).index.stages if Path(stage.path) == root / study / "dvc.yaml"]
    outs = [Path(out.fs_path) for stage in stages for out in stage.outs]
    found = [path.relative_to(root) for path in outs if path.parent == root / study / "points"]
    if not found:
        raise StageError(
            f"{study / 'dvc.yaml'} defines no point under {study / 'points'}. Give it at least one value and one seed."
        )
    return found


def study_names() -> list[str]:
    return sorted(path.parent.name for path in STUDIES.glob("*/dvc.yaml"))
