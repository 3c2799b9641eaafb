"""Documents and their analyses, through the real database."""

from __future__ import annotations

import asyncio
import hashlib
import json

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Forbidden, NotFound, Unprocessable
from shared.store.postgres import PostgresTransport
from shared.store.store import Store
from shared.types import Caller, DocumentKind
from tests.store_samples import ALICE, BOB, chunks, index, put


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (DocumentKind.MARKDOWN, "# Title\r\n\n🦀 text\n"),
        (DocumentKind.TYPESCRIPT, "export const x = 1;\n"),
        (DocumentKind.JSON, '{\n  "b": 1,   "a": [1.50, "é"]\n}'),
    ],
)
async def test_content_comes_back_verbatim_with_its_hash(
    store: Store, kind: DocumentKind, content: str
) -> None:
    await store.put_document(ALICE, document_id="docs/a.md", title="A", kind=kind, content=content)
    document = (await store.get_document(ALICE, "docs/a.md")).document
    assert (document.content, document.kind, document.title) == (content, kind, "A")
    assert document.content_hash == hashlib.sha256(content.encode()).hexdigest()


async def test_a_new_kind_of_content_replaces_the_old_one(store: Store) -> None:
    await put(store, ALICE, "a", "# Markdown")
    await store.put_document(ALICE, document_id="a", title=None, kind=DocumentKind.JSON, content="[1]")
    document = (await store.get_document(ALICE, "a")).document
    assert (document.kind, document.content) == (DocumentKind.JSON, "[1]")


async def test_a_title_is_the_id_until_one_is_given_and_then_stays(store: Store) -> None:
    assert (await put(store, ALICE, "a", "1")).title == "a"
    named = await store.put_document(
        ALICE, document_id="a", title="Named", kind=DocumentKind.MARKDOWN, content="1"
    )
    assert named.title == "Named"
    assert (await put(store, ALICE, "a", "2")).title == "Named"


async def test_writing_what_is_already_there_keeps_the_time_of_the_last_change(store: Store) -> None:
    first = await put(store, ALICE, "a", "same")
    assert await put(store, ALICE, "a", "same") == first
    assert (await put(store, ALICE, "a", "other")).updated_at > first.updated_at


async def test_an_unknown_document_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound) as caught:
        await store.get_document(ALICE, "nothing")
    assert caught.value.param == "document_id"
    with pytest.raises(NotFound):
        await store.delete_document(ALICE, "nothing")


async def test_a_document_without_content_is_unprocessable_but_listed(
    store: Store, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "insert into documents_reference (tenant_id, document_id, title) values (%s, 'empty', 'Empty')",
            (ALICE.tenant_id,),
        )
    with pytest.raises(Unprocessable):
        await store.get_document(ALICE, "empty")
    [summary] = await store.list_documents(ALICE)
    assert (summary.kind, summary.content_hash, summary.indexed) == (None, None, False)


async def test_a_direct_writer_gets_the_right_hash_and_cannot_set_another(
    store: Store, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "insert into documents_reference (tenant_id, document_id, typescript_content, content_hash) "
            "values (%s, 'a', 'let x', 'wrong')",
            (ALICE.tenant_id,),
        )
        connection.execute("update documents_reference set content_hash = 'wrong'")
    document = (await store.get_document(ALICE, "a")).document
    assert document.content_hash == hashlib.sha256(b"let x").hexdigest()


async def test_markdown_goes_before_typescript_goes_before_json(store: Store, database_url: str) -> None:
    await put(store, ALICE, "a", "markdown")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update documents_reference set typescript_content = 'ts', json_file = '{}'")
        assert (await store.get_document(ALICE, "a")).document.content == "markdown"
        connection.execute("update documents_reference set markdown_content = null")
        assert (await store.get_document(ALICE, "a")).document.content == "ts"
        connection.execute("update documents_reference set typescript_content = null")
        assert (await store.get_document(ALICE, "a")).document.content == "{}"


async def test_pages_follow_one_another_without_gap_or_overlap(store: Store) -> None:
    ids = sorted(["b/2.md", "a.md", "b/1.md", "Z.md", "ä.md"], key=str.encode)
    for document_id in ids:
        await put(store, ALICE, document_id, "text")
    found: list[str] = []
    while page := await store.list_documents(ALICE, limit=2, after=found[-1] if found else None):
        found += [summary.document_id for summary in page]
    assert found == ids


async def test_a_document_is_listed_as_indexed_only_while_its_chunks_are_of_its_content(store: Store) -> None:
    await put(store, ALICE, "a", "one")
    assert [summary.indexed for summary in await store.list_documents(ALICE)] == [False]
    await index(store, ALICE, "a", chunks("one", "two"))
    assert [summary.indexed for summary in await store.list_documents(ALICE)] == [True]
    await put(store, ALICE, "a", "changed")
    assert [summary.indexed for summary in await store.list_documents(ALICE)] == [False]


