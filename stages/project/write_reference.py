"""The reference: every command, option, key of params.yaml, environment variable and table, read from the code.

ninechapters reference                              # print it
ninechapters reference --out docs/reference.md      # write it; a test compares the file with the code
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from stages.core.command import tool_command

HEAD = """# Reference

Every command, option, key of `params.yaml`, environment variable and table. Made by `ninechapters reference --out docs/reference.md`.
"""


@tool_command("reference")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead of the terminal."
)
def main(out: Path | None) -> None:
    """Print the reference as Markdown.

    \b
    Example:
        ninechapters reference --out docs/reference.md
    """
    from stages.core.files import write_text

    text = "\n".join([HEAD, *commands(), *keys(), *variables(), *tables()]) + "\n"
    if out:
        write_text(text, out)
    else:
        click.echo(text, nl=False)


def commands() -> Iterator[str]:
    """The commands that people type, with their options; then the stages."""
    from stages.project.ninechapters import STAGES, TOOLS

    yield "## Commands\n"
    for name in TOOLS:
        yield from described(f"ninechapters {name}", command_of(name))
    yield "## Stages\n\n`dvc repro` runs them; their options are the keys of `params.yaml` below.\n\n| stage | what it does |\n|---|---|"
    for name in STAGES:
        yield f"| `{name.replace('-', '_')}` | {cell(command_of(name).get_short_help_str(200))} |"
    yield ""


def command_of(name: str) -> click.Command:
    from stages.project.ninechapters import main as ninechapters

    command = ninechapters.get_command(click.Context(ninechapters), name)
    assert command, name
    return command


def described(title: str, command: click.Command) -> Iterator[str]:
    """A command's first paragraph, usage and options; those of its subcommands after it."""
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from described(f"{title} {name}", command.get_command(click.Context(command), name))  # type: ignore[arg-type]
        return
    context = click.Context(command, info_name=title)
    yield f"### {title}\n\n{' '.join((command.help or '').partition(chr(8))[0].split())}\n"
    yield f"    {title} {' '.join(command.collect_usage_pieces(context))}\n"
    options = [param for param in command.params if isinstance(param, click.Option)]
    if options:
        yield "| option | value | without it | what it does |\n|---|---|---|---|"
        yield from (option_row(option) for option in options)
        yield ""


def option_row(option: click.Option) -> str:
    from stages.project.hint_words import option_words

    spelled = ", ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))
    told = "required" if option.required else default_of(option)
    variable = f" Variable: `{option.envvar}`." if option.envvar else ""
    return f"| {spelled} | {cell(option_words(option))} | {told} | {cell(option.help or '')}{variable} |"


def default_of(option: click.Option) -> str:
    """What stands where the option is not given; nothing where that is nothing."""
    if option.is_flag or callable(option.default) or not isinstance(option.default, (str, int, float, Path)):
        return ""
    return code(str(option.default))


def keys() -> Iterator[str]:
    """The sections of params.yaml, in its order, with each key's type and meaning."""
    from stages.project.params import Params

    yield "## params.yaml\n"
    for name, field in Params.model_fields.items():
        yield from section_keys(name, field.annotation)


def section_keys(name: str, hint: Any) -> Iterator[str]:
    """The keys of one section: of each round, each kind, or each named thing that it holds."""
    from stages.core.section import options_of
    from stages.project.hint_words import parts_of, words_of

    yield f"### {name}\n"
    parts = list(parts_of(hint))
    if not parts:
        yield f"{words_of(hint).capitalize()}.\n"
    for title, kind in parts:
        yield f"{title}\n" if title else ""
        yield "| key | value | without it | meaning |\n|---|---|---|---|"
        for option in options_of(kind):
            default = "required" if option.default is dataclasses.MISSING else code(spelled(option.default))
            yield f"| `{option.name}` | {cell(words_of(option.hint))} | {default} | {cell(option.help)} |"
        yield ""


def spelled(value: Any) -> str:
    """A default as YAML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "[]" if value == () else "" if value is None else str(value)


def variables() -> Iterator[str]:
    from stages.project.variables import VARIABLES

    yield "## Environment variables\n\nBesides those of the options above.\n\n| variable | what it does |\n|---|---|"
    yield from (f"| `{name}` | {cell(text)} |" for name, text in sorted(VARIABLES.items()))
    yield ""


def tables() -> Iterator[str]:
    """The tables between stages, with their columns and types."""
    from stages.core.schemas import SCHEMAS

    yield "## Tables\n\nParquet files between stages; `stages/core/schemas.py` says more of single columns.\n"
    for name, schema in SCHEMAS.items():
        columns = ", ".join(f"`{field.name}` {field.type}" for field in schema)
        yield f"- **{name}**: {columns}"


def code(text: str) -> str:
    return f"`{cell(text)}`" if text else ""


def cell(text: str) -> str:
    """Text that may stand in a table's cell."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
