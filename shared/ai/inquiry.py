"""What a router is given to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.providers import Target
from shared.settings import Limits
from shared.types import CallContext, ChatRequest


@dataclass(slots=True)
class Inquiry:
    """A request, whom it may be asked of in this order, within which limits, and for whom."""

    request: ChatRequest
    targets: Sequence[Target]
    limits: Limits
    context: CallContext
