"""A group of commands that knows them by name, and imports a command's script when it is needed.

@click.command(cls=LazyGroup, titled={"Commands": {"ledger": "distillation.publish_ledger"}})
def main(): ...
"""

import difflib
import importlib
from collections.abc import Iterable, Mapping
from typing import Any

import click

from stages.core.interruption import interruptible


class LazyGroup(click.Group):
    """Commands under titles: title -> command -> module below `stages` whose `main` it is."""

    def __init__(self, *args: Any, titled: Mapping[str, Mapping[str, str]], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.titled = titled

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an interrupt while its script is loaded says what to type, as one of the command itself does."""
        with interruptible(ctx.info_name or "ninechapters", is_stage=False):
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for places in self.titled.values() for name in places]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        for places in self.titled.values():
            if place := places.get(name) or places.get(name.replace("_", "-")):
                return importlib.import_module(f"stages.{place}").main  # type: ignore[no-any-return]
        return None

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
        for title, names in self.titled.items():
            with formatter.section(title):
                formatter.write_dl(list(self._described(ctx, names)))

    def _described(self, ctx: click.Context, names: Iterable[str]) -> Iterable[tuple[str, str]]:
        for name in names:
            command = self.get_command(ctx, name)
            yield name, command.get_short_help_str(90) if command else ""
