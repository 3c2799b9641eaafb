"""The embedder that asks nobody: the same vectors everywhere, and nearness where words are shared."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.ai.builtin_embedder import BuiltinEmbedder

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


def embed(*texts: str) -> NDArray[float32]:
    return asyncio.run(BuiltinEmbedder().embed(texts))


def cosine(one: str, other: str) -> float:
    first, second = embed(one, other)
    return float(first @ second)


def test_the_shape_is_that_of_the_database_column() -> None:
    vectors = embed("one", "two", "three")
    assert vectors.shape == (3, 1536)
    assert vectors.dtype == np.float32
    assert embed().shape == (0, 1536)


@settings(max_examples=100)
@given(st.text(max_size=40))
def test_every_text_has_a_vector_of_length_one(text: str) -> None:
    assert np.linalg.norm(embed(text)[0]) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("text", ["", " ", "---", "the", "\ud800", "x" * 100_000, "😀"])
def test_also_a_text_without_telling_words_has_one(text: str) -> None:
    assert np.linalg.norm(embed(text)[0]) == pytest.approx(1.0, abs=1e-5)


def test_a_vector_does_not_depend_on_its_batch() -> None:
    texts = [f"text number {number} of a batch" for number in range(400)] * 8
    together = embed(*texts)
    assert len("".join(texts)) > 20_000  # made in a thread
    assert np.array_equal(together[5], embed(texts[5])[0])


def test_a_vector_does_not_depend_on_the_process() -> None:
    program = (
        "import asyncio, hashlib\n"
        "from shared.ai.builtin_embedder import BuiltinEmbedder\n"
        "vector = asyncio.run(BuiltinEmbedder().embed(['How is a struct defined in Rust?']))\n"
        "print(hashlib.sha256((vector * 1000).round().tobytes()).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    here = embed("How is a struct defined in Rust?")
    assert seen == {hashlib.sha256((here * 1000).round().tobytes()).hexdigest()}


def test_a_change_of_the_vectors_needs_a_new_name() -> None:
    vector = embed("Der Müller mahlt 42 Säcke; the miller grinds them. 日本語")[0]
    digest = hashlib.sha256((vector * 1000).round().astype("<f4").tobytes()).hexdigest()
    assert (BuiltinEmbedder.model, digest[:16]) == ("builtin/hashed-words-v1", "baa4cec1cd19867b")


@pytest.mark.parametrize(
    ("query", "near", "far"),
    [
        ("How do I define a struct?", "Structs are defined with the struct keyword.", "Enums have variants."),
        ("configuration", "How to configure the server", "How to restart the server"),
        ("ÉTÉ à Paris", "l'été, à paris", "l'hiver à Londres"),
        ("回答问题", "系统可以回答用户的问题", "系统可以分析文档"),
        (
            "getUserName",
            "The getUserName method returns the name.",
            "The setPassword method returns nothing.",
        ),
    ],
)
def test_texts_that_share_words_are_nearer(query: str, near: str, far: str) -> None:
    assert cosine(query, near) > cosine(query, far) + 0.05


def test_words_that_say_nothing_do_not_make_texts_alike() -> None:
    assert cosine("where is the key", "where is the door of the house that you are in") < 0.2


def test_importing_it_does_not_import_numpy() -> None:
    program = "import sys, shared.ai.builtin_embedder; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


async def test_more_words_than_are_kept_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.ai.builtin_embedder._KNOWN_WORDS", 3)
    embedder = BuiltinEmbedder()
    texts = ["one two three four five six", "seven eight nine", "one two"]
    assert np.array_equal(await embedder.embed(texts), embed_all(texts))


def embed_all(texts: list[str]) -> NDArray[float32]:
    embedder = BuiltinEmbedder()
    return embedder._vectors(texts)


def test_the_similarity_of_two_texts_is_the_cosine_of_their_vectors() -> None:
    embedder = BuiltinEmbedder()
    same = embedder.similarity("The cache holds 64 entries.", "The cache holds 64 entries.")
    alike = embedder.similarity("The cache holds 64 entries.", "64 entries are held by the cache.")
    other = embedder.similarity("The cache holds 64 entries.", "Rivers flow to the sea.")
    assert same == pytest.approx(1.0)
    assert same > alike > 0.5 > other
