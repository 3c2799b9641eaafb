"""What the four tasks share: who calls, what about, how a provider is asked, and `meta`."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from shared.ai.inquiry import Inquiry
from shared.errors import InternalError
from shared.text.sse import Done, StreamMessage
from shared.types import (
    CallContext,
    Caller,
    ChatRequest,
    Completion,
    Document,
    DocumentKind,
    Finish,
    Json,
    JsonObject,
    Meta,
    StreamEvent,
    StreamStart,
    Tier,
    Usage,
)

if TYPE_CHECKING:
    from shared.ai.retry import Budget
    from shared.ai.router import Router
    from shared.settings import TaskConfig

T = TypeVar("T")

OFFLINE = "offline"  # stands as the provider of what no provider made
OFFLINE_MODEL = "deterministic"


@dataclass(slots=True)
class Call:
    """One request of a client."""

    request_id: str
    caller: Caller


@dataclass(frozen=True, slots=True)
class Subject:
    """The text a task is about: a stored document's context, or text that is not stored."""

    content: str
    content_hash: str
    kind: DocumentKind
    title: str
    document_id: str | None

    @classmethod
    def of(cls, document: Document) -> Subject:
        return cls(
            document.content, document.content_hash, document.kind, document.title, document.document_id
        )

    @classmethod
    def unsaved(cls, content: str, *, like: Document | None = None) -> Subject:
        """Text from the editor: of the stored document `like`, or of none."""
        return cls(
            content,
            hashlib.sha256(content.encode()).hexdigest(),
            like.kind if like else DocumentKind.MARKDOWN,
            like.title if like else "Unsaved document",
            like.document_id if like else None,
        )

    @property
    def identity(self) -> tuple[str | None, ...]:
        """Subjects that share it ask the same question."""
        return (self.content_hash, self.kind.value, self.title, self.document_id)

    @property
    def tier(self) -> Tier | None:
        """Code is for the CODE models; None leaves the task's own tier."""
        return Tier.CODE if self.kind is DocumentKind.TYPESCRIPT else None


@dataclass(frozen=True, slots=True)
class Asker:
    """A task's way to its providers, for one request. All that it asks shares one budget."""

    router: Router
    config: TaskConfig
    context: CallContext
    budget: Budget

    @classmethod
    def of(cls, router: Router, config: TaskConfig, call: Call) -> Asker:
        """The budget's time begins now."""
        context = CallContext(call.request_id, call.caller.tenant_id, config.task)
        return cls(router, config, context, router.budget(config.ready_targets(), config.limits))

    def stream(self, request: ChatRequest, tier: Tier | None) -> AsyncGenerator[StreamEvent, None]:
        """Raises the router's errors, NotConfigured where no target has a key."""
        return self.router.stream(self._inquiry(request, tier), self.budget)

    async def complete(self, request: ChatRequest, tier: Tier | None) -> Completion:
        """The whole answer. Raises as `stream` does."""
        return await self.router.complete(self._inquiry(request, tier), self.budget)

    async def parsed(
        self,
        request: ChatRequest,
        parse: Callable[[str], T],
        tier: Tier | None,
        started: Callable[[StreamStart], None] | None = None,
    ) -> tuple[T, Finish]:
        """`parse` raises ValueError for a reply that will not do. Raises the router's errors.

        `started` is told who answers as soon as the answer begins.
        """
        inquiry = self._inquiry(request, tier)
        return await self.router.complete_parsed(inquiry, self.budget, parse=parse, started=started)

    def _inquiry(self, request: ChatRequest, tier: Tier | None) -> Inquiry:
        return Inquiry(request, self.config.ready_targets(tier), self.config.limits, self.context)


def answered_meta(request_id: str, finishes: Sequence[Finish], **extra: Json) -> Meta:
    """The meta of what providers answered; sums over several answers, names from the last."""
    costs = [finish.cost_usd for finish in finishes]
    return Meta(
        request_id=request_id,
        provider=finishes[-1].provider,
        model=finishes[-1].model,
        attempts=sum(finish.attempts for finish in finishes),
        usage=sum((finish.usage for finish in finishes), Usage()),
        cost_usd=None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0)),
        extra=extra,
    )


def free_meta(request_id: str, **extra: Json) -> Meta:
    """The meta of what was answered by our own means and cost nothing, though no provider failed."""
    return Meta(request_id, provider=OFFLINE, model=OFFLINE_MODEL, cost_usd=Decimal(0), extra=extra)


async def collect(events: AsyncGenerator[StreamMessage, None]) -> JsonObject:
    """The whole answer of a stream: what its Done says. Raises what the stream raises."""
    async with aclosing(events):
        async for message in events:
            if isinstance(message, Done):
                return {**message.result, "meta": message.meta.to_json()}
    raise InternalError("The answer broke off")
