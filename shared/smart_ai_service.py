"""The four tasks, as the handlers call them. What each task is stands in `shared/tasks`.

Here is what they have in common: a document is loaded, passages are retrieved, a provider is asked,
the deterministic analysis answers where none can (AI_OFFLINE), labelled `degraded`, and the ledger
is settled before the answer ends. Errors are ApiErrors.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from shared.ai.builtin_embedder import BuiltinEmbedder
from shared.errors import InvalidRequest, Unprocessable
from shared.retrieval import is_weak
from shared.single_flight import SharedStreams
from shared.tasks import analysis, answers, diagrams, suggestions
from shared.tasks.asking import Asker, Call, Subject
from shared.tasks.sessions import Sessions
from shared.tasks.sources import Sources
from shared.tasks.stand_in import StandIn
from shared.text.follow_up import search_query
from shared.text.prompting import load_prompt
from shared.text.question_scope import whole_scope
from shared.text.sse import Done, StreamMessage, done_json
from shared.types import JsonObject, Match, Task

if TYPE_CHECKING:
    from shared.ai.router import Router
    from shared.indexing import Embedder
    from shared.ledger import Ledger
    from shared.settings import Settings
    from shared.store.store import Store


class SmartAIService:
    def __init__(
        self, *, settings: Settings, store: Store, router: Router, embedder: Embedder, ledger: Ledger
    ) -> None:
        self._settings = settings
        self._store = store
        self._router = router
        self._embedder = embedder
        self._likeness = BuiltinEmbedder()  # at hand, whoever makes the vectors that are searched
        self._sources = Sources(store, embedder)
        self._stand_in = StandIn(settings.offline)
        self._ledger = ledger
        self._sessions = Sessions()
        self._analyses: SharedStreams[StreamMessage] = SharedStreams()

    # --- the tasks -------------------------------------------------------------------------------

    async def analyze_document(
        self,
        call: Call,
        *,
        document_id: str | None = None,
        content: str | None = None,
        refresh: bool = False,
    ) -> AsyncGenerator[StreamMessage, None]:
        """Findings on a stored document, or on `content`; Done's result holds all of them.

        The same text is not asked about twice. Raises InvalidRequest for neither or both, NotFound,
        Unprocessable for an empty document, all before the first event.
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
                    for message in analysis.from_store(stored.analysis, call.request_id):
                        yield message
                    return
                subject = Subject.of(stored.document)
            async with aclosing(self._shared_analysis(call, subject, alone=refresh)) as events:
                async for event in events:
                    yield analysis.for_request(event, call.request_id)

    def _shared_analysis(
        self, call: Call, subject: Subject, *, alone: bool
    ) -> AsyncGenerator[StreamMessage, None]:
        if alone:
            return self._analysis(call, subject)
        asked = (call.caller.tenant_id, subject.identity)
        return self._analyses.listen(asked, lambda: self._analysis(call, subject))

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

        A question on the whole of a document is answered from all of it, any other from the best passages,
        or not at all where these are weak.

        No `document_ids` means every document of the caller's. Raises Unprocessable for an empty
        question, NotFound for an unknown document, both before the first event.
        """
        if not question.strip():
            raise Unprocessable("The question is empty", param="question")
        async with self._accounted():
            await self._sources.make_searchable(call, document_ids)
            enquiry = await self._enquiry(call, question, document_ids, history)
            if enquiry.weak or not enquiry.matches:
                for message in answers.abstain(enquiry, call.request_id):
                    yield message
                return
            asker = self._asker(call, Task.QA)
            events = self._stand_in.stream(
                asker,
                None,
                lambda: answers.ask(asker, enquiry, self._likeness.similarity),
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
            document = await self._sources.document(call, document_id)
            subject = Subject.of(document) if document else None
            if context is not None and context.strip():
                subject = Subject.unsaved(context)
            asker = self._asker(call, Task.DIAGRAMS)

            async def ask() -> JsonObject:
                matches: Sequence[Match] = ()
                if document is not None and diagrams.needs_passages(subject):
                    await self._sources.make_searchable(call, [document.document_id])
                    ids = [document.document_id]
                    matches = (await self._sources.passages(call, Task.DIAGRAMS, concept, ids)).matches
                return await diagrams.ask(asker, concept, kind, subject, matches)

            return await self._stand_in.answer(
                asker,
                subject.tier if subject else None,
                ask,
                lambda meta: diagrams.offline(concept, kind, subject, meta),
            )

    # --- what each of them asks ------------------------------------------------------------------

    async def _analysis(self, call: Call, subject: Subject) -> AsyncGenerator[StreamMessage, None]:
        if not subject.content.strip():
            raise Unprocessable("The document is empty: there is nothing to analyse", param="content")
        asker = self._asker(call, Task.ANALYSIS)
        events = self._stand_in.stream(
            asker,
            subject.tier,
            lambda: analysis.ask(asker, subject),
            lambda meta: analysis.offline(subject, meta),
        )
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Done) and subject.document_id is not None:
                    await self._keep_analysis(call, subject, event)
                yield event

    async def _keep_analysis(self, call: Call, subject: Subject, done: Done) -> None:
        await self._store.put_analysis(
            call.caller,
            document_id=subject.document_id or "",
            analysis_type=analysis.ANALYSIS_TYPE,
            content_hash=subject.content_hash,
            version=load_prompt("analysis").hash,
            result=done_json(done),
        )

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
        document = await self._sources.document(call, document_id)
        subject = Subject.unsaved(content, like=document)
        cursor = suggestions.cursor_at(subject, line, character, 1 if inline else count, inline)
        asker = self._asker(call, Task.SUGGESTIONS)

        async def ask() -> AsyncGenerator[StreamMessage, None]:
            related = await self._sources.related(call, cursor.query())
            matches = [match for match in related if match.text not in subject.content]
            async with aclosing(suggestions.ask(asker, cursor, matches)) as events:
                async for event in events:
                    yield event

        events = self._stand_in.stream(
            asker, subject.tier, ask, lambda meta: suggestions.offline(cursor, meta)
        )
        async with aclosing(events):
            async for event in events:
                yield event

    async def _enquiry(
        self,
        call: Call,
        question: str,
        document_ids: Sequence[str] | None,
        history: Sequence[tuple[str, str]],
    ) -> answers.Enquiry:
        query = search_query(question, history)
        found = await self._sources.passages(call, Task.QA, query, document_ids)
        if scope := whole_scope(question):
            reading = await self._sources.reading(call, scope, document_ids, found.matches)
            return answers.Enquiry(question, query, tuple(history), found, reading=reading)
        # What a question leans on is in the conversation: what it says itself is no measure then.
        weak = query == question and await asyncio.to_thread(
            is_weak, question, found.matches, self._embedder.model
        )
        return answers.Enquiry(question, query, tuple(history), found, weak=weak)

    def _asker(self, call: Call, task: Task) -> Asker:
        return Asker.of(self._router, self._settings.tasks[task], call)

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
