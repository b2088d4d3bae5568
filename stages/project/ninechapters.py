"""The command `ninechapters`: one door to what people type, and to the stages' scripts, each of which is loaded when it is asked for.

ninechapters check
ninechapters plan profiles/paper-7b.yaml --gpu h100 --num-gpus 8
"""

import difflib
import importlib
from collections.abc import Iterable

import click

TOOLS = {
    "check": "project.check", "plan": "project.plan", "bring": "project.bring", "packages": "project.packages",
    "estimate": "distillation.estimate", "status": "distillation.status",
    "publish": "distillation.publish", "import": "distillation.import_completions", "compare": "evaluation.compare",
    "grade": "grading.grade_answers", "reference": "project.write_reference", "run-program": "execution.run_program", "merge-adapter": "models.merge_adapter",
    "export": "reporting.export_dataset", "study": "studies.study", "tables": "studies.paper_tables",
}  # fmt: skip
STAGES = {
    name.rpartition(".")[2].replace("_", "-"): name
    for name in (
        "project.check_project", "project.track_input", "corpus.ingest_corpus", "benchmarks.prepare_benchmarks", "benchmarks.prepare_targets",
        "corpus.curate_texts", "corpus.sample_texts", "distillation.build_requests", "distillation.distill",
        "distillation.parse_completions", "models.prepare_models", "models.adopt_model", "training.train_synthesizer",
        "synthesis.synthesize", "training.train_reference", "value.build_datastore", "value.estimate_value", "value.select_texts",
        "filtering.filter_problems", "training.pretrain", "training.finetune", "evaluation.evaluate", "reporting.report",
        "reporting.export_dataset", "studies.run_point", "studies.gather_study",
    )
}  # fmt: skip


class LazyGroup(click.Group):
    """Knows its commands by name, and imports a command's script when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*TOOLS, *STAGES]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        place = TOOLS.get(name) or STAGES.get(name.replace("_", "-"))
        return importlib.import_module(f"stages.{place}").main if place else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            raise click.UsageError(
                f"{error.message} Did you mean {close[0]!r}?" if close else error.message, ctx
            ) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in (("Commands", TOOLS), ("Stages, which `dvc repro` runs", STAGES)):
            with formatter.section(title):
                formatter.write_dl(list(self._described(ctx, names)))

    def _described(self, ctx: click.Context, names: Iterable[str]) -> Iterable[tuple[str, str]]:
        for name in names:
            command = self.get_command(ctx, name)
            yield name, command.get_short_help_str(90) if command else ""


@click.command(cls=LazyGroup, context_settings={"max_content_width": 120})
def main() -> None:
    """A small language model learns to write mathematics problems, and students learn from them: a DVC pipeline.

    `dvc repro` runs it. These commands look at it, before and after.

    \b
    Example:
        ninechapters check && dvc repro && ninechapters compare main workspace
    """


if __name__ == "__main__":
    main()
