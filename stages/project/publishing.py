"""The command group `ninechapters publish`: a data set, a student, the synthesizer, or the ledger.

ninechapters publish dataset published/dataset
ninechapters publish model me/my-student --push
"""

import click

from stages.project.lazy_group import LazyGroup

PUBLISHED = {
    "dataset": "reporting.publish_dataset",
    "model": "reporting.publish_model",
    "synthesizer": "reporting.publish_synthesizer",
    "ledger": "distillation.publish_ledger",
}


@click.command("publish", cls=LazyGroup, titled={"Commands": PUBLISHED}, context_settings={"max_content_width": 120})
def main() -> None:
    """Publish the verified problems, a student, the synthesizer, or the teacher's paid answers.

    \b
    Example:
        ninechapters publish dataset published/dataset
    """
