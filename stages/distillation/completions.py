"""A round's completions: the built-in teacher's, and those of the ledger after buying what is missing.

completions = completions_of(Path("requests.parquet"), live=True, budget_usd=5.0, settings={"via": "chat", ...})
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from stages.core.command import StageError, say
from stages.core.progress import Tracker, track
from stages.core.schemas import Row
from stages.core.tables import collected, count_rows, read_rows, scan_table
from stages.core.usage import write_usage
from stages.distillation.batch_round import ask_batches, models_under_way
from stages.distillation.budget import Budget
from stages.distillation.chat import ServerSettings, ask_chat, check_server
from stages.distillation.expected_cost import Estimate, estimate, estimates
from stages.distillation.ledger import Ledger, live_folder, own_ledger, own_segment, whole_ledger
from stages.distillation.ledger_folder import adopt_old_folder
from stages.distillation.ledger_segment import Segment
from stages.distillation.open_batches import BatchSettings
from stages.distillation.pricing import load_price
from stages.distillation.purchase import Answer, Halt, Purchase, Request, by_model, room_bytes
from stages.distillation.rejections import tell_rejected
from stages.distillation.request_table import paid_keys, requests_of
from stages.distillation.sections import BUILTIN_TEACHER
from stages.distillation.served_models import complaint, is_by_model_asked
from stages.distillation.vllm_teacher import ask_vllm

COMPLETION = (
    "completion",
    "finish_reason",
    "served_model",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "usd",
)


def completions_of(requests: Path, live: bool, budget_usd: float | None, settings: dict[str, Any]) -> Iterator[Row]:
    """One completion for each request, after buying what is missing where that is asked for; bought ones are held in memory."""
    paid = paid_keys(requests)
    answers = bought_answers(requests, paid, live, budget_usd, settings) if paid else {}
    return _completion_rows(requests, answers)


def _completion_rows(requests: Path, answers: dict[str, Row]) -> Iterator[Row]:
    """The built-in teacher answers what is not bought: it is free, so it needs no ledger."""
    for row in track(read_rows("requests", requests), "distill", count_rows(requests), "requests"):
        key = row["request_id"]
        answer = answers.get(key) or {**vars(ask_builtin(Request.from_row(row))), "usd": 0.0}
        yield completion_row(key, answer)


def ask_builtin(request: Request) -> Answer:
    from stages.builtin.teacher import count_tokens, write_completion

    prompt = request.messages[-1]["content"]
    completion = write_completion(request.key, prompt)
    return Answer(completion, "stop", BUILTIN_TEACHER, count_tokens(prompt), count_tokens(completion))


def completion_row(key: str, answer: Row) -> Row:
    return {"request_id": key, **{name: answer[name] for name in COMPLETION}}


def bought_answers(
    requests: Path, keys: set[str], live: bool, budget_usd: float | None, settings: dict[str, Any]
) -> dict[str, Row]:
    """The ledger's answer to each of the keys."""
    adopt_old_folder()
    ledger = whole_ledger()
    answers = ledger.answers(keys, is_by_model_asked)
    missing = requests_of(requests, keys - answers.keys())
    ledger.tell_faults("distill", {request.key for request in missing})
    if missing:
        tell_others_answers(missing, ledger)
        buy(missing, live, budget_usd, settings)
        answers = whole_ledger().answers(keys, is_by_model_asked)
    say(f"distill: {len(answers):,} answers in the ledger")
    return answers


def tell_others_answers(missing: list[Request], ledger: Ledger) -> None:
    """Say which answers are there, paid, and not used as another model than the one asked has written them."""
    others = ledger.answers({request.key for request in missing})
    pairs = Counter((str(row["sampling"]["model"]), str(row["served_model"])) for row in others.values())
    for (asked, served), count in pairs.items():
        say(f"distill: {count:,} answers in the ledger are not used: {complaint(asked, served)}")


def buy(missing: list[Request], live: bool, budget_usd: float | None, settings: dict[str, Any]) -> None:
    """Buy the missing answers.

    Raises:
        StageError: nothing may be bought, or not everything could be; what was bought is kept.
    """
    expected = estimate(missing, settings["via"] == "batch", whole_ledger())
    if not live:
        raise StageError(
            f"{len(missing):,} of the requests have no answer in the ledger. To buy them ({expected}), set TEACHER_LIVE=1 and "
            f"TEACHER_BUDGET_USD; to use answers that others bought, `dvc pull data/ledger`, or copy their segments to {live_folder()}."
        )
    if budget_usd is None:
        raise StageError(
            f"TEACHER_LIVE=1 needs a budget: set TEACHER_BUDGET_USD ({len(missing):,} requests cost {expected})."
        )
    models = by_model(missing).keys()
    if settings["via"] == "vllm" and len(models) > 1:
        raise StageError(
            f"TEACHER_VIA=vllm loads one model, but the requests are for {', '.join(models)}. Set TEACHER_VIA=chat, "
            f"with a server for them."
        )
    if settings["via"] != "vllm":
        check_server()  # before anything is reserved
    with own_segment(room_bytes(missing, num_at_once(models, settings))) as segment:
        # What another run has bought since is not bought again.
        answered = whole_ledger().answers({request.key for request in missing}, is_by_model_asked)
        missing = [request for request in missing if request.key not in answered]
        if not missing:
            return
        mine = own_ledger()
        spent_usd = mine.spent_usd()
        refuse_unread_files(mine)
        say(f"distill: buying {len(missing):,} answers, {expected}; {spent_usd:.4f} of {budget_usd:.2f} USD are spent")
        tell_models(missing, settings)
        with Tracker("distill", len(missing), "answers") as tracker:
            purchases = purchases_of(missing, mine, segment, Budget(budget_usd, spent_usd), tracker, settings)
            ask(purchases, mine, settings)
    complain(missing, purchases, settings)


