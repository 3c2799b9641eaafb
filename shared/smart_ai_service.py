"""The four tasks, as the handlers call them. What each task is stands in `shared/tasks`.

Here is what they have in common: a document is loaded, passages are retrieved, a provider is asked,
the deterministic analysis answers where none can (AI_OFFLINE), labelled `degraded`, and the ledger
is settled before the answer ends. Errors are ApiErrors.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from shared.errors import (
    AllProvidersFailed,
    ApiError,
    InvalidRequest,
    MalformedOutput,
    NotConfigured,
    ProviderTimeout,
    StoreUnavailable,
    Unprocessable,
)
from shared.single_flight import SingleFlight
from shared.tasks import analysis, answers, diagrams, suggestions
from shared.tasks.asking import OFFLINE, OFFLINE_MODEL, Asker, Call, Subject
from shared.tasks.sessions import Sessions
from shared.text.prompting import load_prompt
from shared.text.sse import Delta, Item, Start, StreamMessage, SwitchEvent
from shared.types import CallContext, Document, JsonObject, Match, Meta, Task, Tier

if TYPE_CHECKING:
    from shared.ai.router import Router
    from shared.indexing import Embedder
    from shared.ledger import Ledger
    from shared.retrieval import Retrieved
    from shared.settings import Settings
    from shared.store.store import Store

T = TypeVar("T")

# What the key-free answers may stand in for. Not a refusal or a wrong request: those are answers.
UNANSWERED = (NotConfigured, AllProvidersFailed, ProviderTimeout, MalformedOutput)

PASSAGES = 8  # that an answer or a diagram is made from
RELATED_PASSAGES = 3  # beside the text around the cursor


class SmartAIService:
    def __init__(
        self, *, settings: Settings, store: Store, router: Router, embedder: Embedder, ledger: Ledger
    ) -> None:
        self._settings = settings
        self._store = store
        self._router = router
        self._embedder = embedder
        self._ledger = ledger
        self._sessions = Sessions()
        self._analyses: SingleFlight[JsonObject] = SingleFlight()

    # --- the tasks -------------------------------------------------------------------------------

    async def analyze_document(
        self,
        call: Call,
        *,
        document_id: str | None = None,
        content: str | None = None,
        refresh: bool = False,
    ) -> JsonObject:
        """Findings on a stored document, or on `content`. The same text is not asked about twice.

        Raises InvalidRequest for neither or both, NotFound, Unprocessable for an empty document.
        """
        if (document_id is None) == (content is None):
            raise InvalidRequest("Send document_id or content, one of the two", param="document_id")
        async with self._accounted():
            subject = Subject.unsaved(content or "")
            if document_id is not None:
                stored = await self._store.get_document(
                    call.caller, document_id, analysis_type=analysis.ANALYSIS_TYPE
                )
                if stored.analysis and not refresh and self._analysis_holds(stored.analysis):
                    return analysis.from_store(stored.analysis, call.request_id)
                subject = Subject.of(stored.document)
            if refresh:
                return await self._analysis(call, subject)
            asked = (call.caller.tenant_id, subject.identity)
            answer = await self._analyses.do(asked, lambda: self._analysis(call, subject))
            return analysis.for_request(answer, call.request_id)

    async def generate_suggestions(
        self,
        call: Call,
        *,
        content: str,
        line: int,
        character: int,
        document_id: str | None = None,
        count: int = 3,
        inline: bool = False,
        session: str | None = None,
        revision: int | None = None,
    ) -> AsyncGenerator[StreamMessage, None]:
        """Suggestions at the cursor (0-based, UTF-16 units, clamped): deltas, then each one whole.

        Raises NotFound for an unknown document before the first event, RevisionSuperseded as soon as
        a newer request of the same session comes.
        """
        key = (call.caller.tenant_id, session) if session else None
        with self._sessions.turn(key, revision) as turn:
            events = self._suggestions(call, content, line, character, document_id, count, inline)
            async with self._accounted(), aclosing(events):
                while (event := await turn.wait(anext(events, None))) is not None:
                    yield event

    async def answer_question(
        self,
        call: Call,
        *,
        question: str,
        document_ids: Sequence[str] | None = None,
        history: Sequence[tuple[str, str]] = (),
    ) -> AsyncGenerator[StreamMessage, None]:
        """The answer with its citations; Done's result holds all of it. `history`: (role, text) pairs.

        No `document_ids` means every document of the caller's. Raises Unprocessable for an empty
        question, NotFound for an unknown document, both before the first event.
        """
        if not question.strip():
            raise Unprocessable("The question is empty", param="question")
        async with self._accounted():
            await self._make_searchable(call, document_ids)
            found = await self._retrieve(
                call, Task.QA, answers.search_query(question, history), document_ids, PASSAGES
            )
            asker = self._asker(call, Task.QA)
            enquiry = answers.Enquiry(question, tuple(history), found.matches, found.stale_chunks)
            if not found.matches:
                for message in answers.abstain(enquiry, call.request_id):
                    yield message
                return
            events = self._stream_or_offline(
                asker,
                None,
                lambda: answers.ask(asker, enquiry),
                lambda meta: answers.offline(enquiry, meta),
            )
            async with aclosing(events):
                async for event in events:
                    yield event

    async def create_diagram(
        self,
        call: Call,
        *,
        concept: str,
        document_id: str | None = None,
        context: str | None = None,
        diagram_type: str | None = None,
    ) -> JsonObject:
        """Mermaid for a concept, from a stored document, from `context`, or from general knowledge.

        Raises InvalidRequest for an unknown type or both sources, Unprocessable for an empty concept,
        NotFound.
        """
        if not concept.strip():
            raise Unprocessable("The concept is empty: say what to draw", param="concept")
        if document_id is not None and context is not None:
            raise InvalidRequest("Send document_id or context, not both", param="context")
        kind = diagrams.checked_type(diagram_type)
        async with self._accounted():
            document = await self._document(call, document_id)
            subject = Subject.of(document) if document else None
            if context is not None and context.strip():
                subject = Subject.unsaved(context)
            asker = self._asker(call, Task.DIAGRAMS)

            async def ask() -> JsonObject:
                matches: Sequence[Match] = ()
                if document is not None and diagrams.needs_passages(subject):
                    await self._make_searchable(call, [document.document_id])
                    ids = [document.document_id]
                    matches = (await self._retrieve(call, Task.DIAGRAMS, concept, ids, PASSAGES)).matches
                return await diagrams.ask(asker, concept, kind, subject, matches)

            return await self._or_offline(
                asker,
                subject.tier if subject else None,
                ask,
                lambda meta: diagrams.offline(concept, kind, subject, meta),
            )

    # --- a provider, or our own means ------------------------------------------------------------

    async def _analysis(self, call: Call, subject: Subject) -> JsonObject:
        if not subject.content.strip():
            raise Unprocessable("The document is empty: there is nothing to analyse", param="content")
        asker = self._asker(call, Task.ANALYSIS)
        answer = await self._or_offline(
            asker,
            subject.tier,
            lambda: analysis.ask(asker, subject),
            lambda meta: analysis.offline(subject, meta),
        )
        if subject.document_id is not None:
            await self._store.put_analysis(
                call.caller,
                document_id=subject.document_id,
                analysis_type=analysis.ANALYSIS_TYPE,
                content_hash=subject.content_hash,
                version=load_prompt("analysis").hash,
                result=answer,
            )
        return answer

    async def _suggestions(
        self,
        call: Call,
        content: str,
        line: int,
        character: int,
        document_id: str | None,
        count: int,
        inline: bool,
    ) -> AsyncGenerator[StreamMessage, None]:
        document = await self._document(call, document_id)
        subject = Subject.unsaved(content, like=document)
        cursor = suggestions.cursor_at(subject, line, character, 1 if inline else count, inline)
        asker = self._asker(call, Task.SUGGESTIONS)

        async def ask() -> AsyncGenerator[StreamMessage, None]:
            matches = await self._related(call, cursor)
            async with aclosing(suggestions.ask(asker, cursor, matches)) as events:
                async for event in events:
                    yield event

        events = self._stream_or_offline(
            asker, subject.tier, ask, lambda meta: suggestions.offline(cursor, meta)
        )
        async with aclosing(events):
            async for event in events:
                yield event

    def _asker(self, call: Call, task: Task) -> Asker:
        context = CallContext(call.request_id, call.caller.tenant_id, task)
        return Asker(self._router, self._settings.tasks[task], context)

    def _asks_providers(self, asker: Asker, tier: Tier | None) -> bool:
        """Raises NotConfigured where nobody can be asked and nothing may stand in."""
        if self._settings.offline == "only":
            return False
        if asker.config.ready_targets(tier):
            return True
        if self._settings.offline == "fallback":
            return False
        missing = sorted(
            {
                f"{target.provider.variable_prefix}_API_KEY"
                for target in asker.config.targets[asker.config.tier]
            }
        )
        raise NotConfigured(
            f"No provider can be asked for {asker.context.task.value}: set {' or '.join(missing)}"
        )

    async def _or_offline(
        self,
        asker: Asker,
        tier: Tier | None,
        ask: Callable[[], Awaitable[JsonObject]],
        offline: Callable[[Meta], JsonObject],
    ) -> JsonObject:
        error = None
        if self._asks_providers(asker, tier):
            try:
                return await ask()
            except UNANSWERED as failure:
                if self._settings.offline == "never":
                    raise
                error = failure
        return await asyncio.to_thread(offline, _degraded_meta(asker, error))

    async def _stream_or_offline(
        self,
        asker: Asker,
        tier: Tier | None,
        ask: Callable[[], AsyncGenerator[StreamMessage, None]],
        offline: Callable[[Meta], Iterable[StreamMessage]],
    ) -> AsyncGenerator[StreamMessage, None]:
        """Our own means stand in only while no text of a provider's has been sent."""
        error = None
        started_by = None
        if self._asks_providers(asker, tier):
            sent_text = False
            try:
                async with aclosing(ask()) as events:
                    async for event in events:
                        sent_text = sent_text or isinstance(event, (Delta, Item))
                        if isinstance(event, Start):
                            started_by = event.provider
                        yield event
            except UNANSWERED as failure:
                if sent_text or self._settings.offline == "never":
                    raise
                error = failure
            else:
                return
        messages = await asyncio.to_thread(lambda: list(offline(_degraded_meta(asker, error))))
        for message in messages:
            if started_by is not None and isinstance(message, Start):
                yield SwitchEvent(started_by, OFFLINE, error.code if error else OFFLINE)
            else:
                yield message

    @asynccontextmanager
    async def _accounted(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self._ledger.settle()

    def _analysis_holds(self, stored: JsonObject) -> bool:
        """A model's holds while its prompt does; the key-free one while nobody better can be asked."""
        if stored["meta"]["degraded"]:
            config = self._settings.tasks[Task.ANALYSIS]
            return self._settings.offline == "only" or not config.ready_targets()
        return bool(stored["meta"]["prompt"] == load_prompt("analysis").hash)

    # --- context ---------------------------------------------------------------------------------

    async def _document(self, call: Call, document_id: str | None) -> Document | None:
        if document_id is None:
            return None
        return (await self._store.get_document(call.caller, document_id)).document

    async def _make_searchable(self, call: Call, document_ids: Sequence[str] | None) -> None:
        """Index the named documents that were changed behind our back.

        Raises NotFound for an unknown one.
        """
        from shared.indexing import index_document

        for document_id in dict.fromkeys(document_ids or ()):
            stored = await self._store.get_document(call.caller, document_id)
            if not stored.indexed:
                await index_document(
                    self._store,
                    self._embedder,
                    call.caller,
                    stored.document,
                    context=CallContext(call.request_id, call.caller.tenant_id, Task.EMBEDDING),
                )

    async def _retrieve(
        self, call: Call, task: Task, query: str, document_ids: Sequence[str] | None, count: int
    ) -> Retrieved:
        from shared.retrieval import retrieve

        return await retrieve(
            self._store,
            self._embedder,
            call.caller,
            query=query,
            document_ids=document_ids,
            count=count,
            context=CallContext(call.request_id, call.caller.tenant_id, task),
        )

    async def _related(self, call: Call, cursor: suggestions.Cursor) -> Sequence[Match]:
        """Passages on what is being written, found by words alone: nobody waits for a vector while typing.

        Suggestions go on without them when the database is away.
        """
        query = cursor.query()
        if not query.strip():
            return ()
        try:
            found = await self._store.match_document_chunks(
                call.caller, query_text=query.replace("\0", " "), match_count=RELATED_PASSAGES
            )
        except StoreUnavailable:
            return ()
        return [match for match in found.matches if match.text not in cursor.subject.content]


def _degraded_meta(asker: Asker, error: ApiError | None) -> Meta:
    """The meta of an answer by our own means; the cost of failed attempts is not known here."""
    attempts = error.attempts if error else ()
    return Meta(
        request_id=asker.context.request_id,
        provider=OFFLINE,
        model=OFFLINE_MODEL,
        degraded=True,
        attempts=len(attempts),
        cost_usd=None if attempts else Decimal(0),
        extra={"failures": [attempt.to_json() for attempt in attempts]} if attempts else {},
    )
