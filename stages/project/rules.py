"""What must fit between the sections of params.yaml; what must fit within one is in the section (`rules`).

Each rule yields a sentence for every fault: the place, the value, and what to do.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from stages.benchmarks.sections import Benchmark
from stages.core.files import json_in
from stages.core.section import RuleError
from stages.corpus.sections import ExampleSource, Source
from stages.distillation.pricing import load_table, prices_file
from stages.distillation.sections import BUILTIN_TEACHER, parse_model_share
from stages.evaluation.sections import parse_shots
from stages.models.sections import ConfigModel, GgufModel, LocalModel
from stages.project.input_paths import unfit_path, unwatchable
from stages.project.params import Params
from stages.texts.quota_grammar import parse_quota

SUITE = "suite"
SYNTHESIZER = "synthesizer"  # the name under `models` that both synthesizers start from


def broken_rules(params: Params) -> Iterator[str]:
    for rule in RULES:
        yield from rule(params)


def unknown(place: str, names: Iterable[str], known: Iterable[str], section: str) -> Iterator[str]:
    """Names that a section does not have, and names said twice."""
    names, known = list(names), list(known)
    for name in dict.fromkeys(names):
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            yield f"{place} names {name!r}, which is not in `{section}`: {', '.join(known) or 'none'}.{meant}"
        if names.count(name) > 1:
            yield f"{place} names {name!r} twice. Remove one."


def names_are_known(params: Params) -> Iterator[str]:
    benchmarks, targets, models = params.benchmarks, params.targets, [*params.models, *params.local_models]
    yield from unknown("students", params.students, models, "models` or `local_models")
    yield from unknown("evaluate.benchmark", params.evaluate.benchmark, benchmarks, "benchmarks")
    yield from unknown("estimate_value.target", params.estimate_value.target, targets, "targets")
    yield from unknown("finetune.target", params.finetune.target, targets, "targets")
    shots = [parse_shots(text) for text in params.evaluate.shots]
    evaluated = params.evaluate.benchmark or list(benchmarks)
    yield from unknown("evaluate.shots", (one.benchmark for one in shots), evaluated, "benchmarks` that are evaluated")
    yield from unknown("evaluate.shots", dict.fromkeys(one.target for one in shots), targets, "targets")


def names_are_one_thing(params: Params) -> Iterator[str]:
    for name in params.models.keys() & params.local_models.keys():
        yield f"local_models.{name}: `models` has the same name. Rename one."
    if SUITE in params.benchmarks:
        yield f"benchmarks.{SUITE}: the results over all benchmarks use this name. Rename it."
    if SYNTHESIZER not in [*params.models, *params.local_models]:
        yield f"models has no {SYNTHESIZER!r}, the base model of the synthesizers. Add a model with this name."
    sections: dict[str, Iterable[str]] = {
        "sources": params.sources, "benchmarks": params.benchmarks, "targets": params.targets, "examples": params.examples,
        "models": [*params.models, *params.local_models],
    }  # fmt: skip
    for section, things in sections.items():
        seen: dict[str, str] = {}
        for name in things:
            other = seen.setdefault(name.lower(), name)
            if other != name:
                yield f"{section}: {name} and {other} are the same file on a disk that ignores case. Rename one."


def paths_of(params: Params) -> Iterator[tuple[str, str, Path]]:
    """(section, name, path) of everything that params.yaml names on the disk."""
    files = {name: model for name, model in params.models.items() if isinstance(model, GgufModel) and not model.package}
    sections: dict[str, Mapping[str, Source | Benchmark | ExampleSource | LocalModel | GgufModel]] = {
        "sources": params.sources, "benchmarks": params.benchmarks, "targets": params.targets, "examples": params.examples,
        "local_models": params.local_models, "models": files,
    }  # fmt: skip
    return ((section, name, thing.path) for section, things in sections.items() for name, thing in things.items())


def paths_are_inputs(params: Params) -> Iterator[str]:
    for section, name, path in paths_of(params):
        if reason := unfit_path(str(path)):
            yield f"{section}.{name}.path is {str(path)!r}: {reason}"


def missing_inputs(params: Params) -> Iterator[str]:
    """What is named and cannot be used on this disk: files and folders that are not there and that nobody has read before (a
    clone may do without what was read), and folders that hold what DVC cannot read."""
    for section, name, path in missing_paths(params):
        yield f"{section}.{name}.path is {str(path)!r}: there is no such file or folder. Put it there, or correct the path."
    for section, name, path in paths_of(params):
        if reason := unwatchable(path):
            yield f"{section}.{name}.path is {str(path)!r}: {reason}"


def missing_paths(params: Params) -> Iterator[tuple[str, str, Path]]:
    """(section, name, path) of what `missing_inputs` tells."""
    lock = Path("dvc.lock").read_text(encoding="utf-8") if Path("dvc.lock").is_file() else ""
    for section, name, path in paths_of(params):
        stage = {"local_models": "adopt_model", "models": "prepare_models"}.get(section)
        was_adopted = stage is not None and f"  {stage}@{name}:" in lock
        if not (was_adopted or path.exists() or was_tracked(section, name, path)):
            yield section, name, path


def was_tracked(section: str, name: str, path: Path) -> bool:
    """Whether the fingerprint of that name, which Git keeps, is this path's: another profile may give the name to another file."""
    return path.as_posix() in (json_in(Path(f"data/fingerprints/{section}/{name}.json")) or {})