def num_at_once(models: Collection[str], settings: dict[str, Any]) -> int:
    """How many calls to some models may be under way together."""
    return sum(settings["model_concurrency"].get(model, settings["concurrency"]) for model in models)


def tell_models(missing: list[Request], settings: dict[str, Any]) -> None:
    """Say what is bought of each of several models."""
    parts = estimates(missing, settings["via"] == "batch", whole_ledger())
    for model, part in parts.items() if len(parts) > 1 else ():
        say(f"distill: {part.num_requests:,} of them from {model}, {part}")


def purchases_of(
    missing: list[Request], ledger: Ledger, segment: Segment, budget: Budget, tracker: Tracker, settings: dict[str, Any]
) -> list[Purchase]:
    """A purchase for each model: those that are asked, and those whose batches are still to be collected."""
    requests = by_model(missing)
    for model in models_under_way(ledger) if settings["via"] == "batch" else ():
        requests.setdefault(model, [])
    halt = Halt(len(requests))
    return [
        Purchase(model, some, segment, budget, load_price(model), tracker, halt) for model, some in requests.items()
    ]


def refuse_unread_files(ledger: Ledger) -> None:
    """Raises StageError where a segment's cost is not known: no budget could be kept."""
    if unread := [fault for fault in ledger.faults if fault.is_unread]:
        raise StageError(
            f"{unread[0]}, so the money spent is unknown. Make it readable, or move it elsewhere to ignore it."
        )


def ask(purchases: list[Purchase], ledger: Ledger, settings: dict[str, Any]) -> None:
    if settings["via"] == "chat":
        timing = (settings["timeout"], settings["patience"])
        asyncio.run(
            ask_chat(purchases, ServerSettings(settings["concurrency"], *timing, settings["model_concurrency"]))
        )
    elif settings["via"] == "batch":
        limits = (settings["batch_size"], settings["batches"], settings["batch_tokens"])
        ask_batches(purchases, ledger, BatchSettings(settings["poll"], *limits, settings["patience"]))
    elif settings["folder"] is None:
        raise StageError("TEACHER_VIA=vllm needs TEACHER_FOLDER, the folder of the teacher's model.")
    else:
        ask_vllm(purchases[0], settings["folder"])


def complain(missing: list[Request], purchases: list[Purchase], settings: dict[str, Any]) -> None:
    """Say what could not be bought and why; silent when all was."""
    answered = whole_ledger().answers({request.key for request in missing}, is_by_model_asked)
    left = [request for request in missing if request.key not in answered]
    for purchase in purchases if len(purchases) > 1 else ():
        say(
            f"distill: {purchase.model}: bought {purchase.num_answered:,} answers with {purchase.num_retries:,} retries"
        )
    say(f"distill: bought {sum(one.num_answered for one in purchases):,} answers with {sum(one.num_retries for one in purchases):,} "
        f"retries; {purchases[0].budget.spent_usd:.4f} USD spent in all")  # fmt: skip
    tell_rejected(purchases)
    if not left:
        return
    reasons = purchases[0].stop_reason or failures(purchases)
    rest: Estimate = estimate(left, settings["via"] == "batch", whole_ledger())
    raise StageError(
        f"{len(left):,} requests are not answered: {reasons}. All answers so far are kept. Run the stage again to "
        f"continue: the rest costs {rest}."
    )


def failures(purchases: list[Purchase]) -> str:
    """Why requests were given up: three reasons of each model, which is named where several were asked."""
    told = {purchase.model: "; ".join(sorted(set(purchase.gave_up.values()))[:3]) for purchase in purchases}
    named = (f"{model}: {words}" if len(purchases) > 1 else words for model, words in told.items() if words)
    return "; ".join(named)


def report_usage(requests: Path, completions: Path) -> None:
    counted = scan_table("completions", completions).select(
        pl.len().alias("requests"), pl.col("prompt_tokens", "completion_tokens").sum(), pl.col("usd").sum()
    )
    (used,) = collected(counted).to_dicts()
    write_usage("distill", requests, used)
    say(f"distill: {used['prompt_tokens']:,} tokens in, {used['completion_tokens']:,} out, {used['usd']:.4f} USD; "
        "next: parse_completions")  # fmt: skip
