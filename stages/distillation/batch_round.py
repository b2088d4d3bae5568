"""A round's batches: those of each model, each with its own queue, waited for together over one budget.

ask_batches(purchases, ledger, BatchSettings(poll_seconds=30, ...))
"""

import time

from stages.distillation.batch import BatchTeacher
from stages.distillation.batch_client import BatchClient
from stages.distillation.ledger import Ledger, Row
from stages.distillation.open_batches import BatchSettings, OpenBatches
from stages.distillation.pricing import load_table
from stages.distillation.purchase import Purchase


def ask_batches(purchases: list[Purchase], ledger: Ledger, settings: BatchSettings) -> None:
    """Ask for all models' requests, or until the purchase stops; batches under way are waited for.

    A fault of the server at one model stops the purchase; the batches of the others are collected, its own are in the ledger.
    """
    client, under_way = BatchClient(settings.patience_seconds), batches_by_model(ledger, purchases)
    batches = [OpenBatches(client, purchase, ledger, under_way[purchase.model], settings) for purchase in purchases]
    teachers = [BatchTeacher(of_model) for of_model in batches]
    for of_model in batches:
        of_model.siblings = batches
    while True:
        for teacher in teachers:
            teacher.submit()
        if not any(teacher.is_waiting for teacher in teachers):
            break
        if not sum(teacher.collect() for teacher in teachers):
            time.sleep(settings.poll_seconds)
    for teacher in teachers:
        teacher.give_up_rest()


def models_under_way(ledger: Ledger) -> list[str]:
    """The models with a price whose batches have not ended."""
    named = {str(row["model"]) for row in ledger.open_batches().values() if "model" in row}
    return sorted(named & load_table().keys())


def batches_by_model(ledger: Ledger, purchases: list[Purchase]) -> dict[str, dict[str, Row]]:
    """model -> its batches under way, by id. Where neither a batch nor a key of it tells the model, it is the first one."""
    model_of = {request.key: purchase.model for purchase in purchases for request in purchase.requests}
    batches: dict[str, dict[str, Row]] = {purchase.model: {} for purchase in purchases}
    for batch_id, row in ledger.open_batches().items():
        told = [str(row.get("model")), *(model_of[key] for key in row["keys"] if key in model_of)]
        model = next((model for model in told if model in batches), purchases[0].model)
        batches[model][batch_id] = row
    return batches
