"""Anchors: how many are sent to a wrong place, how many are dropped, beside what a plain search would do.

*Rebasing*: anchors of random passages, then edits whose pieces are known, so that where each passage went is
known by construction (`tests/edited_texts.py`). Wrong: at another place than its own. Lost: stale although no
edit touched it. Baseline: the first place with the same words. Once all in one request, once each anchor
alone, once with surroundings of 32 characters as another program may make them, once as an answer cites: the
text is a document in the embedded database, questions are asked in its own words, and the anchors are those
of places in the passages found; beside them the same made from their passages alone.

*Locating*: quotes of random passages, changed as models change them (`tests/misquotes.py`). Wrong: a place
that is not the passage's, or any place for a quote that the text does not hold. Baselines: the first place
with the same words, and a model's own offsets, here off by up to 40 characters in half of the cases.

    python -m benchmarks.anchors [--quick]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from benchmarks._retrieval_data import DATA
from shared.ai.builtin_embedder import BuiltinEmbedder
from shared.store.embedded import EmbeddedServer
from shared.store.migrate import migrate
from shared.store.postgres import PostgresTransport
from shared.store.store import Store
from shared.tasks.answers import Enquiry, citation_json
from shared.tasks.asking import Call
from shared.tasks.sources import Sources
from shared.text.anchors import locate, make_anchor
from shared.text.citations import CheckedCitation
from shared.text.positions import Utf16Text
from shared.text.rebasing import Rebased, rebase
from shared.types import LOCAL_CALLER, Anchor, DocumentKind, Position, Quote, Task
from tests.edited_texts import Edited, is_wrong, rearranged, rewritten, scattered
from tests.misquotes import KINDS, Quoted, passage, stands_in

ANCHORS = 1000
EDITS: tuple[tuple[Callable[[str, int, Random], Edited], int], ...] = (
    (scattered, 10),
    (scattered, 100),
    (scattered, 1000),
    (scattered, 5000),
    (rearranged, 10),
    (rearranged, 100),
    (rearranged, 1000),
    (rewritten, 100),
)
QUOTES = 400  # of each kind
MEGABYTE = 1_000_000
QUESTION = 100  # characters of a document's own words
UNDURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
OURS = ("together", "alone", "cited", "cited, alone")
WAYS = (*OURS, "of the passage", "of 32 characters")

Span = tuple[int, int]


def with_32_characters(text: Utf16Text, span: Span) -> Anchor:
    """An anchor as programs make it that do not ask whether its surroundings tell."""
    start, end = span
    content = text.text
    return Anchor(
        "old",
        Position(text.to_utf16(start), text.to_utf16(end)),
        Quote(content[start:end], content[max(0, start - 32) : start], content[end : end + 32]),
    )


def own(text: Utf16Text, span: Span) -> Anchor:
    return make_anchor(text, *span, content_hash="old", document_id=None)


def random_spans(text: str, count: int, chance: Random) -> list[Span]:
    starts = (chance.randrange(len(text) - 80) for _ in range(count))
    return [(start, start + chance.randrange(3, 80)) for start in starts]


def rebase_counts(
    edited: Edited, spans: Sequence[Span], anchors: Sequence[Anchor], *, alone: bool = False
) -> Counter[str]:
    new, places = Utf16Text(edited.new), edited.places()
    began = time.process_time()
    groups = [[anchor] for anchor in anchors] if alone else [anchors]
    results = [result for group in groups for result in rebase(group, new, content_hash="new")]
    counts = Counter({"ms": round((time.process_time() - began) * 1000), "anchors": len(spans)})
    for span, result in zip(spans, results, strict=True):
        counts += _verdict(edited, places.of(*span), result)
        if result.anchor:
            counts["wrong"] += is_wrong(places, span, new.to_index(result.anchor.position.start))
        first = new.text.find(edited.old[slice(*span)])
        counts["naive"] += first >= 0
        counts["naive wrong"] += first >= 0 and is_wrong(places, span, first)
    return counts


def _verdict(edited: Edited, true: int | None, result: Rebased) -> Counter[str]:
    return Counter(
        {
            "sent": result.anchor is not None,
            "lost": result.anchor is None and true is not None,
            "kept": true is not None,
        }
    )


async def enquiries_about(text: str) -> list[Enquiry]:
    """What the service finds in a document of this text for questions in its own words: ANCHORS passages."""
    with tempfile.TemporaryDirectory(prefix="marginalia-") as folder:
        server = EmbeddedServer(Path(folder), settings=UNDURABLE)
        url = await server.start()
        await migrate(url)
        store = Store(PostgresTransport(url))
        try:
            return await _ask_about(text, store)
        finally:
            await store.close()
            await server.stop()


async def _ask_about(text: str, store: Store) -> list[Enquiry]:
    call, sources, chance = Call("benchmark", LOCAL_CALLER), Sources(store, BuiltinEmbedder()), Random("ask")
    await store.put_document(
        call.caller, document_id="text", title=None, kind=DocumentKind.MARKDOWN, content=text
    )
    await sources.make_searchable(call, ["text"])
    enquiries: list[Enquiry] = []
    while sum(len(enquiry.matches) for enquiry in enquiries) < ANCHORS:
        start = chance.randrange(len(text) - QUESTION)
        question = text[start : start + QUESTION]
        found = await sources.passages(call, Task.QA, question, ["text"])
        enquiries.append(Enquiry(question, question, (), found))
    return enquiries


def cited_places(
    text: str, enquiries: Sequence[Enquiry], chance: Random
) -> list[tuple[Span, Anchor, Anchor]]:
    """A random place in each passage found, its anchor as it is cited, and as made without the document."""
    whole = Utf16Text(text)
    cited: list[tuple[Span, Anchor, Anchor]] = []
    for enquiry in enquiries:
        alone = replace(enquiry, found=replace(enquiry.found, texts={}))
        for index, match in enumerate(enquiry.matches):
            start = chance.randrange(max(1, len(match.text) - 80))
            end = min(len(match.text), start + chance.randrange(3, 80))
            citation = CheckedCitation(index + 1, index, start, end, "verified")
            first = whole.to_index(match.start)
            cited.append(((first + start, first + end), _cited(citation, enquiry), _cited(citation, alone)))
    return cited[:ANCHORS]


def _cited(citation: CheckedCitation, enquiry: Enquiry) -> Anchor:
    """A citation's anchor as it comes back to be mapped on."""
    sent: Any = citation_json(citation, enquiry)["anchor"]
    position, quote = Position(**sent["position"]), Quote(**sent["quote"])
    return Anchor(sent["content_hash"], position, quote, sent["document_id"])


