"""The first stage, on which all others depend: check params.yaml, and fingerprint the code of each stage.

python -m stages.project.check_project data/code

OUT/<stage>.json lists the modules that the stage's script runs, each with a hash that ignores comments, the files that they read,
and the pinned versions of the libraries that affect outputs (stages/project/closure.py). It is the stage's only code dependency:
an edit of a comment leaves it unchanged, and `git diff data/code` shows which module made a stage stale. OUT/profile.json says
which profile params.yaml is (stages/project/nearest_profile.py) and which commit has this code (stages/project/code_origin.py), for
the report.
"""

from pathlib import Path

import click

from stages.core.command import say, stage_command

PARAMS = Path("params.yaml")
FIRST_DOOR = "check_project"
FINGERPRINTS = Path("data/fingerprints")
PROFILES, PROFILE = Path("profiles"), "profile.json"


@stage_command("check_project")
@click.argument("out", type=click.Path(path_type=Path))
def main(out: Path) -> None:
    """Check params.yaml, and write the fingerprint of every stage's code to OUT/STAGE.json.

    \b
    Example:
        python -m stages.project.check_project data/code
    """
    from stages.core.files import write_json
    from stages.project.code_origin import code_origin
    from stages.project.nearest_profile import profile_record
    from stages.project.params import read_params, refuse
    from stages.project.rules import missing_inputs
    from stages.project.yaml_files import load_yaml

    params = read_params(PARAMS)
    refuse(PARAMS, list(missing_inputs(params)))
    forget(FINGERPRINTS / "sources", params.sources)
    forget(FINGERPRINTS / "benchmarks", params.benchmarks)
    forget(FINGERPRINTS / "targets", params.targets)
    forget(FINGERPRINTS / "students", params.students)
    scripts = write_code(Path("."), out)
    values = load_yaml(PARAMS)
    write_json(profile_record(values, PROFILES) | {"origin": code_origin(out / PROFILE, values)}, out / PROFILE)
    say(f"check_project: params.yaml is valid; fingerprinted the code of {len(scripts)} stages: {out}")


def forget(folder: Path, names: object) -> None:
    """Delete the fingerprints of what params.yaml does not name any more: those who read all of the folder would see them."""
    for path in folder.glob("*.json"):
        if path.stem not in names:  # type: ignore[operator]
            path.unlink()


def write_code(root: Path, out: Path) -> dict[str, str]:
    """Write each stage's file, and delete those of stages that are gone; returns the script of each."""
    from stages.core.files import write_json
    from stages.project.closure import Code

    code = Code(root)
    scripts = {stage: script for stage, script in code.scripts().items() if stage != FIRST_DOOR}
    for path in out.glob("*.json"):
        if path.stem not in scripts and path.name != PROFILE:
            path.unlink()
    for stage, script in scripts.items():
        write_json(code.code_of(script), out / f"{stage}.json")
    code.remember()
    return scripts


if __name__ == "__main__":
    main()
