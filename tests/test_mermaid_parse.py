"""Mermaid text read back into a graph, and never passed on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.text.mermaid import DIAGRAM_TYPES, Graph, compile_mermaid, graph_from_json, graph_from_mermaid
from shared.text.mermaid.graph import Edge, Group
from tests.mermaid_graphs import DANGEROUS, random_graph
from tests.mermaid_parser import MermaidParser

CORPUS = Path(__file__).parents[1].parent / "shared" / "data" / "mermaid" / "diagrams.jsonl"
needs_corpus = pytest.mark.skipif(not CORPUS.exists(), reason=f"no {CORPUS}: Mermaid texts of other projects")

TYPES_IN_CORPUS = {
    "flowchart-v2": "flowchart",
    "flowchart-elk": "flowchart",
    "sequence": "sequence",
    "classDiagram": "class",
    "stateDiagram": "state",
    "er": "er",
    "mindmap": "mindmap",
    "timeline": "timeline",
    "gantt": "gantt",
    "pie": "pie",
    "quadrantChart": "quadrant",
}


@pytest.fixture(scope="module")
def parser() -> MermaidParser:
    return MermaidParser()


def corpus() -> list[dict[str, Any]]:
    return [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]


def links(graph: Graph) -> list[tuple[str, ...]]:
    return [(edge.source, edge.target, edge.label, edge.kind) for edge in graph.edges]


@needs_corpus
def test_the_parser_of_the_tests_agrees_with_mermaid_in_a_browser(parser: MermaidParser) -> None:
    """The records say what mermaid 11.17.2 says in jsdom; the tests run 11.16."""
    rows = corpus()
    assert [row["id"] for row in rows if parser.parse(row["code"]).valid != row["valid"]] == []


@needs_corpus
def test_valid_diagrams_of_other_projects_are_read_and_compile_to_valid_ones(parser: MermaidParser) -> None:
    read: Counter[str] = Counter()
    unread: list[str] = []
    for row in corpus():
        if not row["valid"] or row["diagram_type"] not in TYPES_IN_CORPUS:
            continue
        try:
            graph = graph_from_mermaid(row["code"])
        except ValueError as error:
            unread.append(f"{row['id']}: {error}")
            continue
        text = compile_mermaid(graph)
        assert graph.diagram_type == TYPES_IN_CORPUS[row["diagram_type"]]
        assert parser.parse(text).error is None, row["id"]
        assert DANGEROUS.search(text) is None, row["id"]
        read[graph.diagram_type] += 1
    # One quadrant chart has no points, so there is nothing to draw.
    assert len(unread) <= 1, unread
    assert set(read) == set(DIAGRAM_TYPES)


def test_a_flowchart_is_read_with_its_shapes_lines_and_subgraphs() -> None:
    graph = graph_from_mermaid(
        """flowchart LR; a([Start]) --> b{"Is it #quot;ok#quot;?"}
        b -->|yes| c[(Database)] & d:::hot
        b -. no .-> e["`**bold** (x)`"]
        c == "thick" ==> d
        subgraph part [Part One]
            f --- g@{ shape: cyl, label: "Store" }
        end
        a --> part
        click a href "javascript:alert(1)"
        style a fill:#f00
        classDef hot fill:#f00;
        """
    )
    assert graph.direction == "LR"
    assert [(node.id, node.label, node.kind) for node in graph.nodes] == [
        ("a", "Start", "terminal"),
        ("b", 'Is it "ok"?', "decision"),
        ("c", "Database", "database"),
        ("d", "d", ""),
        ("e", "bold (x)", "process"),
        ("f", "f", ""),
        ("g", "Store", "database"),
    ]
    assert links(graph) == [
        ("a", "b", "", "arrow"),
        ("b", "c", "yes", "arrow"),
        ("b", "d", "yes", "arrow"),
        ("b", "e", "no", "dotted"),
        ("c", "d", "thick", "thick"),
        ("f", "g", "", "line"),
        ("a", "part", "", "arrow"),
    ]
    assert graph.groups == (Group("part", "Part One"),)
    assert [node.id for node in graph.nodes if node.group == "part"] == ["f", "g"]


def test_a_sequence_is_read_with_its_fragments_notes_and_boxes() -> None:
    graph = graph_from_mermaid(
        """sequenceDiagram
        title How it goes
        box Aqua Inside
        participant A as Alice<br/>(user)
        end
        actor Bob
        A->>+Bob: Hello, #35;1 & more
        Note over A,Bob: thinking
        alt is well
            Bob-->>-A: Fine: thanks
        else is ill
            Bob-)A: Bad
        end
        loop daily
            A-xBob: ping
        end
        """
    )
    assert graph.title == "How it goes"
    assert [(node.label, node.kind) for node in graph.nodes] == [
        ("Alice (user)", "participant"),
        ("Bob", "actor"),
    ]
    assert links(graph) == [
        ("A", "Bob", "Hello, #1 & more", "call"),
        ("A", "Bob", "thinking", "note"),
        ("Bob", "A", "Fine: thanks", "reply"),
        ("Bob", "A", "Bad", "async"),
        ("A", "Bob", "ping", "lost"),
    ]
    assert [(group.label, group.kind) for group in graph.groups] == [
        ("Inside", "box"),
        ("is well", "alt"),
        ("is ill", "else"),
        ("daily", "loop"),
    ]


def test_a_class_diagram_is_read_with_members_and_the_direction_of_relations() -> None:
    graph = graph_from_mermaid(
        """classDiagram
        Animal <|-- Duck : is a
        Zoo "1" *-- "many" Animal
        class Duck["A duck"] {
            <<interface>>
            +List~int~ eggs
            +swim() bool
        }
        Zoo : +name
        Zoo ..> Keeper
        """
    )
    assert links(graph) == [
        ("Duck", "Animal", "is a", "inheritance"),
        ("Zoo", "Animal", "(1 to many)", "composition"),
        ("Zoo", "Keeper", "", "dependency"),
    ]
    duck = next(node for node in graph.nodes if node.id == "Duck")
    assert (duck.label, duck.kind, duck.members) == (
        "A duck",
        "interface",
        ("+List<int> eggs", "+swim() bool"),
    )


def test_a_state_diagram_is_read_with_composites_and_its_own_start_in_each() -> None:
    graph = graph_from_mermaid(
        """stateDiagram-v2
        [*] --> Idle
        Idle --> Busy : work: now
        state "Very busy" as Busy {
            [*] --> Deep
            Deep --> [*]
        }
        state fork1 <<fork>>
        Busy --> fork1
        """
    )
    assert [(node.label, node.kind, node.group) for node in graph.nodes] == [
        ("Start", "start", None),
        ("Idle", "", None),
        ("Start", "start", "Busy"),
        ("Deep", "", "Busy"),
        ("End", "end", "Busy"),
        ("fork1", "fork", None),
    ]
    assert ("Idle", "Busy", "work: now", "") in links(graph)


def test_entities_are_read_with_attributes_and_cardinalities() -> None:
    graph = graph_from_mermaid(
        """erDiagram
        CUSTOMER ||--o{ "LINE-ITEM" : "places #quot;x#quot;"
        p[Person] {
            string name PK, FK "the name"
            int age
        }
        p one or more optionally to zero or one CUSTOMER : is
        """
    )
    assert links(graph) == [
        ("CUSTOMER", "LINE_ITEM", 'places "x"', "one-to-zero-or-more"),
        ("p", "CUSTOMER", "is", "optional-one-or-more-to-zero-or-one"),
    ]
    person = next(node for node in graph.nodes if node.id == "p")
    assert (person.label, person.members) == ("Person", ("name: string PK FK", "age: int"))


def test_a_mind_map_is_read_by_its_indentation() -> None:
    graph = graph_from_mermaid(
        "mindmap\n  root((Top))\n    Uno\n      [Deep]\n    ::icon(fa fa-book)\n    Two"
    )
    assert [edge[:2] for edge in links(graph)] == [("root_", "Uno"), ("Uno", "Deep"), ("root_", "Two")]


def test_charts_are_read_with_their_numbers() -> None:
    pie = graph_from_mermaid('pie showData title Pets\n "Dogs" : 38.5\n "Cats" : 10')
    assert (pie.title, [(node.label, node.value) for node in pie.nodes]) == (
        "Pets",
        [("Dogs", 38.5), ("Cats", 10.0)],
    )
    quadrant = graph_from_mermaid("quadrantChart\n x-axis Low --> High\n quadrant-1 Do\n A: [0.3, 0.6]")
    assert [(group.id, group.label) for group in quadrant.groups] == [
        ("x_low", "Low"),
        ("x_high", "High"),
        ("quadrant_1", "Do"),
    ]
    timeline = graph_from_mermaid("timeline\n section Old\n 2004 : Facebook : Google\n      : Orkut")
    assert timeline.nodes[0].members == ("Facebook", "Google", "Orkut")
    gantt = graph_from_mermaid("gantt\n section A\n One :done, t1, 2024-01-02, 3d\n Two :after t1, 1w")
    assert [(node.start, node.value, node.kind) for node in gantt.nodes] == [
        ("2024-01-02", 3.0, "done"),
        (None, 7.0, ""),
    ]
    assert gantt.edges == (Edge("t1", "Two"),)


@pytest.mark.parametrize(
    "text",
    [
        "Here is the diagram:\n\n```mermaid\ngraph TD\nA-->B\n```\nEnjoy!",
        "```\ngraph TD\nA-->B\n```",
        "Sure! Here it is:\ngraph TD\nA-->B",
        "---\ntitle: T\nconfig:\n  securityLevel: loose\n---\ngraph TD\nA-->B",
        '%%{init: {"securityLevel": "loose"}}%%\n%% note\ngraph TD\r\nA-->B',
    ],
)
def test_a_diagram_is_found_in_fences_prose_and_settings_which_stay_behind(text: str) -> None:
    graph = graph_from_mermaid(text)
    assert [edge[:2] for edge in links(graph)] == [("A", "B")]
    assert "loose" not in compile_mermaid(graph)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "There is no diagram"),
        ("I cannot draw that.", "The answer is neither a graph in JSON nor a diagram"),
        ("gitGraph\n commit", "The answer is neither a graph in JSON nor a diagram"),
        ("graph TD\n A -->", "Line 2 of the diagram cannot be read: A -->"),
        ("graph TD\n A[unclosed", "Line 2 of the diagram cannot be read"),
        ("classDiagram\n A -- {", "Line 2 of the diagram cannot be read"),
        ("sequenceDiagram\n hello there", "Line 2 of the diagram cannot be read"),
        ("erDiagram\n A ||-- B {", "Line 2 of the diagram cannot be read"),
        ("pie\n nonsense", "Line 2 of the diagram cannot be read"),
        ("graph TD\n", "The graph has no nodes"),
        ("graph TD\n" + "A" * 3_000, "The diagram has a line of more than"),
        ("graph TD\n" + "A-->B\n" * 20_000, "The diagram is longer than"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        graph_from_mermaid(text)


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**63), diagram_type=st.sampled_from(DIAGRAM_TYPES))
@example(seed=41654, diagram_type="gantt")
@example(seed=980, diagram_type="flowchart")
@example(seed=36, diagram_type="pie")
def test_what_we_compile_we_can_read_back(seed: int, diagram_type: str) -> None:
    try:
        graph = graph_from_json(random_graph(Random(seed), diagram_type))
    except ValueError:
        return
    again = graph_from_mermaid(compile_mermaid(graph))
    assert again.diagram_type == diagram_type
    drawn = {
        node.label for node in graph.nodes if node.kind not in ("start", "end", "choice", "fork", "join")
    }
    assert drawn <= {label.removesuffix(" (2)") for label in (node.label for node in again.nodes)}


@settings(max_examples=150, deadline=None)
@given(
    header=st.sampled_from(
        ["graph TD", "sequenceDiagram", "classDiagram", "stateDiagram-v2", "erDiagram", "mindmap"]
    ),
    lines=st.lists(st.text(alphabet="abAB -->|[](){}\"':;#%.o*<~&=\\/@\n", max_size=24), max_size=6),
)
def test_any_text_gives_a_graph_or_a_sentence(header: str, lines: list[str]) -> None:
    try:
        graph = graph_from_mermaid("\n".join([header, *lines]))
    except ValueError:
        return
    assert DANGEROUS.search(compile_mermaid(graph)) is None