def measure_rebasing(
    name: str, text: str, edits: Sequence[tuple[Callable[[str, int, Random], Edited], int]]
) -> int:
    """Prints a row for each kind of edit and one for each way of asking; gives our anchors' wrong ones."""
    enquiries = asyncio.run(enquiries_about(text))
    print(f"\n{name}: {len(text):,} characters, {ANCHORS} anchors")
    print(
        f"{'edits':<26} {'sent':>6} {'wrong':>6} {'stale':>6} {'lost':>6}"
        f" {'ms CPU':>6} {'find':>6} {'wrong':>6}"
    )
    totals = {way: Counter[str]() for way in WAYS}
    old = Utf16Text(text)
    for edit, count in edits:
        chance = Random(f"{edit.__name__} {count}")
        edited = edit(text, count, chance)
        spans = random_spans(text, ANCHORS, chance)
        few = ANCHORS // 4
        anchors = [own(old, span) for span in spans]
        row = rebase_counts(edited, spans, anchors)
        print(_row(f"{count} {edit.__name__}", row), flush=True)
        totals["together"] += row
        totals["alone"] += rebase_counts(edited, spans[:few], anchors[:few], alone=True)
        anchors = [with_32_characters(old, span) for span in spans]
        totals["of 32 characters"] += rebase_counts(edited, spans, anchors)
        spans, cited, of_passages = map(list, zip(*cited_places(text, enquiries, chance), strict=True))
        totals["cited"] += rebase_counts(edited, spans, cited)
        totals["cited, alone"] += rebase_counts(edited, spans[:few], cited[:few], alone=True)
        totals["of the passage"] += rebase_counts(edited, spans, of_passages)
    for way, total in totals.items():
        print(_row(f"all {total['anchors']:,} {way}", total))
    return sum(totals[way]["wrong"] for way in OURS)


