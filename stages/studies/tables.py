"""The paper's tables with this run's models beside what others published.

ninechapters tables                       # natural-language reasoning, as Markdown
ninechapters tables --table tools --form latex
"""

from pathlib import Path

import click

from stages.core.command import StageError, tool_command

METRICS = Path("reports/metrics.json")


@tool_command("tables")
@click.option(
    "--table", "name", type=click.Choice(["natural", "formats", "tools", "cost"]), default="natural", show_default=True
)
@click.option("--form", type=click.Choice(["markdown", "latex", "csv"]), default="markdown", show_default=True)
@click.option("--metrics", "path", type=click.Path(dir_okay=False, path_type=Path), default=METRICS, show_default=True,
              help="What `dvc repro` gathered of this run.")  # fmt: skip
@click.option("--group", help="Stand beside the published models of this size: 'over 20B' or '7B and 8B'.")
def main(name: str, form: str, path: Path, group: str | None) -> None:
    """Print one of the paper's tables.

    Accuracies are in percent, ours with their 95% interval; of each size the best is bold and the second best underlined. `unknown` is
    a number that was published and that this project does not have.

    \b
    Example:
        ninechapters tables --table natural --form latex --group "7B and 8B"
    """
    from stages.core.files import json_in
    from stages.reporting.published import published
    from stages.studies.table_forms import FORMS
    from stages.studies.table_rows import OURS, accuracy_table

    if group is not None and group not in published()["groups"]:
        raise StageError(f"there is no group {group!r}; there are {', '.join(map(repr, published()['groups']))}.")
    metrics = json_in(path)
    if not metrics or "accuracy" not in metrics:
        raise StageError(f"{path} holds no accuracies of a run. Make it: `dvc repro`; or bring it: `dvc pull`.")
    click.echo(FORMS[form](accuracy_table(name, metrics, group or OURS)), nl=False)


if __name__ == "__main__":
    main()
