"""What a card tells of the run: funnel, verification, contamination, teacher and cost; from its figures and `params.yaml`.

    sections = run_sections(figures, params)        -> {"Funnel": "| step | ... ", "Teacher and cost": ...}

Of params.yaml nothing but settings and the benchmarks' names is published: it may name folders and servers.
"""

from collections.abc import Mapping
from typing import Any

from stages.reporting.cards import table
from stages.reporting.precision import Measured, share

ROUNDS = {"initial": "first round", "boost": "boost round"}
RULES = {
    "natural language (`cot`)": "every equation and stated comparison is recomputed, the boxed answer must follow from the steps, and the "
    "numbers given must be used (`equation`, `false_claim`, `answer_not_derived`, `unused_number`)",
    "tool (`tool`)": "the program is run, and what it prints must be the boxed answer (`program_error`, `program_disagrees`, ...)",
    "both": "form, language, length and repetition; copies and near-copies of another problem; overlap with a benchmark",
}


def run_sections(figures: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, str]:
    """The sections that the cards of a dataset and a model share, in their order."""
    return {
        "Funnel": funnel(figures),
        "What was verified": verification(figures, params["filter_problems"]),
        "Contamination": contamination(figures, params["decontaminate"], sorted(params["benchmarks"])),
        "Teacher and cost": teacher(figures["distillation"]),
    }


def funnel(figures: Mapping[str, Any]) -> str:
    """From documents to problems, then what each rule of the filter rejected."""
    corpus, filtered = figures["corpus"].values(), figures["filter"]
    steps = [
        ("documents read", sum(source["num_documents"] for source in corpus)),
        ("texts cut from them", sum(source["num_texts"] for source in corpus)),
        ("texts after decontamination and deduplication", sum(source["num_curated"] for source in corpus)),
        *(
            (f"teacher's problems, {told}", figures["distillation"][name]["num_problems"])
            for name, told in ROUNDS.items()
        ),
        ("problems that the synthesizer wrote", filtered["num_made"]),
        *((f"rejected: `{reason}`", -count) for reason, count in _by_size(filtered["rejected"])),
        ("problems kept", filtered["num_kept"]),
    ]
    return table(["step", "number"], [(name, f"{count:,}") for name, count in steps])


def _by_size(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def verification(figures: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Which rules ran, and which were turned off."""
    isolation = figures["filter"].get("isolation") or "none"
    lines = [f"- **{mode}**: {told}." for mode, told in RULES.items()]
    lines.append(f"- Programs ran isolated by: {isolation}.")
    if settings["num_solutions"]:
        lines.append(
            f"- **Solved again**: up to {settings['num_solutions']} new solutions by the synthesizer; at least "
            f"{settings['min_agreement']:.0%} must agree with the answer (`answers_disagree`)."
        )
    else:
        lines.append("- Problems were not solved again by a second model (`num_solutions: 0`).")
    if settings["let_through"]:
        lines.append(f"- **Turned off**: {', '.join(f'`{reason}`' for reason in settings['let_through'])}.")
    lines.append("\nWhat the rules cannot see: a misread problem, a step left out, a question without an answer.")
    return "\n".join(lines)


def precision(measured: Measured, checked: tuple[int, int] | None) -> str:
    """What is known of the share of right rows; what is not is said."""
    if checked:
        first = f"Of rows drawn at random and checked by the publisher, {share(*checked)} are right (Wilson's 95% interval)."
    else:
        first = "**The share of right rows was not measured for this dataset.**"
    kept = measured.num_right_kept + measured.num_wrong_kept
    current = "" if measured.is_current else " The rules have changed since that measurement."
    rows = [
        ("right responses that are kept", share(measured.num_right_kept, measured.num_right)),
        ("wrong responses that are rejected", share(measured.num_wrong - measured.num_wrong_kept, measured.num_wrong)),
        ("right ones among those kept", share(measured.num_right_kept, kept)),
    ]
    return (
        f"{first}\n\nThe rules on natural-language solutions were measured on {measured.num_right + measured.num_wrong:,} responses of other "
        f"models to benchmark problems, whose truth is known. The last row depends on how many of those were right; it is no figure of this "
        f"dataset.{current}\n\n{table(['rules on text', 'share [95% interval] (count)'], rows)}"
    )


def contamination(figures: Mapping[str, Any], rules: Mapping[str, Any], benchmarks: list[str]) -> str:
    """What touched a benchmark, at each place where that is looked for."""
    dropped = sum(source["rejected_in_curation"].get("contaminated", 0) for source in figures["corpus"].values())
    rows = [
        ("texts dropped before use", dropped),
        *(
            (f"teacher's problems rejected, {told}", figures["distillation"][name]["rejected"].get("contaminated", 0))
            for name, told in ROUNDS.items()
        ),
        ("synthetic problems rejected", figures["filter"]["rejected"].get("contaminated", 0)),
        ("target problems kept out of training", sum(target["num_leaked"] for target in figures["leaks"].values())),
    ]
    return (
        f"Compared with {', '.join(benchmarks)}: {rules['long_words']} words in a row, or {rules['short_words']}-grams "
        f"over {rules['min_coverage']:.0%} of a question.\n\n{table(['place', 'number'], rows)}"
    )


def teacher(rounds: Mapping[str, Any]) -> str:
    """The teacher's models as the server named them, tokens, and what was paid."""
    rows = [
        (told, rounds[name]["model"], f"{rounds[name]['num_requests']:,}", f"{rounds[name]['prompt_tokens']:,}",
         f"{rounds[name]['completion_tokens']:,}", f"{rounds[name]['usd']:.2f}")
        for name, told in ROUNDS.items()
    ]  # fmt: skip
    names = ["round", "teacher", "requests", "prompt tokens", "completion tokens", "USD"]
    total = sum(part["usd"] for part in rounds.values())
    own = "\nThe teacher is a rule-based program of this project, no language model.\n" if any(
        part["model"].startswith("ninechapters-builtin") for part in rounds.values()
    ) else "\nThe teacher's terms of use may restrict what its answers are used for; problems here were written by a model that learned from them.\n"  # fmt: skip
    return f"{table(names, rows)}\nPaid for the teacher: {total:.2f} USD. Machine time is not counted.\n{own}"