def _row(name: str, counts: Counter[str]) -> str:
    return (
        f"{name:<26} {counts['sent']:>6} {counts['wrong']:>6} {counts['anchors'] - counts['sent']:>6}"
        f" {counts['lost']:>6} {counts['ms']:>6} {counts['naive']:>6} {counts['naive wrong']:>6}"
    )


def measure_locating(texts: Sequence[Utf16Text], count: int) -> int:
    """Prints a row for each kind of misquotation; gives the wrong places."""
    print(f"\nLocating, {count} quotes of each kind of {len(texts)} documents")
    print(
        f"{'kind':<22} {'sent':>6} {'wrong':>6} {'dropped':>8} {'find':>6} {'wrong':>6} {'offsets wrong':>14}"
    )
    total: Counter[str] = Counter()
    began = time.perf_counter()
    for kind in KINDS:
        counts = Counter[str]()
        for text, quoted in _quotations(texts, kind, count):
            counts += _located(text, quoted, Random(f"{kind} {quoted.span}"))
        print(_locating_row(kind, counts), flush=True)
        total += counts
    print(_locating_row("all", total))
    print(
        f"{(time.perf_counter() - began) / total['quotes'] * 1000:.2f} ms a quote, the making of it included"
    )
    return total["wrong"]


def _quotations(texts: Sequence[Utf16Text], kind: str, count: int) -> Iterator[tuple[Utf16Text, Quoted]]:
    chance = Random(kind)
    while count:
        text, other = chance.sample(texts, 2)
        span = passage(text.text, chance)
        quoted = KINDS[kind](text.text, span, chance)
        if quoted is None or (kind == "of another document" and stands_in(other.text, quoted.quote)):
            continue
        count -= 1
        yield (other if kind == "of another document" else text), quoted


def _located(text: Utf16Text, quoted: Quoted, chance: Random) -> Counter[str]:
    found = locate(text, quoted.quote, prefix=quoted.prefix, suffix=quoted.suffix)
    first = text.text.find(quoted.quote)
    shift = chance.choice((0, chance.randrange(-40, 41)))
    sent = (quoted.place[0] + shift, quoted.place[1] + shift) if quoted.place else None
    return Counter(
        {
            "quotes": 1,
            "sent": found is not None,
            "wrong": found is not None and not quoted.is_at(found),
            "find": first >= 0,
            "find wrong": first >= 0 and not quoted.is_at((first, first + len(quoted.quote))),
            "offsets wrong": sent is None
            or text.text[slice(*sent)] != text.text[slice(*(quoted.place or (0, 0)))],
        }
    )


def _locating_row(name: str, counts: Counter[str]) -> str:
    return (
        f"{name:<22} {counts['sent']:>6} {counts['wrong']:>6} {counts['quotes'] - counts['sent']:>8}"
        f" {counts['find']:>6} {counts['find wrong']:>6} {counts['offsets wrong']:>14}"
    )


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when an anchor was sent to a wrong place."""
    files = sorted((DATA / "markdown_corpus").rglob("*.md"))
    if not files:
        print(f"SKIPPED: the benchmark's data is not at {DATA}")
        return 0
    book = [file.read_text(encoding="utf-8") for file in files if file.parent.name == "rust-book"]
    guides = [file.read_text(encoding="utf-8") for file in files if "aws" in file.parts]
    quick = "--quick" in arguments
    edits = EDITS[1:7:2] if quick else EDITS
    wrong = measure_rebasing("The Rust book", "\n\n".join(book)[:MEGABYTE], edits)
    wrong += measure_rebasing("AWS guides, which repeat themselves", "\n\n".join(guides)[:MEGABYTE], edits)
    long = [Utf16Text(text) for text in book if len(text) > 5000]
    wrong += measure_locating(long, QUOTES // 4 if quick else QUOTES)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
