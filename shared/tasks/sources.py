"""Where the tasks' context comes from: documents, made searchable where they are not, and passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import StoreUnavailable
from shared.tasks.reading import MOST_TOKENS, PART_TOKENS, Reading, reading_of
from shared.types import CallContext, Document, Match, Task

if TYPE_CHECKING:
    from shared.indexing import Embedder
    from shared.retrieval import Retrieved
    from shared.store.store import Store
    from shared.tasks.asking import Call
    from shared.text.question_scope import Scope

PASSAGES = 8  # that an answer or a diagram is made from
RELATED_PASSAGES = 3  # beside the text around the cursor
TEXT_BYTES = 4 * 2**20  # of the texts of documents that an answer may cite, see docs/retrieval.md
FEW_DOCUMENTS = 20  # that are all read for a question on the whole, as far as they fit


@dataclass(frozen=True, slots=True)
class Sources:
    """Every method raises StoreUnavailable, unless it says otherwise."""

    store: Store
    embedder: Embedder

    async def document(self, call: Call, document_id: str | None) -> Document | None:
        """Raises NotFound."""
        if document_id is None:
            return None
        return (await self.store.get_document(call.caller, document_id)).document

    async def make_searchable(self, call: Call, document_ids: Sequence[str] | None) -> None:
        """Index the named documents that were changed behind our back.

        Raises NotFound for an unknown one.
        """
        from shared.indexing import index_document

        for document_id in dict.fromkeys(document_ids or ()):
            stored = await self.store.get_document(call.caller, document_id)
            if not stored.indexed:
                await index_document(
                    self.store,
                    self.embedder,
                    call.caller,
                    stored.document,
                    context=CallContext(call.request_id, call.caller.tenant_id, Task.EMBEDDING),
                )

    async def passages(
        self, call: Call, task: Task, query: str, document_ids: Sequence[str] | None
    ) -> Retrieved:
        """The best PASSAGES of these documents; None: of all that the caller may read.

        Those that may be cited come with the texts of their documents, up to TEXT_BYTES.
        """
        from shared.retrieval import retrieve

        return await retrieve(
            self.store,
            self.embedder,
            call.caller,
            query=query,
            document_ids=document_ids,
            count=PASSAGES,
            text_bytes=TEXT_BYTES if task is Task.QA else 0,
            context=CallContext(call.request_id, call.caller.tenant_id, task),
        )

    async def reading(
        self, call: Call, scope: Scope, document_ids: Sequence[str] | None, found: Sequence[Match]
    ) -> Reading | None:
        """The documents asked about, whole; None where not even one can be.

        Without `document_ids` that is every document where there are few; else those of the passages found,
        as far as they can be read at once, and nobody claims that these are all.
        """
        from shared.retrieval import with_places

        every = document_ids if document_ids is not None else await self._few_documents(call)
        asked = every if every is not None else [match.document_id for match in found]
        most = MOST_TOKENS if every is not None else PART_TOKENS
        whole = await self.store.read_chunks(
            call.caller, list(dict.fromkeys(asked)), max_tokens=most, text_bytes=TEXT_BYTES
        )
        if not whole.matches:
            return None
        complete = every is not None and {one.document_id for one in whole.matches} == set(asked)
        texts = await with_places(whole.texts)
        return reading_of(scope, whole.matches, found, texts, complete=complete)

    async def _few_documents(self, call: Call) -> list[str] | None:
        """All that the caller may read, made searchable; None where there are more than a few."""
        documents = await self.store.list_documents(call.caller, limit=FEW_DOCUMENTS + 1)
        if len(documents) > FEW_DOCUMENTS:
            return None
        ids = [document.document_id for document in documents if document.kind is not None]
        await self.make_searchable(call, ids)
        return ids

    async def related(self, call: Call, query: str) -> Sequence[Match]:
        """Passages on what is being written, found by words alone: nobody waits for a vector while typing.

        None, and no error, when the database is away.
        """
        if not query.strip():
            return ()
        try:
            found = await self.store.match_document_chunks(
                call.caller, query_text=query.replace("\0", " "), match_count=RELATED_PASSAGES
            )
        except StoreUnavailable:
            return ()
        return found.matches