def packages_agree(params: Params) -> Iterator[str]:
    """One environment holds one version of a package."""
    first: dict[str, tuple[str, str]] = {}
    for model, section in params.models.items():
        package = section.package if isinstance(section, GgufModel) else ""
        key = re.sub(r"[-_.]+", "-", package.partition("==")[0]).lower()  # names that pip takes for one
        other, known = first.setdefault(key, (model, package))
        if package.partition("==")[2] != known.partition("==")[2]:
            yield (
                f"models.{model}.package is {package!r} and models.{other}.package {known!r}: an environment can hold only "
                f"one version. Name the same version."
            )


def quotas_are_of_sources(params: Params) -> Iterator[str]:
    for place, quotas in (
        ("sample_texts", params.sample_texts.source_quota),
        ("select_texts", params.select_texts.source_quota),
    ):
        shares = [parse_quota(text) for text in quotas]
        yield from unknown(f"{place}.source_quota", (name for name, _ in shares), params.sources, "sources")
        total = sum(share for _, share in shares)
        if {name for name, _ in shares} >= params.sources.keys() and total < 1 - 1e-9:
            yield f"{place}.source_quota: every source has a quota and their sum is {total:g}, under 1: no set can be filled."


def teachers_have_a_price(params: Params) -> Iterator[str]:
    """The price is what a model is known by: without one nothing can be bought of it."""
    for name, plan in (("initial", params.build_requests.initial), ("boost", params.build_requests.boost)):
        place, known = f"build_requests.{name}", [BUILTIN_TEACHER, *map(str, load_table())]
        for field, model in (
            ("model", plan.model),
            *(("other_models", parse_model_share(text)[0]) for text in plan.other_models),
        ):
            if model not in known:
                close = difflib.get_close_matches(model, known, 1)
                meant = f" Did you mean {close[0]!r}?" if close else ""
                yield f"{place}.{field} names {model!r}, which has no price in {prices_file()}: add it, with 0 for a server of your own.{meant}"


def quotas_are_said_once(params: Params) -> Iterator[str]:
    sample, select = params.sample_texts, params.select_texts
    lists = {"sample_texts.length_quota": sample.length_quota, "sample_texts.level_quota": sample.level_quota,
             "select_texts.level_quota": select.level_quota}  # fmt: skip
    for place, quotas in lists.items():
        names = [parse_quota(text)[0] for text in quotas]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"{place} names {name!r} twice. Remove one."


def sources_fit(params: Params) -> Iterator[str]:
    for name, source in params.sources.items():
        try:
            source.settings(params.ingest_corpus)
        except RuleError as error:
            yield f"sources.{name}: {error}, together with the options of ingest_corpus."


def sets_fit(params: Params) -> Iterator[str]:
    selected, candidates = params.select_texts.num_texts, params.sample_texts.num_candidate
    if candidates and selected > candidates:
        yield (
            f"select_texts.num_texts is {selected}, over sample_texts.num_candidate = {candidates}: there are not that "
            f"many candidates."
        )
    lengths = {name: model.max_length for name, model in params.models.items() if isinstance(model, ConfigModel)}
    writings = (
        ("synthesize.candidates", params.synthesize.candidates),
        ("synthesize.corpus", params.synthesize.corpus),
    )
    asked = [(place, SYNTHESIZER, plan.max_tokens) for place, plan in writings]
    asked += [("evaluate", name, params.evaluate.max_tokens) for name in params.students]
    for place, name, max_tokens in asked:
        if name in lengths and max_tokens >= lengths[name]:
            yield f"{place}.max_tokens is {max_tokens}: models.{name}.max_length = {lengths[name]} leaves no room for a prompt."


def training_fits(params: Params) -> Iterator[str]:
    if params.train_reference.optimizer != "adamw":
        yield f"train_reference.optimizer is {params.train_reference.optimizer!r}; value estimation needs AdamW's moments: set adamw."
    if params.finetune.continue_optimizer and not params.pretrain.keep_optimizer:
        yield (
            "finetune.continue_optimizer is true, but pretrain.keep_optimizer false: there is no state to continue from. "
            "Set both or neither."
        )
    if params.finetune.continue_optimizer and params.finetune.optimizer != params.pretrain.optimizer:
        yield (
            f"finetune.optimizer is {params.finetune.optimizer!r}, but it continues from the state of pretrain.optimizer = "
            f"{params.pretrain.optimizer!r}. Set the same."
        )


RULES: tuple[Callable[[Params], Iterator[str]], ...] = (
    names_are_known, names_are_one_thing, paths_are_inputs, packages_agree, teachers_have_a_price, quotas_are_of_sources, quotas_are_said_once, sources_fit, sets_fit, training_fits,
)  # fmt: skip
