"""The command `ninechapters`: its tools and the stages' scripts as subcommands, each loaded when it is used.

ninechapters check
ninechapters plan profiles/paper-7b.yaml --gpu h100 --num-gpus 8
"""

import click

from stages.project.lazy_group import LazyGroup

TOOLS = {
    "check": "project.check", "plan": "project.plan", "bring": "project.bring", "use-corpus": "project.use_corpus", "packages": "project.packages",
    "estimate": "distillation.estimate", "status": "distillation.status",
    "publish": "project.publishing", "import": "distillation.import_completions", "compare": "evaluation.compare",
    "eval": "project.evaluate_model", "value": "project.value_problems",
    "grade": "grading.grade_answers", "reference": "project.write_reference", "run-program": "execution.run_program", "merge-adapter": "models.merge_adapter",
    "export": "reporting.export_dataset", "study": "studies.study", "tables": "studies.paper_tables",
}  # fmt: skip
STAGES = {
    name.rpartition(".")[2].replace("_", "-"): name
    for name in (
        "project.check_project", "project.track_input", "corpus.ingest_corpus", "benchmarks.prepare_benchmarks", "benchmarks.prepare_targets",
        "corpus.curate_texts", "corpus.sample_texts", "corpus.prepare_examples", "distillation.build_requests", "distillation.distill",
        "distillation.parse_completions", "models.prepare_models", "models.adopt_model", "training.train_synthesizer",
        "synthesis.synthesize", "training.train_reference", "value.build_datastore", "value.estimate_value", "value.select_texts",
        "filtering.filter_problems", "training.pretrain", "training.finetune", "evaluation.evaluate", "reporting.report",
        "reporting.export_dataset", "studies.run_point", "studies.gather_study",
    )
}  # fmt: skip


TITLED = {"Commands": TOOLS, "Stages, which `dvc repro` runs": STAGES}


@click.command(cls=LazyGroup, titled=TITLED, context_settings={"max_content_width": 120})
def main() -> None:
    """A small language model learns to write mathematics problems, and students learn from them: a DVC pipeline.

    `dvc repro` runs the pipeline. These commands prepare a run and read its results.

    \b
    Example:
        ninechapters check && dvc repro && ninechapters compare main workspace
    """


if __name__ == "__main__":
    main()
