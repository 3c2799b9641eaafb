"""Diagrams drawn without a model, from what a document's structure says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.diagram_outline import outline_graph
from shared.text.mermaid import DIAGRAM_TYPES, Graph, compile_mermaid
from shared.types import DocumentKind
from tests.mermaid_graphs import DANGEROUS, HOSTILE
from tests.mermaid_parser import MermaidParser

CORPUS = Path(__file__).parents[1].parent / "shared" / "data" / "markdown_corpus"
SAMPLES = Path(__file__).parents[1] / "docs" / "samples"

ORDERS = """# Orders

The gateway calls the order service. `OrderService` writes to `Postgres`. It sends `Receipt` to nobody.

## Order flow

Client -> Gateway -> Order service: place order

1. Read the **cart**.
2. Is it empty?
3. Charge the card; then log.

## States

draft --> placed
placed → shipped

## History

- 2021: **Start** of the project
- 2023-05: Second version

## Plan

| Task | From | To |
|---|---|---|
| Build | 2024-01-02 | 2024-01-09 |

- Tests: 60 %
- Docs: 40 %

```ts
export interface Order { id: string; lines: Line[] }
interface Line { sku: string; order: Order }
```

```python
a -> b
```
"""

TYPESCRIPT = """
import { A } from './a';
/** class Hidden {} */
export abstract class Repo<T extends Entity> extends Base implements Store<T> {
  private readonly cache: Map<string, Entity> = new Map();
  constructor(private db: Db) { super(); }
  async find(id: string): Promise<Entity | null> { if (id) { return load(id); } return null }
}
interface Entity { id: string; owner?: User }
export interface Store<T> { find(id: string): Promise<T> }
type User = { name: string };
enum Color { Red = 'r', Green = 'g' }
function load(id: string) { return parse(id) }
const parse = (x: string) => { return x }
class Base {}
"""


@pytest.fixture(scope="module")
def parser() -> MermaidParser:
    return MermaidParser()


def drawn(content: str, concept: str = "this document", diagram_type: str | None = None) -> Graph:
    return outline_graph(
        content, DocumentKind.MARKDOWN, concept=concept, diagram_type=diagram_type, title="Orders"
    )


def links(graph: Graph) -> list[tuple[str, str, str]]:
    labels = {node.id: node.label for node in graph.nodes}
    return [(labels[edge.source], labels[edge.target], edge.label) for edge in graph.edges]


def test_arrows_in_the_section_the_concept_names_become_a_flowchart() -> None:
    graph = drawn(ORDERS, "How does the order flow work?")
    assert graph.diagram_type == "flowchart"
    assert links(graph) == [("Client", "Gateway", ""), ("Gateway", "Order service", "place order")]


def test_numbered_steps_become_a_chain_with_its_questions_as_decisions() -> None:
    steps = "# How to pay\n\n1. Read the **cart**.\n2. Is it empty?\n3. Charge the card; then log.\n"
    graph = drawn(steps)
    assert [(node.label, node.kind, node.quote) for node in graph.nodes] == [
        ("Read the cart", "", "Read the **cart**."),
        ("Is it empty?", "decision", "Is it empty?"),
        ("Charge the card", "", "Charge the card; then log."),
    ]
    assert links(graph) == [
        ("Read the cart", "Is it empty?", ""),
        ("Is it empty?", "Charge the card", ""),
    ]


def test_a_list_of_open_questions_is_no_procedure() -> None:
    graph = drawn("# Design\n\n## Goals\n\n## Questions\n\n1. Who pays?\n2. Who knows?\n")
    assert graph.diagram_type == "mindmap"


def test_headings_become_a_mind_map_with_repeated_ones_told_apart() -> None:
    graph = drawn("# Guide\n\n## Install\n\n### Example\n\n## Use\n\n### Example\n", diagram_type="mindmap")
    assert links(graph) == [
        ("Guide", "Install", ""),
        ("Install", "Example", ""),
        ("Guide", "Use", ""),
        ("Use", "Example", ""),
    ]
    assert len({node.id for node in graph.nodes}) == 5


def test_sentences_of_who_does_what_to_whom_become_messages_in_order() -> None:
    text = (
        "The client sends a request to the server. The server queries `Postgres`.\n"
        "The server returns rows to the client."
    )
    graph = drawn(text, diagram_type="sequence")
    assert links(graph) == [
        ("client", "server", "sends a request to"),
        ("server", "Postgres", "queries"),
        ("server", "client", "returns rows to"),
    ]
    assert [edge.kind for edge in graph.edges] == ["", "", "reply"]


def test_each_type_takes_what_the_document_has_for_it() -> None:
    assert ("draft", "placed", "") in links(drawn(ORDERS, "states", "state"))
    assert [node.id for node in drawn(ORDERS, diagram_type="class").nodes] == ["Order", "Line"]
    assert [edge.kind for edge in drawn(ORDERS, diagram_type="er").edges] == [
        "one-to-zero-or-more",
        "zero-or-more-to-one",
    ]
    assert [(node.label, node.members) for node in drawn(ORDERS, diagram_type="timeline").nodes] == [
        ("2021", ("Start of the project",)),
        ("2023-05", ("Second version",)),
    ]
    assert [(node.label, node.start, node.end) for node in drawn(ORDERS, diagram_type="gantt").nodes] == [
        ("Build", "2024-01-02", "2024-01-09")
    ]
    assert [(node.label, node.value) for node in drawn(ORDERS, diagram_type="pie").nodes] == [
        ("Tests", 60.0),
        ("Docs", 40.0),
    ]


def test_a_type_the_document_has_nothing_for_is_refused_with_a_sentence() -> None:
    with pytest.raises(
        ValueError, match=r"nothing to draw as a quadrant diagram: try mindmap or flowchart\.$"
    ):
        drawn(ORDERS, diagram_type="quadrant")
    with pytest.raises(ValueError, match="diagram_type must be one of"):
        drawn(ORDERS, diagram_type="hologram")


def test_a_diagram_in_the_document_is_read_and_drawn_anew() -> None:
    content = '# A\n\nAlice waves.\n\n```mermaid\nsequenceDiagram\nAlice->>Bob: hi\nclick Alice "x"\n```\n'
    graph = drawn(content)
    assert links(graph) == [("Alice", "Bob", "hi")]
    assert graph.nodes[0].quote == "Alice"
    assert "Read from a diagram in the document." in graph.mended


def test_code_of_a_language_is_not_read_as_arrows() -> None:
    assert "b" not in {node.label for node in drawn(ORDERS, diagram_type="flowchart").nodes}


def test_classes_are_drawn_with_members_parents_and_what_they_hold() -> None:
    graph = outline_graph(TYPESCRIPT, DocumentKind.TYPESCRIPT, concept="model")
    assert graph.diagram_type == "class"
    repo = graph.nodes[0]
    assert (repo.id, repo.kind) == ("Repo", "abstract")
    assert repo.members == ("-cache: Map<string, Entity>", "+find(id: string): Promise<Entity | null>")
    assert repo.quote == "export abstract class Repo<T extends Entity> extends Base implements Store<T>"
    kinds = {(edge.source, edge.target): edge.kind for edge in graph.edges}
    assert kinds[("Repo", "Base")] == "inheritance"
    assert kinds[("Repo", "Store")] == "realization"
    assert kinds[("Entity", "User")] == "association"
    assert "Hidden" not in {node.id for node in graph.nodes}


def test_functions_are_drawn_with_their_calls() -> None:
    graph = outline_graph(TYPESCRIPT, DocumentKind.TYPESCRIPT, concept="calls", diagram_type="flowchart")
    assert links(graph) == [("load", "parse", "")]


def test_keys_of_json_become_a_tree_and_its_numbers_shares() -> None:
    content = json.dumps(
        {"name": "x", "limits": {"small": 1, "large": 3}, "servers": [{"port": 1}, {"port": 2}]}
    )
    tree = outline_graph(content, DocumentKind.JSON, concept="config")
    assert ("limits", "small: 1", "") in links(tree)
    assert ("servers (2)", "port: 1", "") in links(tree)
    shares = outline_graph(content, DocumentKind.JSON, concept="limits", diagram_type="pie")
    assert [(node.label, node.value) for node in shares.nodes] == [("small", 1.0), ("large", 3.0)]


@pytest.mark.parametrize("content", ["{", "[]", "3", '{"a"', "[" * 5_000])
def test_what_is_no_json_with_keys_is_refused(content: str) -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        outline_graph(content, DocumentKind.JSON, concept="x")


def test_without_a_document_the_concepts_own_words_are_drawn() -> None:
    chain = outline_graph("", DocumentKind.MARKDOWN, concept="login -> session -> logout")
    assert links(chain) == [("login", "session", ""), ("session", "logout", "")]
    parties = outline_graph(
        "", DocumentKind.MARKDOWN, concept="how the queue between producer and consumer works"
    )
    assert {node.label for node in parties.nodes} >= {"producer", "consumer"}
    alone = outline_graph(" ", DocumentKind.MARKDOWN, concept="Photosynthesis")
    assert [node.label for node in alone.nodes] == ["Photosynthesis"]
    with pytest.raises(ValueError, match="needs data"):
        outline_graph("", DocumentKind.MARKDOWN, concept="Sales", diagram_type="pie")


def test_a_long_document_is_drawn_in_part_and_says_so() -> None:
    content = "# Top\n\n" + "".join(f"## Section {number}\n\n" for number in range(200))
    graph = drawn(content)
    assert len(graph.nodes) == 40
    assert graph.mended == ("161 more headings and points are not drawn.",)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.*")), ids=lambda path: path.name)
def test_the_sample_documents_can_be_drawn(parser: MermaidParser, path: Path) -> None:
    kinds = {".ts": DocumentKind.TYPESCRIPT, ".json": DocumentKind.JSON, ".md": DocumentKind.MARKDOWN}
    content = path.read_text(encoding="utf-8")
    graph = outline_graph(content, kinds[path.suffix], concept="overview", title=path.stem)
    assert len(graph.nodes) > 3
    assert parser.parse(compile_mermaid(graph)).valid
    assert all(node.quote is None or node.quote in content for node in graph.nodes)


@pytest.mark.skipif(not CORPUS.exists(), reason=f"no {CORPUS}: documents of other projects")
def test_documents_of_other_projects_are_drawn_with_quotes_that_stand_in_them(parser: MermaidParser) -> None:
    paths = sorted(CORPUS.rglob("*.md"))[::40]
    for path in paths:
        content = path.read_text(encoding="utf-8")
        for diagram_type in (None, "flowchart", "mindmap"):
            graph = drawn(content, diagram_type=diagram_type)
            assert parser.parse(compile_mermaid(graph)).error is None, path
            assert all(node.quote is None or node.quote in content for node in graph.nodes), path


@settings(max_examples=120, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from(
            [*HOSTILE, "# A", "## B -> C", "1. x", "2. y?", "- 2024-01-01: z", "`A` calls `B`", "a: 5 %"]
        )
        | st.text(max_size=12),
        max_size=10,
    ),
    concept=st.sampled_from(["", "B", "A -> C", *HOSTILE]),
    kind=st.sampled_from(DocumentKind),
    diagram_type=st.sampled_from([None, *DIAGRAM_TYPES]),
)
def test_any_document_gives_a_harmless_diagram_or_a_sentence(
    pieces: list[str], concept: str, kind: DocumentKind, diagram_type: str | None
) -> None:
    content = "\n".join(pieces)
    try:
        graph = outline_graph(content, kind, concept=concept, diagram_type=diagram_type)
    except ValueError:
        return
    assert DANGEROUS.search(compile_mermaid(graph)) is None
    assert all(node.quote is None or node.quote in content for node in graph.nodes)
    again = outline_graph(content, kind, concept=concept, diagram_type=diagram_type)
    assert again == graph
