"""Which models suit a task, and in which order. Pure; the rules are described in docs/gateway.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from shared.ai.model_lists import Capability, Model
from shared.types import Task

Order = Literal["cost", "context", "name"]
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a task asks of a model, and how its tokens are spread."""

    capability: Capability = "chat"  # must be known to be there
    not_without: frozenset[Capability] = frozenset()  # must not be known to be missing
    reasons: bool = True  # may think before it speaks
    context: int = 0  # tokens at least, where it is known
    output_share: Decimal = Decimal("0.25")  # of all tokens, the rest being input


NEEDS: Mapping[Task, Needs] = {
    # A whole document or a long section in, a structured list of findings out.
    Task.ANALYSIS: Needs(not_without=frozenset({"json_schema"}), context=32_000, output_share=Decimal("0.2")),
    # The writer waits at the cursor: no thinking; much context, a sentence or two.
    Task.SUGGESTIONS: Needs(reasons=False, context=8_000, output_share=Decimal("0.1")),
    Task.QA: Needs(context=16_000, output_share=Decimal("0.1")),
    Task.DIAGRAMS: Needs(
        not_without=frozenset({"json_schema"}), context=16_000, output_share=Decimal("0.25")
    ),
    Task.EMBEDDING: Needs("embeddings", output_share=Decimal(0)),
    Task.GATEWAY: Needs(),
}


def suits(model: Model, task: Task) -> bool:
    needs = NEEDS[task]
    return (
        model.has(needs.capability) is True
        and all(model.has(capability) is not False for capability in needs.not_without)
        and (needs.reasons or model.has("reasoning") is not True)
        and (model.context_length is None or model.context_length >= needs.context)
    )


def mixed_price(model: Model, task: Task | None) -> Decimal | None:
    """US dollars per million tokens of the task's mix; None where a price that counts is not known."""
    share = NEEDS[task or Task.GATEWAY].output_share
    if model.has("embeddings"):
        share = Decimal(0)
    if model.input_price is None or (share and model.output_price is None):
        return None
    return model.input_price * (1 - share) + (model.output_price or Decimal(0)) * share


def ordered(models: Iterable[Model], order: Order, task: Task | None) -> list[Model]:
    """`cost`: the cheapest first; `context`: the largest first; what is not known comes last."""
    named = sorted(models, key=lambda model: (model.id.casefold(), model.provider))
    if order == "cost":
        prices = {id(model): mixed_price(model, task) for model in named}
        return sorted(named, key=lambda model: _unknown_last(prices[id(model)]))
    if order == "context":
        return sorted(named, key=lambda model: -(model.context_length or 0))
    return named


def _unknown_last(price: Decimal | None) -> tuple[bool, Decimal]:
    return price is None, price or Decimal(0)


def near(name: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """The names most like it, the best first; none where nothing is like it."""
    from rapidfuzz import fuzz, process

    found = process.extract(
        name, list(known), scorer=fuzz.WRatio, processor=str.casefold, limit=limit, score_cutoff=80
    )
    return [choice for choice, _, _ in found]


def told(names: Sequence[str]) -> str:
    """The end of a sentence that says that a model is not known."""
    return f"near are {', '.join(names)}" if names else "no name is near it"