async def test_deleting_a_document_takes_its_chunks_and_analyses_along(
    store: Store, database_url: str
) -> None:
    await index(store, ALICE, "a", chunks("one"))
    document = (await store.get_document(ALICE, "a")).document
    await analysed(store, ALICE, document.content_hash)
    await store.delete_document(ALICE, "a")
    with psycopg.connect(database_url) as connection:
        for table in ("document_chunks", "document_analysis"):
            assert connection.execute(f"select count(*) from {table}").fetchone() == (0,)


@pytest.mark.parametrize(
    ("document_id", "kind", "content"),
    [
        ("", DocumentKind.MARKDOWN, "text"),
        ("x" * 513, DocumentKind.MARKDOWN, "text"),
        ("nul\0", DocumentKind.MARKDOWN, "text"),
        ("a", DocumentKind.MARKDOWN, "nul \0 inside"),
        ("a", DocumentKind.MARKDOWN, "half a pair \ud83e"),
        ("a", DocumentKind.JSON, "{not json"),
        ("a", DocumentKind.JSON, ""),
    ],
)
async def test_what_the_database_cannot_hold_is_unprocessable(
    store: Store, document_id: str, kind: DocumentKind, content: str
) -> None:
    with pytest.raises(Unprocessable):
        await store.put_document(ALICE, document_id=document_id, title=None, kind=kind, content=content)
    assert await store.list_documents(ALICE) == []


async def test_a_caller_whose_claims_name_no_tenant_sees_nothing_and_writes_nothing(store: Store) -> None:
    await put(store, ALICE, "a", "text")
    for claims in (
        {"sub": "user_2abc"},
        {"role": "authenticated"},
        {"sub": ALICE.tenant_id, "app_metadata": {"tenant_id": "x"}},
    ):
        stranger = Caller(tenant_id=ALICE.tenant_id, claims=claims)
        assert await store.list_documents(stranger) == []
        with pytest.raises(Forbidden):
            await put(store, stranger, "b", "text")


async def test_without_a_tenant_in_app_metadata_the_user_is_the_tenant(store: Store) -> None:
    user = Caller(
        tenant_id=BOB.tenant_id, claims={"sub": BOB.tenant_id, "app_metadata": {"provider": "email"}}
    )
    await put(store, user, "a", "text")
    assert (await store.get_document(BOB, "a")).document.content == "text"


async def analysed(store: Store, caller: Caller, content_hash: str, version: str = "v1") -> bool:
    return await store.put_analysis(
        caller,
        document_id="a",
        analysis_type="completeness",
        content_hash=content_hash,
        version=version,
        result={"summary": version, "scores": {"clarity": 0.5}},
    )


async def test_an_analysis_comes_with_its_document_while_content_and_version_hold(store: Store) -> None:
    document = await put(store, ALICE, "a", "text")
    assert await analysed(store, ALICE, document.content_hash)

    async def found(analysis_type: str | None, version: str | None) -> object:
        stored = await store.get_document(ALICE, "a", analysis_type=analysis_type, analysis_version=version)
        return stored.analysis

    result = {"summary": "v1", "scores": {"clarity": 0.5}}
    assert await found("completeness", "v1") == result
    assert await found("completeness", None) == result
    assert await found("completeness", "v2") is None
    assert await found("other", "v1") is None
    assert await found(None, None) is None
    await put(store, ALICE, "a", "changed")
    assert await found("completeness", "v1") is None
    await put(store, ALICE, "a", "text")
    assert await found("completeness", "v1") == result


async def test_an_analysis_of_content_that_has_moved_on_is_not_stored(store: Store) -> None:
    old = await put(store, ALICE, "a", "old")
    new = await put(store, ALICE, "a", "new")
    assert await analysed(store, ALICE, new.content_hash, "of the new")
    assert not await analysed(store, ALICE, old.content_hash, "of the old")
    stored = await store.get_document(ALICE, "a", analysis_type="completeness")
    assert stored.analysis is not None
    assert stored.analysis["summary"] == "of the new"


def test_any_text_without_nul_comes_back_as_it_was(database_url: str) -> None:
    async def round_trip(content: str) -> None:
        await put(store, ALICE, "a", content)
        await store.put_document(
            ALICE, document_id="j", title=content, kind=DocumentKind.JSON, content=json.dumps(content)
        )
        assert (await store.get_document(ALICE, "a")).document.content == content
        stored = (await store.get_document(ALICE, "j")).document
        assert (stored.title, json.loads(stored.content)) == (content, content)

    with asyncio.Runner() as runner:
        store = Store(PostgresTransport(database_url))

        @settings(max_examples=40, deadline=None)
        @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
        def check(content: str) -> None:
            runner.run(round_trip(content))

        check()
        runner.run(store.close())
