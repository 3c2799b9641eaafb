"""Compiled diagrams, read by Mermaid's own parser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.mermaid import DIAGRAM_TYPES, Graph, compile_mermaid, graph_from_json
from shared.text.mermaid.graph import MAX_EDGES, MAX_GROUPS, MAX_NODES, Edge, Group, Node
from shared.text.mermaid.labels import clean_text
from tests.mermaid_graphs import DANGEROUS, HOSTILE, random_graph
from tests.mermaid_parser import MermaidParser, decoded, shown_labels

EVERY_TYPE = pytest.mark.parametrize("diagram_type", DIAGRAM_TYPES)


@pytest.fixture(scope="module")
def parser() -> MermaidParser:
    return MermaidParser()


def graph_of(diagram_type: str, labels: list[str], **fields: Any) -> Graph:
    """Nodes n0, n1, ... with these labels, and an edge from the first to each other."""
    nodes = [
        {"id": f"n{index}", "label": label, "value": index + 1, "x": 0.25, "y": 0.5, "start": "2024-01-01"}
        for index, label in enumerate(labels)
    ]
    edges = [{"from": "n0", "to": f"n{index}", "label": label} for index, label in enumerate(labels) if index]
    return graph_from_json({"nodes": nodes, "edges": edges, **fields}, diagram_type=diagram_type)


def compiled_or_refused(data: dict[str, Any]) -> str:
    """What a refused graph leads to is no diagram; the plainest stands for it."""
    try:
        return compile_mermaid(graph_from_json(data))
    except ValueError:
        return "flowchart TB\n"


@EVERY_TYPE
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**63))
def test_any_graph_a_model_sends_compiles_to_a_diagram_that_parses(
    parser: MermaidParser, diagram_type: str, seed: int
) -> None:
    text = compiled_or_refused(random_graph(Random(seed), diagram_type))
    assert parser.parse(text).error is None, text
    assert DANGEROUS.search(text) is None, text
    assert re.search(":(?! )", text) is None, text  # what Mermaid's encodeEntities could damage a label by


@EVERY_TYPE
def test_every_hostile_label_parses_and_shows_as_it_was_written(
    parser: MermaidParser, diagram_type: str
) -> None:
    labels = [label for hostile in HOSTILE if (label := clean_text(hostile))]
    for batch in _batches(list(dict.fromkeys(labels)), 12):
        graph = graph_of(diagram_type, batch, title=batch[0])
        text = compile_mermaid(graph)
        assert DANGEROUS.search(text) is None, text
        shown = shown_labels(parser, diagram_type, text)
        assert sorted(shown.values()) == sorted(batch)


@EVERY_TYPE
def test_every_hostile_title_id_member_and_group_parses(parser: MermaidParser, diagram_type: str) -> None:
    for batch in _batches(list(HOSTILE), 10):
        data = {
            "title": batch[0],
            "nodes": [
                {
                    "id": hostile,
                    "members": [hostile, f"{hostile}: {hostile}"],
                    "group": hostile,
                    "kind": hostile,
                }
                | {"value": 1, "x": 1, "y": 0, "quote": hostile}
                for hostile in batch
            ],
            "edges": [
                {"from": hostile, "to": "other", "label": hostile, "kind": hostile, "group": hostile}
                for hostile in batch
            ],
            "groups": [{"id": hostile, "label": hostile, "kind": "loop"} for hostile in batch],
        }
        text = compile_mermaid(graph_from_json(data, diagram_type=diagram_type))
        assert parser.parse(text).error is None, text
        assert DANGEROUS.search(text) is None, text


@settings(max_examples=60, deadline=None)
@given(label=st.text(min_size=1, max_size=40), diagram_type=st.sampled_from(DIAGRAM_TYPES))
def test_any_text_shows_as_it_was_written(parser: MermaidParser, label: str, diagram_type: str) -> None:
    expected = clean_text(label) or "n0"
    text = compile_mermaid(graph_of(diagram_type, [label]))
    assert list(shown_labels(parser, diagram_type, text).values()) == [expected]


@settings(max_examples=300)
@given(label=st.text(max_size=60))
def test_cleaned_text_is_one_line_without_controls_and_stays_as_it_is(label: str) -> None:
    cleaned = clean_text(label)
    assert cleaned == clean_text(cleaned)
    assert all(character.isprintable() or ord(character) > 127 for character in cleaned)
    cleaned.encode("utf-8")


@EVERY_TYPE
def test_nodes_edges_and_groups_all_come_back(parser: MermaidParser, diagram_type: str) -> None:
    graph = graph_of(diagram_type, ["One", "Two", "Three"])
    shown = shown_labels(parser, diagram_type, compile_mermaid(graph))
    assert sorted(shown.values()) == ["One", "Three", "Two"]


def test_flowchart_edges_keep_their_ends_lines_and_labels(parser: MermaidParser) -> None:
    kinds = ("arrow", "dotted", "thick", "line", "both")
    edges = tuple(Edge("a", "b", f'"{kind}" | x', kind) for kind in kinds)
    graph = Graph("flowchart", (Node("a", "A"), Node("b", "B")), edges)
    found = parser.parse(compile_mermaid(graph), "getEdges").database
    assert found is not None
    strokes = [(each["start"], each["end"], each["stroke"], each["type"]) for each in found["getEdges"]]
    assert strokes == [
        ("a", "b", "normal", "arrow_point"),
        ("a", "b", "dotted", "arrow_point"),
        ("a", "b", "thick", "arrow_point"),
        ("a", "b", "normal", "arrow_open"),
        ("a", "b", "normal", "double_arrow_point"),
    ]


def test_subgraphs_nest_and_hold_their_nodes(parser: MermaidParser) -> None:
    groups = (Group("outer", "Outer"), Group("inner", 'In "ner"', parent="outer"))
    nodes = (Node("a", "A", group="outer"), Node("b", "B", group="inner"), Node("c", "C"))
    text = compile_mermaid(Graph("flowchart", nodes, (Edge("c", "inner"),), groups))
    found = parser.parse(text, "getSubGraphs").database
    assert found is not None
    assert {each["id"]: sorted(each["nodes"]) for each in found["getSubGraphs"]} == {
        "inner": ["b"],
        "outer": ["a", "inner"],
    }


def test_fragments_of_a_sequence_open_and_close_around_their_messages() -> None:
    groups = (
        Group("ready", "ready?", "alt"),
        Group("no", "not ready", "else", "ready"),
        Group("again", "3x", "loop"),
    )
    edges = (
        Edge("a", "b", "ask"),
        Edge("b", "a", "yes", "reply", "ready"),
        Edge("b", "a", "no", "reply", "no"),
        Edge("a", "b", "poll", group="again"),
        Edge("a", "a", "wait", "note", "again"),
    )
    text = compile_mermaid(Graph("sequence", (Node("a", "A", "actor"), Node("b", "B")), edges, groups))
    assert [line.strip() for line in text.splitlines()] == [
        "sequenceDiagram",
        "actor a as A",
        "participant b as B",
        "a->>b: ask",
        "alt ready?",
        "b-->>a: yes",
        "else not ready",
        "b-->>a: no",
        "end",
        "loop 3x",
        "a->>b: poll",
        "Note over a: wait",
        "end",
    ]


def test_a_box_named_after_a_colour_keeps_its_name(parser: MermaidParser) -> None:
    graph = Graph("sequence", (Node("a", "A", group="team"),), groups=(Group("team", "red: team", "box"),))
    found = parser.parse(compile_mermaid(graph), "getBoxes").database
    assert found is not None
    assert [(decoded(box["name"]), box["fill"]) for box in found["getBoxes"]] == [
        ("red: team", "transparent")
    ]


def test_start_and_end_of_a_state_diagram_are_mermaids_own(parser: MermaidParser) -> None:
    nodes = (Node("s", "Begin", "start"), Node("run", "Running"), Node("e", "Over", "end"))
    text = compile_mermaid(Graph("state", nodes, (Edge("s", "run"), Edge("run", "e", "done: all"))))
    assert "[*] --> run" in text
    assert "run --> [*] : done#58; all" in text
    assert parser.parse(text).valid


def test_a_method_is_shown_with_its_result_and_a_field_is_no_method(parser: MermaidParser) -> None:
    members = ("+find(id: string): Promise<User>", "note: see (below)", "<<interface>>", "click me")
    text = compile_mermaid(Graph("class", (Node("repo", "Repo", "interface", members=members),)))
    found = parser.parse(text, "getClasses").database
    assert found is not None
    repo = found["getClasses"]["repo"]
    assert [each["id"] for each in repo["methods"]] != []
    assert repo["annotations"] == ["interface"]
    assert len(repo["members"]) == 3


def test_an_attribute_keeps_its_type_name_and_keys(parser: MermaidParser) -> None:
    members = ("id: int PK", "string name", "price: decimal(10,2)", "owner FK", "PK")
    text = compile_mermaid(Graph("er", (Node("item", "Item", members=members),)))
    found = parser.parse(text, "getEntities").database
    assert found is not None
    attributes = found["getEntities"]["item"]["attributes"]
    assert sorted((each["type"], each["name"], *each["keys"]) for each in attributes)[:4] == [
        ("any", "attribute", "PK"),
        ("any", "owner", "FK"),
        ("decimal_10_2", "price"),
        ("int", "id", "PK"),
    ]


def test_a_plan_without_dates_or_durations_still_has_both(parser: MermaidParser) -> None:
    graph = graph_from_json(
        {"nodes": ["Design", "Build"], "edges": ["Design -> Build"]}, diagram_type="gantt"
    )
    text = compile_mermaid(graph)
    assert "2024-01-01, 1d" in text
    assert "after Design, 1d" in text
    assert any("2024-01-01" in note for note in graph.mended)
    assert parser.parse(text, "getTasks").valid


def test_slices_with_the_same_label_are_all_drawn(parser: MermaidParser) -> None:
    nodes = (Node("a", "Same", value=1), Node("b", "Same", value=2.5))
    found = parser.parse(compile_mermaid(Graph("pie", nodes)), "getSections").database
    assert found == {"getSections": {"Same": 1, "Same (2)": 2.5}}


@EVERY_TYPE
def test_the_largest_graph_with_the_worst_labels_stays_within_mermaids_limit(
    parser: MermaidParser, diagram_type: str
) -> None:
    label = '<"%;:>' * 40
    names = [f"node_with_a_rather_long_identifier_{index}<" for index in range(MAX_NODES)]
    nodes = [
        {"id": name, "label": label + name, "value": 1, "x": 0.5, "y": 0.5, "members": [label] * 40}
        | {"group": f"g{index % MAX_GROUPS}"}
        for index, name in enumerate(names)
    ]
    edges = [
        {"from": names[index % MAX_NODES], "to": names[(index * 7 + 1) % MAX_NODES], "label": label}
        | {"group": f"g{index * 13 % MAX_GROUPS}" if diagram_type == "sequence" else None}
        for index in range(MAX_EDGES)
    ]
    groups = [
        {"id": f"g{index}", "label": label, "kind": "loop", "parent": f"g{index - 1}" if index else None}
        for index in range(MAX_GROUPS)
    ]
    data = {"title": label, "nodes": nodes, "edges": edges, "groups": groups}
    text = compile_mermaid(graph_from_json(data, diagram_type=diagram_type))
    assert len(text.encode("utf-16-le")) // 2 < 50_000
    if diagram_type in ("flowchart", "mindmap"):
        assert parser.parse(text).error is None


@EVERY_TYPE
def test_a_small_change_of_the_graph_leaves_the_other_ids_and_lines(diagram_type: str) -> None:
    before = graph_of(diagram_type, ["First", "Second", "Third"])
    data = before.to_json()
    data["nodes"].insert(1, {**data["nodes"][0], "id": "brand new", "label": "Brand new"})
    data["edges"].insert(0, {**(data["edges"] or [{"from": "n0"}])[0], "to": "brand new"})
    after = graph_from_json(json.loads(json.dumps(data)))
    assert {node.id for node in after.nodes} - {node.id for node in before.nodes} == {"brand_new"}
    assert {node.id for node in before.nodes} <= {node.id for node in after.nodes}


@EVERY_TYPE
def test_the_same_graph_always_gives_the_same_text(diagram_type: str) -> None:
    graph = graph_from_json(random_graph(Random(7), diagram_type))
    again = graph_from_json(graph.to_json())
    assert compile_mermaid(graph) == compile_mermaid(graph)
    assert compile_mermaid(again) == compile_mermaid(graph)


def _batches(items: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
